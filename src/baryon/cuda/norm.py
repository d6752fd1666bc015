"""Launches of LayerNorm, GroupNorm, InstanceNorm and their gradients."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .launch import dense, kernel_of, launch, output, width
from .registry import kernel
from .rows import floating, over_rows, wide

_MOST_SHARES = 64  # of rows whose sums are added at the end


def _normalise(
    xp: Any, arrays: tuple, rows: int, groups: int, eps: float, statistics: tuple[int, ...]
) -> Any:
    """Output, mean and deviation of rows; `groups`: 0, or rows that take turns in gamma."""
    data, gamma, beta = (dense(xp, x) for x in arrays)
    out = output(xp, data.shape, data.dtype)
    mean, std = (output(xp, statistics, gamma.dtype) for _ in range(2))
    n, real = data.size // rows, wide(data.dtype)
    each = width(data, out, along=n)
    run = kernel_of(xp, "norm", "normalise_rows", T=data.dtype, P=gamma.dtype, WIDTH=each)
    sizes = np.int64(rows), np.int64(n), np.int64(groups), real(eps)
    launch(run, *over_rows(rows, n, each), data, gamma, beta, out, mean, std, *sizes)
    return out, mean, std


@kernel("LayerNorm")
def layer_norm(xp, data, gamma, beta, *, axis, eps, output_mean_var):
    """See the operator; another axis than the last is brought there and back."""
    if not floating(data, gamma) or not data.size or gamma.dtype != beta.dtype:
        return NotImplemented
    rows = xp.moveaxis(data, axis, -1)
    statistics = (*rows.shape[:-1], 1)
    found = _normalise(xp, (rows, gamma, beta), prod(statistics), 0, eps, statistics)
    return tuple(xp.moveaxis(x, -1, axis) for x in found)


@kernel("GroupNorm")
def group_norm(xp, data, gamma, beta, *, num_groups, eps, output_mean_var):
    """See the operator."""
    if not floating(data, gamma) or gamma.dtype != beta.dtype or not data.size:
        return NotImplemented
    shape = data.shape[0], num_groups
    return _normalise(xp, (data, gamma, beta), prod(shape), num_groups, eps, shape)


@kernel("InstanceNorm")
def instance_norm(xp, data, gamma, beta, *, eps):
    """See the operator."""
    return group_norm(
        xp, data, gamma, beta, num_groups=data.shape[1], eps=eps, output_mean_var=False
    )


def _backward_rows(xp: Any, arrays: tuple, rows: int, groups: int) -> tuple:
    """Gradient towards the data, and for groups the rows' sums of dy * unit and of dy."""
    dy, data, gamma, mean, std = arrays
    n = data.size // rows
    dx = output(xp, data.shape, dy.dtype)
    sums = [xp.empty((rows,), wide(data.dtype)) if groups else None for _ in range(2)]
    each = width(dy, data, dx, along=n)
    run = kernel_of(xp, "norm", "backward_rows", T=data.dtype, P=gamma.dtype, WIDTH=each)
    sizes = np.int64(rows), np.int64(n), np.int64(groups)
    launch(run, *over_rows(rows, n, each), *arrays, dx, *sums, *sizes)
    return dx, *sums


def _serves(dy: Any, data: Any, gamma: Any, mean: Any, std: Any) -> bool:
    alike = dy.dtype == data.dtype and gamma.dtype == mean.dtype == std.dtype
    return alike and floating(data, gamma) and data.size > 0


@kernel("_backward_LayerNorm")
def backward_layer_norm(xp, dy, data, gamma, mean, std, *, axis, eps):
    """See the operator."""
    if not _serves(dy, data, gamma, mean, std):
        return NotImplemented
    dy, data, mean, std = (xp.moveaxis(x, axis, -1) for x in (dy, data, mean, std))
    arrays = tuple(dense(xp, x) for x in (dy, data, gamma, mean, std))
    rows, n = mean.size, data.shape[-1]
    dx = _backward_rows(xp, arrays, rows, 0)[0]
    shares = min(_MOST_SHARES, -(-rows // 32))
    products, sums = (xp.empty((shares, n), wide(data.dtype)) for _ in range(2))
    run = kernel_of(xp, "norm", "column_sums", T=data.dtype, P=gamma.dtype, WIDTH=1)
    dy, data, _, mean, std = arrays
    grid = -(-n // 32), shares
    launch(run, grid, (32, 8), dy, data, mean, std, products, sums, np.int64(rows), np.int64(n))
    dx = xp.moveaxis(dx, -1, axis)
    return dx, products.sum(axis=0).astype(gamma.dtype), sums.sum(axis=0).astype(gamma.dtype)


@kernel("_backward_GroupNorm")
def backward_group_norm(xp, dy, data, gamma, mean, std, *, eps):
    """See the operator."""
    if not _serves(dy, data, gamma, mean, std):
        return NotImplemented
    arrays = tuple(dense(xp, x) for x in (dy, data, gamma, mean, std))
    groups = gamma.shape[0]
    dx, products, sums = _backward_rows(xp, arrays, mean.size, groups)
    each = (s.reshape(-1, groups).sum(axis=0).astype(gamma.dtype) for s in (products, sums))
    return dx, *each
