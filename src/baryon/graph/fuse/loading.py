"""Batch norm and relu between two convolutions in training are computed by who reads the result.

That are the next convolution, its gradient by weights, and the batch norm's own gradient, which
wants to know where relu let something through. If all readers can do it, the value never exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ops.fusion import NOTHING, Beginning, Fusion
from ..graph import Entry, Key, Node, draw, drawing, rebuild, walk, with_inputs
from ..lower import accepted_params


class _Read(NamedTuple):
    """That a node reads a value at some position among its inputs."""

    node: Node
    position: int


def loaded(heads: Sequence[Entry]) -> list[Entry]:
    """The heads, with values computed on loading where all their readers can do that."""
    nodes = walk(heads)
    if not any(_fact(node).loadable for node in nodes):
        return list(heads)
    readers: dict[Key, list[_Read]] = {}
    for node in nodes:
        for i, e in enumerate(node.inputs):
            readers.setdefault(e.key, []).append(_Read(node, i))
    kept = {e.key for e in heads}
    chosen: set[Node] = set()
    for node in nodes:
        loadable = _fact(node).loadable
        if loadable is None or not loadable(node.params) or (node, 0) in kept:
            continue
        found = [_taker(node, read, readers, kept) for read in readers.get((node, 0), ())]
        if None not in found:
            chosen.update(found)

    def change(node: Node, inputs: list[Entry]) -> Node | list[Entry]:
        if node in chosen:
            return _drawn(_loading(node, inputs), node)
        return with_inputs(node, inputs)

    return rebuild(heads, change) if chosen else list(heads)


def _taker(norm: Node, read: _Read, readers: dict[Key, list[_Read]], kept: set[Key]) -> Node | None:
    """Who would compute the result of a norm in the place of a reader; None: it must be there."""
    node = read.node
    if _fact(node).on_load.get(read.position) is not None:
        begun = _loading(node, list(node.inputs))
        return node if not node.params.plain and _is_accepted(begun, node) else None
    rectified = node.op.fusion.rectified
    if rectified is None or not rectified(node.params) or read.position != 1:
        return None
    behind = readers.get((node, 0), [])
    if len(behind) != 1 or (node, 0) in kept or behind[0].position != 0:
        return None
    taker = behind[0].node
    of_norm = [norm.inputs[i].key for i in (0, 1, 3, 4)]
    if _fact(taker).masked is None or [e.key for e in taker.inputs[1:5]] != of_norm:
        return None
    alike = taker.params.fix_gamma == norm.params.fix_gamma
    return taker if alike and _fact(norm).rectifies(norm.params) else None


def _loading(node: Node, inputs: list[Entry]) -> Beginning:
    """A node that reads the result of a norm as one that reads what the norm reads."""
    fact = _fact(node)
    if fact.masked is not None:
        dy, out = inputs[0].node.inputs
        return fact.masked(inputs, node.params, dy, out.node.inputs[2])
    ((position, begin),) = fact.on_load.items()
    norm = inputs[position].node
    inputs[position], *vectors = norm.inputs
    return begin(inputs, node.params, vectors, norm.params)


def _fact(node: Node) -> Fusion:
    """What is stated of the operator that a node is a blocked form of."""
    origin = node.op.origin if node.op is not None else None
    return NOTHING if origin is None else origin.fusion


def _drawn(begun: Beginning, node: Node) -> list[Entry]:
    twin = begun.op.blocked.op
    kept = {k: node.params[k] for k in twin.attrs if k in node.params}
    with drawing(True, node.name):
        return draw(twin, begun.inputs, {**begun.raw, **kept})


def _is_accepted(begun: Beginning, node: Node) -> bool:
    made = _drawn(begun, node)[0].node
    ins = [e.spec for e in made.inputs]
    return accepted_params(made.op, made.params, ins, made.specs) is not None
