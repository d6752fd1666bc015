"""Position-sensitive pooling whose cells are shifted by learned offsets.

Source: Dai et al., "Deformable convolutional networks", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .indexing import add_at
from .numeric import widen
from .op import op
from .psroi import cell_groups
from .roi import ROIS, cells, check_regions, inside, regions, rounded
from .rules import known, unify
from .samples import normal
from .taps import Taps, taps


class Samples(NamedTuple):
    """The samples of one region: (class, cell row, cell column, sample row, sample column)."""

    taps: Taps
    weight: Any  # a sample's part of its cell's mean, 0 if it lies outside
    moves: tuple  # by how many pixels an offset of 1 moves it in y and in x, times `weight`


def _shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if not all(map(known, ins)):
        return ins, outs
    data, rois, *trans = ins
    check_regions(data, rois)
    cells((attrs.pooled_size, attrs.output_dim))
    cells((attrs.group_size, attrs.sample_per_part))
    want = attrs.output_dim * attrs.group_size**2
    if data[1] != want:
        raise MXNetError(f"data has {data[1]} channels, expected {want}, output_dim * group_size^2")
    part = attrs.part_size or attrs.pooled_size
    for shape in trans:
        if len(shape) != 4 or shape[0] != rois[0] or tuple(shape[2:]) != (part, part):
            raise MXNetError(f"trans has shape {shape}, expected ({rois[0]}, 2 n, {part}, {part})")
        if shape[1] < 2 or shape[1] % 2 or attrs.output_dim % (shape[1] // 2):
            raise MXNetError(f"trans has {shape[1]} channels for output_dim {attrs.output_dim}")
    out = (rois[0], attrs.output_dim, attrs.pooled_size, attrs.pooled_size)
    return ins, [unify(out, outs[0])]


def _boxes(xp: Any, rois: Any, scale: float) -> tuple[Any, Any, Any]:
    """Image numbers, and starts and extents (region, 2), y before x."""
    image, (x1, y1, x2, y2) = regions(xp, rois)
    scale, half, least = (rois.dtype.type(v) for v in (scale, 0.5, 0.1))
    start = xp.stack([rounded(xp, y1), rounded(xp, x1)], 1) * scale - half
    end = (xp.stack([rounded(xp, y2), rounded(xp, x2)], 1) + 1) * scale - half
    return image, start, xp.maximum(end - start, least)


def _samples(xp: Any, attrs: Any, start: Any, extent: Any, trans: Any, size: Sequence) -> Samples:
    """Samples of one region, whose offsets are trans (class, 2, part, part), x before y."""
    pooled, each = attrs["pooled_size"], attrs["sample_per_part"]
    std = trans.dtype.type(attrs["trans_std"])
    part = cell_groups(xp, pooled, trans.shape[2])
    shift = trans[:, :, part[:, None], part] * std
    at, clipped, read = [], [], True
    for axis, n in enumerate(size):
        cell = xp.arange(pooled, dtype=trans.dtype) * (extent[axis] / pooled) + start[axis]
        step = extent[axis] / pooled / each
        place = cell[:, None] + xp.arange(each, dtype=trans.dtype) * step
        place = place[:, None, :, None] if axis == 0 else place[:, None, :]
        at.append(place + shift[:, 1 - axis, :, :, None, None] * extent[axis])
        read = read & (at[-1] >= -0.5) & (at[-1] <= n - 0.5)
        clipped.append(xp.clip(at[-1], 0, max(n - 1, 0)))
    weight = read / xp.maximum(read.sum((-2, -1), keepdims=True), 1).astype(trans.dtype)
    moves = [weight * (c == a) * (e * std) for c, a, e in zip(clipped, at, extent, strict=True)]
    return Samples(taps(xp, *clipped, size), weight.astype(trans.dtype), tuple(moves))


def _numbers(xp: Any, attrs: Any, index: Any, pixels: int) -> Any:
    """Flat positions in one image of what every output channel's samples read."""
    dim, group = attrs["output_dim"], attrs["group_size"]
    each = cell_groups(xp, attrs["pooled_size"], group)
    first = xp.arange(dim)[:, None, None] * group
    channel = (first + each[:, None]) * group + each
    index = index.repeat(dim // index.shape[1], 1)
    return index + channel[..., None, None] * pixels


def _offsets(xp: Any, trans: Any, count: int, dtype: Any) -> Any:
    """Offsets as (region, class, 2, part, part)."""
    if trans is None:
        return xp.zeros((count, 1, 2, 1, 1), dtype)
    return widen(xp, trans).reshape(count, trans.shape[1] // 2, 2, *trans.shape[2:])


def _all(xp: Any, data: Any, rois: Any, trans: Any, attrs: Any) -> Any:
    """Region, image number, samples and flat positions of every region that lies in an image."""
    image, start, extent = _boxes(xp, widen(xp, rois), attrs["spatial_scale"])
    offsets, size = _offsets(xp, trans, len(rois), data.dtype), data.shape[2:]
    for r, b in inside(xp, image, len(data) if data.size else 0):
        found = _samples(xp, attrs, start[r], extent[r], offsets[r], size)
        yield r, b, found, _numbers(xp, attrs, found.taps.index, size[0] * size[1])


def _by_channel(values: Any, dim: int, axis: int = 0) -> Any:
    """Values of each class for each output channel."""
    return values.repeat(dim // values.shape[axis], axis)


_PRESENT = {"trans": lambda a: not a.no_trans}


@op("_contrib_DeformablePSROIPooling", shape=_shape, present=_PRESENT, counted=lambda a: 2)
def deformable_psroi_pooling(
    xp,
    data,
    rois,
    trans=None,
    *,
    spatial_scale: float,
    output_dim: int,
    group_size: int,
    pooled_size: int,
    part_size: int = 0,
    sample_per_part: int = 1,
    trans_std: float = 0.0,
    no_trans: bool = False,
):
    """Position-sensitive pooling of bilinear samples, every cell shifted by a learned offset.

    data : (batch, output_dim * group_size^2, height, width). rois : (regions, 5), image number,
    then x1, y1, x2, y2. trans : (regions, 2 classes, part_size, part_size), offsets in x and y as
    parts of the region's size, times `trans_std`; absent with `no_trans`. A cell is the mean of
    ``sample_per_part^2`` samples. There is no gradient for rois. Source: MXNet operator
    DeformablePSROIPooling.

    >>> x, rois = mx.nd.arange(4).reshape((1, 4, 1, 1)), mx.nd.array([[0, 0, 0, 0, 0]])
    >>> mx.nd.contrib.DeformablePSROIPooling(
    ...     x, rois, spatial_scale=1.0, output_dim=1, group_size=2, pooled_size=2, no_trans=True
    ... ).asnumpy()[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    attrs = {"spatial_scale": spatial_scale, "output_dim": output_dim, "group_size": group_size}
    attrs |= {"pooled_size": pooled_size, "sample_per_part": sample_per_part}
    attrs["trans_std"] = trans_std
    data = widen(xp, data)
    out = xp.zeros((len(rois), output_dim, pooled_size, pooled_size), data.dtype)
    for r, b, found, index in _all(xp, data, rois, trans, attrs):
        weight = _by_channel(found.taps.weight * found.weight, output_dim, 1)
        out[r] = (data[b].reshape(-1)[index] * weight).sum((0, -2, -1))
    return out


def _gradient_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [ins[1], *ins[3:]]


@op(
    "_backward_DeformablePSROIPooling",
    shape=_gradient_shape,
    present=_PRESENT,
    outputs=lambda a: ("data",) if a.no_trans else ("data", "trans"),
)
def backward_deformable(
    xp,
    dy,
    data,
    rois,
    trans=None,
    *,
    spatial_scale: float,
    output_dim: int,
    group_size: int,
    pooled_size: int,
    sample_per_part: int = 1,
    trans_std: float = 0.0,
    no_trans: bool = False,
):
    """Gradients of `deformable_psroi_pooling` by data and trans."""
    attrs = {"spatial_scale": spatial_scale, "output_dim": output_dim, "group_size": group_size}
    attrs |= {"pooled_size": pooled_size, "sample_per_part": sample_per_part}
    attrs["trans_std"] = trans_std
    dy, data = widen(xp, dy), widen(xp, data)
    by_data = xp.zeros((len(data), int(np.prod(data.shape[1:]))), data.dtype)
    by_trans = xp.zeros(_offsets(xp, trans, len(rois), data.dtype).shape, data.dtype)
    part = cell_groups(xp, pooled_size, by_trans.shape[-1])
    for r, b, found, index in _all(xp, data, rois, trans, attrs):
        head = dy[r][..., None, None]
        each = _by_channel(found.taps.weight * found.weight, output_dim, 1) * head
        by_data[b] += xp.bincount(index.reshape(-1), each.reshape(-1), by_data.shape[1])
        pixels = data[b].reshape(-1)[index] * head
        for axis, slope in enumerate((found.taps.by_y, found.taps.by_x)):
            slope = _by_channel(slope * found.moves[axis], output_dim, 1)
            moved = (pixels * slope).sum((0, -2, -1))
            moved = moved.reshape(by_trans.shape[1], -1, *moved.shape[1:]).sum(1)
            add_at(xp, by_trans[r, :, 1 - axis], (slice(None), part[:, None], part), moved)
    by_data = by_data.reshape(data.shape)
    return (by_data,) if trans is None else (by_data, by_trans.reshape(trans.shape))


_SHARED = ("spatial_scale", "output_dim", "group_size", "pooled_size", "sample_per_part")


@deformable_psroi_pooling.gradient("data", "trans")
def _(dy, data, rois, trans, attrs):
    more = {n: attrs[n] for n in (*_SHARED, "trans_std", "no_trans")}
    given = () if attrs.no_trans else (trans,)
    found = backward_deformable(dy, data, rois, *given, **more)
    return (found, None) if attrs.no_trans else tuple(found)


deformable_psroi_pooling.sample(
    data=normal(2, 8, 7, 6),
    rois=ROIS,
    trans=normal(5, 4, 2, 2),
    spatial_scale=0.7,
    output_dim=2,
    group_size=2,
    pooled_size=3,
    part_size=2,
    sample_per_part=2,
    trans_std=0.1,
    _grad=("data",),
    _second_order=False,
)
deformable_psroi_pooling.sample(
    data=normal(2, 2, 7, 6),
    rois=ROIS,
    spatial_scale=1.0,
    output_dim=2,
    group_size=1,
    pooled_size=2,
    no_trans=True,
    _second_order=False,
)
backward_deformable.sample(
    dy=normal(5, 2, 3, 3),
    data=normal(2, 8, 7, 6),
    rois=ROIS,
    trans=normal(5, 4, 2, 2),
    spatial_scale=0.7,
    output_dim=2,
    group_size=2,
    pooled_size=3,
    sample_per_part=2,
    trans_std=0.1,
    _grad=(),
    _second_order=False,
)
