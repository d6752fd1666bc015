"""Layout: convolutional networks on channel-blocked images, reordered only at the edges.

Where an operator has a form on blocked images whose kernel accepts the call, that form is drawn;
pointwise operators work on whatever layout their inputs have. An entry may exist in both layouts: a
reorder is drawn when somebody first asks for the one that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import settings
from ..native import native
from ..ops.attrs import Attrs
from ..ops.blocked import BLOCK, Twin, blocked_shape
from ..ops.op import Op, Spec, get
from .graph import Entry, Key, Node, variable, walk, with_inputs
from .lower import accepted_params

UNUSED = 4  # at most one lane of so many may be unused


def block_channels(
    heads: Sequence[Entry], infers: bool = False, keeps: bool = False
) -> list[Entry]:
    """The same values, computed on blocked images where that is possible and pays.

    infers : whether nothing is differentiated: the last block of channels may have unused lanes.
    keeps : whether what kernels make of weights will be kept between calls.
    """
    if not _wanted():
        return list(heads)
    nodes = walk(heads)
    if not any(n.op is not None and n.op.blocked and n.op.blocked.heavy for n in nodes):
        return list(heads)
    return _Layout(BLOCK, infers, keeps).rewritten(nodes, heads)


def _wanted() -> bool:
    return native is not None and settings.get("BARYON_LAYOUT")


class BlockedCall(NamedTuple):
    """One call on images, as the layout pass would draw it: another operator, or other layouts.

    ins, outs : whether each input and output of the call is blocked, by `block` channels.
    """

    op: Op
    params: Attrs
    block: int
    ins: tuple[bool, ...]
    outs: tuple[bool, ...]


def blocked_call(
    op: Op, params: Attrs, ins: Sequence[Spec], outs: Sequence[Spec], are_blocked: Sequence[bool]
) -> BlockedCall | None:
    """How a call runs some inputs of which may be there in blocked layout; None: on plain ones."""
    if not _wanted():
        return None
    layout = _Layout(BLOCK)
    entries = [variable("", s) for s in ins]
    for entry, is_blocked in zip(entries, are_blocked, strict=True):
        (layout.blocked if is_blocked else layout.plain)[entry.key] = entry
    node = Node(op, "", entries, params, specs=tuple(outs))
    if not layout.takes(node):
        return None
    found = [key in layout.blocked for key in _keys(node)]
    drawn = (layout.blocked if found[0] else layout.plain)[(node, 0)].node
    wide = [
        was if e.node is given.node else e.node.op is get("_to_blocked")
        for e, given, was in zip(drawn.inputs, entries, are_blocked, strict=True)
    ]
    return BlockedCall(drawn.op, drawn.params, layout.block, tuple(wide), tuple(found))


class _Layout:
    """The entries drawn so far: plain, blocked, or both."""

    def __init__(self, block: int, infers: bool = False, keeps: bool = False) -> None:
        self.block, self.infers, self.keeps = block, infers, keeps
        self.plain: dict[Key, Entry] = {}
        self.blocked: dict[Key, Entry] = {}

    def rewritten(self, nodes: Sequence[Node], heads: Sequence[Entry]) -> list[Entry]:
        """Every node in its new form; the heads in plain layout."""
        for node in nodes:
            if not self.takes(node):
                new = with_inputs(node, [self._plain(e) for e in node.inputs])
                self.plain.update(zip(_keys(node), new.entries, strict=True))
        return [self._plain(e) for e in heads]

    def takes(self, node: Node) -> bool:
        """Draw a node on blocked images, if it is one that can be."""
        return self._is_reordered(node) or self._as_twin(node) or self._pointwise(node)

    def _is_reordered(self, node: Node) -> bool:
        """Take the source of a reordered image as its blocked form."""
        if node.op is not get("_from_blocked") or node.inputs[0].shape[-1] != self.block:
            return False
        self.blocked[(node, 0)] = self._plain(node.inputs[0])
        return True

    def _plain(self, entry: Entry) -> Entry:
        if entry.key not in self.plain:
            channels = entry.shape[1] if self._unused(entry) else 0
            blocked = self.blocked[entry.key]
            made = self._reorder("_from_blocked", blocked, entry.spec, channels=channels)
            self.plain[entry.key] = made
        return self.plain[entry.key]

    def _blocked(self, entry: Entry) -> Entry:
        if entry.key not in self.blocked:
            spec = self._spec(entry)
            made = self._reorder("_to_blocked", self.plain[entry.key], spec, block=self.block)
            self.blocked[entry.key] = made
        return self.blocked[entry.key]

    def _reorder(self, name: str, entry: Entry, spec: Spec, **raw: Any) -> Entry:
        op = get(name)
        return Entry(Node(op, entry.node.name, [entry], op.attributes(raw), specs=(spec,)))

    def _spec(self, entry: Entry) -> Spec:
        return entry.spec._replace(shape=blocked_shape(entry.shape, self.block))

    def _can_block(self, entry: Entry) -> bool:
        shape = entry.shape
        if len(shape) < 3 or shape[1] == 0 or entry.dtype != np.float32:
            return False
        unused = self._unused(entry)
        few = shape[1] > self.block and UNUSED * unused <= shape[1] + unused
        return unused == 0 or (self.infers and few)

    def _unused(self, entry: Entry) -> int:
        """Lanes of the last block without a channel."""
        return -entry.shape[1] % self.block

    # ---- the two kinds of nodes that take blocked images -----------------------------------------

    def _as_twin(self, node: Node) -> bool:
        """Draw the blocked form of a node, if it has one that accepts the call and pays."""
        twin: Twin | None = node.op.blocked if node.op is not None else None
        if twin is None:
            return False
        places = [i for i in twin.inputs if i < len(node.inputs)]
        if not twin.heavy and not any(node.inputs[i].key in self.blocked for i in places):
            return False
        outs = [e for e in node.entries if e.index in twin.outputs]
        left = [i for i in places if not self._can_block(node.inputs[i])]
        if not all(map(self._can_block, outs)) or (left and left == places and not outs):
            return False
        chosen = [i for i in places if i not in left]
        raw = {k: v for k, v in node.params.items() if k in node.op.attrs}
        raw |= {name: settings.get(f"BARYON_{name.upper()}") for name in twin.options}
        if not self.keeps or any(e.node.op for i, e in enumerate(node.inputs) if i not in places):
            raw.pop("keep_weights", None)  # (only of weights that are given)
        train = bool(node.params.get("train", False))
        images = [*(node.inputs[i] for i in chosen), *outs]
        channels = tuple(e.shape[1] for e in images) if any(map(self._unused, images)) else ()
        raw |= {"block": self.block, "plain": tuple(left), "channels": channels}
        params = twin.op.attributes(raw, train)
        ins = [self._spec(e) if i in chosen else e.spec for i, e in enumerate(node.inputs)]
        specs = [self._spec(e) if e.index in twin.outputs else e.spec for e in node.entries]
        written = [ins[i] for i in node.op.mutated(node.params)]
        if accepted_params(twin.op, params, ins, [*specs, *written]) is None:
            return False
        inputs = [
            self._blocked(e) if i in chosen else self._plain(e) for i, e in enumerate(node.inputs)
        ]
        drawn = Node(twin.op, node.name, inputs, params, node.attrs, tuple(specs))
        for e in drawn.entries:
            (self.blocked if e.index in twin.outputs else self.plain)[(node, e.index)] = e
        return True

    def _pointwise(self, node: Node) -> bool:
        """Draw a pointwise node on blocked inputs, if one of them is blocked."""
        if node.op is None or not node.op.is_pointwise(node.params):
            return False
        same = {e.spec.shape for e in (*node.inputs, *node.entries)}
        if len(same) > 1 or not any(e.key in self.blocked for e in node.inputs):
            return False
        if not all(map(self._can_block, (*node.inputs, *node.entries))):
            return False
        inputs = [self._blocked(e) for e in node.inputs]
        specs = tuple(self._spec(e) for e in node.entries)
        drawn = Node(node.op, node.name, inputs, node.params, node.attrs, specs)
        self.blocked.update(zip(_keys(node), drawn.entries, strict=True))
        return True


def _keys(node: Node) -> list[Key]:
    return [(node, i) for i in range(node.count)]
