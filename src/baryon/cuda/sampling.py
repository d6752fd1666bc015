"""Launches of reading between pixels: samplers of grids, and deformable convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..ops.deformable import _window
from ..ops.windows import Window
from .gemm import product
from .launch import blocks, dense, kernel_of, launch, output
from .meeting import met
from .registry import kernel
from .rows import floating


def _run(xp: Any, name: str, dtype: Any, count: int, *args: Any) -> None:
    """Launch over `count` elements; Python's ints are 64-bit."""
    args = tuple(np.int64(a) if type(a) is int else a for a in args)
    launch(kernel_of(xp, "sampling", name, T=dtype), blocks(count), 256, *args)


_SAMPLES = np.dtype(
    [("offset", np.uint64), ("mask", np.uint64), ("window", np.int32, (6, 2))]
    + [(name, np.int32) for name in ("channels", "groups", "clamp", "grid")],
    align=True,
)


class _Samples:
    """Samples of images (batch, channel, height, width) and the kernels that read them."""

    def __init__(
        self, xp: Any, data: Any, offset: Any, mask: Any, win: Window | None, groups: int
    ) -> None:
        """`win`: the window that offsets belong to; None where they are a grid."""
        self.xp, self.data, self.offset, self.mask = xp, data, offset, mask
        grid, batch = win is None, data.shape[0]
        win = win or Window((1, 1), (1, 1), (1, 1), (0, 0))
        self.out = offset.shape[2:]
        self.kept = offset, mask  # their memory, until all launches are queued
        made = self.packed = np.zeros(1, _SAMPLES)
        made["offset"], made["mask"] = offset.data.ptr, 0 if mask is None else mask.data.ptr
        made["window"][0] = [data.shape[2:], self.out, *win]
        made["channels"], made["groups"], made["grid"] = data.shape[1], groups, grid
        made["clamp"] = not grid and mask is None
        self.each = prod(win.kernel) * prod(self.out)
        self.columns = batch, data.shape[1], self.each
        self.count = batch * groups * self.each

    def read(self, into: Any) -> Any:
        """The samples (batch, channel, kernel, out), in memory of as many elements."""
        _run(self.xp, "sample", into.dtype, into.size, self.data, self.packed, into, into.size)
        return into

    def back(self, columns: Any) -> tuple:
        """Gradients by data, by offset, and by mask where there is one, of those by the samples."""
        xp, dtype, count = self.xp, columns.dtype, columns.size

        def spread(*sums: Any) -> None:
            _run(xp, "spread", dtype, count, columns, self.packed, *sums, count)

        plane = prod(self.data.shape[2:])
        by_data = met(xp, self.data.shape, dtype, plane, self.each, spread)
        by_offset = output(xp, self.offset.shape, dtype)
        by_mask = None if self.mask is None else output(xp, self.mask.shape, dtype)
        given = self.data, columns, self.packed, by_offset, by_mask, self.count
        _run(xp, "move", dtype, self.count, *given)
        return by_data, by_offset, *(() if by_mask is None else (by_mask,))


def _alike(*arrays: Any) -> bool:
    """Whether kernels serve all arrays (None: absent): one float type, nothing empty."""
    given = [a for a in arrays if a is not None]
    same = len({np.dtype(a.dtype) for a in given}) == 1
    return same and floating(*given) and all(a.size for a in given)


# ---- samplers ------------------------------------------------------------------------------------


def _make_grid(xp: Any, data: Any, shape: Sequence[int], affine: bool, into: Any) -> Any:
    sizes = into.size, *map(np.int32, (*shape, affine))
    _run(xp, "make_grid", data.dtype, into.size, dense(xp, data), into, *sizes)
    return into


@kernel("GridGenerator")
def grid_generator(xp, data, *, transform_type, target_shape):
    """See the operator."""
    if not _alike(data):
        return NotImplemented
    affine = transform_type == "affine"
    size = tuple(target_shape) if affine else data.shape[2:]
    out = output(xp, (data.shape[0], 2, *size), data.dtype)
    return _make_grid(xp, data, size, affine, out)


@kernel("_backward_GridGenerator")
def backward_grid(xp, dy, *, transform_type):
    """See the operator."""
    if not _alike(dy):
        return NotImplemented
    dy, size = dense(xp, dy), tuple(map(np.int32, dy.shape[2:]))
    if transform_type == "warp":
        dx = output(xp, dy.shape, dy.dtype)
        _run(xp, "grid_to_shifts", dy.dtype, dy.size, dy, dx, dy.size, *size)
        return dx
    dx = output(xp, (dy.shape[0], 6), dy.dtype)
    run = kernel_of(xp, "sampling", "grid_to_matrices", T=dy.dtype)
    launch(run, dy.shape[0] * 2, 256, dy, dx, *size)
    return dx


@kernel("BilinearSampler")
def bilinear_sampler(xp, data, grid, *, cudnn_off):
    """See the operator."""
    if not _alike(data, grid):
        return NotImplemented
    out = output(xp, (*data.shape[:2], *grid.shape[2:]), data.dtype)
    return _Samples(xp, dense(xp, data), dense(xp, grid), None, None, 1).read(out)


@kernel("_backward_BilinearSampler")
def backward_sampler(xp, dy, data, grid):
    """See the operator."""
    if not _alike(dy, data, grid):
        return NotImplemented
    return _Samples(xp, dense(xp, data), dense(xp, grid), None, None, 1).back(dense(xp, dy))


@kernel("SpatialTransformer")
def spatial_transformer(xp, data, loc, *, target_shape, transform_type, sampler_type, cudnn_off):
    """See the operator."""
    if not _alike(data, loc):
        return NotImplemented
    grid = xp.empty((data.shape[0], 2, *target_shape), data.dtype)
    _make_grid(xp, loc, target_shape, True, grid)
    out = output(xp, (*data.shape[:2], *target_shape), data.dtype)
    return _Samples(xp, dense(xp, data), grid, None, None, 1).read(out)


# ---- deformable convolutions ---------------------------------------------------------------------


def _groups(xp: Any, weight: Any, groups: int, batch: int) -> Any:
    """Weights as a stack (batch * group, filters, channels * kernel of a group)."""
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1)
    return xp.broadcast_to(matrix, (batch, *matrix.shape)).reshape(-1, *matrix.shape[1:])


def _convolved(xp: Any, data: Any, offset: Any, mask: Any, weight: Any, bias: Any, attrs: dict):
    if not _alike(data, offset, mask, weight, bias):
        return NotImplemented
    data, offset, mask, weight = (dense(xp, a) for a in (data, offset, mask, weight))
    groups, batch = attrs["num_group"], data.shape[0]
    samples = _Samples(xp, data, offset, mask, _window(attrs), attrs["num_deformable_group"])
    columns = samples.read(xp.empty(samples.columns, data.dtype))
    columns = columns.reshape(batch * groups, -1, prod(samples.out))
    out = output(xp, (batch, weight.shape[0], *samples.out), data.dtype)
    shape = batch * groups, weight.shape[0] // groups, prod(samples.out)
    product(xp, _groups(xp, weight, groups, batch), columns, out.reshape(shape))
    if bias is not None:
        out += bias.reshape(-1, 1, 1)
    return out


@kernel("_contrib_DeformableConvolution")
def deformable_convolution(xp, data, offset, weight, bias=None, **attrs):
    """See the operator."""
    return _convolved(xp, data, offset, None, weight, bias, attrs)


@kernel("_contrib_ModulatedDeformableConvolution")
def modulated_convolution(xp, data, offset, mask, weight, bias=None, **attrs):
    """See the operator."""
    return _convolved(xp, data, offset, mask, weight, bias, attrs)


@kernel("_backward_DeformableConvolution")
def backward_deformable(xp, dy, data, offset, mask=None, weight=None, *, modulated, **attrs):
    """See the operator."""
    if not modulated:
        mask, weight = None, mask  # arrays come without gaps
    if not _alike(dy, data, offset, mask, weight):
        return NotImplemented
    dy, data, offset, mask, weight = (dense(xp, a) for a in (dy, data, offset, mask, weight))
    groups, batch = attrs["num_group"], data.shape[0]
    samples = _Samples(xp, data, offset, mask, _window(attrs), attrs["num_deformable_group"])
    head = dy.reshape(batch * groups, weight.shape[0] // groups, -1)
    matrix = _groups(xp, weight, groups, batch)
    grads = xp.empty(samples.columns, data.dtype)
    shaped = grads.reshape(batch * groups, matrix.shape[2], -1)
    product(xp, matrix.transpose(0, 2, 1), head, shaped)
    found = samples.back(grads)
    columns = samples.read(grads).reshape(shaped.shape)  # in the memory of what is read by now
    each = xp.empty((batch, *weight.shape), np.float64 if data.dtype == np.float64 else np.float32)
    product(xp, head, columns.transpose(0, 2, 1), each.reshape(batch * groups, *matrix.shape[1:]))
    return *found, each.sum(axis=0).astype(weight.dtype, copy=False)
