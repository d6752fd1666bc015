"""Placement: on which device each node of a graph runs, from the groups that users named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from .graph import Entry, Node, walk

GROUP = "__ctx_group__"


def place(heads: Sequence[Entry], groups: Mapping[str, Any], default: Any) -> dict[Node, Any]:
    """The device of every node, those of ``ctx_group``s as `groups` says.

    A node without a group runs where its first placed input is; a variable without one is where it
    is first used; what is then left is on the `default` device.
    """
    nodes = walk(heads)
    found: dict[Node, Any] = {}
    for node in nodes:
        name = node.attrs.get(GROUP)
        if name is not None:
            if name not in groups:
                raise MXNetError(
                    f"node {node.name!r}: ctx_group {name!r} has no device in group2ctx, which has "
                    f"{', '.join(groups) or 'none'}"
                )
            found[node] = groups[name]
        else:
            inputs = [found[e.node] for e in node.inputs if e.node in found]
            if inputs:
                found[node] = inputs[0]
    for node in reversed(nodes):
        for e in node.inputs:
            if node in found:
                found.setdefault(e.node, found[node])
    return {node: found.get(node, default) for node in nodes}
