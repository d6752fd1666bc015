"""What cannot be compiled: graphs whose shapes depend on values, and what sparse arrays reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

from . import autograd
from .base import MXNetError
from .graph.graph import Entry, Key, Node, rebuild, variable, walk, with_inputs
from .graph.storage import infer_storage
from .ndarray import NDArray
from .ndarray.invoke import invoke_all

__all__ = ["Split", "evaluate", "is_dynamic", "split"]


def is_dynamic(heads: Sequence[Entry]) -> bool:
    """Whether shapes in a graph depend on values, so that it cannot be compiled."""
    return any(node.op is not None and node.op.dynamic for node in walk(heads))


def evaluate(heads: Sequence[Entry], arrays: Mapping[str, NDArray]) -> list[NDArray]:
    """The heads of an untyped graph by eager calls, in the current mode, recorded when on."""
    values: dict[Key, NDArray] = {}
    train = autograd.is_training()
    for node in walk(heads):
        if node.op is None:
            if node.name not in arrays:
                raise MXNetError(f"variable {node.name!r} is not bound to an array")
            values[(node, 0)] = arrays[node.name]
            continue
        attrs = node.op.attributes({k: node.params[k] for k in node.op.attrs}, train)
        inputs = [values[e.key] for e in node.inputs]
        for i, out in enumerate(invoke_all(node.op, inputs, attrs, cls=NDArray)):
            values[(node, i)] = out
    return [values[h.key] for h in heads]


class Split(NamedTuple):
    """A graph in two parts.

    front : entries to be computed call by call.    heads : what is left, which reads the variables
    `names` in the place of the front.
    """

    front: list[Entry]
    names: list[str]
    heads: list[Entry]


def split(heads: Sequence[Entry], sparse: Mapping[str, str]) -> Split | None:
    """The front of a graph that sparse arrays reach, and the rest.

    None if the front is the most, or results are sparse.

    sparse : storage types of variables that are sparse, or whose gradients shall be (`default`).
    """
    nodes = walk(heads)
    stypes = infer_storage(nodes, sparse)
    reached = [
        node
        for node in nodes
        if node.op is not None
        and any(
            e.node.op is None and e.node.name in sparse or stypes[e.key] != "default"
            for e in node.inputs
        )
    ]
    front = set(walk([Entry(node) for node in reached]))
    calls = [node for node in nodes if node.op is not None]
    if 2 * sum(node in front for node in calls) > len(calls):
        return None
    read = {e.key: e for node in calls if node not in front for e in node.inputs}
    read.update((e.key, e) for e in heads)
    passed = [e for e in read.values() if e.node in front and e.node.op is not None]
    results = [e for e in heads if e.node.op is None and e.node.name in sparse]
    if results or any(stypes[e.key] != "default" for e in passed):
        return None
    taken = {node.name for node in nodes if node.op is None}
    labels = (label for i in count() if (label := f"front{i}") not in taken)
    made: dict[Node, dict[int, Entry]] = {}
    for e in passed:
        made.setdefault(e.node, {})[e.index] = variable(next(labels))

    def change(node: Node, inputs: list[Entry]) -> Node | list[Entry]:
        if node not in made:
            return with_inputs(node, inputs)
        return [made[node].get(i, e) for i, e in enumerate(node.entries)]

    return Split(
        passed,
        [made[e.node][e.index].node.name for e in passed],
        rebuild(heads, change, made.__contains__),
    )


class Interpreted:
    """What an executor runs for such a graph: the recorded call in place of a compiled one.

    grads, reqs : arrays for the gradients of arguments by name, and how they are written.
    """

    def __init__(
        self,
        heads: Sequence[Entry],
        grads: Mapping[str, NDArray | None],
        reqs: Mapping[str, str],
    ) -> None:
        self._heads, self._grads, self._reqs = heads, grads, reqs
        self._outputs: list[NDArray] = []

    def forward(self, arrays: Mapping[str, NDArray], train: bool) -> list[NDArray]:
        """The outputs for these arguments and states."""
        given = {n: x.detach() if n in self._reqs else x for n, x in arrays.items()}
        wanted = [n for n, req in self._reqs.items() if req != "null"] if train else []
        autograd.mark_variables(
            [given[n] for n in wanted],
            [self._grads[n] for n in wanted],
            [self._reqs[n] for n in wanted],
        )
        with autograd.record() if train else autograd.predict_mode():
            self._outputs = evaluate(self._heads, given)
        return [x.detach() for x in self._outputs]

    def backward(self, out_grads: Sequence[NDArray | None]) -> None:
        """Write the gradients of the last `forward` in training."""
        if any(req != "null" for req in self._reqs.values()):
            autograd.backward(self._outputs, list(out_grads) or None, retain_graph=True)
