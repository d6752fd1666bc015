"""Convolutional networks of 16-bit images on a GPU: channels last, as tensor cores want them."""

from __future__ import annotations

from .. import settings
from ..cuda import cudnn
from ..cuda.gemm import halves
from ..ops.channels_last import Form, turned
from ..ops.op import Spec
from .graph import Entry, Node
from .relayout import Relayout, reordered


def are_turned() -> bool:
    """Whether images are turned around: where cuDNN convolves them."""
    return bool(settings.get("BARYON_LAYOUT")) and cudnn.library() is not None


class ChannelsLast(Relayout):
    """Images of two spatial axes as ``(batch, *space, channels)``, and weights likewise."""

    def _fits(self, entry: Entry) -> bool:
        return entry.ndim == 4 and entry.size > 0 and halves(entry)

    def _spec(self, entry: Entry) -> Spec:
        return entry.spec._replace(shape=turned(entry.shape))

    def _to_plain(self, entry: Entry, spec: Spec) -> Entry:
        return _turned("_to_channels_first", entry, spec, spec.shape)

    def _to_other(self, entry: Entry, spec: Spec) -> Entry:
        return _turned("_to_channels_last", entry, spec, entry.shape)

    def _lies_so(self, entry: Entry) -> bool:
        return entry.key in self.other or (self._fits(entry) and _is_alike(entry.shape))

    def _form(self, node: Node) -> bool:
        form: Form | None = node.op.channels_last if node.op is not None else None
        changed = None if form is None else form.change(node.params)
        if changed is None:
            return False
        given = range(len(node.inputs))
        places = given if form.images is None else [i for i in form.images if i in given]
        if not form.heavy and not any(self._lies_so(node.inputs[i]) for i in places):
            return False
        outs = [e for e in node.entries if e.index in form.outputs]
        if not all(map(self._fits, (*(node.inputs[i] for i in places), *outs))):
            return False
        raw = {k: v for k, v in node.params.items() if k in node.op.attrs} | changed
        params = node.op.attributes(raw, bool(node.params.get("train", False)))
        inputs = [
            self.as_other(e) if i in places else self.as_plain(e) for i, e in enumerate(node.inputs)
        ]
        specs = [self._spec(e) if e.index in form.outputs else e.spec for e in node.entries]
        drawn = Node(node.op, node.name, inputs, params, node.attrs, tuple(specs))
        for e in drawn.entries:
            (self.other if e.index in form.outputs else self.plain)[(node, e.index)] = e
        return True


def _turned(name: str, entry: Entry, spec: Spec, first: tuple[int, ...]) -> Entry:
    """An entry in another layout, whose shape with channels first is `first`."""
    if _is_alike(first):
        return reordered("Reshape", entry, spec, shape=spec.shape)
    return reordered(name, entry, spec)


def _is_alike(first: tuple[int, ...]) -> bool:
    """Whether no element moves when channels come last."""
    return first[1] == 1 or first[2] == first[3] == 1
