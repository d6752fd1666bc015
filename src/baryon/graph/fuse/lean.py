"""Operators whose last outputs nobody reads are drawn as calls that do not make them.

A recurrent network thus keeps nothing for a backward pass that there is not, and reads weights
where they lie rather than joined.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn


def shortened(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The node's first outputs from a leaner call, if the others are not read."""
    fact = node.op.fusion.lean

    def parts(entry: Entry) -> Sequence[Entry]:
        joins = entry.node.op.fusion.joins if entry.node.op is not None else None
        flat = joins is not None and entry.ndim == 1 and redrawn.alone(entry)
        return entry.node.inputs if flat else [entry]

    found = fact(inputs, node.params, parts) if fact is not None else None
    if found is None:
        return None
    with drawing(False, node.name):
        outs = draw(found.op, found.inputs, found.raw)
    return outs if redrawn.unread(node, first=len(outs)) else None
