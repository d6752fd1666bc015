"""Fusion: what follows a convolution or a batch norm is computed where their results are at hand.

Works on blocked images, whose kernels know how to end: after a convolution a batch norm of moving
statistics becomes a scale and a shift of its filters, and after either a sum with another tensor
and bounds (relu, clip) follow. A value that somebody else reads, too, is left as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import settings
from ..ops.fusion import Beginning, Fusion
from .gradient import constant
from .graph import Entry, Key, Node, draw, drawing, walk, with_inputs


def fuse(heads: Sequence[Entry]) -> list[Entry]:
    """The same values from fewer passes over memory."""
    if not settings.get("BARYON_FUSE"):
        return list(heads)
    return _Fusing(heads).rewritten(heads)


class _Fusing:
    """The entries drawn so far, how often each is read in all, and what has been read."""

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.nodes = walk(heads)
        self.uses = Counter(e.key for node in self.nodes for e in node.inputs)
        self.uses.update(e.key for e in heads)
        self.new: dict[Key, Entry] = {}
        self.others: dict[
            Node, list[Key]
        ] = {}  # of nodes drawn: whose outputs but the first it has
        self.read: set[Node] = set()  # nodes drawn whose outputs but the first were read

    def rewritten(self, heads: Sequence[Entry]) -> list[Entry]:
        """Every node in order, some as the end of another."""
        for node in self.nodes:
            inputs = [self.new[e.key] for e in node.inputs]
            outs = self._merged(node, inputs) or with_inputs(node, inputs).entries
            self.read.update(e.node for e in outs[0].node.inputs if e.index)
            self.new.update(((node, e.index), e) for e in outs[: node.count])
            count = min(node.count, len(outs))
            if count > 1:
                self.others.setdefault(outs[0].node, []).extend((node, i) for i in range(1, count))
        return [self.new[e.key] for e in heads]

    def _merged(self, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
        if node.op is None:
            return None
        free = [
            self.uses[e.key] == 1 and new.node not in self.read
            for e, new in zip(node.inputs, inputs, strict=True)
        ]
        alone = all(self.uses[(node, i)] == 0 for i in range(1, node.count))
        found = _merged(node, inputs, free, alone)
        if found is None:
            return None
        into, outs = found
        for key in self.others.pop(into, []):  # the longer call gives these, too
            self.new[key] = outs[key[1]]
            self.others.setdefault(outs[0].node, []).append(key)
        return outs


def _merged(
    node: Node, inputs: list[Entry], free: list[bool], alone: bool
) -> tuple[Node, list[Entry]] | None:
    """The node drawn as the end of one of its inputs, and which, if that can be.

    free : for each input, whether nobody else reads it.    alone : nobody reads the node's outputs
    but the first.
    """
    fact, shape = _facts(node), node.specs[0].shape
    if fact.adds and all(e.shape == shape for e in inputs):
        for i in (1, 0):  # the later of two branches is more often the second
            begun = _begun(inputs[i]) if free[i] else None
            if begun and not begun.raw["adds"] and _open(begun):
                begun.inputs.append(inputs[1 - i])
                return inputs[i].node, _drawn(node, begun, adds=True)
    begun = _begun(inputs[0]) if free and free[0] else None
    if begun is None or not _open(begun):
        return None
    bounds = fact.bounds(node.params) if fact.bounds else None
    outs = None
    if bounds is not None:
        outs = _drawn(node, begun, low=bounds[0], high=bounds[1])
    elif fact.affine and alone and not begun.raw["adds"]:
        outs = _affine(node, inputs, begun)
    return None if outs is None else (inputs[0].node, outs)


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


def _open(begun: Beginning) -> bool:
    """Whether a fused call does not end in bounds yet."""
    return begun.raw["low"] == -math.inf and begun.raw["high"] == math.inf


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
