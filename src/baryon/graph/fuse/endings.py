"""What follows a convolution or a batch norm is computed where their results are at hand.

Works where kernels know how to end, on the CPU those of blocked images: after a convolution a batch
norm of moving statistics becomes a scale and a shift of its filters, and after either a sum with
another tensor and bounds (relu, clip) follow. Some calls go on with a whole operator
(`Fusion.continues`). A value that somebody else reads, too, is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...cuda.registry import joins
from ...ops.fusion import Beginning, Fusion
from ...ops.op import get
from ..gradient import constant
from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn

_Begin = Callable[[Node], Beginning | None]


def on_cpu(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The node drawn as the end of one of its inputs, if that can be."""
    return _end(redrawn, node, inputs, _of_blocked)


def on_gpu(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """As `on_cpu`, of operators whose CUDA kernels know how to end."""
    return _end(redrawn, node, inputs, _of_kernel)


def _of_blocked(node: Node) -> Beginning | None:
    origin = node.op.origin
    if origin is None or origin.fusion.begins is None:
        return None
    begun = origin.fusion.begins(node.inputs, node.params)
    return begun._replace(op=begun.op.blocked.op)


def _of_kernel(node: Node) -> Beginning | None:
    begins = node.op.fusion.begins
    begun = begins(node.inputs, node.params) if begins is not None else None
    return begun if begun is not None and joins(begun.op, begun.raw) else None


def _end(
    redrawn: Redrawn, node: Node, inputs: list[Entry], begin: _Begin
) -> Sequence[Entry] | None:
    found = _ended(redrawn, node, inputs, begin)
    if found is None:
        return None
    begun, outs = found
    redrawn.supersede(begun.node, outs)  # the longer call gives the other outputs, too
    return outs


def _ended(
    redrawn: Redrawn, node: Node, inputs: list[Entry], begin: _Begin
) -> tuple[Entry, list[Entry]] | None:
    """The input that a node is the end of, and the outputs of both as one."""
    fact, shape = _facts(node), node.specs[0].shape
    if fact.adds and all(e.shape == shape for e in inputs):
        for i in (1, 0):  # the later of two branches is more often the second
            begun = _open(redrawn, inputs[i], begin)
            if begun and not begun.raw["adds"]:
                begun.inputs.append(inputs[1 - i])
                return inputs[i], _drawn(node, begun, adds=True)
    if fact.continues and redrawn.alone(inputs[0]):
        begun = _begun(inputs[0], begin)
        longer = begun and fact.continues(begun, inputs, node.params)
        if longer is not None:
            return inputs[0], _drawn(node, longer)
    begun = _open(redrawn, inputs[0], begin) if inputs else None
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


def _begun(entry: Entry, begin: _Begin) -> Beginning | None:
    """The node of an entry as a fused call that may go on."""
    node = entry.node
    begun = begin(node) if node.op is not None and entry.index == 0 else None
    if begun is None:
        return None
    kept = {k: node.params[k] for k in begun.op.attrs if k in node.params}
    defaults = {"adds": False, "low": -math.inf, "high": math.inf}
    defaults["train"] = bool(node.params.get("train", False))
    return begun._replace(raw={**defaults, **begun.raw, **kept})


def _open(redrawn: Redrawn, entry: Entry, begin: _Begin) -> Beginning | None:
    """The node of an entry as a fused call that a reader may go on with: it has no bounds yet."""
    begun = _begun(entry, begin) if redrawn.alone(entry) else None
    ends = begun is not None and (begun.raw["low"] > -math.inf or begun.raw["high"] < math.inf)
    return None if ends else begun


def _affine(node: Node, inputs: list[Entry], begun: Beginning) -> list[Entry] | None:
    """A channel's scale and shift taken into the call, where it has none so far."""
    scaled = (begun.op.origin or begun.op).fusion.scaled
    if scaled is None or isinstance(begun.inputs[scaled[0]], Entry):
        return None
    given, dtype = _with_constants(begun.inputs, inputs[1]), inputs[1].dtype
    with drawing(bool(node.params.get("train", False)), node.name):
        shift = given[scaled[1]]
        shift = shift if shift.dtype == dtype else get("Cast")(shift, dtype=dtype)
        vectors = _facts(node).affine(inputs, node.params, shift)
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
