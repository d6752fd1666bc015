"""Averages of samples over rotated boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .attrs import Attrs, Shape
from .numeric import widen
from .op import op
from .roi import cells, check_regions, inside, regions
from .rules import forward
from .samples import constant, normal
from .taps import gather, taps


def _shape(attrs: Attrs, data: Sequence[int], rois: Sequence[int]) -> tuple[int, ...]:
    check_regions(data, rois, 6)
    return (rois[0], data[1], *cells(attrs.pooled_size))


def _offsets(xp: Any, extent: float, count: int, ratio: int, most: int) -> Any:
    """(count, samples): where a box's samples lie along one of its axes, from its centre."""
    samples = ratio if ratio > 0 else max(min(math.ceil(extent / count), most), 1)
    place = (xp.arange(count * samples) + 0.5) / (count * samples) - 0.5
    return (place * extent).reshape(count, samples)


def _average(xp: Any, image: Any, box: Sequence[float], pooled: Sequence, ratio: int) -> Any:
    """The mean in every cell of one region of one image (1, channel, height, width)."""
    size = image.shape[2:]
    x, y, width, height, angle = box
    most = 2 * (sum(size) + 4)  # a box may be far larger than the image
    rows = _offsets(xp, max(height, 1), pooled[0], ratio, most)
    columns = _offsets(xp, max(width, 1), pooled[1], ratio, most)
    sin, cos = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    total = 0
    for row in rows.T:  # one row of samples in every cell at a time
        down, across = row[:, None, None], columns
        at_y = (down * cos - across * sin + y).astype(image.dtype)
        at_x = (across * cos + down * sin + x).astype(image.dtype)
        read = (at_y >= -1) & (at_y <= size[0]) & (at_x >= -1) & (at_x <= size[1])
        at_y = xp.clip(at_y, 0, size[0] - 1).reshape(1, -1)
        at_x = xp.clip(at_x, 0, size[1] - 1).reshape(1, -1)
        found = taps(xp, at_y, at_x, size)
        values = gather(xp, image, found.index, found.weight * read.reshape(1, -1))
        total = total + values.reshape(-1, *read.shape).sum(-1)
    return total / (rows.shape[1] * columns.shape[1])


@op("_contrib_RROIAlign", shape=forward(_shape))
def rroi_align(
    xp, data, rois, *, pooled_size: Shape, spatial_scale: float, sampling_ratio: int = -1
):
    """The mean of bilinear samples in every cell of a grid over rotated boxes.

    data : (batch, channel, height, width). rois : (regions, 6), image number, centre x and y,
    width and height, to be multiplied by `spatial_scale`, and an angle in degrees. Cells take
    `sampling_ratio` samples along each axis, or as many as they have pixels. It has no gradient, as
    in MXNet. Sources: MXNet operator RROIAlign; Ma et al., "Arbitrary-oriented scene text
    detection via rotation proposals", 2018.

    >>> x, rois = mx.nd.arange(16).reshape((1, 1, 4, 4)), mx.nd.array([[0, 1, 1, 2, 2, 90]])
    >>> mx.nd.contrib.RROIAlign(x, rois, pooled_size=(1, 1), spatial_scale=1.0).asnumpy().item()
    5.0
    """
    data = widen(xp, data)
    out = xp.zeros((len(rois), data.shape[1], *pooled_size), data.dtype)
    image, box = regions(xp, widen(xp, rois))
    scale = np.asarray([spatial_scale] * 4 + [1.0]).reshape(5, 1)
    boxes = (box * xp.asarray(scale, box.dtype)).T.tolist()
    for r, b in inside(xp, image, len(data) if data.size else 0):
        out[r] = _average(xp, data[b : b + 1], boxes[r], pooled_size, sampling_ratio)
    return out


_BOXES = constant(
    [[0, 3, 3, 4, 2, 30], [1, 2.5, 4, 3, 5, -70], [2, 1, 1, 1, 1, 0], [0, 6, 0, 900, 0.1, 45]]
)
rroi_align.sample(data=normal(2, 3, 7, 6), rois=_BOXES, pooled_size=(2, 3), spatial_scale=0.7)
rroi_align.sample(
    data=normal(2, 1, 5, 5), rois=_BOXES, pooled_size=(2, 2), spatial_scale=1.0, sampling_ratio=2
)
