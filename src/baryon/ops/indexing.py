"""Reading elements and rows by index, and their gradients, which add to the places read.

An index of a float type is cut to an integer. Where an operator has a `mode`, it says what an index
outside [0, size) means: ``clip`` the nearest, ``wrap`` modulo the size, ``raise`` an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, DType, Shape
from .csr import pick, transposed_product
from .op import op
from .reshape import normalize
from .rules import forward, uniform_among, unify, unify_dtypes
from .samples import constant, integers, normal
from .stored import INDEX, Csr, rows_of

Mode = Literal["clip", "raise", "wrap"]
MODES = ("clip", "wrap")  # in the kernels' numbering; they leave "raise" to the body


def whole(xp: Any, index: Any) -> Any:
    """Indices as int64."""
    if index.dtype == np.int64:
        return index
    if is_float(index.dtype):
        index = xp.nan_to_num(index.astype(np.float64))
        return xp.clip(index, -(2.0**62), 2.0**62).astype(np.int64)
    return index.astype(np.int64)


def valid(xp: Any, index: Any, size: int, mode: str, what: str = "take") -> Any:
    """Indices as int64 within [0, size) by `mode`; MXNetError for one outside under ``raise``."""
    index = whole(xp, index)
    if mode == "wrap":
        return index % max(size, 1)
    if mode == "clip":
        return xp.clip(index, 0, max(size - 1, 0))
    outside = index[(index < 0) | (index >= size)]
    if outside.size:
        raise MXNetError(
            f"operator {what}: index {int(outside[0])} is out of range for size {size}"
        )
    return index


def wide(array: Any) -> Any:
    """`array` in a type that sums of many elements keep their digits in."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def nonempty(size: int, index: Sequence[int]) -> None:
    """MXNetError if there are indices, but no elements for them."""
    if size == 0 and prod(index):
        raise MXNetError("nothing to take from an axis of size 0")


# ---- take, Embedding -----------------------------------------------------------------------------


def _taken(attrs: Attrs, a: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    axis = normalize(attrs.axis, len(a))
    nonempty(a[axis], indices)
    return (*a[:axis], *indices, *a[axis + 1 :])


def rows(axis: int, mode: str, shape: Sequence[int]) -> tuple | None:
    """Kernel parameters: mode, then the array as (outer, rows, inner); none for mode ``raise``."""
    axis = normalize(axis, len(shape))
    if mode not in MODES:
        return None
    return MODES.index(mode), prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


@op(
    "take",
    aliases=("_npi_take",),
    shape=forward(_taken),
    dtype=uniform_among(0),
    kernel=True,
    params=lambda a, ins, outs: rows(a.axis, a.mode, ins[0].shape),
    onnx="Gather",
)
def take(xp, a, indices, *, axis: int = 0, mode: Mode = "clip"):
    """The slices of `a` along `axis` at `indices`: shape a[:axis] + indices + a[axis+1:].

    An index outside the axis is moved to its nearest end (`mode` clip), counted modulo its size
    (wrap), or an MXNetError (raise). Source: MXNet operator take.

    >>> mx.nd.take(mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([1, 5, 0])).asnumpy()
    array([[3., 4.],
           [3., 4.],
           [1., 2.]], dtype=float32)
    """
    return xp.take(a, valid(xp, indices, a.shape[axis], mode), axis=axis)


@take.gradient("a")
def _(dy, a, indices, axis, mode):
    return take_gradient(dy, indices, shape=a.shape, axis=axis, mode=mode)


@take.stored("csr default -> csr", when=lambda a: a.axis in (0, -2))
def _(xp, a, indices, *, axis, mode):
    if indices.ndim != 1:
        raise MXNetError(f"operator take: of a csr array indices have 1 axis, not {indices.ndim}")
    return pick(xp, a, valid(xp, indices, a.shape[0], mode))


take.sample(a=normal(4, 3), indices=integers(5, low=-2, high=6), mode="clip")
take.sample(a=normal(2, 5, 3), indices=integers(2, 2, low=-6, high=6), axis=1, mode="wrap")
take.sample(a=normal(4, 3), indices=integers(2, low=0, high=4), mode="raise")


@op(
    "_backward_take",
    shape=forward(lambda a, dy, indices: a.shape),
    dtype=uniform_among(0),
    kernel=True,
    params=lambda a, ins, outs: rows(a.axis, a.mode, a.shape),
)
def take_gradient(
    xp, dy, indices, *, shape: Shape, axis: int = 0, mode: Mode = "clip", sparse: bool = False
):
    """Zeros of `shape` to which the slices of `dy` are added where ``take`` read them.

    sparse : store only the rows that were read (row_sparse; axis 0).
    """
    axis = axis % len(shape)
    index = valid(xp, indices, shape[axis], mode).reshape(-1)
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    dy = wide(dy)
    out = xp.zeros((outer, shape[axis], inner), dy.dtype)
    add_at(xp, out, (slice(None), index), dy.reshape(outer, -1, inner))
    return out.reshape(shape)


@take_gradient.stored("default default -> row_sparse", when=lambda a: a.sparse)
def _(xp, dy, indices, *, shape, axis, mode, sparse):
    # Taking rows is a product with a csr matrix of one 1 a row; this is its transpose.
    index = valid(xp, indices, shape[0], mode).reshape(-1)
    count = len(index)
    one_each = xp.arange(count + 1, dtype=INDEX)
    chosen = Csr(xp.ones(count, dy.dtype), index, one_each, (count, shape[0]))
    return transposed_product(xp, chosen, dy.reshape(count, *shape[1:]))


def add_at(xp: Any, out: Any, index: Any, values: Any) -> None:
    """``out[index] += values`` with repeated indices adding up."""
    if xp is np:
        np.add.at(out, index, values)
    else:
        _add_on_device(xp, out, index, values)


def _add_on_device(xp: Any, out: Any, index: Any, values: Any) -> None:
    """`add_at` by atomic additions, which a GPU has for some element types only."""
    import cupyx

    if out.dtype == np.int64:  # the sums of unsigned numbers have the same bits
        out, values = out.view(np.uint64), xp.asarray(values, np.int64).view(np.uint64)
    if out.dtype.kind == "f" or out.dtype.itemsize >= 4:
        cupyx.scatter_add(out, index, values)
        return
    wide = out.astype(np.int32 if out.dtype.kind in "iub" else np.float32)
    cupyx.scatter_add(wide, index, values)
    out[...] = wide


@take_gradient.gradient("dy")
def _(d_output, indices, axis, mode):
    return take(d_output, indices, axis=axis, mode=mode)


take_gradient.sample(dy=normal(5, 3), indices=integers(5, high=3), shape=(4, 3))


def _embedded(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, weight = ins
    weight = unify(weight, (attrs.input_dim, attrs.output_dim))
    if data is not None:
        outs = [unify((*data, attrs.output_dim), outs[0])]
    if outs[0] is not None:
        data = unify(data, outs[0][:-1])
    return [data, weight], outs


def _embedding_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = unify_dtypes([ins[1], outs[0]]) or attrs.dtype
    return [ins[0], dtype], [dtype]


@op(
    "Embedding",
    aliases=("_npx_embedding", "_sparse_Embedding"),
    shape=_embedded,
    dtype=_embedding_dtype,
    kernel=True,
    params=lambda a, ins, outs: rows(0, "clip", ins[1].shape),
    onnx="Gather",
)
def embedding(
    xp,
    data,
    weight,
    *,
    input_dim: int,
    output_dim: int,
    dtype: DType = "float32",
    sparse_grad: bool = False,
):
    """Rows of `weight`, (input_dim, output_dim), at the indices in `data`, clipped to its rows.

    dtype : type of `weight` in a Symbol where nothing else decides it.
    sparse_grad : the gradient of `weight` is row_sparse: it stores the rows that were read.

    >>> weight = mx.nd.array([[0, 1], [2, 3]])
    >>> mx.nd.Embedding(mx.nd.array([1, 0]), weight, input_dim=2, output_dim=2).asnumpy()
    array([[2., 3.],
           [0., 1.]], dtype=float32)
    """
    return xp.take(weight, valid(xp, data, input_dim, "clip"), axis=0)


@embedding.stored("default row_sparse -> default")
def _(xp, data, weight, *, input_dim, **attrs):
    return rows_of(xp, weight, valid(xp, data, input_dim, "clip"))


@embedding.gradient("weight")
def _(dy, data, weight, sparse_grad):
    return take_gradient(dy, data, shape=weight.shape, sparse=sparse_grad)


embedding.sample(data=integers(3, 2, high=5), weight=normal(5, 4), input_dim=5, output_dim=4)
embedding.sample(
    data=constant([-1, 2, 7], integral=True), weight=normal(4, 2), input_dim=4, output_dim=2
)
