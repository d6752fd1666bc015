"""Simplification: equal computations once, identities not at all. Dead nodes go by not walking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph import Entry, Node, rebuild, with_inputs


def simplify(heads: Sequence[Entry]) -> list[Entry]:
    """The same values from fewer nodes.

    Nodes that draw random numbers or write an input are never merged.
    """
    seen: dict[Any, Node] = {}

    def change(node: Node, inputs: list[Entry]) -> Any:
        if node.op is None:
            return node
        node = with_inputs(node, inputs)
        if node.op.converts:  # what it leaves as it is need not be computed
            pairs = zip(inputs, node.entries, strict=True)
            kept = [i if i.spec == out.spec else out for i, out in pairs]
            if any(e.node is not node for e in kept):
                return kept
        if node.op.is_random or node.op.mutates:
            return node
        return seen.setdefault((node.op, node.params, *(e.key for e in inputs)), node)

    return rebuild(heads, change)
