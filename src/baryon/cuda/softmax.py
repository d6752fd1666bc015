"""Launches of the softmax family and of the loss heads built on it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops.attrs import Attrs
from ..ops.heads import split_classes
from ..ops.softmax import split_at
from .launch import blocks, dense, kernel_of, launch, output, width
from .registry import kernel
from .rows import floating, over_rows, wide


def _normalise(
    xp: Any, data: Any, split: tuple, dtype: Any, scale: float, logarithm: bool, length: Any = None
) -> Any:
    """Softmax, or its logarithm, of `data` seen as (before, classes, after)."""
    if not floating(data) or np.dtype(dtype).itemsize < data.dtype.itemsize:
        return NotImplemented
    before, n, after = split
    data, out = dense(xp, data), output(xp, data.shape, np.dtype(dtype))
    if not data.size:
        return out
    length = None if length is None else dense(xp, length.astype(np.int32))
    scale, logarithm = wide(data.dtype)(scale), np.int32(logarithm)
    sizes = np.int64(before), np.int64(n)
    if after > 1:
        run = kernel_of(xp, "softmax", "softmax_columns", T=data.dtype, U=out.dtype, WIDTH=1)
        count = before * after
        args = data, out, length, *sizes, np.int64(after), scale, logarithm
        launch(run, blocks(count, 64), 64, *args)
        return out
    each = width(data, out, along=n)
    run = kernel_of(xp, "softmax", "softmax_rows", T=data.dtype, U=out.dtype, WIDTH=each)
    launch(run, *over_rows(before, n, each), data, out, length, *sizes, scale, logarithm)
    return out


@kernel("softmax")
def softmax(xp, data, length=None, *, axis, temperature, dtype, use_length):
    """See the operator."""
    split = split_at(data.shape, axis)
    return _normalise(
        xp, data, split, dtype or data.dtype, 1.0 / (temperature or 1.0), False, length
    )


@kernel("softmin")
def softmin(xp, data, *, axis, temperature, dtype, use_length):
    """See the operator."""
    split = split_at(data.shape, axis)
    return _normalise(xp, data, split, dtype or data.dtype, -1.0 / (temperature or 1.0), False)


@kernel("log_softmax")
def log_softmax(xp, data, *, axis, temperature, dtype, use_length):
    """See the operator."""
    split = split_at(data.shape, axis)
    return _normalise(xp, data, split, dtype or data.dtype, 1.0 / (temperature or 1.0), True)


@kernel("SoftmaxActivation")
def softmax_activation(xp, data, *, mode):
    """See the operator."""
    return _normalise(
        xp, data, split_at(data.shape, 1 if mode == "channel" else -1), data.dtype, 1.0, False
    )


def _backward(xp: Any, dy: Any, out: Any, axis: int, temperature: float, logarithm: bool) -> Any:
    if not floating(dy, out) or dy.dtype != out.dtype:
        return NotImplemented
    before, n, after = split_at(out.shape, axis)
    dy, out = dense(xp, dy), dense(xp, out)
    dx = output(xp, out.shape, out.dtype)
    if not out.size:
        return dx
    more = wide(out.dtype)(1.0 / (temperature or 1.0)), np.int32(logarithm)
    types = {"T": out.dtype, "U": dx.dtype}
    if after > 1:
        run = kernel_of(xp, "softmax", "backward_columns", **types, WIDTH=1)
        sizes = np.int64(before), np.int64(n), np.int64(after)
        launch(run, blocks(before * after, 64), 64, dy, out, dx, *sizes, *more)
        return dx
    each = width(dy, out, dx, along=n)
    run = kernel_of(xp, "softmax", "backward_rows", **types, WIDTH=each)
    launch(run, *over_rows(before, n, each), dy, out, dx, np.int64(before), np.int64(n), *more)
    return dx


@kernel("_backward_softmax")
def backward_softmax(xp, dy, out, *, axis, temperature):
    """See the operator."""
    return _backward(xp, dy, out, axis, temperature, False)


@kernel("_backward_log_softmax")
def backward_log_softmax(xp, dy, out, *, axis, temperature):
    """See the operator."""
    return _backward(xp, dy, out, axis, temperature, True)


@kernel("softmax_cross_entropy")
def softmax_cross_entropy(xp, data, label):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    rows, n = data.shape
    losses = xp.empty((rows,), wide(data.dtype))
    args = dense(xp, data), dense(xp, label.astype(np.int64)), losses, np.int64(rows), np.int64(n)
    run = kernel_of(xp, "softmax", "cross_entropy_rows", T=data.dtype, U=data.dtype, WIDTH=1)
    launch(run, *over_rows(rows, n, 1), *args)
    return losses.sum(keepdims=True)


@kernel("SoftmaxOutput")
def softmax_output(xp, data, label, *, multi_output, preserve_shape, **others):
    """See the operator."""
    split = Attrs({"multi_output": multi_output, "preserve_shape": preserve_shape})
    return _normalise(xp, data, split_classes(split, data.shape), data.dtype, 1.0, False)


@kernel("_backward_SoftmaxOutput")
def backward_softmax_output(
    xp,
    out,
    label,
    *,
    grad_scale,
    ignore_label,
    multi_output,
    use_ignore,
    preserve_shape,
    normalization,
    smooth_alpha,
):
    """See the operator."""
    if not floating(out) or out.shape == label.shape or not out.size:
        return NotImplemented
    attrs = Attrs({"multi_output": multi_output, "preserve_shape": preserve_shape})
    before, n, after = split_classes(attrs, out.shape)
    index, counted = dense(xp, label.astype(np.int64)), None
    if normalization == "batch":
        grad_scale = grad_scale / before
    elif normalization == "valid":
        counted = (index != int(ignore_label)).sum().astype(np.int64)
    if multi_output and normalization != "valid":
        grad_scale = grad_scale / after
    dx, real = output(xp, out.shape, out.dtype), wide(out.dtype)
    run = kernel_of(xp, "softmax", "head_gradient", T=out.dtype, U=dx.dtype, WIDTH=1)
    sizes = np.int64(before), np.int64(n), np.int64(after)
    numbers = real(grad_scale), real(1 - smooth_alpha), real(smooth_alpha / max(n - 1, 1))
    ignored = np.int32(use_ignore), np.int64(int(ignore_label))
    args = dense(xp, out), index, dx, counted, *sizes, *numbers, *ignored
    launch(run, blocks(prod(out.shape)), 256, *args)
    return dx
