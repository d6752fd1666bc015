"""The order in which a graph's nodes run, group after group of heads."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import Entry, Node, walk


def schedule(inputs: Sequence[Entry], groups: Sequence[Sequence[Entry]]) -> list[tuple[Node, int]]:
    """All nodes but the inputs' with the group that they run in.

    The heads that take the shortest way are computed first. A gradient is thus finished as soon as
    the backward pass comes by, and frees what it read; in the order of the arguments, the first
    layer's would drag the whole pass along while all later ones keep their layers' values alive.
    """
    seen = {e.node for e in inputs}
    depth = dict.fromkeys(seen, 0)
    steps: list[tuple[Node, int]] = []
    for group, heads in enumerate(groups):
        for node in walk(heads, stop=depth.__contains__):
            if node not in depth:
                depth[node] = 1 + max((depth[e.node] for e in node.inputs), default=0)
        for node in walk(sorted(heads, key=lambda e: depth[e.node]), stop=seen.__contains__):
            if node not in seen:
                seen.add(node)
                steps.append((node, group))
    return steps
