"""Operators that contain graphs: ``_foreach``, ``_while_loop`` and ``_cond``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..ops import rules
from ..ops.control_flow import cond, foreach, while_loop
from ..ops.op import Gradient, Op, Spec
from .function import PLAIN_FACTS
from .graph import Entry
from .infer import declared_dtypes, declared_shapes, infer_dtypes, infer_shapes, walk
from .step import Step, variables_of, written

INT = np.dtype(np.int64)


class Source(NamedTuple):
    """Where an input of an inner graph comes from: input `index` of the operator, which is an array
    to slice (``data``), the start of ``state`` number `slot`, or used as it is (``whole``).
    """

    kind: str
    index: int
    slot: int = 0


class GraphOp(Op):
    """An operator made of graphs. Its hidden outputs keep what the backward pass starts from.

    sources : for each graph, where each of its inputs comes from.
    """

    def __init__(self, kind: Op, raw: Mapping[str, Any], graphs: Sequence[Sequence[Entry]]) -> None:
        self.kind, self.graphs = kind, tuple(map(list, graphs))
        self.facts = kind.attributes({**raw})
        self.count = self.facts.num_args - len(self.graphs)
        self.names = tuple(f"data{i}" for i in range(self.count))
        self.sources = self._find_sources()
        self._check()
        states = {
            source.index
            for graph, sources in zip(self.graphs, self.sources, strict=True)
            for node, source in zip(variables_of(graph), sources, strict=True)
            if node in written(graph)
        }
        self.written = sorted(states)
        shown = kind.output_names(self.facts)
        hidden = tuple(f"kept{i}" for i in range(self._hidden()))
        aux = tuple(self.names[i] for i in self.written)
        super().__init__(
            self._forward,
            kind.name,
            **{
                **PLAIN_FACTS,
                "outputs": (*shown, *hidden),
                "visible": len(shown),
                "counted": lambda attrs: len(shown),
                "aux": aux,
                "mutates": aux,
            },
        )
        self._steps: dict[Any, Step] = {}
        self._declare_gradient(len(shown))

    def _read_signature(self, variadic: str | None) -> None:
        self.inputs, self.attrs, self.hidden = self.names, self.kind.attrs, {"train"}
        self.optional, self.variadic, self.many = set(), None, False

    def _check(self) -> None:
        """MXNetError unless the attributes fit the graphs."""
        for graph, sources in zip(self.graphs, self.sources, strict=True):
            if len(variables_of(graph)) != len(sources):
                raise MXNetError(
                    f"operator {self.kind.name}: {len(sources)} locations for a graph of "
                    f"{len(variables_of(graph))} inputs"
                )
            if not all(0 <= s.index < self.count for s in sources):
                raise MXNetError(f"operator {self.kind.name}: a location is out of range")

    def _require(self, holds: bool, problem: str) -> None:
        if not holds:
            raise MXNetError(f"operator {self.kind.name}: {problem}")

    # ---- inference -------------------------------------------------------------------------------

    def infer_shapes(self, attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        """Complete partial shapes both ways, through the graphs."""
        found = []
        for graph, sources in zip(self.graphs, self.sources, strict=True):
            ins, heads = self._infer_graph(graph, sources, ins)
            found.append(heads)
        made = self._whole_shapes(ins, found)
        return ins, [rules.unify(a, b) for a, b in zip(made, outs, strict=True)]

    def _infer_graph(self, graph: list, sources: Sequence[Source], ins: list) -> tuple[list, list]:
        """Shapes of the operator's inputs and of one graph's heads."""
        nodes, inputs, ins = walk(graph), variables_of(graph), list(ins)
        given = declared_shapes(nodes)
        for node, (kind, i, _) in zip(inputs, sources, strict=True):
            if ins[i] is not None:
                given[node] = ins[i][1:] if kind == "data" else ins[i]
        facts = infer_shapes(nodes, given)
        for node, (kind, i, _) in zip(inputs, sources, strict=True):
            shape = facts[node][0]
            if shape is not None:
                length = ins[i][:1] if ins[i] else (-1,)
                ins[i] = rules.unify(ins[i], (*length, *shape) if kind == "data" else shape)
        return ins, [facts[e.node][e.index] for e in graph]

    def infer_dtypes(self, attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        """Complete partial dtypes both ways, through the graphs."""
        found, ins = [], list(ins)
        for graph, sources in zip(self.graphs, self.sources, strict=True):
            nodes = walk(graph)
            given = declared_dtypes(nodes)
            pairs = list(zip(variables_of(graph), (s.index for s in sources), strict=True))
            given.update((node, ins[i]) for node, i in pairs if ins[i] is not None)
            facts = infer_dtypes(nodes, given)
            for node, i in pairs:
                ins[i] = rules.unify_dtypes([ins[i], facts[node][0]])
            found.append([facts[e.node][e.index] for e in graph])
        made = self._whole_dtypes(ins, found)
        return ins, [rules.unify_dtypes(two) for two in zip(made, outs, strict=True)]

    # ---- computing -------------------------------------------------------------------------------

    def _step(self, k: int, inputs: Sequence[np.ndarray], train: bool) -> Step:
        """Graph `k` compiled for these inputs."""
        specs = tuple(Spec(a.shape, a.dtype) for a in inputs)
        key = (k, train, specs)
        if key not in self._steps:
            self._steps[key] = Step(self.graphs[k], specs, train)
        return self._steps[key]

    def _truth(self, inputs: Sequence[np.ndarray], train: bool) -> bool:
        """What the first graph, the condition, says."""
        step = self._step(0, inputs, train)
        out = np.empty(step.specs[0].shape, step.specs[0].dtype)
        self._require(out.size == 1, f"the condition must be a scalar, got shape {out.shape}")
        step.forward(inputs, [out])
        return bool(out.reshape(-1)[0])

    def _forward(self, xp: Any, /, *arrays: np.ndarray, train: bool, **attrs: Any) -> tuple:
        ins = [a.copy() if i in self.written else a for i, a in enumerate(arrays)]
        specs = self.infer(self.facts, tuple(Spec(a.shape, a.dtype) for a in arrays))
        outs = [np.zeros(s.shape, s.dtype) for s in specs]
        self._run(ins, outs, train)
        return (*outs, *(ins[i] for i in self.written))

    def _declare_gradient(self, shown: int) -> None:
        n, hidden = self.count, len(self._outputs) - shown

        def body(xp: Any, *data: np.ndarray, train: bool) -> tuple:
            ins = [a.copy() if i in self.written else a for i, a in enumerate(data[:n])]
            grads = [np.zeros_like(a) for a in ins]
            self._run_back(ins, data[n : n + hidden], data[n + hidden :], grads, train)
            return (*grads, *(ins[i] for i in self.written))

        backward = Op(
            body,
            f"_backward{self.kind.name}",
            **{
                **PLAIN_FACTS,
                "shape": lambda attrs, ins, outs: (ins, ins[:n]),
                "dtype": lambda attrs, ins, outs: (ins, ins[:n]),
                "outputs": tuple(f"grad{i}" for i in range(n)),
                "mutates": lambda attrs: self.written,
            },
        )

        def rule(outs: list, dys: list, **inputs: Any) -> Any:
            found = backward(*(inputs[k] for k in self.names), *outs[shown:], *dys[:shown])
            return found if isinstance(found, list) else [found]

        self.gradients.append(Gradient(self.names, rule, ("outs", "dys", *self.names)))


def _at(array: np.ndarray, t: int) -> np.ndarray:
    """A view of slice `t`, an array even where it has no dimensions."""
    return array[t : t + 1].reshape(array.shape[1:])


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

    def _run(self, ins: list, outs: list, train: bool) -> None:
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
            states = [np.empty_like(s) for s in states]
            step = self._step(last, inputs, train)
            streams[t] = step.forward(inputs, [*(_at(o, t) for o in data), *states])
            steps[0] = t + 1
        for final, value in zip(finals, states, strict=True):
            final[...] = value

    def _run_back(self, ins: list, kept: Sequence, dys: Sequence, grads: list, train: bool) -> None:
        split, m, last = self.facts.num_out_data, len(self.starts), len(self.graphs) - 1
        history, streams, steps = kept[:m], kept[m], int(kept[m + 1][0])
        carried = [dy.copy() for dy in dys[split:]]
        for t in reversed(range(steps)):
            inputs = self._inputs(last, ins, [_at(h, t) for h in history], t)
            given = [*(_at(dy, t) for dy in dys[:split]), *carried]
            found = self._step(last, inputs, train).backward(inputs, given, streams[t])
            carried = [np.zeros_like(c) for c in carried]
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

    def _run(self, ins: list, outs: list, train: bool) -> None:
        branch = 1 if self._truth(self._picked(0, ins), train) else 2
        inputs = self._picked(branch, ins)
        outs[-2][0] = branch
        outs[-1][...] = self._step(branch, inputs, train).forward(inputs, outs[:-2])

    def _run_back(self, ins: list, kept: Sequence, dys: Sequence, grads: list, train: bool) -> None:
        branch = int(kept[0][0])
        inputs = self._picked(branch, ins)
        found = self._step(branch, inputs, train).backward(inputs, dys, kept[1])
        for source, g in zip(self.sources[branch], found, strict=True):
            if g is not None:
                grads[source.index] += g


def _maker(kind: Op, cls: type[GraphOp]) -> Any:
    def make(raw: Mapping[str, Any], graphs: Sequence[Sequence[Entry]] | None) -> GraphOp:
        return cls(kind, raw, graphs or ())

    return make


for _kind, _cls in ((foreach, Foreach), (while_loop, WhileLoop), (cond, Cond)):
    _kind.instantiate = _maker(_kind, _cls)
