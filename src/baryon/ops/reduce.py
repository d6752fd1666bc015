"""Reductions over axes.

A reduction over every axis without `keepdims` has shape (1,), as MXNet's legacy arrays have no
shape ().
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype, is_float
from .attrs import Attrs, Shape
from .broadcast import axes_of, reduced_shape, spread, total, total_dtype
from .cast import cast
from .copies import zeros_like
from .csr import summed
from .fusion import Fusion
from .op import Op, get, op
from .rules import forward, output_dtype
from .samples import constant, distinct, normal, uniform
from .unary import sign


def _axes(a: Attrs, ndim: int) -> tuple[int, ...]:
    return axes_of(a.axis, ndim, a.get("exclude", False))


def _shape(a: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    return reduced_shape(data, _axes(a, len(data)), a.keepdims)


def _params(a: Attrs, ins: Any, outs: Any) -> tuple[int, ...]:
    return _axes(a, len(ins[0].shape))


def reduction(
    name: str,
    body: Callable[..., Any],
    gradient: Callable[..., Any],
    *,
    doc: str,
    example: str,
    aliases: Iterable[str] = (),
    onnx: str | None = None,
    draw: Callable[..., Any] = normal,
) -> Op:
    """Declare ``body(xp, data, axes)`` as a reduction; `example`: rows of [[1, 2], [3, 4]]."""

    def run(
        xp: Any,
        data: Any,
        *,
        axis: Shape | None = None,
        keepdims: bool = False,
        exclude: bool = False,
    ) -> Any:
        axes = axes_of(axis, data.ndim, exclude)
        return body(xp, data, axes).reshape(reduced_shape(data.shape, axes, keepdims))

    run.__name__ = name
    run.__doc__ = (
        f"{doc}\n\naxis: axes to reduce, all for None or (); exclude: reduce the others instead;\n"
        "keepdims: leave the reduced axes with size 1. A full reduction has shape (1,).\n"
        f"(MXNet operator ``{name}``.)\n\n"
        f"    >>> mx.nd.{name}(mx.nd.array([[1.0, 2.0], [3.0, 4.0]]), axis=1).asnumpy()\n"
        f"    array({example}, dtype=float32)\n    "
    )
    made = op(name, aliases=aliases, shape=forward(_shape), kernel=True, params=_params, onnx=onnx)(
        run
    )
    made.gradient("data")(gradient)
    made.fusion = Fusion(reduces=_axes)
    made.sample(data=draw(2, 3, 4))
    made.sample(data=draw(2, 3, 4), axis=(0, 2), keepdims=True)
    made.sample(data=draw(2, 3, 4), axis=-1)
    made.sample(data=draw(2, 3, 4), axis=1, exclude=True)
    return made


def over(value: Any, data: Any, axis: Any, exclude: bool = False) -> Any:
    """A reduction's result (or its head gradient) repeated to the shape of `data`."""
    return spread(value, axis=axes_of(axis, len(data.shape), exclude), shape=data.shape)


def _sum(xp: Any, x: Any, axes: tuple) -> Any:
    if x.dtype == np.bool_:
        return xp.any(x, axis=axes)
    return total(x, axes)


def _prod(xp: Any, x: Any, axes: tuple) -> Any:
    if x.dtype == np.bool_:
        return xp.all(x, axis=axes)
    return x.prod(axis=axes, dtype=total_dtype(x.dtype))


def _mean(xp: Any, x: Any, axes: tuple) -> Any:
    count = math.prod(x.shape[i] for i in axes)
    summed = _sum(xp, x, axes)
    if is_float(np.dtype(x.dtype)):
        return summed / np.float64(count)
    # Integers are summed in their own type, as MXNet does, and the quotient is cut towards zero.
    return summed if x.dtype == np.bool_ else xp.trunc(summed / max(count, 1))


def _without_nan(xp: Any, x: Any, value: int) -> Any:
    return xp.where(x != x, xp.full_like(x, value), x)


def _sum_gradient(dy: Any, data: Any, axis: Any, exclude: bool) -> Any:
    return over(dy, data, axis, exclude)


def _mean_gradient(dy: Any, data: Any, axis: Any, exclude: bool) -> Any:
    count = math.prod(data.shape[i] for i in axes_of(axis, len(data.shape), exclude))
    return over(dy / count, data, axis, exclude)


def _prod_gradient(dy: Any, data: Any, out: Any, axis: Any, exclude: bool) -> Any:
    return over(dy * out, data, axis, exclude) / data


def _extreme_gradient(dy: Any, data: Any, out: Any, axis: Any, exclude: bool) -> Any:
    return over(dy, data, axis, exclude) * (data == over(out, data, axis, exclude))


def _nansum_gradient(dy: Any, data: Any, axis: Any, exclude: bool) -> Any:
    return over(dy, data, axis, exclude) * (data == data)


def _nanprod_gradient(dy: Any, data: Any, out: Any, axis: Any, exclude: bool) -> Any:
    gradient = _prod_gradient(dy, data, out, axis, exclude)
    return get("where")(data == data, gradient, zeros_like(gradient))


def _positive(*shape: int) -> Any:
    return uniform(*shape, low=0.5, high=1.5)


sum_ = reduction(
    "sum",
    _sum,
    _sum_gradient,
    doc="Sum; half types are summed in float32, integers in their own type.",
    example="[3., 7.]",
    aliases=("sum_axis", "_sparse_sum"),
    onnx="ReduceSum",
)
mean = reduction(
    "mean",
    _mean,
    _mean_gradient,
    doc="Arithmetic mean; integers are cut towards zero.",
    example="[1.5, 3.5]",
    aliases=("_sparse_mean",),
    onnx="ReduceMean",
)


@sum_.stored("csr -> default")
def _(xp: Any, data: Any, *, axis: Any, keepdims: bool, exclude: bool) -> Any:
    return summed(xp, data, axes_of(axis, 2, exclude), keepdims)


@mean.stored("csr -> default")
def _(xp: Any, data: Any, *, axis: Any, keepdims: bool, exclude: bool) -> Any:
    axes = axes_of(axis, 2, exclude)
    return summed(xp, data, axes, keepdims) / math.prod(data.shape[i] for i in axes)


reduction(
    "prod",
    _prod,
    _prod_gradient,
    doc="Product. Its gradient is ``product / x``, NaN where x is 0, as in MXNet.",
    example="[ 2., 12.]",
    onnx="ReduceProd",
    draw=_positive,
)
reduction(
    "max",
    lambda xp, x, axes: x.max(axis=axes),
    _extreme_gradient,
    doc="Largest value, NaN if there is one; the gradient goes to every tied entry.",
    example="[2., 4.]",
    aliases=("max_axis",),
    onnx="ReduceMax",
    draw=distinct,
)
reduction(
    "min",
    lambda xp, x, axes: x.min(axis=axes),
    _extreme_gradient,
    doc="Smallest value, NaN if there is one; the gradient goes to every tied entry.",
    example="[1., 3.]",
    aliases=("min_axis",),
    onnx="ReduceMin",
    draw=distinct,
)
reduction(
    "nansum",
    lambda xp, x, axes: _sum(xp, _without_nan(xp, x, 0), axes),
    _nansum_gradient,
    doc="Sum in which NaN counts as 0.",
    example="[3., 7.]",
)
reduction(
    "nanprod",
    lambda xp, x, axes: _prod(xp, _without_nan(xp, x, 1), axes),
    _nanprod_gradient,
    doc="Product in which NaN counts as 1.",
    example="[ 2., 12.]",
    draw=_positive,
)
for _name in ("nansum", "nanprod"):
    get(_name).sample(data=constant([[1.5, np.nan, 2.0], [np.nan, np.nan, -1.0]]), axis=1, _grad=())
for _name in ("sum", "mean", "prod", "max", "min"):
    get(_name).sample(data=constant([[1, 2], [3, 5]], True), axis=0, _dtypes=("int32",), _grad=())

# ---- norm and moments --------------------------------------------------------------------------


def _norm_shape(a: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    if a.ord not in (1, 2):
        raise MXNetError(f"attribute ord is 1 or 2, got {a.ord}")
    return _shape(a, data)


def _norm_dtype(a: Attrs, dtype: Any) -> Any:
    return dtype if a.out_dtype is None else as_dtype(a.out_dtype)


def _norm_params(a: Attrs, ins: Any, outs: Any) -> tuple[int, ...] | None:
    return None if ins[0].dtype != outs[0].dtype else (a.ord, *_axes(a, len(ins[0].shape)))


@op(
    "norm",
    aliases=("_sparse_norm",),
    shape=forward(_norm_shape),
    dtype=output_dtype(_norm_dtype),
    kernel=True,
    params=_norm_params,
)
def norm(
    xp: Any,
    data: Any,
    *,
    ord: int = 2,
    axis: Shape | None = None,
    out_dtype: Literal[None, "float16", "float32", "float64", "int32", "int64", "int8"] = None,
    keepdims: bool = False,
) -> Any:
    """Sum of absolute values (`ord` 1) or Euclidean length (`ord` 2) over `axis`.

    axis None or () takes all axes, two axes the entries of each matrix (Frobenius for `ord` 2).
    out_dtype: dtype of the result, by default that of `data`.  (MXNet operator ``norm``.) keepdims:
    leave the reduced axes with size 1.

    >>> mx.nd.norm(mx.nd.array([3.0, 4.0])).asnumpy()
    array([5.], dtype=float32)
    """
    axes = axes_of(axis, data.ndim)
    wide = data.astype(xp.float64)
    size = xp.abs(wide).sum(axis=axes) if ord == 1 else xp.sqrt((wide * wide).sum(axis=axes))
    return size.reshape(reduced_shape(data.shape, axes, keepdims))


@norm.stored("csr -> default", "row_sparse -> default", when=lambda a: not a.axis)
def _(xp: Any, data: Any, **attrs: Any) -> Any:
    size = norm.body(xp, data.values.reshape(-1), **{**attrs, "axis": None, "keepdims": False})
    return size.reshape((1,) * data.ndim if attrs["keepdims"] else (1,))


@norm.gradient("data")
def _(dy: Any, data: Any, out: Any, ord: int, axis: Any) -> Any:
    def shaped(value: Any) -> Any:
        value = value if value.dtype == data.dtype else cast(value, dtype=data.dtype)
        return over(value, data, axis)

    return shaped(dy) * sign(data) if ord == 1 else shaped(dy / out) * data


norm.sample(data=normal(2, 3))
norm.sample(data=normal(2, 3, 4), ord=1, axis=1)
norm.sample(data=normal(2, 3, 4), axis=(0, 2), keepdims=True)
norm.sample(data=normal(2, 3), axis=1, out_dtype="float64")


def _moment_shapes(a: Attrs, data: tuple[int, ...]) -> list:
    return [reduced_shape(data, axes_of(a.axes, len(data)), a.keepdims)] * 2


@op("moments", outputs=("output0", "output1"), shape=forward(_moment_shapes))
def moments(xp: Any, data: Any, *, axes: Shape | None = None, keepdims: bool = False) -> Any:
    """Mean and (biased) variance over `axes`, by default all.  (MXNet operator ``moments``.)

    keepdims: leave the reduced axes with size 1.

    >>> [m.asnumpy().tolist() for m in mx.nd.moments(mx.nd.array([1.0, 3.0]), axes=0)]
    [[2.0], [1.0]]
    """
    over_axes = axes_of(axes, data.ndim)
    shape = reduced_shape(data.shape, over_axes, keepdims)
    wide = data.astype(xp.float64)
    centre = wide.mean(axis=over_axes, keepdims=True)
    variance = xp.square(wide - centre).mean(axis=over_axes)
    return centre.reshape(shape), variance.reshape(shape)


@moments.gradient("data")
def _(d_output0: Any, d_output1: Any, data: Any, output0: Any, axes: Any) -> Any:
    count = math.prod(data.shape[i] for i in axes_of(axes, len(data.shape)))
    result = None if d_output0 is None else over(d_output0 / count, data, axes)
    if d_output1 is not None:
        part = over(d_output1 * (2 / count), data, axes) * (data - over(output0, data, axes))
        result = part if result is None else result + part
    return result


moments.sample(data=normal(3, 4), axes=(0,))
moments.sample(data=normal(2, 3, 4), axes=(0, 2), keepdims=True)
