"""Reading and writing elements by their coordinates, and the numbering of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .indexing import add_at, take, valid, whole, wide
from .op import get, op
from .rules import forward, uniform_among
from .samples import constant, integers, normal


def _coordinates(xp: Any, indices: Any, shape: Sequence[int]) -> tuple:
    """Rows of `indices` as one index array an axis, negatives from the end; IndexError outside."""
    indices = whole(xp, indices)
    for axis, row in enumerate(indices):
        outside = row[(row < -shape[axis]) | (row >= shape[axis])]
        if outside.size:
            raise IndexError(
                f"index {outside.ravel()[0]} is out of bounds for axis {axis} "
                f"with size {shape[axis]}"
            )
    return tuple(indices)


def _depth(shape: Sequence[int], indices: Sequence[int]) -> int:
    """How many leading axes the first axis of `indices` names."""
    if not indices or indices[0] > len(shape):
        raise MXNetError(
            f"indices {tuple(indices)} hold more coordinates than {len(shape)} dimensions"
        )
    return indices[0]


def _gathered(attrs: Attrs, data: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    return (*indices[1:], *data[_depth(data, indices) :])


def _checked(shape: Sequence[int], data: Sequence[int], indices: Sequence[int]):
    """`shape`, after checking that `data` is what ``gather_nd`` would read from it."""
    want = (*indices[1:], *shape[_depth(shape, indices) :])
    if tuple(data) != want:
        raise MXNetError(f"data has shape {tuple(data)}, expected {want}")
    return tuple(shape)


@op(
    "gather_nd",
    aliases=("_npi_gather_nd", "_npx_gather_nd"),
    shape=forward(_gathered),
    dtype=uniform_among(0),
    kernel=True,
    onnx="GatherND",
)
def gather_nd(xp, data, indices):
    """Elements (or slices) of `data` at coordinates: indices[i] holds their i-th coordinate.

    Negative coordinates count from the end; one outside raises IndexError.

    >>> data = mx.nd.array([[1, 2], [3, 4]])
    >>> mx.nd.gather_nd(data, mx.nd.array([[1, 0], [0, 1]])).asnumpy()
    array([3., 2.], dtype=float32)
    """
    return data[_coordinates(xp, indices, data.shape)]


@gather_nd.gradient("data")
def _(dy, data, indices):
    return scatter_add(dy, indices, shape=data.shape)


_POINTS = constant([[0, 2, -1, 0], [1, 3, 0, 1]], integral=True)
gather_nd.sample(data=normal(3, 4), indices=_POINTS)
gather_nd.sample(data=normal(3, 4), indices=integers(1, 2, high=3))
gather_nd.sample(data=normal(2, 3, 2), indices=integers(2, 2, 2, high=2))


@op(
    "_backward_gather_nd",
    shape=forward(lambda a, dy, indices: _checked(a.shape, dy, indices)),
    dtype=uniform_among(0),
    kernel=True,
)
def scatter_add(xp, dy, indices, *, shape: Shape):
    """Zeros of `shape` to which `dy` is added where ``gather_nd`` read."""
    dy = wide(dy)
    out = xp.zeros(shape, dy.dtype)
    add_at(xp, out, _coordinates(xp, indices, shape), dy)
    return out


@scatter_add.gradient("dy")
def _(d_output, indices):
    return gather_nd(d_output, indices)


scatter_add.sample(dy=normal(4), indices=_POINTS, shape=(3, 4))


@op(
    "scatter_nd",
    shape=forward(lambda a, data, indices: _checked(a.shape, data, indices)),
    dtype=uniform_among(0),
    kernel=True,
)
def scatter_nd(xp, data, indices, *, shape: Shape):
    """Zeros of `shape` but for `data` at coordinates; of repeated ones the last is written.

    >>> points = mx.nd.array([[0, 1], [1, 0]])
    >>> mx.nd.scatter_nd(mx.nd.array([2, 3]), points, shape=(2, 2)).asnumpy()
    array([[0., 2.],
           [3., 0.]], dtype=float32)
    """
    out = xp.zeros(shape, data.dtype)
    out[_coordinates(xp, indices, shape)] = data
    return out


@scatter_nd.gradient("data")
def _(dy, indices):
    return gather_nd(dy, indices)


_DISTINCT = constant([[0, 2, 1], [1, 3, -4]], integral=True)
scatter_nd.sample(data=normal(3), indices=_DISTINCT, shape=(3, 4))
scatter_nd.sample(data=normal(3, 2), indices=_DISTINCT, shape=(3, 4, 2))


@op(
    "_scatter_set_nd",
    aliases=("_npi_scatter_set_nd",),
    shape=forward(lambda a, lhs, rhs, indices: _checked(lhs, rhs, indices)),
    dtype=uniform_among(0, 1),
    inplace={0: "lhs"},
    kernel="scatter_nd",
)
def scatter_set_nd(xp, lhs, rhs, indices, *, shape: Shape):
    """`lhs` with `rhs` written at coordinates; of repeated ones the last stays.

    `shape` is that of `lhs` and changes nothing.

    >>> x, y, at = mx.nd.zeros((2, 2)), mx.nd.array([5.0, 6.0]), mx.nd.array([[0, 1], [1, 0]])
    >>> mx.nd._internal._scatter_set_nd(x, y, at, shape=(2, 2)).asnumpy()
    array([[0., 5.],
           [6., 0.]], dtype=float32)
    """
    out = lhs.copy()
    out[_coordinates(xp, indices, lhs.shape)] = rhs
    return out


@scatter_set_nd.gradient("lhs")
def _(dy, rhs, indices, shape):
    return scatter_set_nd(dy, get("zeros_like")(rhs), indices, shape=dy.shape)


@scatter_set_nd.gradient("rhs")
def _(dy, indices):
    return gather_nd(dy, indices)


scatter_set_nd.sample(lhs=normal(3, 4), rhs=normal(3), indices=_DISTINCT, shape=(3, 4))


# ---- index_copy ----------------------------------------------------------------------------------


def _index_copied(attrs: Attrs, old: Sequence[int], index: Sequence[int], new: Sequence[int]):
    if len(index) != 1 or tuple(new) != (*index, *old[1:]):
        raise MXNetError(f"new_tensor has shape {tuple(new)}, expected {(*index, *old[1:])}")
    return tuple(old)


@op("_contrib_index_copy", shape=forward(_index_copied), dtype=uniform_among(0, 2))
def index_copy(xp, old_tensor, index_vector, new_tensor):
    """`old_tensor` with the rows of `new_tensor` at the positions in `index_vector`.

    >>> index = mx.nd.array([1], dtype="int64")
    >>> mx.nd.contrib.index_copy(mx.nd.zeros((2, 2)), index, mx.nd.ones((1, 2))).asnumpy()
    array([[0., 0.],
           [1., 1.]], dtype=float32)
    """
    out = old_tensor.copy()
    rows = valid(xp, index_vector, len(old_tensor), "raise", "_contrib_index_copy")
    out[rows] = new_tensor
    return out


@index_copy.gradient("old_tensor")
def _(dy, index_vector, new_tensor):
    return index_copy(dy, index_vector, get("zeros_like")(new_tensor))


@index_copy.gradient("new_tensor")
def _(dy, index_vector):
    return take(dy, index_vector)


index_copy.sample(
    old_tensor=normal(5, 3), index_vector=constant([4, 0, 2], True), new_tensor=normal(3, 3)
)


# ---- numbering of coordinates --------------------------------------------------------------------


def _radix(shape: Sequence[int] | None) -> tuple[int, ...]:
    """The dimensions; the first may be -1, as its size does not matter."""
    if not shape or any(d < 1 for d in shape[1:]):
        raise MXNetError(f"shape {shape} does not number coordinates")
    return tuple(shape)


def _raveled(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if data[0] != len(_radix(attrs.shape)):
        raise MXNetError(f"expects {len(attrs.shape)} coordinates, got {data[0]}")
    return tuple(data[1:]) or (1,)


@op("_ravel_multi_index", aliases=("ravel_multi_index",), shape=forward(_raveled))
def ravel_multi_index(xp, data, *, shape: Shape | None = None):
    """The row-major number of each coordinate in an array of `shape`: data[i] is coordinate i.

    >>> mx.nd.ravel_multi_index(mx.nd.array([[1, 0], [2, 1]]), shape=(2, 3)).asnumpy()
    array([5., 1.], dtype=float32)
    """
    total = xp.zeros(data.shape[1:], np.int64)
    for row, size in zip(whole(xp, data), _radix(shape), strict=True):
        total = total * size + row
    return total.reshape(data.shape[1:] or (1,))


ravel_multi_index.gradient("data")(lambda dy: None)
ravel_multi_index.sample(data=integers(2, 3, high=6), shape=(7, 6), _grad=())


@op(
    "_unravel_index",
    aliases=("unravel_index",),
    shape=forward(lambda a, data: (len(_radix(a.shape)), *data)),
)
def unravel_index(xp, data, *, shape: Shape | None = None):
    """The coordinates of each row-major number in an array of `shape`, along a new first axis.

    >>> mx.nd.unravel_index(mx.nd.array([5, 1]), shape=(2, 3)).asnumpy()
    array([[1., 0.],
           [2., 1.]], dtype=float32)
    """
    rest, found = whole(xp, data), []
    for size in reversed(_radix(shape)[1:]):
        found.append(rest % size)
        rest = rest // size
    return xp.stack([rest, *reversed(found)])


unravel_index.gradient("data")(lambda dy: None)
unravel_index.sample(data=integers(3, high=42), shape=(7, 6), _grad=())
