"""Sorting along an axis. The order is stable, and NaN counts as larger than every number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, DType, Shape
from .device import fixed
from .op import op
from .reshape import normalize, reshape_exactly
from .rules import attr_dtype, forward, unify_dtypes
from .samples import constant, distinct, normal


def _order(xp: Any, data: Any, axis: int, ascending: bool) -> Any:
    """Indices that sort `data` along `axis`."""
    if ascending:
        return xp.argsort(data, axis=axis, kind="stable")
    flipped = xp.argsort(xp.flip(data, axis), axis=axis, kind="stable")
    return data.shape[axis] - 1 - xp.flip(flipped, axis)


def _flat(data: Any, axis: int | None) -> tuple[Any, int]:
    """The array and axis to sort: without an axis, all elements in a row."""
    return (data.reshape(-1), 0) if axis is None else (data, axis)


def _runs(shape: Sequence[int], axis: int | None) -> tuple[int, int, int]:
    """The array as (outer, length, inner), sorted along its middle."""
    if axis is None:
        return 1, prod(shape), 1
    axis = normalize(axis, len(shape))
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


# ---- sort, argsort -------------------------------------------------------------------------------


def _sorted(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if attrs.axis is None:
        return (prod(data),)
    normalize(attrs.axis, len(data))
    return tuple(data)


def _sort_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = unify_dtypes([ins[0], outs[0]])
    return [dtype], [dtype, np.dtype("int32")]


def _sort_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple:
    """(outer, length, inner), ascending, and how many to keep."""
    runs = _runs(ins[0].shape, attrs.axis)
    return (*runs, attrs.is_ascend, runs[1])


@op(
    "sort",
    aliases=("_npi_sort",),
    shape=forward(lambda a, data: [_sorted(a, data)] * 2),
    dtype=_sort_dtype,
    outputs=("output0", "output1"),
    visible=1,
    kernel="topk",
    params=_sort_params,
)
def sort(xp, data, *, axis: int | None = -1, is_ascend: bool = True):
    """`data` sorted along `axis`; without an axis all elements, as a vector.

    A hidden second output holds the positions that the elements came from. Ascending, or with
    `is_ascend` False descending. Source: MXNet operator sort.

    >>> mx.nd.sort(mx.nd.array([3, 1, 2]), is_ascend=False).asnumpy()
    array([3., 2., 1.], dtype=float32)
    """
    data, axis = _flat(data, axis)
    order = _order(xp, data, axis, is_ascend)
    return xp.take_along_axis(data, order, axis=axis), order


@sort.gradient("data")
def _(dy, data, output1, axis):
    return _scattered(dy, output1, data.shape, axis)


def _scattered(dy: Any, indices: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    """Gradients of chosen elements put back where the elements came from."""
    if axis is None:
        put = put_along(dy, indices, shape=(prod(shape),), axis=0)
        return reshape_exactly(put, shape=shape)
    return put_along(dy, indices, shape=shape, axis=axis)


sort.sample(data=distinct(3, 4), axis=0)
sort.sample(data=distinct(3, 4), is_ascend=False)
sort.sample(data=distinct(2, 3, 2), axis=None)


@op(
    "argsort",
    aliases=("_npi_argsort",),
    shape=forward(_sorted),
    dtype=attr_dtype(),
    kernel=True,
    params=_sort_params,
)
def argsort(xp, data, *, axis: int | None = -1, is_ascend: bool = True, dtype: DType = "float32"):
    """The positions, as `dtype`, that sort `data` along `axis` (None: all elements as a vector).

    Ascending, or with `is_ascend` False descending. Source: MXNet operator argsort.

    >>> mx.nd.argsort(mx.nd.array([3, 1, 2])).asnumpy()
    array([1., 2., 0.], dtype=float32)
    """
    data, axis = _flat(data, axis)
    return _order(xp, data, axis, is_ascend)


argsort.gradient("data")(lambda dy: None)
argsort.sample(data=distinct(3, 4), _grad=())
argsort.sample(data=distinct(2, 3, 4), axis=1, is_ascend=False, dtype="int32", _grad=())
argsort.sample(data=constant([1, 2, 2, 1, 2]), axis=None, is_ascend=False, _grad=())


@op(
    "_backward_topk",
    shape=forward(lambda a, dy, indices: a.shape),
    dtype=lambda attrs, ins, outs: ([ins[0], ins[1]], [ins[0]]),
    kernel=True,
    params=lambda a, ins, outs: _runs(a.shape, a.axis),
)
def put_along(xp, dy, indices, *, shape: Shape, axis: int = -1):
    """Zeros of `shape` but for the positions `indices` along `axis`, which hold `dy`."""
    out = xp.zeros(shape, dy.dtype)
    xp.put_along_axis(out, indices.astype(np.int64), dy, axis=axis)
    return out


@put_along.gradient("dy")
def _(d_output, indices, axis):
    return take_along(d_output, indices, axis=axis)


_CHOSEN = constant([[1, 3], [0, 2], [3, 0]], integral=True)
put_along.sample(dy=normal(3, 2), indices=_CHOSEN, shape=(3, 4))


@op(
    "_backward_backward_topk",
    shape=forward(lambda a, data, indices: indices),
    dtype=lambda attrs, ins, outs: ([ins[0], ins[1]], [ins[0]]),
)
def take_along(xp, data, indices, *, axis: int = -1):
    """The elements of `data` at positions `indices` along `axis`."""
    return xp.take_along_axis(data, indices.astype(np.int64), axis=axis)


@take_along.gradient("data")
def _(dy, data, indices, axis):
    return put_along(dy, indices, shape=data.shape, axis=axis)


take_along.sample(data=normal(3, 4), indices=_CHOSEN)


# ---- topk ----------------------------------------------------------------------------------------


def _count(attrs: Attrs, length: int) -> int:
    """How many elements of a run `k` asks for: below 1 means all."""
    if attrs.k > length:
        raise MXNetError(f"k is {attrs.k}, but there are {length} elements")
    return attrs.k if attrs.k >= 1 else length


def _top_shapes(attrs: Attrs, data: Sequence[int]) -> list[tuple[int, ...]]:
    k = _count(attrs, _runs(data, attrs.axis)[1])
    if attrs.ret_typ == "mask":
        return [tuple(data)]
    if attrs.axis is None:
        shape: tuple[int, ...] = (k,)
    else:
        axis = normalize(attrs.axis, len(data))
        shape = (*data[:axis], k, *data[axis + 1 :])
    return [shape] * len(_top_names(attrs))


def _top_names(attrs: Attrs) -> tuple[str, ...]:
    return ("output0", "output1") if attrs.ret_typ in ("value", "both") else ("output",)


def _top_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.ret_typ == "indices":
        return ins, [attrs.dtype]
    dtype = unify_dtypes([ins[0], outs[0]])
    index = np.dtype("int32") if attrs.ret_typ == "value" else attrs.dtype
    return [dtype], [dtype, index][: len(outs)]


def _top_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    runs = _runs(ins[0].shape, attrs.axis)
    return (*runs, attrs.is_ascend, _count(attrs, runs[1]), attrs.ret_typ == "mask")


@op(
    "topk",
    aliases=("_npx_topk",),
    shape=forward(_top_shapes),
    dtype=_top_dtypes,
    outputs=_top_names,
    visible=lambda attrs: 2 if attrs.ret_typ == "both" else 1,
    kernel=True,
    params=_top_params,
    onnx="TopK",
)
def topk(
    xp,
    data,
    *,
    axis: int | None = -1,
    k: int = 1,
    ret_typ: Literal["both", "indices", "mask", "value"] = "indices",
    is_ascend: bool = False,
    dtype: DType = "float32",
):
    """The `k` largest (`is_ascend`: smallest) elements along `axis`, in order.

    axis : None takes all elements as a vector.
    k : below 1, all elements.
    ret_typ : ``indices`` (as `dtype`), ``value``, ``both`` (values, then indices), or ``mask``: an
        array like `data` with 1 at those elements and 0 elsewhere.

    >>> mx.nd.topk(mx.nd.array([3, 1, 2]), k=2, ret_typ="value").asnumpy()
    array([3., 2.], dtype=float32)
    """
    flat, along = _flat(data, axis)
    attrs = Attrs(k=k)
    kept = (slice(None),) * (along % flat.ndim) + (slice(_count(attrs, flat.shape[along])),)
    order = _order(xp, flat, along, is_ascend)[kept]
    if ret_typ == "indices":
        return order
    if ret_typ == "mask":
        out = xp.zeros(flat.shape, data.dtype)
        xp.put_along_axis(out, order, fixed(xp, 1, data.dtype), axis=along)
        return out.reshape(data.shape)
    return xp.take_along_axis(flat, order, axis=along), order


@topk.gradient("data")
def _(dys, outs, data, axis, ret_typ):
    if ret_typ in ("indices", "mask"):
        return None
    return _scattered(dys[0], outs[1], data.shape, axis)


topk.sample(data=distinct(3, 6), k=2)
topk.sample(data=distinct(2, 5, 3), axis=1, k=3, ret_typ="value", is_ascend=True)
topk.sample(data=distinct(3, 4), k=2, ret_typ="both", dtype="int64")
topk.sample(data=distinct(3, 4), axis=None, k=3, ret_typ="mask")
