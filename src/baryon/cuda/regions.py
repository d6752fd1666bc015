"""Launches of region pooling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .launch import blocks, dense, kernel_of, launch, output
from .meeting import met
from .registry import kernel
from .rows import floating, wide


def _grid(pooled: tuple[int, int], height: int, width: int) -> np.ndarray:
    """``Grid`` of ``roi.cu``, by value."""
    return np.array([*pooled, height, width], np.int32)


def _run(xp: Any, name: str, dtype: Any, count: int, *args: Any) -> None:
    """Launch over `count` elements; Python's ints are 64-bit, floats of the computing type."""
    kinds = {int: np.int64, float: wide(dtype)}
    args = tuple(kinds[type(a)](a) if type(a) in kinds else a for a in args)
    launch(kernel_of(xp, "roi", name, T=dtype), blocks(count), 256, *args)


def _regions(xp: Any, rois: Any, dtype: Any) -> Any:
    return dense(xp, rois.astype(wide(dtype)))


@kernel("ROIPooling")
def roi_pooling(xp, data, rois, *, pooled_size, spatial_scale):
    """See the operator."""
    if not floating(data, rois) or not data.size or not rois.size:
        return NotImplemented
    batch, channels, *size = data.shape
    shape = rois.shape[0], channels, *pooled_size
    out, places = output(xp, shape, data.dtype), output(xp, shape, np.dtype(np.int64))
    arrays = dense(xp, data), _regions(xp, rois, data.dtype), out, places
    sizes = out.size, batch, channels, _grid(pooled_size, *size), float(spatial_scale)
    _run(xp, "roi_pool", data.dtype, out.size, *arrays, *sizes)
    return out, places


def _met(xp: Any, name: str, dy: Any, rois: Any, more: tuple, shape: Any, *numbers: Any) -> Any:
    """Gradient of regions towards images of `shape`: each cell adds up to one to a pixel."""

    def add(*sums: Any) -> None:
        _run(xp, name, dy.dtype, dy.size, *arrays, *sums, dy.size, *numbers)

    arrays = dense(xp, dy), _regions(xp, rois, dy.dtype), *more
    cells = dy.size // dy.shape[1]
    return met(xp, shape, dy.dtype, shape[2] * shape[3], cells, add)


@kernel("_backward_ROIPooling")
def backward_roi_pooling(xp, dy, rois, place, *, shape):
    """See the operator."""
    if not floating(dy, rois) or not dy.size:
        return NotImplemented
    batch, channels, *size = shape
    places, grid = dense(xp, place.astype(np.int64)), _grid(dy.shape[2:], *size)
    return _met(xp, "roi_unpool", dy, rois, (places,), shape, batch, channels, grid)


def _aligned(attrs: dict, cells: tuple[int, ...], data: tuple[int, ...]) -> tuple:
    """What both kernels take last, for cells and images of these shapes."""
    numbers = float(attrs["spatial_scale"]), 0.5 if attrs["aligned"] else 0.0
    flags = (np.int32(attrs[n]) for n in ("sample_ratio", "aligned", "position_sensitive"))
    return data[0], cells[1], _grid(cells[2:], *data[2:]), *numbers, *flags


@kernel("_contrib_ROIAlign")
def roi_align(xp, data, rois, *, pooled_size, position_sensitive, **attrs):
    """See the operator. An aligned region without a positive size gives zeros here."""
    if not floating(data, rois) or not data.size or not rois.size:
        return NotImplemented
    channels = data.shape[1] // (prod(pooled_size) if position_sensitive else 1)
    out = output(xp, (rois.shape[0], channels, *pooled_size), data.dtype)
    arrays = dense(xp, data), _regions(xp, rois, data.dtype), out
    attrs["position_sensitive"] = position_sensitive
    numbers = _aligned(attrs, out.shape, data.shape)
    _run(xp, "roi_align", data.dtype, out.size, *arrays, out.size, *numbers)
    return out


@kernel("_backward_ROIAlign")
def backward_roi_align(xp, dy, rois, *, shape, pooled_size, **attrs):
    """See the operator."""
    if not floating(dy, rois) or not dy.size or not prod(shape):
        return NotImplemented
    return _met(xp, "roi_unalign", dy, rois, (), shape, *_aligned(attrs, dy.shape, shape))


@kernel("_contrib_PSROIPooling")
def psroi_pooling(xp, data, rois, *, spatial_scale, output_dim, pooled_size, group_size):
    """See the operator."""
    if not floating(data, rois) or not data.size or not rois.size:
        return NotImplemented
    batch, _, *size = data.shape
    out = output(xp, (rois.shape[0], output_dim, pooled_size, pooled_size), data.dtype)
    arrays = dense(xp, data), _regions(xp, rois, data.dtype), out
    grid, groups = _grid(out.shape[2:], *size), np.int32(group_size or pooled_size)
    numbers = out.size, batch, output_dim, grid, groups, float(spatial_scale)
    _run(xp, "roi_mean", data.dtype, out.size, *arrays, *numbers)
    return out


@kernel("_backward_PSROIPooling")
def backward_psroi(xp, dy, rois, *, shape, spatial_scale, pooled_size, group_size):
    """See the operator."""
    if not floating(dy, rois) or not dy.size or not prod(shape):
        return NotImplemented
    grid, groups = _grid(dy.shape[2:], *shape[2:]), np.int32(group_size or pooled_size)
    numbers = shape[0], dy.shape[1], grid, groups, float(spatial_scale)
    return _met(xp, "roi_unmean", dy, rois, (), shape, *numbers)
