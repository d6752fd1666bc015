"""Graphs redrawn on images that lie otherwise, reordered only at the edges.

Operators with a form for the other layout are drawn in it, and pointwise operators work on whatever
layout their inputs have. An entry may exist in both layouts: a reorder is drawn when somebody first
asks for the one that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.attrs import Attrs
from ..ops.op import Spec, get
from .graph import Entry, Key, Node, with_inputs


class Relayout:
    """The entries drawn so far: plain, in the other layout, or both.

    Subclasses say which images have the other layout, and draw operators and reorders for it.
    """

    def __init__(self) -> None:
        self.plain: dict[Key, Entry] = {}
        self.other: dict[Key, Entry] = {}

    def rewritten(self, nodes: Sequence[Node], heads: Sequence[Entry]) -> list[Entry]:
        """Every node in its new form; the heads in plain layout."""
        read = {e.key for node in nodes for e in node.inputs} | {e.key for e in heads}
        for node in nodes:
            if not (self.takes(node) or self._idle(node, read)):
                new = with_inputs(node, [self.as_plain(e) for e in node.inputs])
                self.plain.update(zip(keys(node), new.entries, strict=True))
        return [self.as_plain(e) for e in heads]

    def takes(self, node: Node) -> bool:
        """Draw a node on images in the other layout, if it is one that can be."""
        return self._form(node) or self._pointwise(node)

    def as_plain(self, entry: Entry) -> Entry:
        """An entry in plain layout."""
        if entry.key not in self.plain:
            self.plain[entry.key] = self._to_plain(self.other[entry.key], entry.spec)
        return self.plain[entry.key]

    def as_other(self, entry: Entry) -> Entry:
        """An entry in the other layout."""
        if entry.key not in self.other:
            self.other[entry.key] = self._to_other(self.plain[entry.key], self._spec(entry))
        return self.other[entry.key]

    def _idle(self, node: Node, read: set[Key]) -> bool:
        """Take the input of a node that does nothing in this mode, if it lies otherwise."""
        idle = node.op.fusion.idle if node.op is not None else None
        if idle is None or not idle(node.params) or node.inputs[0].key not in self.other:
            return False
        if any(key in read for key in keys(node)[1:]):
            return False
        self.other[(node, 0)] = self.other[node.inputs[0].key]
        return True

    # ---- what layouts differ in ------------------------------------------------------------------

    def _fits(self, entry: Entry) -> bool:
        """Whether an entry is an image that may lie in the other layout."""
        raise NotImplementedError

    def _spec(self, entry: Entry) -> Spec:
        """Of an entry in the other layout."""
        raise NotImplementedError

    def _to_plain(self, entry: Entry, spec: Spec) -> Entry:
        raise NotImplementedError

    def _to_other(self, entry: Entry, spec: Spec) -> Entry:
        raise NotImplementedError

    def _form(self, node: Node) -> bool:
        """Draw the form of a node for the other layout, if it has one and that pays."""
        raise NotImplementedError

    # ---- pointwise nodes -------------------------------------------------------------------------

    def _pointwise(self, node: Node) -> bool:
        """Draw a pointwise node in the other layout, if one of its inputs lies so."""
        if node.op is None or not node.op.is_pointwise(node.params):
            return False
        same = {e.spec.shape for e in (*node.inputs, *node.entries)}
        if len(same) > 1 or not any(e.key in self.other for e in node.inputs):
            return False
        if not all(map(self._fits, (*node.inputs, *node.entries))):
            return False
        self._draw(node, node.params)
        return True

    def _draw(self, node: Node, params: Attrs) -> None:
        """Draw a node all of whose images lie in the other layout."""
        inputs = [self.as_other(e) for e in node.inputs]
        specs = tuple(self._spec(e) for e in node.entries)
        drawn = Node(node.op, node.name, inputs, params, node.attrs, specs)
        self.other.update(zip(keys(node), drawn.entries, strict=True))


def keys(node: Node) -> list[Key]:
    """Names of a node's outputs."""
    return [(node, i) for i in range(node.count)]


def reordered(name: str, entry: Entry, spec: Spec, **raw: Any) -> Entry:
    """An entry through an operator that moves its elements."""
    op = get(name)
    return Entry(Node(op, entry.node.name, [entry], op.attributes(raw), specs=(spec,)))
