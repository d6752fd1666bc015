"""Choosing between two, and writing where a mask is true, in the NumPy interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import Spec, op
from .rules import broadcast, forward, uniform_among
from .samples import constant, integers, normal
from .scalar import number
from .unary import flat

_CONDITION = constant([1.0, 0.0, 2.0])


def _of_one_shape(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """For the kernel of `where`: each element of the condition decides about one."""
    return (1,) if all(s.shape == outs[0].shape for s in ins) else None


@op(
    "_npi_where",
    shape=broadcast,
    dtype=uniform_among(1, 2),
    pointwise=True,
    element="a != 0 ? b : c",
    kernel="where",
    params=_of_one_shape,
)
def np_where(xp: Any, condition: Any, x: Any, y: Any) -> Any:
    """Elements of `x` where `condition` is not 0, of `y` elsewhere; all three broadcast.

    `x` and `y` have one type; an array may be a number, too.  (MXNet ``mx.np.where``.)

    >>> mx.np.where(mx.np.array([1, 0]), mx.np.array([2.0, 3.0]), mx.np.array([4.0, 5.0])).tolist()
    [2.0, 5.0]
    """
    return xp.where(condition != 0, x, y)


@np_where.gradient("x")
def _(dy: Any, condition: Any) -> Any:
    return array_or_number(condition, dy, scalar=0.0)


@np_where.gradient("y")
def _(dy: Any, condition: Any) -> Any:
    return number_or_array(condition, dy, scalar=0.0)


np_where.gradient("condition")(flat)
_ARRAYS = {"x": normal(2, 3), "y": normal(3)}
np_where.sample(condition=_CONDITION, **_ARRAYS)
np_where.sample(condition=constant([[0.0], [1.0]]), x=normal(2, 3), y=normal())
np_where.sample(condition=integers(2, 3, high=2), x=normal(2, 3), y=normal(2, 3))
np_where.sample(condition=integers(2, 3, low=0, high=2), **_ARRAYS, _dtypes=("int32",), _grad=())

# ---- with a number -------------------------------------------------------------------------------


def _second(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: the output is like the array that is chosen from."""
    dtype = ins[1] if ins[1] is not None else outs[0]
    return [ins[0], dtype], [dtype]


@op("_npi_where_rscalar", shape=broadcast, dtype=_second)
def array_or_number(xp: Any, condition: Any, y: Any, *, scalar: float = 0.0) -> Any:
    """Elements of `y` where `condition` is not 0, `scalar` elsewhere; both broadcast.

    The result has the type of `y`, to which the number is cut. (MXNet ``mx.np.where``, whose
    gradient has the branches swapped; this one is right.)

    >>> mx.np.where(mx.np.array([1, 0]), mx.np.array([2.0, 3.0]), 7).tolist()
    [2.0, 7.0]
    """
    return xp.where(condition != 0, y, number(scalar, y.dtype))


@op("_npi_where_lscalar", shape=broadcast, dtype=_second)
def number_or_array(xp: Any, condition: Any, x: Any, *, scalar: float = 0.0) -> Any:
    """`scalar` where `condition` is not 0, elements of `x` elsewhere; both broadcast.

    The result has the type of `x`, to which the number is cut. (MXNet ``mx.np.where``, whose
    gradient has the branches swapped; this one is right.)

    >>> mx.np.where(mx.np.array([1, 0]), 7, mx.np.array([2.0, 3.0])).tolist()
    [7.0, 3.0]
    """
    return xp.where(condition != 0, number(scalar, x.dtype), x)


array_or_number.gradient("y")(lambda dy, condition: array_or_number(condition, dy, scalar=0.0))
number_or_array.gradient("x")(lambda dy, condition: number_or_array(condition, dy, scalar=0.0))
for _made, _name in ((array_or_number, "y"), (number_or_array, "x")):
    _made.gradient("condition")(flat)
    _made.sample(condition=_CONDITION, **{_name: normal(2, 3)}, scalar=1.5)
    _made.sample(condition=normal(), **{_name: normal(3)}, scalar=1.5)
    _made.sample(
        condition=_CONDITION, **{_name: integers(3)}, scalar=2.5, _dtypes=("int32",), _grad=()
    )


@op("_npi_where_scalar2", dtype="float32")
def either_number(xp: Any, condition: Any, *, x: float = 0.0, y: float = 0.0) -> Any:
    """The number `x` where `condition` is not 0, `y` elsewhere, as float32.

    (MXNet ``mx.np.where``.)

    >>> mx.np.where(mx.np.array([1, 0]), 2, 3).tolist()
    [2.0, 3.0]
    """
    return xp.where(condition != 0, np.float32(x), np.float32(y))


either_number.gradient("condition")(flat)
either_number.sample(condition=_CONDITION, x=1.5, y=-2.0, _grad=())

# ---- writing under a mask ------------------------------------------------------------------------


def _masked(attrs: Attrs, data: Sequence[int], mask: Sequence[int]) -> tuple[int, ...]:
    """The shape of `data`, after checking that `mask` covers axes of it."""
    start = attrs.start_axis
    if start < 0 or tuple(data[start : start + len(mask)]) != tuple(mask):
        raise MXNetError(f"a mask of shape {tuple(mask)} does not fit data from axis {start} on")
    return tuple(data)


def _index(mask: Any, start_axis: int) -> tuple:
    return (*(slice(None),) * start_axis, mask != 0)


def _first(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = ins[0] if ins[0] is not None else outs[0]
    return [dtype, *ins[1:]], [dtype]


@op(
    "_npi_boolean_mask_assign_scalar",
    shape=forward(_masked),
    dtype=_first,
    inplace={0: "data"},
)
def mask_scalar(xp: Any, data: Any, mask: Any, *, value: float = 0.0, start_axis: int = 0) -> Any:
    """`data` with the number `value` where `mask` is true, which covers axes from `start_axis` on.

    (MXNet ``data[mask] = value``, to which it gives no gradient.)

    >>> x = mx.np.array([1.0, 2.0, 3.0])
    >>> x[x > 1] = 7
    >>> x.tolist()
    [1.0, 7.0, 7.0]
    """
    out = data.copy()
    out[_index(mask, start_axis)] = number(value, data.dtype)
    return out


@op(
    "_npi_boolean_mask_assign_tensor",
    shape=forward(lambda a, data, mask, value: _masked(a, data, mask)),
    dtype=_first,
    inplace={0: "data"},
)
def mask_tensor(xp: Any, data: Any, mask: Any, value: Any, *, start_axis: int = 0) -> Any:
    """`data` with `value` where `mask` is true, which covers axes from `start_axis` on.

    `value` broadcasts to what is written.  (MXNet ``data[mask] = value``, to which it gives no
    gradient.)

    >>> x = mx.np.array([1.0, 2.0, 3.0])
    >>> x[x > 1] = mx.np.array([8.0, 9.0])
    >>> x.tolist()
    [1.0, 8.0, 9.0]
    """
    out = data.copy()
    out[_index(mask, start_axis)] = value
    return out


@op(
    "_backward_boolean_mask_assign",
    shape=forward(lambda a, dy, mask: a.shape),
    dtype=_first,
)
def read_mask(xp: Any, dy: Any, mask: Any, *, shape: Shape, start_axis: int) -> Any:
    """Elements of `dy` where `mask` is true, summed down to `shape`."""
    read = dy[_index(mask, start_axis)]
    lead = read.ndim - len(shape)
    kept = tuple(i for i, n in enumerate(shape) if n == 1 and read.shape[lead + i] != 1)
    return read.sum(axis=tuple(range(lead))).sum(axis=kept, keepdims=True).reshape(shape)


for _made in (mask_scalar, mask_tensor):

    @_made.gradient("data")
    def _(dy: Any, mask: Any, start_axis: int) -> Any:
        return mask_scalar(dy, mask, value=0.0, start_axis=start_axis)

    _made.gradient("mask")(flat)


@mask_tensor.gradient("value")
def _(dy: Any, mask: Any, value: Any, start_axis: int) -> Any:
    return read_mask(dy, mask, shape=value.shape, start_axis=start_axis)


_mask = constant([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
mask_scalar.sample(data=normal(2, 3), mask=_mask, value=2.5, start_axis=0)
mask_scalar.sample(data=normal(4, 2), mask=constant([1.0, 0.0]), value=2.5, start_axis=1)
mask_tensor.sample(data=normal(2, 3), mask=_mask, value=normal(3), start_axis=0)
mask_tensor.sample(data=normal(2, 3), mask=_mask, value=normal(), start_axis=0)
_half = constant([1.0, 0.0])
mask_tensor.sample(data=normal(4, 2, 2), mask=_half, value=normal(4, 1, 1), start_axis=1)
