"""Launches of the cross entropy of scores and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.softmax import split_at
from .launch import TYPES, blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, over_rows


def _served(data: Any, label: Any) -> bool:
    return floating(data) and data.size > 0 and np.dtype(label.dtype) in TYPES


def _run(xp: Any, name: str, data: Any, label: Any, grid: tuple, *args: Any) -> None:
    """Launch a kernel of ``entropy.cu``; Python's ints are 64-bit."""
    args = tuple(np.int64(a) if type(a) is int else a for a in args)
    types = {"T": np.dtype(data.dtype), "N": np.dtype(label.dtype)}
    launch(kernel_of(xp, "entropy", name, **types), *grid, *args)


@kernel("_cross_entropy")
def cross_entropy(xp, data, label, *, axis):
    """See the operator."""
    if not _served(data, label):
        return NotImplemented
    before, n, after = split_at(data.shape, axis)
    shape = list(data.shape)
    shape[axis] = 1
    loss, log_sum = (output(xp, shape, data.dtype) for _ in range(2))
    arrays = dense(xp, data), dense(xp, label), loss, log_sum
    if after == 1:
        _run(xp, "entropy_rows", data, label, over_rows(before, n, 1), *arrays, before, n)
    else:
        sizes, grid = (before * after, n, after), (blocks(before * after, 64), 64)
        _run(xp, "entropy_columns", data, label, grid, *arrays, *sizes)
    return loss, log_sum


@kernel("_backward_cross_entropy")
def backward_cross_entropy(xp, dy, data, label, log_sum, *, axis):
    """See the operator."""
    alike = dy.dtype == data.dtype == log_sum.dtype
    if not alike or not _served(data, label):
        return NotImplemented
    _, n, after = split_at(data.shape, axis)
    dx = output(xp, data.shape, data.dtype)
    arrays = (dense(xp, a) for a in (dy, data, label, log_sum))
    grid = blocks(dx.size), 256
    _run(xp, "entropy_back", data, label, grid, *arrays, dx, dx.size, n, after)
    return dx
