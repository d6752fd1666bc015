"""Launches of BatchNorm and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.softmax import split_at
from .launch import blocks, dense, kernel_of, launch, output, width
from .registry import kernel
from .rows import floating, wide
from .tensors import in_order

_SUM_BLOCKS = 132 * 8  # enough for every multiprocessor; more only adds shares to add up


class _Call:
    """What the kernels of one call share: the data as (before, channels, after), and types."""

    def __init__(self, xp: Any, data: Any, axis: int, vector: Any, *others: Any) -> None:
        self.xp, self.data = xp, data
        self.before, self.channels, self.after = split_at(data.shape, axis)
        self.real = wide(data.dtype)
        along = self.channels if self.after == 1 else self.after
        self.each = width(data, *others, along=along)
        self.types = {"T": data.dtype, "P": vector.dtype, "WIDTH": self.each}

    def run(self, name: str, grid: Any, block: Any, *args: Any) -> None:
        """Launch a kernel of the family; Python ints are 64-bit sizes."""
        args = tuple(np.int64(a) if type(a) is int else a for a in args)
        launch(kernel_of(self.xp, "batch_norm", name, **self.types), grid, block, *args)

    def vectors(self, count: int, rows: int | None = None) -> list:
        """Fresh vectors, or matrices, of a number a channel."""
        shape = (self.channels,) if rows is None else (rows, self.channels)
        return [self.xp.empty(shape, self.real) for _ in range(count)]

    def sums(self, dy: Any = None, mean: Any = None, scale: Any = None) -> list:
        """Two sums a channel, in shares (see ``Sums`` in the source)."""
        given = dy, self.data, mean, scale
        if self.after == 1:
            tiles = -(-self.channels // (32 * self.each))
            shares = max(1, min(-(-self.before // 64), _SUM_BLOCKS // tiles))
            found = self.vectors(2, shares)
            sizes = self.before, self.channels
            self.run("column_sums", (tiles, shares), (32, 8), *given, *found, *sizes)
            return found
        accesses = self.before * self.after // self.each
        shares = max(1, min(-(-accesses // 1024), _SUM_BLOCKS // self.channels))
        found = self.vectors(2, shares)
        sizes = self.before, self.channels, self.after
        self.run("channel_sums", (self.channels, shares), 256, *given, *found, *sizes)
        return found

    def everywhere(self, name: str, *args: Any) -> None:
        """Launch a kernel over all elements."""
        packs = self.data.size // self.each
        self.run(name, blocks(packs), 256, *args, self.channels, self.after, packs)


def _normalised(
    xp: Any,
    data: Any,
    vectors: tuple,
    addend: Any,
    bounds: tuple[float, float],
    *,
    eps: float,
    fix_gamma: bool,
    use_global_stats: bool,
    axis: int,
    train: bool,
    **others: Any,
) -> Any:
    """Batch norm, plus an addend, within bounds."""
    gamma = vectors[0]
    alike = all(v.dtype == gamma.dtype for v in vectors) and in_order(*vectors)
    if not alike or not floating(data, gamma, addend) or not data.size:
        return NotImplemented
    data, addend = dense(xp, data), dense(xp, addend)
    out = output(xp, data.shape, data.dtype)
    call = _Call(xp, data, axis, gamma, out, *(() if addend is None else (addend,)))
    mean, scale = (output(xp, gamma.shape, gamma.dtype) for _ in range(2))
    weight = gamma if fix_gamma else None  # which fix_gamma sets to 1
    batch = train and not use_global_stats
    sums = call.sums() if batch else [None, None]
    line = call.vectors(2)
    made = (*sums, data, *vectors, mean, scale, weight, *line)
    shares = sums[0].shape[0] if batch else 0
    sizes = shares, call.channels, call.after, data.size // call.channels
    more = call.real(eps), np.int32(batch)
    call.run("finish_forward", blocks(call.channels, 128), 128, *made, *sizes, *more)
    call.everywhere("apply_line", data, *line, addend, out, *map(call.real, bounds))
    return (out, mean, scale, gamma) if fix_gamma else (out, mean, scale)


@kernel("BatchNorm")
def batch_norm(xp, data, gamma, beta, moving_mean, moving_var, **attrs):
    """See the operator."""
    vectors = gamma, beta, moving_mean, moving_var
    return _normalised(xp, data, vectors, None, (-np.inf, np.inf), **attrs)


@kernel("_fused_BatchNorm", joins=lambda attrs: True)
def fused_batch_norm(
    xp, data, gamma, beta, moving_mean, moving_var, addend=None, *, low, high, **attrs
):
    """See the operator."""
    vectors = gamma, beta, moving_mean, moving_var
    return _normalised(xp, data, vectors, addend, (low, high), **attrs)


@kernel("_BatchNorm_affine")
def norm_affine(xp, gamma, beta, mean, var, bias, *, eps, fix_gamma):
    """See the operator."""
    vectors = beta, mean, var, bias
    if not floating(gamma) or any(v.dtype != gamma.dtype for v in vectors) or not gamma.size:
        return NotImplemented
    scale, shift = (output(xp, gamma.shape, gamma.dtype) for _ in range(2))
    given = None if fix_gamma else dense(xp, gamma)
    run = kernel_of(xp, "batch_norm", "affine", T=gamma.dtype, P=gamma.dtype, WIDTH=1)
    count = gamma.size
    made = *(dense(xp, v) for v in vectors), scale, shift
    launch(run, blocks(count, 128), 128, given, *made, wide(gamma.dtype)(eps), np.int64(count))
    return (scale, shift, xp.ones_like(gamma)) if fix_gamma else (scale, shift)


@kernel("_backward_BatchNorm")
def backward_batch_norm(
    xp,
    dy,
    data,
    gamma,
    mean,
    scale,
    moving_mean,
    moving_var,
    *,
    eps,
    momentum,
    fix_gamma,
    axis,
    batch,
):
    """See the operator."""
    vectors = gamma, mean, scale, moving_mean, moving_var
    alike = all(v.dtype == gamma.dtype for v in vectors) and dy.dtype == data.dtype
    if not alike or not in_order(*vectors) or not floating(data, gamma) or not data.size:
        return NotImplemented
    dy, data = dense(xp, dy), dense(xp, data)
    dx = output(xp, data.shape, dy.dtype)
    call = _Call(xp, data, axis, gamma, dy, dx)
    d_gamma, d_beta = (output(xp, gamma.shape, gamma.dtype) for _ in range(2))
    sums, line = call.sums(dy, mean, scale), call.vectors(3)
    made = (*sums, *vectors, d_gamma, d_beta, *line)
    sizes = sums[0].shape[0], call.channels, data.size // call.channels
    more = call.real(eps), call.real(momentum), np.int32(batch), np.int32(fix_gamma)
    call.run("finish_backward", blocks(call.channels, 128), 128, *made, *sizes, *more)
    call.everywhere("apply_gradient", dy, data, *line, dx)
    return dx, d_gamma, d_beta, moving_mean, moving_var
