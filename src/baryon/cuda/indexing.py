"""Launches of reading and writing by index: single elements, slices by coordinates, sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ..backend import faults
from ..ops.attrs import Attrs
from ..ops.device import fixed
from ..ops.selection import picked
from .gather import _split
from .launch import TYPES, blocks, dense, kernel_of, launch, output, raw
from .meeting import met
from .registry import kernel
from .rows import floating


def _run(xp: Any, name: str, data: Any, index: Any, count: int, *args: Any) -> None:
    """Launch over `count` elements of the types of two arrays; Python's ints are 64-bit."""
    args = tuple(np.int64(a) if type(a) is int else a for a in args)
    kernel = kernel_of(xp, "indexing", name, T=np.dtype(data.dtype), N=np.dtype(index.dtype))
    if count:
        launch(kernel, blocks(count), 256, *args)


def _served(data: Any, index: Any) -> bool:
    return np.dtype(index.dtype) in TYPES and raw(data[:0]) is not None


# ---- one element of each run ---------------------------------------------------------------------


def _picked(xp: Any, data: Any, index: Any, shape: Sequence[int], axis: int, mode: str) -> Any:
    if not _served(data, index):
        return NotImplemented
    out, (_, rows, inner) = output(xp, shape, data.dtype), _split(data.shape, axis)
    arrays = raw(dense(xp, data)), dense(xp, index), raw(out)
    sizes = out.size, rows, inner, np.int32(mode == "wrap")
    _run(xp, "pick", arrays[0], index, out.size, *arrays, *sizes)
    return out


@kernel("pick")
def pick(xp, data, index, *, axis, keepdims, mode):
    """See the operator."""
    shape = picked(Attrs(axis=axis, keepdims=keepdims), data.shape, index.shape)
    return _picked(xp, data, index, shape, axis, mode)


@kernel("batch_take")
def batch_take(xp, a, indices):
    """See the operator."""
    return _picked(xp, a, indices, indices.shape, -1, "clip")


@kernel("_backward_pick")
def pick_gradient(xp, dy, index, *, shape, axis, mode):
    """See the operator."""
    if not _served(dy, index):
        return NotImplemented
    dx, (_, rows, inner) = output(xp, shape, dy.dtype), _split(shape, axis)
    arrays = raw(dense(xp, dy)), dense(xp, index), raw(dx)
    sizes = dx.size, rows, inner, np.int32(mode == "wrap")
    _run(xp, "unpick", arrays[0], index, dx.size, *arrays, *sizes)
    return dx


@kernel("one_hot")
def one_hot(xp, indices, *, depth, on_value, off_value, dtype):
    """See the operator."""
    out = output(xp, (*indices.shape, depth), np.dtype(dtype))
    if not _served(out, indices):
        return NotImplemented
    values = (raw(fixed(xp, v, out.dtype)) for v in (on_value, off_value))
    arrays = dense(xp, indices), *values, raw(out)
    _run(xp, "one_hot", arrays[-1], indices, out.size, *arrays, out.size, depth)
    return out


# ---- slices by coordinates -----------------------------------------------------------------------

_MOST_AXES = 8
_COORDINATES = np.dtype(
    [
        *(("indices", np.uint64), ("points", np.int64), ("inner", np.int64)),
        *(("size", np.int64, _MOST_AXES), ("depth", np.int32), ("from_end", np.int32)),
        ("fault", np.uint64),
    ],
    align=True,
)


def _outside(name: str, shape: tuple[int, ...], found: int) -> IndexError:
    index = found if found < 0 else found - 1
    return IndexError(f"operator {name}: index {index} is out of bounds for axes of {shape}")


class _Coordinates:
    """``Coordinates`` of ``indexing.cu``: slices of arrays of `shape`, named by `indices`.

    One that lies outside is read as zeros or not written; the error comes when somebody waits.
    """

    def __init__(
        self, xp: Any, name: str, indices: Any, shape: Sequence[int], from_end: bool = True
    ) -> None:
        self.xp, self.indices, self.depth = xp, dense(xp, indices), indices.shape[0]
        named = tuple(shape[: self.depth])
        self.slices, self.inner = prod(named), prod(shape[self.depth :])
        self.points = prod(indices.shape[1:])
        self.packed = made = np.zeros(1, _COORDINATES)
        made["indices"] = self.indices.data.ptr
        made["points"], made["inner"] = self.points, self.inner
        made["size"][0, : self.depth], made["depth"] = named, self.depth
        made["from_end"] = from_end
        made["fault"] = faults.address((name, named), partial(_outside, name, named))

    def run(self, name: str, data: Any, *args: Any, slices: bool = False) -> None:
        """Launch over the elements of all slices, or over the slices."""
        count = self.points * (1 if slices else self.inner)
        _run(self.xp, name, data, self.indices, count, *args)

    def write(self, data: Any, out: Any) -> None:
        """Write slices; of several that go to one place the last."""
        data, out = raw(dense(self.xp, data)), raw(out)
        last = self.xp.full(self.slices, -1, np.int64)
        self.run("last_points", data, self.packed, last, slices=True)
        self.run("scatter_slices", data, data, self.packed, last, out)


def _named(data: Any, indices: Any) -> bool:
    return _served(data, indices) and 0 < indices.shape[0] <= _MOST_AXES


@kernel("gather_nd")
def gather_nd(xp, data, indices):
    """See the operator."""
    if not _named(data, indices):
        return NotImplemented
    c = _Coordinates(xp, "gather_nd", indices, data.shape)
    out = output(xp, (*indices.shape[1:], *data.shape[c.depth :]), data.dtype)
    moved = raw(dense(xp, data))
    c.run("gather_slices", moved, moved, c.packed, raw(out))
    return out


@kernel("_backward_gather_nd")
def scatter_add(xp, dy, indices, *, shape):
    """See the operator."""
    if not floating(dy) or not _named(dy, indices):
        return NotImplemented
    c, data = _Coordinates(xp, "gather_nd", indices, shape), dense(xp, dy)
    add: Callable[..., None] = partial(c.run, "add_slices", data, data, c.packed)
    return met(xp, shape, dy.dtype, max(c.inner, 1), c.points, add)


@kernel("scatter_nd")
def scatter_nd(xp, data, indices, *, shape):
    """See the operator."""
    if not _named(data, indices):
        return NotImplemented
    out = output(xp, shape, data.dtype)
    out.fill(0)
    _Coordinates(xp, "scatter_nd", indices, shape).write(data, out)
    return out


@kernel("_scatter_set_nd")
def scatter_set_nd(xp, lhs, rhs, indices, *, shape):
    """See the operator."""
    if not _named(lhs, indices):
        return NotImplemented
    out = output(xp, lhs.shape, lhs.dtype)
    if out.data.ptr != lhs.data.ptr:
        out[...] = lhs
    _Coordinates(xp, "_scatter_set_nd", indices, lhs.shape).write(rhs, out)
    return out


@kernel("_contrib_index_copy")
def index_copy(xp, old_tensor, index_vector, new_tensor):
    """See the operator."""
    if not _served(old_tensor, index_vector):
        return NotImplemented
    out = output(xp, old_tensor.shape, old_tensor.dtype)
    out[...] = old_tensor
    index, name = index_vector.reshape(1, -1), "_contrib_index_copy"
    _Coordinates(xp, name, index, out.shape, from_end=False).write(new_tensor, out)
    return out


# ---- sequences -----------------------------------------------------------------------------------


def _lengths(xp: Any, sequence_length: Any, axis: int, shape: Sequence[int]) -> tuple:
    """Lengths (None: absent) and the sizes that kernels of sequences take last."""
    lengths = None if sequence_length is None else dense(xp, sequence_length)
    return lengths, (shape[axis], shape[1 - axis], prod(shape[2:]), np.int32(axis == 1))


@kernel("SequenceMask")
def sequence_mask(xp, data, sequence_length=None, *, use_sequence_length, value, axis):
    """See the operator."""
    if not use_sequence_length or not _served(data, sequence_length):
        return NotImplemented
    out, moved = output(xp, data.shape, data.dtype), raw(dense(xp, data))
    lengths, sizes = _lengths(xp, sequence_length, axis, data.shape)
    arrays = moved, lengths, raw(fixed(xp, value, data.dtype)), raw(out)
    _run(xp, "mask_steps", moved, lengths, out.size, *arrays, out.size, *sizes)
    return out


@kernel("SequenceReverse")
def sequence_reverse(xp, data, sequence_length=None, *, use_sequence_length, axis):
    """See the operator."""
    if not use_sequence_length or not _served(data, sequence_length):
        return NotImplemented
    out, moved = output(xp, data.shape, data.dtype), raw(dense(xp, data))
    lengths, sizes = _lengths(xp, sequence_length, axis, data.shape)
    _run(xp, "reverse_steps", moved, lengths, out.size, moved, lengths, raw(out), out.size, *sizes)
    return out


def _last(xp: Any, data: Any, sequence_length: Any, axis: int, shape: Any, out: Any, back: bool):
    typed = data if sequence_length is None else sequence_length
    if not _served(data, typed):
        return NotImplemented
    moved = raw(dense(xp, data))
    lengths, sizes = _lengths(xp, sequence_length, axis, shape)
    numbers = moved, lengths, raw(out), out.size, *sizes, np.int32(back)
    _run(xp, "last_steps", moved, typed, out.size, *numbers)
    return out


@kernel("SequenceLast")
def sequence_last(xp, data, sequence_length=None, *, use_sequence_length, axis):
    """See the operator."""
    out = output(xp, (data.shape[1 - axis], *data.shape[2:]), data.dtype)
    return _last(xp, data, sequence_length, axis, data.shape, out, False)


@kernel("_backward_SequenceLast")
def last_gradient(xp, dy, sequence_length=None, *, use_sequence_length, axis, shape):
    """See the operator."""
    return _last(xp, dy, sequence_length, axis, shape, output(xp, shape, dy.dtype), True)
