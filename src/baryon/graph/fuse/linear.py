"""The activation behind a FullyConnected is computed where its sums are at hand.

What the backward pass reads of the sums themselves the same call writes, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...cuda.gemm import halves
from ...cuda.registry import joins
from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn


def activated(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The node drawn as the end of its input, if it is an activation behind 16-bit products."""
    curve = node.op.fusion.curve
    act = curve(node.params) if curve is not None else None
    if act is None or inputs[0].index or not redrawn.unread(node, first=1):
        return None
    product = inputs[0].node
    linear = product.op.fusion.linear if product.op is not None else None
    begun = linear(product.inputs, product.params) if linear is not None else None
    if begun is None or not halves(*begun.inputs) or not redrawn.untouched(product):
        return None
    keeps = not redrawn.alone(inputs[0])
    raw = {**begun.raw, "act": act, "keeps": keeps}
    if not joins(begun.op, raw):
        return None
    with drawing(False, node.name):
        outs = draw(begun.op, begun.inputs, raw)
    if keeps:
        redrawn.supersede(product, outs[1:], first=0)
    return outs[:1]
