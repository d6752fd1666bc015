"""The boxes of single-shot detectors: anchors, training targets, offsets and detections.

Source: Liu et al., "SSD: single shot multibox detector", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Floats
from .boxes import Format, centers, corners
from .device import fixed
from .indexing import whole
from .numeric import widen
from .op import op
from .rules import forward
from .samples import constant, integers, normal, uniform

VARIANCES = (0.1, 0.1, 0.2, 0.2)


def expect_shape(name: str, shape: Sequence[int], want: Sequence[int | None]) -> None:
    """MXNetError unless an input has this shape, in which None is any size."""
    if len(shape) != len(want) or any(w not in (None, s) for s, w in zip(shape, want, strict=True)):
        shown = tuple("?" if w is None else w for w in want)
        raise MXNetError(f"{name} has shape {tuple(shape)}, expected {shown}")


def encoded(xp: Any, boxes: Any, anchors: Any, variances: Any) -> Any:
    """Offsets of corner boxes from corner anchors, divided by `variances`."""
    box, anchor = centers(xp, boxes), centers(xp, anchors)
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    stretch = xp.log(box[..., 2:] / anchor[..., 2:])
    return xp.concatenate([shift, stretch], -1) / variances


def decoded(xp: Any, offsets: Any, anchors: Any, variances: Any, clip: float = -1) -> Any:
    """Corner boxes at offsets from anchors given by centre and size."""
    offsets = offsets * variances
    stretch = xp.minimum(offsets[..., 2:], clip) if clip > 0 else offsets[..., 2:]
    middle = offsets[..., :2] * anchors[..., 2:] + anchors[..., :2]
    return corners(xp, xp.concatenate([middle, xp.exp(stretch) * anchors[..., 2:]], -1))


# ---- box_encode, box_decode --------------------------------------------------------------------


def _encode_shape(attrs: Attrs, samples, matches, anchors, refs, means, stds) -> list:
    expect_shape("samples", samples, (None, None))
    expect_shape("matches", matches, samples)
    expect_shape("anchors", anchors, (*samples, 4))
    expect_shape("refs", refs, (samples[0], None, 4))
    expect_shape("means", means, (4,))
    expect_shape("stds", stds, (4,))
    if anchors[1] and not refs[1]:
        raise MXNetError("refs holds no boxes")
    return [tuple(anchors), tuple(anchors)]


@op("_contrib_box_encode", shape=forward(_encode_shape), outputs=("output0", "output1"))
def box_encode(xp, samples, matches, anchors, refs, means, stds):
    """Offsets of matched boxes from anchors, and a mask that is 1 for positive samples.

    samples : (batch, anchors), positive where above 0.5. matches : (batch, anchors), numbers of
    boxes, clipped. anchors : (batch, anchors, 4). refs : (batch, boxes, 4), corners. means, stds :
    (4,). Source: MXNet operator box_encode.

    >>> one, zeros, ones = mx.nd.ones((1, 1)), mx.nd.zeros(4), mx.nd.ones(4)
    >>> anchor, box = mx.nd.array([[[0, 0, 2, 2]]]), mx.nd.array([[[1, 0, 3, 2]]])
    >>> offsets, mask = mx.nd.contrib.box_encode(one, one * 0, anchor, box, zeros, ones)
    >>> offsets.asnumpy()
    array([[[0.5, 0. , 0. , 0. ]]], dtype=float32)
    """
    anchors, refs, means, stds = (widen(xp, a) for a in (anchors, refs, means, stds))
    match = xp.clip(whole(xp, matches), 0, max(refs.shape[1] - 1, 0))
    boxes = refs[xp.arange(len(refs))[:, None], match]
    positive = (samples > 0.5)[..., None]
    offsets = (encoded(xp, boxes, anchors, anchors.dtype.type(1)) - means) / stds
    mask = xp.broadcast_to(positive, anchors.shape)
    return xp.where(positive, offsets, 0), mask.astype(anchors.dtype)


def _decode_shape(attrs: Attrs, data: Sequence[int], anchors: Sequence[int]) -> tuple[int, ...]:
    expect_shape("data", data, (None, None, 4))
    expect_shape("anchors", anchors, (1, data[1], 4))
    return tuple(data)


@op("_contrib_box_decode", shape=forward(_decode_shape))
def box_decode(
    xp,
    data,
    anchors,
    *,
    std0: float = 1.0,
    std1: float = 1.0,
    std2: float = 1.0,
    std3: float = 1.0,
    clip: float = -1.0,
    format: Format = "center",
):
    """Corner boxes at the offsets data (batch, boxes, 4) from anchors.

    anchors : (1, boxes, 4) in `format`. Offsets are multiplied by `std0`, `std1`, `std2` and
    `std3`. A positive `clip` bounds the logarithm of the stretch. Source: MXNet operator
    box_decode.

    >>> anchor = mx.nd.array([[[0, 0, 2, 2]]])
    >>> mx.nd.contrib.box_decode(mx.nd.zeros((1, 1, 4)), anchor, format="corner").asnumpy()
    array([[[0., 0., 2., 2.]]], dtype=float32)
    """
    data, anchors = widen(xp, data), widen(xp, anchors)
    anchors = centers(xp, anchors) if format == "corner" else anchors
    stds = fixed(xp, [std0, std1, std2, std3], data.dtype)
    return decoded(xp, data, anchors, stds, clip)


_ANCHORS = constant([[[0, 0, 0.5, 0.5], [0.1, 0.1, 0.6, 0.7], [0.5, 0.5, 1, 1], [0, 0, 1, 0.9]]])
box_encode.sample(
    samples=integers(1, 4, low=-1, high=2),
    matches=integers(1, 4, low=-1, high=5),
    anchors=_ANCHORS,
    refs=constant([[[0, 0, 1, 1], [0.2, 0.2, 0.6, 0.9]]]),
    means=normal(4, scale=0.1),
    stds=uniform(4, low=0.1, high=0.3),
)
box_decode.sample(data=normal(2, 4, 4), anchors=_ANCHORS, std0=0.1, clip=0.4)
box_decode.sample(data=normal(2, 4, 4), anchors=_ANCHORS, format="corner")


# ---- MultiBoxPrior -----------------------------------------------------------------------------


def _prior_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if len(data) < 4:
        raise MXNetError(f"data has {len(data)} axes, expected (batch, channel, height, width)")
    if not attrs.sizes or not attrs.ratios or min(*attrs.ratios, 1) <= 0:
        raise MXNetError("sizes and ratios must be given, and ratios positive")
    if len(attrs.steps) != 2 or len(attrs.offsets) != 2:
        raise MXNetError("steps and offsets must have 2 entries")
    return 1, data[2] * data[3] * (len(attrs.sizes) + len(attrs.ratios) - 1), 4


def halves(sizes: Sequence[float], ratios: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """Half of width and of height of the boxes at every pixel of an image of `size`: (box, 2)."""
    shapes = [(s, ratios[0]) for s in sizes] + [(sizes[0], r) for r in ratios[1:]]
    long = size[0] / max(size[1], 1)
    return np.array([(s * long * r**0.5, s / r**0.5) for s, r in shapes]) / 2


def apart(steps: Sequence[float], size: Sequence[int]) -> list[float]:
    """How far pixels are apart in y and x, in parts of the image."""
    return [s if s > 0 else 1 / max(n, 1) for s, n in zip(steps, size, strict=True)]


@op("_contrib_MultiBoxPrior", aliases=("_npx_multibox_prior",), shape=forward(_prior_shape))
def multibox_prior(
    xp,
    data,
    *,
    sizes: Floats = (1.0,),
    ratios: Floats = (1.0,),
    clip: bool = False,
    steps: Floats = (-1.0, -1.0),
    offsets: Floats = (0.5, 0.5),
):
    """Anchors (1, height * width * boxes, 4) around the pixels of data, in parts of the image.

    At every pixel all `sizes` with the first of `ratios`, then the first size with the others.
    Pixels are `steps` (y, x) apart, by default evenly, and centred by `offsets` (y, x). `clip` cuts
    anchors to the image. Source: MXNet operator MultiBoxPrior.

    >>> mx.nd.contrib.MultiBoxPrior(mx.nd.zeros((1, 1, 1, 1)), sizes=(0.5,)).asnumpy()
    array([[[0.25, 0.25, 0.75, 0.75]]], dtype=float32)
    """
    height, width = data.shape[2:4]
    half, step = fixed(xp, halves(sizes, ratios, (height, width))), apart(steps, (height, width))
    y = (xp.arange(height) + offsets[0]) * step[0]
    x = (xp.arange(width) + offsets[1]) * step[1]
    middle = xp.stack(xp.meshgrid(x, y), -1)[:, :, None]
    boxes = xp.concatenate([middle - half, middle + half], -1).reshape(1, -1, 4)
    return xp.clip(boxes, 0, 1) if clip else boxes


multibox_prior.sample(data=normal(1, 2, 2, 3), sizes=(0.5, 0.3), ratios=(1, 2, 0.5))
multibox_prior.sample(data=normal(1, 2, 2, 2), sizes=(0.9,), clip=True, steps=(0.4, 0.3))
