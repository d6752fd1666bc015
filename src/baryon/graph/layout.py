"""Layout: convolutional networks on images that lie otherwise, reordered only at the edges.

On the CPU channels are blocked: where an operator has a form on blocked images whose kernel accepts
the call, that form is drawn. On a GPU 16-bit images lie channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .. import settings
from ..native import native
from ..ops.attrs import Attrs
from ..ops.blocked import BLOCK, Twin, Whole, blocked_shape
from ..ops.op import Op, Spec, get
from .channels_last import ChannelsLast, are_turned
from .graph import Entry, Node, variable, walk
from .lower import accepted_params
from .relayout import Relayout, keys, reordered

UNUSED = 4  # at most one lane of so many may be unused


def laid_out(
    heads: Sequence[Entry], on_gpu: bool = False, infers: bool = False, keeps: bool = False
) -> list[Entry]:
    """The same values, computed on images that lie as kernels like them where that pays.

    infers : whether nothing is differentiated: the last block of channels may have unused lanes.
    keeps : whether what kernels make of weights will be kept between calls.
    """
    if not (are_turned() if on_gpu else _wanted()):
        return list(heads)
    nodes = walk(heads)
    forms = [n.op.channels_last if on_gpu else n.op.blocked for n in nodes if n.op is not None]
    if not any(form.heavy for form in forms if form is not None):
        return list(heads)
    layout = ChannelsLast() if on_gpu else _Blocked(BLOCK, infers, keeps)
    return layout.rewritten(nodes, heads)


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
    layout = _Blocked(BLOCK)
    entries = [variable("", s) for s in ins]
    for entry, is_blocked in zip(entries, are_blocked, strict=True):
        (layout.other if is_blocked else layout.plain)[entry.key] = entry
    node = Node(op, "", entries, params, specs=tuple(outs))
    if not layout.takes(node):
        return None
    found = [key in layout.other for key in keys(node)]
    drawn = (layout.other if found[0] else layout.plain)[(node, 0)].node
    wide = [
        was if e.node is given.node else e.node.op is get("_to_blocked")
        for e, given, was in zip(drawn.inputs, entries, are_blocked, strict=True)
    ]
    return BlockedCall(drawn.op, drawn.params, layout.block, tuple(wide), tuple(found))


class _Blocked(Relayout):
    """Images in blocks of channels."""

    def __init__(self, block: int, infers: bool = False, keeps: bool = False) -> None:
        super().__init__()
        self.block, self.infers, self.keeps = block, infers, keeps

    def takes(self, node: Node) -> bool:
        """Draw a node on blocked images, if it is one that can be."""
        return self._is_reordered(node) or super().takes(node)

    def _is_reordered(self, node: Node) -> bool:
        """Take the source of a reordered image as its blocked form."""
        if node.op is not get("_from_blocked") or node.inputs[0].shape[-1] != self.block:
            return False
        self.other[(node, 0)] = self.as_plain(node.inputs[0])
        return True

    def _to_plain(self, entry: Entry, spec: Spec) -> Entry:
        channels = spec.shape[1] if spec.shape[1] % self.block else 0
        return reordered("_from_blocked", entry, spec, channels=channels)

    def _to_other(self, entry: Entry, spec: Spec) -> Entry:
        return reordered("_to_blocked", entry, spec, block=self.block)

    def _spec(self, entry: Entry) -> Spec:
        return entry.spec._replace(shape=blocked_shape(entry.shape, self.block))

    def _fits(self, entry: Entry) -> bool:
        shape = entry.shape
        if len(shape) < 3 or shape[1] == 0 or entry.dtype != np.float32:
            return False
        unused = self._unused(entry)
        few = shape[1] > self.block and UNUSED * unused <= shape[1] + unused
        return unused == 0 or (self.infers and few)

    def _unused(self, entry: Entry) -> int:
        """Lanes of the last block without a channel."""
        return -entry.shape[1] % self.block

    def _of_blocks(self, node: Node, form: Whole) -> bool:
        """Draw a node on whole blocks of channels, if one of its inputs is blocked."""
        images = (*node.inputs, *node.entries)
        if not any(e.key in self.other for e in node.inputs) or not all(map(self._fits, images)):
            return False
        shapes = [[e.shape for e in entries] for entries in (node.inputs, node.entries)]
        changed = form.change(node.params, *shapes, self.block)
        if changed is None:
            return False
        raw = {k: v for k, v in node.params.items() if k in node.op.attrs} | changed
        self._draw(node, node.op.attributes(raw))
        return True

    def _form(self, node: Node) -> bool:
        """Draw the blocked form of a node, if it has one that accepts the call and pays."""
        twin: Twin | Whole | None = node.op.blocked if node.op is not None else None
        if twin is None:
            return False
        if isinstance(twin, Whole):
            return self._of_blocks(node, twin)
        places = [i for i in twin.inputs if i < len(node.inputs)]
        if not twin.heavy and not any(node.inputs[i].key in self.other for i in places):
            return False
        outs = [e for e in node.entries if e.index in twin.outputs]
        left = [i for i in places if not self._fits(node.inputs[i])]
        if not all(map(self._fits, outs)) or (left and left == places and not outs):
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
            self.as_other(e) if i in chosen else self.as_plain(e) for i, e in enumerate(node.inputs)
        ]
        drawn = Node(twin.op, node.name, inputs, params, node.attrs, tuple(specs))
        for e in drawn.entries:
            (self.other if e.index in twin.outputs else self.plain)[(node, e.index)] = e
        return True
