"""Operators that contain graphs: what loops and branches share, see ``control_flow``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import blanks
from ..base import MXNetError
from ..ops import rules
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

    replays = False  # its graphs are programs of their own, and conditions are read by the host

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
        (out,) = blanks(inputs[0] if inputs else None, step.specs[:1])
        self._require(out.size == 1, f"the condition must be a scalar, got shape {out.shape}")
        step.forward(inputs, [out])
        return bool(out.reshape(-1)[0])

    def _forward(self, xp: Any, /, *arrays: np.ndarray, train: bool, **attrs: Any) -> tuple:
        ins = [a.copy() if i in self.written else a for i, a in enumerate(arrays)]
        specs = self.infer(self.facts, tuple(Spec(a.shape, a.dtype) for a in arrays))
        outs = [xp.zeros(s.shape, s.dtype) for s in specs]
        self._run(xp, ins, outs, train)
        return (*outs, *(ins[i] for i in self.written))

    def _declare_gradient(self, shown: int) -> None:
        n, hidden = self.count, len(self._outputs) - shown

        def body(xp: Any, *data: np.ndarray, train: bool) -> tuple:
            ins = [a.copy() if i in self.written else a for i, a in enumerate(data[:n])]
            grads = [xp.zeros_like(a) for a in ins]
            self._run_back(xp, ins, data[n : n + hidden], data[n + hidden :], grads, train)
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
        backward.replays = False

        def rule(outs: list, dys: list, **inputs: Any) -> Any:
            found = backward(*(inputs[k] for k in self.names), *outs[shown:], *dys[:shown])
            return found if isinstance(found, list) else [found]

        self.gradients.append(Gradient(self.names, rule, ("outs", "dys", *self.names)))
