"""What the nodes of a graph compute, shown to a callback: the executor's side of `Monitor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import autograd
from .backend import blanks
from .compiled import Compiled, Drawn
from .graph.graph import Node
from .interpreted import evaluate
from .ndarray import NDArray
from .ops.op import Spec

Show = Callable[[str, NDArray], Any]


class Watched:
    """Runs a graph's forward pass once more, with every node's outputs kept, and shows them.

    The program that trains or predicts thus stays as it is, plan and all; a watched pass costs one
    more forward pass. It reads copies of the arguments, so operators that write some do it there,
    and the same random numbers.

    inputs_too : show the inputs of each node as well, a variable by its own name, too.
    by_calls   : compute call by call what cannot be compiled, with random numbers of its own.
    """

    def __init__(self, symbol: Any, show: Show, inputs_too: bool, by_calls: bool = False) -> None:
        self._show = show
        self._inputs_too = inputs_too
        self._by_calls = by_calls
        self._nodes: list[Node] = symbol._walk()
        self._heads = [e for n in self._nodes if n.op is not None for e in n.entries]
        self._compiled: dict[bool, Compiled] = {}

    def run(self, arrays: Mapping[str, NDArray], train: bool, streams: tuple[int, int]) -> None:
        """Show all nodes for these arrays, in the order in which they run."""
        if self._by_calls:
            with autograd.train_mode() if train else autograd.predict_mode():
                outs = evaluate(self._heads, {n: x.copy() for n, x in arrays.items()})
        else:
            outs = self._run_compiled(arrays, train, streams)
        values = {e.key: x for e, x in zip(self._heads, outs, strict=True)}
        for name, value in self._named(values, arrays):
            self._show(name, value)

    def _run_compiled(
        self, arrays: Mapping[str, NDArray], train: bool, streams: tuple[int, int]
    ) -> list[NDArray]:
        if train not in self._compiled:
            specs = {n: Spec(x._data.shape, x._data.dtype) for n, x in arrays.items()}
            on_gpu = any(x.context.device_type == "gpu" for x in arrays.values())
            drawn = Drawn(self._heads, specs, train, ["null"] * len(specs), on_gpu)
            self._compiled[train] = Compiled(drawn)
        compiled = self._compiled[train]
        inputs = [x.copy()._data for x in arrays.values()]
        like = inputs[0] if inputs else None
        outs = blanks(like, compiled.output_specs)
        compiled.forward(inputs, outs, compiled.program.new_arena(like), streams)
        return [NDArray(a) for a in outs]

    def _named(
        self, values: Mapping[Any, NDArray], arrays: Mapping[str, NDArray]
    ) -> Iterator[tuple[str, NDArray]]:
        for node in self._nodes:
            if node.op is None:
                continue
            if self._inputs_too:
                names: Sequence[str] = node.op.input_names(node.params, len(node.inputs))
                for name, e in zip(names, node.inputs, strict=True):
                    if e.node.op is None:
                        yield e.node.name, arrays[e.node.name]
                    known = arrays[e.node.name] if e.node.op is None else values[e.key]
                    yield f"{node.name}_{name}", known
            for name, e in zip(node.op.output_names(node.params), node.entries, strict=False):
                yield f"{node.name}_{name}", values[e.key]
