"""Pooling regions of interest: the maximum, or an average of samples, in every cell of a grid.

Regions are rows of `rois`: the number of an image, then x1, y1, x2, y2 (`_contrib_RROIAlign`: a
rotated box). A region of no image, or out of its image, gives zeros; none is read out of bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .numeric import widen
from .op import op
from .rules import forward, unify, unify_dtypes
from .samples import constant, distinct, normal, typed
from .taps import finite

FAR = 1e8  # no image is so large; coordinates are held within this


# ---- shapes and coordinates --------------------------------------------------------------------


def check_regions(data: Sequence[int], rois: Sequence[int], columns: int = 5) -> None:
    """MXNetError unless these are shapes of images and of regions."""
    if len(data) != 4:
        raise MXNetError(f"data has {len(data)} axes, expected (batch, channel, height, width)")
    if len(rois) != 2 or rois[1] != columns:
        raise MXNetError(f"rois has shape {tuple(rois)}, expected (regions, {columns})")


def cells(size: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of the grid."""
    if len(size) != 2 or min(size) < 1:
        raise MXNetError(f"pooled_size is {tuple(size)}, expected two positive numbers")
    return size[0], size[1]


def regions(xp: Any, rois: Any) -> tuple[Any, Any]:
    """Image numbers as int64 and coordinates (4, region), all finite."""
    rois = finite(xp, rois, -FAR, FAR)
    return rois[:, 0].astype(np.int64), rois[:, 1:].T


def rounded(xp: Any, values: Any) -> Any:
    """The nearest integers, halves away from zero."""
    return xp.sign(values) * xp.floor(xp.abs(values.astype(np.float64)) + 0.5).astype(values.dtype)


def inside(xp: Any, image: Any, batch: int) -> Iterator[tuple[int, int]]:
    """Region and image numbers of the regions that lie in one of the images."""
    for r, b in enumerate(image.tolist()):
        if 0 <= b < batch:
            yield r, b


# ---- ROIPooling --------------------------------------------------------------------------------


def edges(xp: Any, start: Any, extent: Any, count: int, size: int) -> tuple[list, list]:
    """First and one past the last pixel of the `count` cells along an axis, a row a region."""
    step = (extent / count)[:, None]
    k = xp.arange(count, dtype=step.dtype)
    begin, end = xp.floor(k * step + start[:, None]), xp.ceil((k + 1) * step + start[:, None])
    return tuple(xp.clip(e, 0, size).astype(np.int64).tolist() for e in (begin, end))


def _pooled_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if any(s is None or -1 in s for s in ins):
        return ins, outs
    check_regions(*ins)
    shape = (ins[1][0], ins[0][1], *cells(attrs.pooled_size))
    return ins, [unify(shape, outs[0]), shape][: len(outs)]


def _with_places(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = unify_dtypes([*ins, outs[0]])
    return [dtype] * 2, [dtype, np.dtype(np.int64)]


def _maxima(xp: Any, image: Any, rows: tuple, columns: tuple) -> tuple[Any, Any]:
    """Maximum and its place in every cell of one region; cells without pixels give 0 and -1."""
    channels, height, width = image.shape
    out = xp.zeros((channels, len(rows[0]), len(columns[0])), image.dtype)
    place = xp.full(out.shape, -1, np.int64)
    top, bottom = min(rows[0]), max(rows[1])
    for j, (left, right) in enumerate(zip(*columns, strict=True)):
        if right <= left or bottom <= top:
            continue
        strip = image[:, top:bottom, left:right]
        at = strip.argmax(2)  # the first of equal ones, row by row as in the whole cell
        best = xp.take_along_axis(strip, at[..., None], 2)[..., 0]
        for i, (begin, end) in enumerate(zip(*rows, strict=True)):
            if end <= begin:
                continue
            row = best[:, begin - top : end - top].argmax(1)[:, None] + begin - top
            out[:, i, j] = xp.take_along_axis(best, row, 1)[:, 0]
            column = xp.take_along_axis(at, row, 1) + left
            place[:, i, j] = ((row + top) * width + column)[:, 0]
    return out, place


@op(
    "ROIPooling",
    aliases=("_npx_roi_pooling",),
    shape=_pooled_shape,
    dtype=_with_places,
    outputs=("output", "place"),
    visible=1,
)
def roi_pooling(xp, data, rois, *, pooled_size: Shape, spatial_scale: float):
    """The maximum in every cell of a grid over each region: (regions, channel, *pooled_size).

    data : (batch, channel, height, width). rois : (regions, 5), image number, then x1, y1, x2, y2,
    which times `spatial_scale` are rounded to pixels, both ends included. Empty cells are 0. There
    is no gradient for rois. Sources: MXNet operator ROIPooling; Girshick, "Fast R-CNN", ICCV 2015.

    >>> x = mx.nd.arange(16).reshape((1, 1, 4, 4))
    >>> rois = mx.nd.array([[0, 0, 0, 3, 1]])
    >>> mx.nd.ROIPooling(x, rois, pooled_size=(1, 2), spatial_scale=1.0).asnumpy()
    array([[[[5., 7.]]]], dtype=float32)
    """
    image, (x1, y1, x2, y2) = regions(xp, widen(xp, rois))
    x1, y1, x2, y2 = (rounded(xp, c * c.dtype.type(spatial_scale)) for c in (x1, y1, x2, y2))
    x_edges = edges(xp, x1, xp.maximum(x2 - x1 + 1, 1), pooled_size[1], data.shape[3])
    y_edges = edges(xp, y1, xp.maximum(y2 - y1 + 1, 1), pooled_size[0], data.shape[2])
    shape = (len(rois), data.shape[1], *pooled_size)
    out, place = xp.zeros(shape, data.dtype), xp.full(shape, -1, np.int64)
    for r, b in inside(xp, image, len(data)):
        rows, columns = (y_edges[0][r], y_edges[1][r]), (x_edges[0][r], x_edges[1][r])
        out[r], place[r] = _maxima(xp, data[b], rows, columns)
    return out, place


def _places(xp: Any, rois: Any, place: Any, shape: Sequence[int]) -> tuple[Any, Any]:
    """Positions in flattened images of `shape` of the maxima, and which of them exist."""
    batch, channels, height, width = shape
    image, _ = regions(xp, widen(xp, rois))
    image = xp.clip(image, 0, max(batch - 1, 0)).reshape(-1, 1, 1, 1)
    channel = xp.arange(channels).reshape(-1, 1, 1)
    return ((image * channels + channel) * height * width + place), place >= 0


def _first(index: int) -> Any:
    """A dtype rule: the output is like the input at `index`, the others are free."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        return ins, [ins[index]]

    return rule


@op("_backward_ROIPooling", shape=forward(lambda a, dy, rois, place: a.shape), dtype=_first(0))
def backward_pooling(xp, dy, rois, place, *, shape: Shape):
    """Gradient of `roi_pooling` by data of `shape`: `dy` added at the places of the maxima."""
    dy = widen(xp, dy)
    at, exists = _places(xp, rois, place, shape)
    total = xp.bincount(at[exists], dy[exists], minlength=int(np.prod(shape)))
    return total.reshape(shape)


@op(
    "_roi_pooling_select",
    shape=forward(lambda a, data, rois, place: place),
    dtype=_first(0),
    derived=True,
)
def select(xp, data, rois, place):
    """`data` at the places of the maxima, 0 where there is none: the gradient's adjoint."""
    at, exists = _places(xp, rois, place, data.shape)
    if not data.size:
        return xp.zeros(place.shape, data.dtype)
    return xp.where(exists, data.reshape(-1)[xp.where(exists, at, 0)], data.dtype.type(0))


@roi_pooling.gradient("data")
def _(dy, data, rois, outs):
    return backward_pooling(dy, rois, outs[1], shape=data.shape)


@backward_pooling.gradient("dy")
def _(d_output, rois, place):
    return select(d_output, rois, place)


@select.gradient("data")
def _(dy, data, rois, place):
    return backward_pooling(dy, rois, place, shape=data.shape)


_WILD = [[0, 1, 1, 5, 4], [1, 0, 2, 3, 7], [1, 4, 4, 2, 2], [2, 0, 0, 3, 3], [0, -3, 2, 2, 90]]
ROIS = constant(_WILD)
roi_pooling.sample(data=distinct(2, 3, 7, 6), rois=ROIS, pooled_size=(2, 3), spatial_scale=1.0)
roi_pooling.sample(data=distinct(2, 1, 5, 4), rois=ROIS, pooled_size=(3, 2), spatial_scale=0.5)
_TWO = constant([[0, 0, 0, 1, 1], [1, 0, 0, 1, 1]])
_PLACES = typed(constant([[[[0, 3]]], [[[-1, 3]]]]), "int64")
backward_pooling.sample(
    dy=normal(2, 1, 1, 2),
    rois=_TWO,
    place=_PLACES,
    shape=(2, 1, 2, 2),
    _grad=("dy",),
)
select.sample(data=normal(2, 1, 2, 2), rois=_TWO, place=_PLACES, _grad=("data",))
