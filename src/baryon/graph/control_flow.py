"""Loops, branches and gradients of graphs as operators: ``_foreach`` and its like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend import of_array
from ..base import MXNetError
from ..ops import control_flow, rules
from ..ops.op import Gradient, Op
from .graph import Entry
from .subgraph import INT, GraphOp, Source


def _at(array: np.ndarray, t: int) -> np.ndarray:
    """A view of slice `t`, an array even where it has no dimensions."""
    return array[t : t + 1].reshape(array.shape[1:])


def _host(array: Any) -> np.ndarray:
    return of_array(array).to_numpy(array)


class Loop(GraphOp):
    """What ``_foreach`` and ``_while_loop`` share: graph -1 maps slices and states to the same.

    Kept for the backward pass: each state before each step, the steps' random streams, and how
    many steps there were.
    """

    def _hidden(self) -> int:
        return len(self.starts) + 2

    def _check(self) -> None:
        super()._check()
        states = self.facts.num_outputs - self.facts.num_out_data
        heads = len(self.graphs[-1])
        self._require(
            heads == self.facts.num_outputs and states == len(self.starts),
            f"{len(self.starts)} states and a graph of {heads} outputs do not make "
            f"{self.facts.num_outputs} outputs, {self.facts.num_out_data} of them data",
        )

    def _length(self, ins: list) -> int:
        raise NotImplementedError

    def _whole_shapes(self, ins: list, found: list) -> list:
        length, heads, split = self._length(ins), found[-1], self.facts.num_out_data
        data = [None if s is None else (length, *s) for s in heads[:split]]
        states = [rules.unify(s, ins[i]) for s, i in zip(heads[split:], self.starts, strict=True)]
        for i, shape in zip(self.starts, states, strict=True):
            ins[i] = shape
        kept = [None if s is None else (length, *s) for s in states]
        return [*data, *states, *kept, (length, 2), (1,)]

    def _whole_dtypes(self, ins: list, found: list) -> list:
        states = [
            rules.unify_dtypes([d, ins[i]])
            for d, i in zip(found[-1][self.facts.num_out_data :], self.starts, strict=True)
        ]
        return [*found[-1][: self.facts.num_out_data], *states, *states, INT, INT]

    def _inputs(self, k: int, ins: list, states: Sequence[np.ndarray], t: int) -> list:
        """The inputs of graph `k` at step `t`."""
        found = []
        for kind, i, slot in self.sources[k]:
            if kind == "state":
                found.append(states[slot])
            else:
                found.append(_at(ins[i], t) if kind == "data" else ins[i])
        return found

    def _run(self, xp: Any, ins: list, outs: list, train: bool) -> None:
        split, m, n = self.facts.num_out_data, len(self.starts), self.facts.num_outputs
        data, finals, kept = outs[:split], outs[split:n], outs[n : n + m]
        streams, steps = outs[n + m :]
        last = len(self.graphs) - 1
        states = [ins[i].copy() for i in self.starts]
        for t in range(len(streams)):
            if last and not self._truth(self._inputs(0, ins, states, t), train):
                break
            for store, value in zip(kept, states, strict=True):
                store[t] = value
            inputs = self._inputs(last, ins, states, t)
            states = [xp.empty_like(s) for s in states]
            step = self._step(last, inputs, train)
            key = step.forward(inputs, [*(_at(o, t) for o in data), *states])
            streams[t] = xp.asarray(key)
            steps[0] = t + 1
        for final, value in zip(finals, states, strict=True):
            final[...] = value

    def _run_back(
        self, xp: Any, ins: list, kept: Sequence, dys: Sequence, grads: list, train: bool
    ) -> None:
        split, m, last = self.facts.num_out_data, len(self.starts), len(self.graphs) - 1
        history, streams, steps = kept[:m], _host(kept[m]), int(kept[m + 1][0])
        carried = [dy.copy() for dy in dys[split:]]
        for t in reversed(range(steps)):
            inputs = self._inputs(last, ins, [_at(h, t) for h in history], t)
            given = [*(_at(dy, t) for dy in dys[:split]), *carried]
            found = self._step(last, inputs, train).backward(inputs, given, streams[t])
            carried = [xp.zeros_like(c) for c in carried]
            for (kind, i, slot), g in zip(self.sources[last], found, strict=True):
                if g is None:
                    continue
                if kind == "state":
                    carried[slot] += g
                elif kind == "data":
                    _at(grads[i], t)[...] += g
                else:
                    grads[i] += g
        for i, g in zip(self.starts, carried, strict=True):
            grads[i] += g.astype(grads[i].dtype, copy=False)


class Foreach(Loop):
    """``_foreach``: its inputs are the data, the states, then what the steps share."""

    def _find_sources(self) -> list[list[Source]]:
        facts = self.facts
        located = [
            *(("data", p, 0) for p in facts.in_data_locs),
            *(("state", p, slot) for slot, p in enumerate(facts.in_state_locs)),
            *(("whole", p, 0) for p in facts.remain_locs),
        ]
        found = {p: Source(kind, i, slot) for i, (kind, p, slot) in enumerate(located)}
        self._require(
            len(self.graphs) == 1
            and sorted(found) == list(range(len(located))) == list(range(self.count)),
            "its locations do not name each input of its graph once",
        )
        first = len(facts.in_data_locs)
        self.starts = list(range(first, first + len(facts.in_state_locs)))
        self._require(first > 0, "there is nothing to loop over")
        return [[found[p] for p in range(len(located))]]

    def _length(self, ins: list) -> int:
        lengths = [ins[i][:1] for i in range(len(self.facts.in_data_locs)) if ins[i]]
        length = None
        for one in lengths:
            length = rules.unify(length, one)
        return -1 if length is None else length[0]


class WhileLoop(Loop):
    """``_while_loop``: condition, then step; both read from one list of inputs."""

    def _find_sources(self) -> list[list[Source]]:
        facts = self.facts
        inside = all(0 <= p < len(facts.func_input_locs) for p in facts.func_var_locs)
        self._require(len(self.graphs) == 2 and inside, "its locations do not fit its graphs")
        self.starts = [facts.func_input_locs[p] for p in facts.func_var_locs]
        tests = [
            Source("state", i, self.starts.index(i)) if i in self.starts else Source("whole", i)
            for i in facts.cond_input_locs
        ]
        steps = [Source("whole", i) for i in facts.func_input_locs]
        for slot, p in enumerate(facts.func_var_locs):
            steps[p] = Source("state", steps[p].index, slot)
        return [tests, steps]

    def _length(self, ins: list) -> int:
        return self.facts.max_iterations


class Cond(GraphOp):
    """``_cond``: condition, then and else. Kept: which one ran, and its random streams."""

    def _hidden(self) -> int:
        return 2

    def _find_sources(self) -> list[list[Source]]:
        facts = self.facts
        self._require(len(self.graphs) == 3, f"it needs 3 graphs, got {len(self.graphs)}")
        self._require(
            len(self.graphs[1]) == len(self.graphs[2]) == facts.num_outputs,
            "its branches differ in their number of outputs",
        )
        locations = facts.cond_input_locs, facts.then_input_locs, facts.else_input_locs
        return [[Source("whole", i) for i in one] for one in locations]

    def _whole_shapes(self, ins: list, found: list) -> list:
        pairs = zip(found[1], found[2], strict=True)
        return [*(rules.unify(a, b) for a, b in pairs), (1,), (2,)]

    def _whole_dtypes(self, ins: list, found: list) -> list:
        return [*map(rules.unify_dtypes, zip(found[1], found[2], strict=True)), INT, INT]

    def _picked(self, k: int, ins: list) -> list:
        return [ins[s.index] for s in self.sources[k]]

    def _run(self, xp: Any, ins: list, outs: list, train: bool) -> None:
        branch = 1 if self._truth(self._picked(0, ins), train) else 2
        inputs = self._picked(branch, ins)
        outs[-2][0] = branch
        key = self._step(branch, inputs, train).forward(inputs, outs[:-2])
        outs[-1][...] = xp.asarray(key)

    def _run_back(
        self, xp: Any, ins: list, kept: Sequence, dys: Sequence, grads: list, train: bool
    ) -> None:
        branch = int(kept[0][0])
        inputs = self._picked(branch, ins)
        found = self._step(branch, inputs, train).backward(inputs, dys, _host(kept[1]))
        for source, g in zip(self.sources[branch], found, strict=True):
            if g is not None:
                grads[source.index] += g


class GradientOf(GraphOp):
    """``_gradient``: of the sum of a graph's outputs, in the inputs at some locations."""

    def _hidden(self) -> int:
        return 0

    def _find_sources(self) -> list[list[Source]]:
        wrt = self.facts.wrt_locs
        self._require(
            len(self.graphs) == 1
            and len(wrt) == self.facts.num_outputs
            and all(0 <= i < self.count for i in wrt),
            "its locations do not fit its graph",
        )
        return [[Source("whole", i) for i in range(self.count)]]

    def _whole_shapes(self, ins: list, found: list) -> list:
        return [ins[i] for i in self.facts.wrt_locs]

    _whole_dtypes = _whole_shapes

    def _run(self, xp: Any, ins: list, outs: list, train: bool) -> None:
        step = self._step(0, ins, train)
        dys = [xp.ones(s.shape, s.dtype) for s in step.specs]
        grads = step.backward(ins, dys, step.streams())
        for out, i in zip(outs, self.facts.wrt_locs, strict=True):
            out[...] = 0 if grads[i] is None else grads[i]

    def _declare_gradient(self, shown: int) -> None:
        def rule() -> Any:
            raise MXNetError("operator _gradient: a gradient of Symbol.gradient is not supported")

        self.gradients.append(Gradient(self.names, rule, ()))


def _maker(kind: Op, cls: type[GraphOp]) -> Any:
    def make(raw: Mapping[str, Any], graphs: Sequence[Sequence[Entry]] | None) -> GraphOp:
        return cls(kind, raw, graphs or ())

    return make


control_flow.foreach.instantiate = _maker(control_flow.foreach, Foreach)
control_flow.while_loop.instantiate = _maker(control_flow.while_loop, WhileLoop)
control_flow.cond.instantiate = _maker(control_flow.cond, Cond)
control_flow.gradient.instantiate = _maker(control_flow.gradient, GradientOf)
