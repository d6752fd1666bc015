"""Launches on images: resizing, means over even windows, correlation, normalisation of channels."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops import correlation as patches
from ..ops.adaptive_pooling import _sizes as pooled_sizes
from ..ops.resizing import _sizes as resized
from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, over_rows, wide


def _run(xp: Any, name: str, dtype: Any, count: int, *args: Any, grid: Any = None) -> None:
    """Launch over `count` elements; Python's ints are 64-bit, floats of the computing type."""
    kinds = {int: np.int64, float: wide(dtype)}
    args = tuple(kinds[type(a)](a) if type(a) in kinds else a for a in args)
    launch(kernel_of(xp, "planes", name, T=np.dtype(dtype)), *(grid or (blocks(count), 256)), *args)


def _ints(*values: Any) -> np.ndarray:
    """A structure of ints, by value."""
    return np.array(values, np.int32)


# ---- resizing ------------------------------------------------------------------------------------


def _axes(size: Any, out: Any, align: bool) -> tuple[np.ndarray, np.ndarray]:
    """``Resizing`` of both axes."""
    return _ints(size[0], out[0], align), _ints(size[1], out[1], align)


@kernel("_contrib_BilinearResize2D")
def bilinear_resize(xp, data, like=None, *, align_corners, **attrs):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    size = resized(attrs, data.shape, None if like is None else like.shape)
    out = output(xp, (*data.shape[:2], *size), data.dtype)
    numbers = out.size, *_axes(data.shape[2:], size, align_corners)
    _run(xp, "resize", data.dtype, out.size, dense(xp, data), out, *numbers)
    return out


@kernel("_backward_BilinearResize2D")
def backward_resize(xp, dy, *, height, width, align_corners):
    """See the operator."""
    if not floating(dy) or not dy.size:
        return NotImplemented
    dx = output(xp, (*dy.shape[:2], height, width), dy.dtype)
    numbers = dx.size, *_axes((height, width), dy.shape[2:], align_corners)
    _run(xp, "resize_back", dy.dtype, dx.size, dense(xp, dy), dx, *numbers)
    return dx


# ---- means over even windows ---------------------------------------------------------------------


@kernel("_contrib_AdaptiveAvgPooling2D")
def adaptive_avg_pooling(xp, data, *, output_size):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    size = pooled_sizes(output_size)
    out = output(xp, (*data.shape[:2], *size), data.dtype)
    numbers = (np.int32(n) for n in (*data.shape[2:], *size))
    grid = over_rows(out.size, -(-prod(data.shape[2:]) // prod(size)), 1)
    _run(xp, "window_means", data.dtype, 0, dense(xp, data), out, out.size, *numbers, grid=grid)
    return out


@kernel("_backward_AdaptiveAvgPooling2D")
def backward_adaptive(xp, head, *, shape):
    """See the operator."""
    if not floating(head) or not head.size:
        return NotImplemented
    dx = output(xp, shape, head.dtype)
    numbers = (np.int32(n) for n in (*shape[2:], *head.shape[2:]))
    _run(xp, "window_means_back", head.dtype, dx.size, dense(xp, head), dx, dx.size, *numbers)
    return dx


# ---- correlation ---------------------------------------------------------------------------------


def _patches(data: Any, out: Any, attrs: dict) -> np.ndarray:
    """``Patches`` of ``planes.cu``, by value."""
    names = "kernel_size", "max_displacement", "stride1", "stride2", "pad_size", "is_multiply"
    return _ints(*data.shape[1:], *out, *(attrs[n] for n in names))


def _alike(*arrays: Any) -> bool:
    same = len({np.dtype(a.dtype) for a in arrays}) == 1
    return same and floating(*arrays) and all(a.size for a in arrays)


@kernel("Correlation")
def correlation(xp, data1, data2, **attrs):
    """See the operator."""
    if not _alike(data1, data2):
        return NotImplemented
    size = patches._sizes(attrs, data1.shape[2:])
    sides = 2 * (attrs["max_displacement"] // attrs["stride2"]) + 1
    out = output(xp, (data1.shape[0], sides**2, *size), data1.dtype)
    arrays = dense(xp, data1), dense(xp, data2), out, _patches(data1, size, attrs)
    _run(xp, "correlate", data1.dtype, out.size, *arrays, out.size)
    return out


@kernel("_backward_Correlation")
def backward_correlation(xp, dy, data1, data2, **attrs):
    """See the operator."""
    if not _alike(dy, data1, data2):
        return NotImplemented
    given, found = [dense(xp, a) for a in (dy, data1, data2)], []
    packed = _patches(data1, dy.shape[2:], attrs)
    for second in (0, 1):
        grad = output(xp, data1.shape, data1.dtype)
        numbers = packed, grad.size, np.int32(second)
        _run(xp, "correlate_back", grad.dtype, grad.size, *given, grad, *numbers)
        found.append(grad)
    return tuple(found)


# ---- normalisation of channels -------------------------------------------------------------------


def _channels(data: Any, alpha: float, beta: float, nsize: int) -> tuple:
    """Sizes and numbers of ``normalise_channels``."""
    sizes = data.size, data.shape[1], prod(data.shape[2:]), nsize // 2
    return *sizes, float(alpha / nsize), float(beta)


@kernel("LRN")
def lrn(xp, data, *, alpha, beta, knorm, nsize):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    data = dense(xp, data)
    out, scale = (output(xp, data.shape, data.dtype) for _ in range(2))
    numbers = *_channels(data, alpha, beta, nsize), float(knorm)
    _run(xp, "normalise_channels", data.dtype, data.size, data, out, scale, *numbers)
    return out, scale


@kernel("_backward_LRN")
def backward_lrn(xp, dy, data, scale, *, alpha, beta, knorm, nsize):
    """See the operator."""
    if not _alike(dy, data, scale):
        return NotImplemented
    dx, given = output(xp, data.shape, data.dtype), [dense(xp, a) for a in (dy, data, scale)]
    numbers = _channels(data, alpha, beta, nsize)
    _run(xp, "normalise_channels_back", data.dtype, data.size, *given, dx, *numbers)
    return dx
