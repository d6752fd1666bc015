"""Inserting into an axis and deleting from it, in the NumPy interface."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .broadcast import repeated
from .device import fixed
from .op import Op, op
from .reshape import normalize
from .rules import forward
from .samples import constant, normal
from .unary import flat

# ---- where ---------------------------------------------------------------------------------------


def _along(shape: Sequence[int], axis: int | None) -> tuple[tuple[int, ...], int]:
    """The shape in which an array is edited, and the axis: flattened without one."""
    return ((prod(shape),), 0) if axis is None else (tuple(shape), normalize(axis, len(shape)))


def _named(attrs: Attrs, size: int) -> Any:
    """Positions that attributes name: a number or a range; None if an array does."""
    if attrs.int_ind is not None:
        return attrs.int_ind
    bounds = attrs.start, attrs.stop, attrs.step
    if bounds == (None, None, None):
        return None
    return np.arange(*slice(*bounds).indices(size))


def _inside(positions: Any, size: int, end: int) -> np.ndarray:
    """Positions counted from the front; MXNetError unless they lie in [-size, end)."""
    at = np.asarray(positions).astype(np.int64)
    if at.size and (int(at.min()) < -size or int(at.max()) >= end):
        raise MXNetError(f"an index is out of bounds for an axis of size {size}")
    return np.where(at < 0, at + size, at)


def _host(obj: Any) -> np.ndarray:
    """An array of positions in the host's memory."""
    return np.asarray(obj.get() if hasattr(obj, "get") else obj)


def _places(positions: Any, size: int, count: int) -> np.ndarray:
    """Where in the result `count` values lie that are inserted before `positions`."""
    at = _inside(positions, size, size + 1).reshape(-1)
    if at.size == 1:
        return at[0] + np.arange(count)
    places = at.copy()
    places[np.argsort(at, kind="stable")] += np.arange(at.size)
    return places


# ---- insert --------------------------------------------------------------------------------------


def _lead(values: Sequence[int], ndim: int, axis: int, alone: bool) -> tuple[int, ...]:
    """Shape of values under `ndim` axes; those for a lone position have theirs in front."""
    if len(values) > ndim:
        raise MXNetError(f"values have {len(values)} dimensions, the array {ndim}")
    full = (*(1,) * (ndim - len(values)), *values)
    return (*full[1 : axis + 1], full[0], *full[axis + 1 :]) if alone else full


def _inserted(
    attrs: Attrs, arr: Sequence[int], values: Sequence[int], number: int | None
) -> tuple[tuple[int, ...], int]:
    """Shape of the result, and how many places are inserted; number: of positions, None: alone."""
    shape, axis = _along(arr, attrs.axis)
    lead = _lead(values, len(shape), axis, number is None)
    count = lead[axis] if number in (None, 1) else number
    repeated(lead, (*shape[:axis], count, *shape[axis + 1 :]))
    return (*shape[:axis], shape[axis] + count, *shape[axis + 1 :]), count


def _number(positions: Any) -> int | None:
    return None if np.ndim(positions) == 0 else int(np.size(positions))


def _insert_shape(attrs: Attrs, arr: tuple, *more: tuple[int, ...]) -> tuple[int, ...]:
    values, more = (more[0], more[1:]) if attrs.val is None else ((), more)
    shape, axis = _along(arr, attrs.axis)
    if more:
        return _inserted(attrs, arr, values, prod(more[0]))[0]
    named = _named(attrs, shape[axis])
    if named is None:
        raise MXNetError("one of int_ind, start, stop and step is required")
    _inside(named, shape[axis], shape[axis] + 1)
    return _inserted(attrs, arr, values, _number(named))[0]


def _insert(xp: Any, arr: Any, values: Any, obj: Any, attrs: Attrs) -> Any:
    """`arr` with values before the positions `obj`, or before those that attributes name."""
    if attrs.val is not None:
        values = fixed(xp, attrs.val, arr.dtype)
    shape, axis = _along(arr.shape, attrs.axis)
    positions = _named(attrs, shape[axis]) if obj is None else _host(obj).reshape(-1)
    number = _number(positions)
    whole, count = _inserted(attrs, arr.shape, values.shape, number)
    places = _places(positions, shape[axis], count)
    kept = fixed(xp, np.setdiff1d(np.arange(whole[axis]), places))
    places = fixed(xp, places)
    full = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    out, before = xp.empty(whole, arr.dtype), (slice(None),) * axis
    out[(*before, kept)] = arr.reshape(shape)
    out[(*before, places)] = xp.moveaxis(full, 0, axis) if number is None else full
    return out


def _sum_to(xp: Any, x: Any, shape: Sequence[int]) -> Any:
    """`x` summed down to a shape that broadcasts to its own."""
    full = (1,) * (x.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, n in enumerate(full) if n == 1 and x.shape[i] != 1)
    return x.sum(axis=axes, keepdims=True).reshape(shape)


def _first_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = ins[0] if ins[0] is not None else outs[0]
    return [dtype, *ins[1:]], [dtype]


@op(
    "_backward_npi_insert",
    present={"obj": lambda a: a.dense},
    shape=forward(lambda a, dy, *obj: a.shape),
    dtype=_first_dtype,
)
def uninsert(
    xp: Any,
    dy: Any,
    obj: Any = None,
    *,
    shape: Shape,
    size: int,
    values: bool,
    dense: bool,
    start: int | None = None,
    stop: int | None = None,
    step: int | None = None,
    int_ind: int | None = None,
    axis: int | None = None,
) -> Any:
    """Gradient of an insertion into an axis of `size`, for the array or the inserted `values`."""
    along, wide = axis or 0, dy.astype(xp.float64)
    named = Attrs(start=start, stop=stop, step=step, int_ind=int_ind)
    positions = _host(obj).reshape(-1) if dense else _named(named, size)
    places = _places(positions, size, dy.shape[along] - size)
    if not values:
        rest = np.setdiff1d(np.arange(dy.shape[along]), places)
        return xp.take(wide, fixed(xp, rest), axis=along).reshape(shape)
    part = xp.take(wide, fixed(xp, places), axis=along)
    return _sum_to(xp, xp.moveaxis(part, along, 0) if np.ndim(positions) == 0 else part, shape)


def _back(dy: Any, arr: Any, obj: Any, attrs: Attrs, target: Any, values: bool) -> Any:
    shape, axis = _along(arr.shape, attrs.axis)
    names = ("start", "stop", "step", "int_ind")
    return uninsert(
        dy, *([] if obj is None else [obj]), shape=target.shape, size=shape[axis], values=values,
        dense=obj is not None, axis=axis, **{n: attrs[n] for n in names},
    )  # fmt: skip


_HAS_VALUES = {"values": lambda a: a.val is None}
_HOW = """

    `values`, or the number `val`, broadcast to what is inserted; `axis` None edits the flattened
    array. Positions are `int_ind`, else ``start:stop:step``, else the array `obj`. Gradients flow
    to both arrays; MXNet has none.  (MXNet ``mx.np.insert``.)

    >>> mx.np.insert(mx.np.array([1.0, 2.0]), {}).tolist()
    {}
    """


def insertion(name: str, doc: str, call: str, printed: str) -> Op:
    """Declare ``_npi_insert_NAME``, whose positions are attributes."""

    def run(
        xp: Any,
        arr: Any,
        values: Any = None,
        *,
        val: float | None = None,
        start: int | None = None,
        stop: int | None = None,
        step: int | None = None,
        int_ind: int | None = None,
        axis: int | None = None,
    ) -> Any:
        attrs = Attrs(val=val, start=start, stop=stop, step=step, int_ind=int_ind, axis=axis)
        return _insert(xp, arr, values, None, attrs)

    run.__name__, run.__doc__ = f"insert_{name}", doc + _HOW.format(call, printed)
    made = op(
        f"_npi_insert_{name}",
        present=_HAS_VALUES,
        shape=forward(_insert_shape),
        dtype=_first_dtype,
    )(run)

    @made.gradient("arr")
    def _(dy: Any, arr: Any, attrs: Attrs) -> Any:
        return _back(dy, arr, None, attrs, arr, False)

    @made.gradient("values")
    def _(dy: Any, arr: Any, values: Any, attrs: Attrs) -> Any:
        return _back(dy, arr, None, attrs, values, True)

    return made


insert_scalar = insertion(
    "scalar", "`arr` with values before position `int_ind` of an axis.", "1, 7", "[1.0, 7.0, 2.0]"
)
insert_slice = insertion(
    "slice",
    "`arr` with values before the positions ``start:stop:step`` of an axis.",
    "slice(0, 2), 7",
    "[7.0, 1.0, 7.0, 2.0]",
)


@op(
    "_npi_insert_tensor",
    present=_HAS_VALUES,
    shape=forward(_insert_shape),
    dtype=_first_dtype,
)
def insert_tensor(
    xp: Any,
    arr: Any,
    values: Any = None,
    obj: Any = None,
    *,
    val: float | None = None,
    start: int | None = None,
    stop: int | None = None,
    step: int | None = None,
    int_ind: int | None = None,
    axis: int | None = None,
) -> Any:
    """`arr` with values before the positions `obj` of an axis; other attributes mean nothing.

    `values`, or the number `val`, broadcast to what is inserted; `axis` None edits the flattened
    array. Positions are `int_ind`, else ``start:stop:step``, else the array `obj`. Gradients flow
    to both arrays; MXNet has none.  (MXNet ``mx.np.insert``.)

    >>> mx.np.insert(mx.np.array([1.0, 2.0]), mx.np.array([0, 2], dtype="int64"), 7).tolist()
    [7.0, 1.0, 2.0, 7.0]
    """
    values, obj = (values, obj) if val is None else (None, values)
    return _insert(xp, arr, values, obj, Attrs(val=val, axis=axis))


insert_tensor.gradient("obj")(flat)


@insert_tensor.gradient("arr")
def _(dy: Any, arr: Any, obj: Any, attrs: Attrs) -> Any:
    return _back(dy, arr, obj, attrs, arr, False)


@insert_tensor.gradient("values")
def _(dy: Any, arr: Any, values: Any, obj: Any, attrs: Attrs) -> Any:
    return _back(dy, arr, obj, attrs, values, True)


_once = {"_second_order": False}
insert_scalar.sample(arr=normal(4), values=normal(1), int_ind=1, axis=0, **_once)
insert_scalar.sample(arr=normal(2, 3), values=normal(2), int_ind=-1, axis=1, **_once)
insert_scalar.sample(arr=normal(2, 3), int_ind=2, val=7.5, **_once)
insert_slice.sample(arr=normal(2, 2), values=normal(2), start=0, stop=2, axis=1, **_once)
insert_slice.sample(arr=normal(5), values=normal(), start=4, stop=None, step=-2, **_once)
_at = constant([2, -1, 0], integral=True)
insert_tensor.sample(arr=normal(3), values=normal(3), obj=_at, axis=0, **_once)
insert_tensor.sample(arr=normal(2, 4), values=normal(2, 1), obj=_at, axis=1, **_once)
insert_tensor.sample(arr=normal(4), obj=_at, val=1.5, **_once)

# ---- delete --------------------------------------------------------------------------------------


def _left(attrs: Attrs, size: int, obj: Any) -> np.ndarray:
    """Positions that remain of an axis."""
    named = _named(attrs, size)
    positions = _host(obj) if named is None else named
    return np.setdiff1d(np.arange(size), _inside(positions, size, size))


@op(
    "_npi_delete",
    present={
        "obj": lambda a: a.int_ind is None and (a.start, a.stop, a.step) == (None, None, None)
    },
    shape=lambda attrs, ins, outs: (ins, outs),
    dtype=_first_dtype,
    dynamic=True,
)
def delete(
    xp: Any,
    arr: Any,
    obj: Any = None,
    *,
    start: int | None = None,
    stop: int | None = None,
    step: int | None = None,
    int_ind: int | None = None,
    axis: int | None = None,
) -> Any:
    """`arr` without the positions `int_ind`, ``start:stop:step`` or `obj` of an axis.

    `axis` None edits the flattened array. The gradient flows to what remains; MXNet has none.
    (MXNet ``mx.np.delete``.)

    >>> mx.np.delete(mx.np.array([1.0, 2.0, 3.0]), 1).tolist()
    [1.0, 3.0]
    """
    shape, along = _along(arr.shape, axis)
    rest = _left(Attrs(start=start, stop=stop, step=step, int_ind=int_ind), shape[along], obj)
    return xp.take(arr.reshape(shape), fixed(xp, rest), axis=along)


@op(
    "_backward_npi_delete",
    present={"obj": lambda a: a.dense},
    shape=forward(lambda a, dy, *obj: a.shape),
    dtype=_first_dtype,
)
def undelete(
    xp: Any,
    dy: Any,
    obj: Any = None,
    *,
    shape: Shape,
    dense: bool,
    start: int | None = None,
    stop: int | None = None,
    step: int | None = None,
    int_ind: int | None = None,
    axis: int | None = None,
) -> Any:
    """Zeros of `shape` with `dy` at the positions that a deletion left."""
    full, along = _along(shape, axis)
    named = Attrs(start=start, stop=stop, step=step, int_ind=int_ind)
    out = xp.zeros(full, dy.dtype)
    out[(*(slice(None),) * along, fixed(xp, _left(named, full[along], obj)))] = dy
    return out.reshape(shape)


@delete.gradient("arr")
def _(dy: Any, arr: Any, obj: Any, attrs: Attrs) -> Any:
    inputs = [dy] if obj is None else [dy, obj]
    return undelete(*inputs, shape=arr.shape, dense=obj is not None, **attrs)


delete.gradient("obj")(flat)
