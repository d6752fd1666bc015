"""Averages over regions that are products of two matrices.

Where a cell's average weighs rows and columns independently, a region is two matrices, rows
``(pooled height, height)`` and columns ``(pooled width, width)``, and pooling is
``rows @ image @ columns.T``. Position-sensitive pooling reads another channel in every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .indexing import add_at
from .numeric import widen
from .op import op
from .roi import ROIS, cells, check_regions, inside, regions
from .rules import forward
from .samples import constant, normal


class Regions(NamedTuple):
    """The image number of every region, and its two matrices."""

    image: Any
    rows: Any
    columns: Any


# ---- the product and its adjoint ---------------------------------------------------------------


def _box(xp: Any, rows: Any, columns: Any) -> tuple[slice, slice] | None:
    """The pixels that a region reads, None if it reads none."""
    found = []
    for matrix in (rows, columns):
        used = xp.flatnonzero(matrix.any(0))
        if not used.size:
            return None
        found.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(found)


def _channels(xp: Any, image: Any, groups: tuple | None) -> Any:
    """The image that each cell reads: (channel, cell rows, cell columns, height, width)."""
    if groups is None:
        return image
    rows, columns, sizes = groups
    return image.reshape(-1, *sizes, *image.shape[1:])[:, rows[:, None], columns]


def averages(xp: Any, data: Any, found: Regions, groups: tuple | None = None) -> Any:
    """The average in every cell: (region, channel, pooled height, pooled width).

    `groups`: for position-sensitive pooling, for the rows and for the columns of cells their group,
    and the numbers of groups.
    """
    channels = data.shape[1] if groups is None else data.shape[1] // int(np.prod(groups[2]))
    sizes = (found.rows.shape[1], found.columns.shape[1])
    out = xp.zeros((len(found.image), channels, *sizes), data.dtype)
    for r, b in inside(xp, found.image, len(data)):
        box = _box(xp, found.rows[r], found.columns[r])
        if box is None:
            continue
        rows, columns = found.rows[r][:, box[0]], found.columns[r][:, box[1]]
        part = _channels(xp, data[b][:, box[0], box[1]], groups)
        if groups is None:
            out[r] = rows @ (part @ columns.T)
        else:
            out[r] = ((part @ columns[:, :, None])[..., 0] * rows[:, None]).sum(-1)
    return out


def spread(
    xp: Any, dy: Any, found: Regions, shape: Sequence[int], groups: tuple | None = None
) -> Any:
    """The adjoint of `averages`: gradient by data of `shape`."""
    total = xp.zeros(shape, dy.dtype)
    for r, b in inside(xp, found.image, shape[0]):
        box = _box(xp, found.rows[r], found.columns[r])
        if box is None:
            continue
        rows, columns = found.rows[r][:, box[0]], found.columns[r][:, box[1]]
        target = total[b][:, box[0], box[1]]
        if groups is None:
            target += rows.T @ (dy[r] @ columns)
            continue
        by_row, by_column, sizes = groups
        image = target.reshape(-1, *sizes, *target.shape[1:])  # a view: only one axis is split
        each = dy[r][..., None, None] * rows[:, None, :, None] * columns[:, None, :]
        add_at(xp, image, (slice(None), by_row[:, None], by_column), each)
    return total


# ---- ROIAlign ----------------------------------------------------------------------------------


def _axis_matrix(
    xp: Any, start: Any, extent: Any, count: int, ratio: int, size: int
) -> tuple[Any, Any]:
    """(region, count, size): mean weights of the samples in each cell, between pixels linearly."""
    bins = extent / count
    samples = xp.full(bins.shape, ratio) if ratio > 0 else xp.ceil(bins).astype(np.int64)
    matrix = xp.zeros((len(bins), count, size), bins.dtype)
    step = bins / xp.maximum(samples, 1)
    begin = start[:, None] + xp.arange(count, dtype=bins.dtype) * bins[:, None]
    # Of a cell much larger than the image only the samples near the image matter.
    most = int(min(max(int(samples.max()) if samples.size else 0, 0), max(2 * size + 8, ratio)))
    skipped = xp.floor((-1 - begin) / xp.maximum(step, 1e-6)[:, None]) - 1
    room = xp.maximum(samples - most, 0)[:, None]
    first = xp.minimum(xp.maximum(skipped, 0), room)
    region, cell = (i.reshape(-1) for i in xp.indices(begin.shape))
    for k in range(most):
        at = begin + (first + k + begin.dtype.type(0.5)) * step[:, None]
        read = (at >= -1) & (at <= size) & (first + k < samples[:, None])
        at = xp.clip(at, 0, max(size - 1, 0))
        low = xp.minimum(xp.floor(at).astype(np.int64), max(size - 2, 0))
        part = (at - low) * read
        matrix[region, cell, low.reshape(-1)] += (read - part).reshape(-1)
        matrix[region, cell, xp.minimum(low + 1, size - 1).reshape(-1)] += part.reshape(-1)
    return matrix / xp.maximum(samples, 1)[:, None, None].astype(bins.dtype)


def _aligned(xp: Any, rois: Any, size: Sequence[int], attrs: Any) -> Regions:
    image, box = regions(xp, rois)
    offset = 0.5 if attrs["aligned"] else 0.0
    x1, y1, x2, y2 = (c * c.dtype.type(attrs["spatial_scale"]) - c.dtype.type(offset) for c in box)
    width, height = x2 - x1, y2 - y1
    if not attrs["aligned"]:
        width, height = xp.maximum(width, 1), xp.maximum(height, 1)
    elif ((xp.minimum(width, height) <= 0) & (image >= 0)).any():
        raise MXNetError("operator _contrib_ROIAlign: an aligned region has no positive size")
    pooled, ratio = attrs["pooled_size"], attrs["sample_ratio"]
    if not min(size):
        shapes = ((len(rois), p, n) for p, n in zip(pooled, size, strict=True))
        return Regions(image, *(xp.zeros(s, rois.dtype) for s in shapes))
    rows = _axis_matrix(xp, y1, height, pooled[0], ratio, size[0])
    return Regions(image, rows, _axis_matrix(xp, x1, width, pooled[1], ratio, size[1]))


def _sensitive(xp: Any, attrs: Any) -> tuple | None:
    """Position-sensitive ROIAlign has as many groups as cells."""
    if not attrs["position_sensitive"]:
        return None
    pooled = tuple(attrs["pooled_size"])
    return *map(xp.arange, pooled), pooled


def _aligned_shape(attrs: Attrs, data: Sequence[int], rois: Sequence[int]) -> tuple[int, ...]:
    check_regions(data, rois)
    pooled, channels = cells(attrs.pooled_size), data[1]
    if attrs.position_sensitive:
        if channels % (pooled[0] * pooled[1]):
            raise MXNetError(f"{channels} channels do not divide among {pooled} cells")
        channels //= pooled[0] * pooled[1]
    return (rois[0], channels, *pooled)


@op("_contrib_ROIAlign", shape=forward(_aligned_shape))
def roi_align(
    xp,
    data,
    rois,
    *,
    pooled_size: Shape,
    spatial_scale: float,
    sample_ratio: int = -1,
    position_sensitive: bool = False,
    aligned: bool = False,
):
    """The mean of bilinear samples in every cell of a grid over each region.

    data : (batch, channel, height, width). rois : (regions, 5), image number, then x1, y1, x2, y2,
    to be multiplied by `spatial_scale` and, if `aligned`, shifted by half a pixel. Cells take
    `sample_ratio` samples along each axis, or as many as they have pixels. With
    `position_sensitive`, cell (i, j) reads the channels ``(c rows + i) columns + j``. There is no
    gradient for rois. Sources: MXNet operator ROIAlign; He et al., "Mask R-CNN", ICCV 2017.

    >>> x, rois = mx.nd.arange(16).reshape((1, 1, 4, 4)), mx.nd.array([[0, 0, 0, 2, 2]])
    >>> mx.nd.contrib.ROIAlign(x, rois, pooled_size=(1, 1), spatial_scale=1.0).asnumpy().item()
    5.0
    """
    attrs = {"pooled_size": pooled_size, "spatial_scale": spatial_scale, "aligned": aligned}
    attrs |= {"sample_ratio": sample_ratio, "position_sensitive": position_sensitive}
    data = widen(xp, data)
    found = _aligned(xp, widen(xp, rois), data.shape[2:], attrs)
    return averages(xp, data, found, _sensitive(xp, attrs))


@op("_backward_ROIAlign", shape=forward(lambda a, dy, rois: a.shape))
def backward_align(
    xp,
    dy,
    rois,
    *,
    shape: Shape,
    pooled_size: Shape,
    spatial_scale: float,
    sample_ratio: int = -1,
    position_sensitive: bool = False,
    aligned: bool = False,
):
    """Gradient of `roi_align` by data of `shape`."""
    attrs = {"pooled_size": pooled_size, "spatial_scale": spatial_scale, "aligned": aligned}
    attrs |= {"sample_ratio": sample_ratio, "position_sensitive": position_sensitive}
    found = _aligned(xp, widen(xp, rois), shape[2:], attrs)
    return spread(xp, widen(xp, dy), found, shape, _sensitive(xp, attrs))


_ALIGN = ("pooled_size", "spatial_scale", "sample_ratio", "position_sensitive", "aligned")


@roi_align.gradient("data")
def _(dy, data, rois, attrs):
    return backward_align(dy, rois, shape=data.shape, **{n: attrs[n] for n in _ALIGN})


@backward_align.gradient("dy")
def _(d_output, rois, attrs):
    return roi_align(d_output, rois, **{n: attrs[n] for n in _ALIGN})


INSIDE = constant([[0, 0.7, 1.1, 5.2, 4.3], [1, 0, 2.5, 3, 6.1], [-1, 0, 0, 1, 1]])
roi_align.sample(data=normal(2, 3, 7, 6), rois=ROIS, pooled_size=(2, 3), spatial_scale=0.7)
roi_align.sample(
    data=normal(2, 8, 7, 6),
    rois=INSIDE,
    pooled_size=(2, 2),
    spatial_scale=1.0,
    sample_ratio=2,
    position_sensitive=True,
    aligned=True,
)
backward_align.sample(
    dy=normal(3, 2, 2, 2), rois=INSIDE, shape=(2, 2, 5, 4), pooled_size=(2, 2), spatial_scale=0.5
)
