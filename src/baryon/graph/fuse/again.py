"""Large values of pointwise operators that a later group computes again rather than reads.

To keep a value of the forward pass costs a write and a read of memory; where what it is computed
from is kept anyway, a chain of the backward pass has it at hand for a few operations. Values of
which that is true are drawn once more for the later groups, as the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..graph import Entry, Key, Node, rebuild, walk, with_inputs

LARGE = 1 << 18  # elements: smaller values stay in a cache
MOST_NODES, MOST_READS = 12, 2  # for one value: more cost what they save


def computed_again(
    groups: Sequence[Sequence[Entry]], stages: Mapping[Node, int], is_step: Callable[[Node], bool]
) -> list[list[Entry]]:
    """The heads of groups that run one after another; later ones read copies of cheap values."""
    heads = [e for group in groups for e in group]
    chosen = {}
    if len(groups) > 1:
        chosen = _chosen(walk(heads), {e.key for e in heads}, stages, is_step)
    if not chosen:
        return [list(group) for group in groups]
    copies: dict[Node, Node] = {}

    def change(node: Node, inputs: list[Entry]) -> Node:
        if not stages[node]:
            if node in chosen:
                again = [_of(copies, e) for e in node.inputs]
                copies[node] = Node(node.op, node.name, again, node.params, node.attrs, node.specs)
            return node
        return with_inputs(node, [_of(copies, e) for e in inputs])

    drawn = iter(rebuild(heads, change))
    return [[next(drawn) for _ in group] for group in groups]


def _of(copies: Mapping[Node, Node], entry: Entry) -> Entry:
    return Entry(copies[entry.node], entry.index) if entry.node in copies else entry


class _Again(NamedTuple):
    """What computing a value again takes: operators, what they read, and the large part of that."""

    nodes: frozenset[Node]
    reads: frozenset[Key]
    large: frozenset[Key]


def _chosen(
    nodes: Sequence[Node],
    heads: set[Key],
    stages: Mapping[Node, int],
    is_step: Callable[[Node], bool],
) -> dict[Node, _Again]:
    """Nodes of the first group whose values nothing but chains reads, and how they come again."""
    readers: dict[Key, list[Node]] = {}
    changed: set[Key] = set()
    for node in nodes:
        for e in node.inputs:
            readers.setdefault(e.key, []).append(node)
        if node.op is not None:
            changed.update(node.inputs[i].key for i in node.op.mutated(node.params))
    kept = heads | {key for key, found in readers.items() if any(map(stages.__getitem__, found))}
    chosen: dict[Node, _Again] = {}
    for node in nodes:
        if stages[node] or (node, 0) in heads or not _is_cheap(node, is_step):
            continue
        shape = node.specs[0].shape
        into_chains = all(
            is_step(reader) and reader.specs[0].shape == shape for reader in readers[(node, 0)]
        )
        again = _again(node, kept, chosen)
        if into_chains and again is not None and not again.reads & changed:
            chosen[node] = again
    return chosen


def _is_cheap(node: Node, is_step: Callable[[Node], bool]) -> bool:
    large = node.op is not None and node.specs[0].size >= LARGE
    return large and node.op.flops is None and is_step(node)


def _again(node: Node, kept: set[Key], chosen: Mapping[Node, _Again]) -> _Again | None:
    """How a value would be computed again, if that is little work from values that are kept."""
    nodes, reads, large = {node}, set(), set()
    for e in node.inputs:
        if e.node in chosen:
            nodes |= chosen[e.node].nodes
            reads |= chosen[e.node].reads
            large |= chosen[e.node].large
        else:
            reads.add(e.key)
            if 8 * e.size > node.specs[0].size:
                large.add(e.key)
                if e.key not in kept and e.node.op is not None:
                    return None
    few = len(nodes) <= MOST_NODES and len(large) <= MOST_READS
    return _Again(frozenset(nodes), frozenset(reads), frozenset(large)) if few else None
