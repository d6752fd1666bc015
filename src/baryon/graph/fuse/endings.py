"""What follows a convolution or a batch norm is computed where their results are at hand.

Works on blocked images, whose kernels know how to end: after a convolution a batch norm of moving
statistics becomes a scale and a shift of its filters, and after either a sum with another tensor
and bounds (relu, clip) follow. A value that somebody else reads, too, is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ops.fusion import Beginning, Fusion
from ..gradient import constant
from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn


def ended(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The node drawn as the end of one of its inputs, if that can be."""
    found = _ended(redrawn, node, inputs)
    if found is None:
        return None
    begun, outs = found
    redrawn.supersede(begun.node, outs)  # the longer call gives the other outputs, too
    return outs


def _ended(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> tuple[Entry, list[Entry]] | None:
    """The input that a node is the end of, and the outputs of both as one."""
    fact, shape = _facts(node), node.specs[0].shape
    if fact.adds and all(e.shape == shape for e in inputs):
        for i in (1, 0):  # the later of two branches is more often the second
            begun = _open(redrawn, inputs[i])
            if begun and not begun.raw["adds"]:
                begun.inputs.append(inputs[1 - i])
                return inputs[i], _drawn(node, begun, adds=True)
    begun = _open(redrawn, inputs[0]) if inputs else None
    if begun is None:
        return None
    bounds = fact.bounds(node.params) if fact.bounds else None
    outs = None
    if bounds is not None:
        outs = _drawn(node, begun, low=bounds[0], high=bounds[1])
    elif fact.affine and redrawn.unread(node, first=1) and not begun.raw["adds"]:
        outs = _affine(node, inputs, begun)
    return None if outs is None else (inputs[0], outs)


def _facts(node: Node) -> Fusion:
    """What is stated of the operator, or of the one that it is a blocked form of."""
    return (node.op.origin or node.op).fusion


def _begun(entry: Entry) -> Beginning | None:
    """The node of an entry as a fused call that may go on; only blocked ones have kernels."""
    node = entry.node
    origin = node.op.origin if node.op is not None else None
    if origin is None or origin.fusion.begins is None or entry.index != 0:
        return None
    begun = origin.fusion.begins(node.inputs, node.params)
    twin = begun.op.blocked.op
    kept = {k: node.params[k] for k in twin.attrs if k in node.params}
    defaults = {"adds": False, "low": -math.inf, "high": math.inf}
    defaults["train"] = bool(node.params.get("train", False))
    return Beginning(twin, begun.inputs, {**defaults, **begun.raw, **kept})


def _open(redrawn: Redrawn, entry: Entry) -> Beginning | None:
    """The node of an entry as a fused call that a reader may go on with: it has no bounds yet."""
    begun = _begun(entry) if redrawn.alone(entry) else None
    ends = begun is not None and (begun.raw["low"] > -math.inf or begun.raw["high"] < math.inf)
    return None if ends else begun


def _affine(node: Node, inputs: list[Entry], begun: Beginning) -> list[Entry] | None:
    """A channel's scale and shift taken into the call, where it has none so far."""
    scaled = begun.op.origin.fusion.scaled
    if scaled is None or isinstance(begun.inputs[scaled[0]], Entry):
        return None
    given = _with_constants(begun.inputs, inputs[0])
    with drawing(bool(node.params.get("train", False)), node.name):
        vectors = _facts(node).affine(inputs, node.params, given[scaled[1]])
    if vectors is None:
        return None
    given[scaled[0]], given[scaled[1]] = vectors
    return _drawn(node, begun._replace(inputs=given))


def _with_constants(inputs: list, like: Entry) -> list[Entry]:
    def entry(given: Any) -> Entry:
        if isinstance(given, Entry):
            return given
        name, shape = given
        return constant(name, like, shape)

    return [entry(e) for e in inputs]


def _drawn(node: Node, begun: Beginning, **ending: Any) -> list[Entry]:
    inputs = _with_constants(begun.inputs, node.entries[0])
    with drawing(begun.raw["train"], node.name):
        return draw(begun.op, inputs, {**begun.raw, **ending})
