"""Broadcasts of one tensor, the sums that are their transposes, and the axes both speak of.

`spread` repeats, `sum_over` sums; each is the other's gradient, and every reduction's and
broadcast's gradient is one of them. The reverse walk uses `unbroadcast`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, Shape
from .op import op
from .rules import forward
from .samples import normal


def axes_of(axis: tuple[int, ...] | None, ndim: int, exclude: bool = False) -> tuple[int, ...]:
    """The reduced axes, ascending and non-negative: all of them for None or ()."""
    if not axis:
        return tuple(range(ndim))
    found = []
    for a in axis:
        if not -ndim <= a < ndim:
            raise MXNetError(f"axis {a} is out of range for {ndim} dimensions")
        found.append(a % ndim)
    if len(set(found)) < len(found):
        raise MXNetError(f"axis {axis} names a dimension twice")
    return tuple(i for i in range(ndim) if (i in found) != exclude)


def reduced_shape(shape: tuple, axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """Shape that remains of `shape`."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes) or (1,)


def total_dtype(dtype: np.dtype) -> np.dtype:
    """The type in which sums and products are computed: float64, or the integer type itself."""
    return np.dtype("float64") if is_float(np.dtype(dtype)) else np.dtype(dtype)


def total(x: Any, axes: tuple[int, ...]) -> Any:
    """Sum over exactly `axes`, in `total_dtype`."""
    return x.sum(axis=axes, dtype=total_dtype(x.dtype))


# ---- hidden: repeat and sum ---------------------------------------------------------------------


@op(
    "_spread",
    derived=True,
    shape=lambda a, ins, outs: (ins, [a.shape]),
    kernel="broadcast_to",
    params=lambda a, ins, outs: a.axis,
)
def spread(xp: Any, data: Any, *, axis: Shape, shape: Shape) -> Any:
    """`data` repeated along axes `axis` of the result, whose shape is `shape`."""
    kept = tuple(1 if i in axis else n for i, n in enumerate(shape))
    return xp.ascontiguousarray(xp.broadcast_to(data.reshape(kept), shape))


@op(
    "_sum_over",
    derived=True,
    shape=lambda a, ins, outs: (ins, [a.shape]),
    kernel="sum",
    params=lambda a, ins, outs: a.axis,
)
def sum_over(xp: Any, data: Any, *, axis: Shape, shape: Shape) -> Any:
    """Sum over exactly the axes `axis` (none for an empty tuple), given the shape `shape`."""
    return total(data, axis).reshape(shape)


@spread.gradient("data")
def _(dy: Any, data: Any, axis: tuple) -> Any:
    return sum_over(dy, axis=axis, shape=data.shape)


@sum_over.gradient("data")
def _(dy: Any, data: Any, axis: tuple) -> Any:
    return spread(dy, axis=axis, shape=data.shape)


def repeated(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of `large` along which NumPy's broadcasting repeats an array of shape `small`."""
    offset = len(large) - len(small)
    if offset < 0 or any(n not in (1, large[offset + i]) for i, n in enumerate(small)):
        raise MXNetError(f"shape {small} does not broadcast to {large}")
    return tuple(
        i for i, n in enumerate(large) if i < offset or (small[i - offset] == 1 and n != 1)
    )


@op(
    "_unbroadcast",
    derived=True,
    shape=lambda a, ins, outs: (ins, [a.shape]),
    kernel="sum",
    params=lambda a, ins, outs: repeated(a.shape, ins[0].shape),
)
def unbroadcast(xp: Any, data: Any, *, shape: Shape) -> Any:
    """`data` summed down to `shape`, from which NumPy's broadcasting leads to its own shape."""
    return total(data, repeated(shape, data.shape)).reshape(shape)


@unbroadcast.gradient("data")
def _(dy: Any, data: Any, shape: tuple) -> Any:
    return spread(dy, axis=repeated(shape, data.shape), shape=data.shape)


spread.sample(data=normal(2, 4), axis=(1,), shape=(2, 3, 4))
spread.sample(data=normal(1), axis=(0, 1), shape=(2, 3))
sum_over.sample(data=normal(2, 3, 4), axis=(0, 2), shape=(3,))
sum_over.sample(data=normal(2, 3), axis=(), shape=(2, 3))
unbroadcast.sample(data=normal(2, 3, 4), shape=(3, 1))
unbroadcast.sample(data=normal(2, 3), shape=(1,))
unbroadcast.sample(data=normal(2, 3), shape=(2, 3))

# ---- MXNet's broadcasts ------------------------------------------------------------------------


def _repeat_params(a: Attrs, ins: Any, outs: Any) -> tuple[int, ...]:
    return repeated(ins[0].shape, outs[0].shape)


def _to_shape(a: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    """The attribute `shape` with its zeros filled from the data's dimensions, right-aligned."""
    offset = len(a.shape) - len(data)
    if 0 in a.shape[: max(offset, 0)]:
        raise MXNetError(f"shape {a.shape}: a 0 copies an axis, and data has only {len(data)}")
    shape = tuple(data[i - offset] if n == 0 and i >= offset else n for i, n in enumerate(a.shape))
    repeated(data, shape)
    return shape


def _like(dy: Any, data: Any) -> Any:
    return unbroadcast(dy, shape=data.shape)


@op("broadcast_to", shape=forward(_to_shape), kernel=True, params=_repeat_params, onnx="Expand")
def broadcast_to(xp: Any, data: Any, *, shape: Shape = ()) -> Any:
    """`data` repeated to `shape`, in which 0 keeps the dimension of `data`.

    Only dimensions of size 1 (or missing on the left) repeat.  (MXNet operator ``broadcast_to``.)

    >>> mx.nd.broadcast_to(mx.nd.array([[1.0], [2.0]]), shape=(0, 3)).asnumpy()
    array([[1., 1., 1.],
           [2., 2., 2.]], dtype=float32)
    """
    offset = len(shape) - data.ndim
    full = tuple(data.shape[i - offset] if n == 0 else n for i, n in enumerate(shape))
    return xp.ascontiguousarray(xp.broadcast_to(data, full))


def _along_axes(a: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    if len(a.axis) != len(a.size):
        raise MXNetError(f"axis {a.axis} and size {a.size} differ in length")
    shape = list(data)
    for i, n in zip(axes_of(a.axis, len(data)) if a.axis else (), _by_axis(a, data), strict=True):
        if data[i] != 1:
            raise MXNetError(f"axis {i} has size {data[i]}, only size 1 can be repeated")
        shape[i] = n
    return tuple(shape)


def _by_axis(a: Attrs, data: tuple[int, ...]) -> list[int]:
    """The sizes in the order of ascending axes."""
    return [n for _, n in sorted(zip((i % len(data) for i in a.axis), a.size, strict=True))]


@op(
    "broadcast_axis",
    aliases=("broadcast_axes",),
    shape=forward(_along_axes),
    kernel="broadcast_to",
    params=_repeat_params,
)
def broadcast_axis(xp: Any, data: Any, *, axis: Shape = (), size: Shape = ()) -> Any:
    """`data` repeated `size` times along each of `axis`, whose size must be 1.

    (MXNet operator ``broadcast_axis``.)

    >>> mx.nd.broadcast_axis(mx.nd.array([[1.0], [2.0]]), axis=1, size=2).asnumpy()
    array([[1., 1.],
           [2., 2.]], dtype=float32)
    """
    shape = list(data.shape)
    for i, n in zip(axis, size, strict=True):
        shape[i] = n
    return xp.ascontiguousarray(xp.broadcast_to(data, tuple(shape)))


def _like_shape(a: Attrs, lhs: tuple[int, ...], rhs: tuple[int, ...]) -> tuple[int, ...]:
    if bool(a.lhs_axes) != bool(a.rhs_axes):
        raise MXNetError("lhs_axes and rhs_axes must be given both or neither")
    if not a.lhs_axes:
        repeated(lhs, rhs)
        return rhs
    if len(a.lhs_axes) != len(a.rhs_axes):
        raise MXNetError(f"lhs_axes {a.lhs_axes} and rhs_axes {a.rhs_axes} differ in length")
    shape = list(lhs)
    for i, j in zip(a.lhs_axes, a.rhs_axes, strict=True):
        shape[i] = rhs[j]
    repeated(lhs, tuple(shape))
    return tuple(shape)


def _lhs_dtype(a: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [ins[0]]


@op(
    "broadcast_like",
    shape=forward(_like_shape),
    dtype=_lhs_dtype,
    kernel="broadcast_to",
    params=_repeat_params,
)
def broadcast_like(
    xp: Any, lhs: Any, rhs: Any, *, lhs_axes: Shape | None = None, rhs_axes: Shape | None = None
) -> Any:
    """`lhs` repeated to the shape of `rhs`, whose values and dtype do not matter.

    lhs_axes, rhs_axes: only these axes of `lhs` take the sizes of these of `rhs`.
    (MXNet operator ``broadcast_like``.)

    >>> mx.nd.broadcast_like(mx.nd.array([[1.0]]), mx.nd.zeros((1, 3))).asnumpy()
    array([[1., 1., 1.]], dtype=float32)
    """
    shape = list(lhs.shape if lhs_axes and rhs_axes else rhs.shape)
    for i, j in zip(lhs_axes or (), rhs_axes or (), strict=True):
        shape[i] = rhs.shape[j]
    return xp.ascontiguousarray(xp.broadcast_to(lhs, tuple(shape)))


broadcast_to.gradient("data")(_like)
broadcast_axis.gradient("data")(_like)


@broadcast_like.gradient("lhs")
def _(dy: Any, lhs: Any) -> Any:
    return unbroadcast(dy, shape=lhs.shape)


@broadcast_like.gradient("rhs")
def _(dy: Any) -> None:
    return None


broadcast_to.sample(data=normal(2, 1, 3), shape=(2, 4, 0))
broadcast_to.sample(data=normal(1), shape=(3,))
broadcast_axis.sample(data=normal(1, 3, 1), axis=(2, 0), size=(4, 2))
broadcast_like.sample(lhs=normal(2, 1), rhs=normal(2, 3))
broadcast_like.sample(lhs=normal(1, 2), rhs=normal(4, 3), lhs_axes=(0,), rhs_axes=(1,))
