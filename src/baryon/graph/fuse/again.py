"""Large values of pointwise operators that chains compute again rather than read.

To keep a value costs a write and a read of memory; a chain that reads what it was computed from has
it at hand for a few operations. Such values are drawn once more, as the same numbers: those of the
forward pass for the backward pass, where it keeps what they come from anyway, and those that one
chain would read from another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
    readers, changed = _uses(nodes)
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


def computed_by_each(
    order: Sequence[Node], chain_of: Mapping[Node, Any], heads: Sequence[Entry]
) -> list[Entry] | None:
    """The heads, with chains that have values of other chains for themselves; None: nothing to do.

    order : all nodes, inputs before users.    chain_of : the chain that a node is to be part of.
    """
    kept = {e.key for e in heads}
    again, wanted = _for_each(order, chain_of, kept)
    if not wanted:
        return None
    new: dict[Key, Entry] = {}
    copies: dict[tuple[Any, Node], Entry] = {}

    def own(chain: Any, node: Node) -> Entry:
        if (chain, node) not in copies:
            inputs = [
                own(chain, e.node) if e.node in again[chain_of[node]] else new[e.key]
                for e in node.inputs
            ]
            made = Node(node.op, node.name, inputs, node.params, node.attrs, node.specs)
            copies[chain, node] = Entry(made)
        return copies[chain, node]

    for node in order:
        chain = chain_of.get(node)
        inputs = [
            own(chain, e.node)
            if e.node in wanted and chain is not None and chain is not chain_of[e.node]
            else new[e.key]
            for e in node.inputs
        ]
        new.update(((node, e.index), e) for e in with_inputs(node, inputs).entries)
    return [new[e.key] for e in heads]


def _for_each(
    order: Sequence[Node], chain_of: Mapping[Node, Any], kept: set[Key]
) -> tuple[dict[Any, dict[Node, _Again]], set[Node]]:
    """How values come again inside of each chain, and which only other chains read."""
    readers, changed = _uses(order)
    again: dict[Any, dict[Node, _Again]] = {chain: {} for chain in chain_of.values()}
    wanted: set[Node] = set()
    for node in order:
        chain, key = chain_of.get(node), (node, 0)
        if chain is None or not _is_cheap(node, lambda n: n.op.is_pointwise(n.params)):
            continue
        found = _again(node, None, again[chain])
        if found is None or len(found.large) > 1 or found.reads & changed:
            continue
        again[chain][node] = found
        others = {chain_of.get(n) for n in readers.get(key, ())} - {chain}
        if others and None not in others and key not in kept:
            wanted.add(node)
    return again, wanted


def _uses(nodes: Sequence[Node]) -> tuple[dict[Key, list[Node]], set[Key]]:
    """Who reads each value, and the values that somebody changes."""
    readers: dict[Key, list[Node]] = {}
    changed: set[Key] = set()
    for node in nodes:
        for e in node.inputs:
            readers.setdefault(e.key, []).append(node)
        if node.op is not None:
            changed.update(node.inputs[i].key for i in node.op.mutated(node.params))
    return readers, changed


def _is_cheap(node: Node, is_step: Callable[[Node], bool]) -> bool:
    large = node.op is not None and node.specs[0].size >= LARGE
    return large and node.op.flops is None and is_step(node)


def _again(node: Node, kept: set[Key] | None, chosen: Mapping[Node, _Again]) -> _Again | None:
    """How a value would be computed again, if that is little work from values that are kept (None:
    from any), beginning from those `chosen` to be computed again.
    """
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
                if kept is not None and e.key not in kept and e.node.op is not None:
                    return None
    few = len(nodes) <= MOST_NODES and len(large) <= MOST_READS
    return _Again(frozenset(nodes), frozenset(reads), frozenset(large)) if few else None
