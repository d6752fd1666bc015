"""The statistics of a batch norm are gathered while a convolution stores its results.

The batch norm then reads these once, not twice. Works on blocked images, whose kernels know how.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops.fusion import NOTHING, Beginning, Fusion
from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn


def measured(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """A batch norm in training as the rest of its work behind a convolution that measures."""
    fact = _fact(node)
    eps = fact.measured_eps(node.params) if fact.measured_eps else None
    source = inputs[0].node if eps is not None else None
    if source is None or _fact(source).measures is None or not redrawn.untouched(source):
        return None
    begun = _fact(source).measures(source.inputs, source.params, eps)
    out, *moments = _drawn(begun, source)
    redrawn.supersede(source, [out], first=0)
    rest = fact.given([out, *inputs[1:]], node.params, moments)
    return [*_drawn(rest, node), *moments]


def _fact(node: Node) -> Fusion:
    """What is stated of the operator that a node is a blocked form of."""
    origin = node.op.origin if node.op is not None else None
    return NOTHING if origin is None else origin.fusion


def _drawn(begun: Beginning, node: Node) -> list[Entry]:
    """A call in the blocked form, with the attributes of such forms that a node has."""
    twin = begun.op.blocked.op
    kept: dict[str, Any] = {k: node.params[k] for k in twin.attrs if k in node.params}
    with drawing(True, node.name):
        return draw(twin, begun.inputs, {**begun.raw, **kept})
