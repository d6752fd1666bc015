"""Attention before its gradients are drawn: one operator whose backward pass keeps no scores."""

from __future__ import annotations

from collections.abc import Sequence

from ...cuda import sdpa
from ...ops.trained_attention import attention, dropped_attention
from ..graph import Entry, Node, draw, drawing
from .attention import fact_of, held_by, uncast, weights_of
from .redraw import Redrawn


def attended(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The node drawn as the end of attention, if it is that and cuDNN may take it.

    Dropout of the weights draws other random numbers than it does by itself.
    """
    fact = fact_of(node).weighs
    weighed = fact(inputs, node.params) if fact is not None else None
    if weighed is None:
        return None
    weights, p = uncast(redrawn, weighed.weights), None
    drops = fact_of(weights.node).drops
    if drops is not None and redrawn.alone(weights):
        p = drops(weights.node.params)
        weights = weights.node.inputs[0] if p is not None else weights
    found = weights_of(redrawn, weights, casts=True)
    if found is None or found.extra or found.scored.layout != weighed.layout:
        return None
    given = held_by(found.scored, weighed)
    if given is None or not sdpa.may_serve([e.spec for e in given], weighed.layout,
                                           found.scored.heads):  # fmt: skip
        return None
    raw = {"layout": weighed.layout, "heads": found.scored.heads, "scale": found.scale}
    op, more = (attention, {}) if p is None else (dropped_attention, {"p": p})
    with drawing(True, node.name):
        return draw(op, given, {**raw, **more})[:1]
