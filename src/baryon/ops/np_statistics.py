"""Statistics of the NumPy interface: variances, averages, extremes' positions, cumulative sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, DType, Shape
from .broadcast import sum_over
from .np_reduce import count, like, np_axes, np_mean, np_reduced, over, reduced
from .numeric import numeric
from .op import Op, get, op
from .reshape import normalize
from .rules import Rule, forward, output_dtype
from .samples import distinct, integers, normal, uniform
from .unary import flat

# ---- variance and standard deviation -------------------------------------------------------------


def _spread_dtype(attrs: Attrs, dtype: Any) -> Any:
    if dtype == np.bool_ and attrs.dtype is None:
        raise MXNetError("data type bool is not supported; pass dtype")
    return attrs.dtype or dtype


def _variance(xp: Any, a: Any, axis: Any, ddof: int) -> Any:
    axes, number = np_axes(axis, a.ndim), count(a.shape, axis)
    wide = a.astype(xp.float64)
    mean = wide.sum(axis=axes, keepdims=True) / max(number, 1)
    return xp.divide(xp.square(wide - mean).sum(axis=axes), number - ddof)


def dispersion(name: str, root: bool, doc: str, printed: str) -> Op:
    """Declare ``_npi_NAME``: a measure of spread, beside which MXNet counts a hidden mean."""

    def run(
        xp: Any,
        a: Any,
        *,
        axis: Shape | None = None,
        dtype: DType | None = None,
        ddof: int = 0,
        keepdims: bool = False,
    ) -> Any:
        shape = np_reduced(a.shape, np_axes(axis, a.ndim), keepdims)
        variance = _variance(xp, a, axis, ddof)
        return (xp.sqrt(variance) if root else variance).reshape(shape)

    run.__name__ = name
    run.__doc__ = (
        f"{doc} over `axis` (None: all), of n elements: squares are divided by ``n - ddof``.\n\n"
        "Integers are cut towards zero unless `dtype` names the type of the result. `keepdims`\n"
        "leaves the axes with size 1.\n"
        f"(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}(mx.np.array([[1.0, 3.0], [2.0, 2.0]]), axis=1).tolist()\n"
        f"    {printed}\n    "
    )
    made = op(
        f"_npi_{name}",
        outputs=(name,),
        counted=lambda a: 2,
        shape=forward(reduced),
        dtype=output_dtype(_spread_dtype),
    )(run)

    @made.gradient("a")
    def _(dy: Any, a: Any, out: Any, axis: Any, ddof: int) -> Any:
        head = like(dy, a) / like(out, a) * 0.5 if root else like(dy, a)
        freedom = count(a.shape, axis) - ddof
        mean = over(np_mean(a, axis=axis, keepdims=out.ndim == a.ndim), a, axis)
        return over(head * (2 / freedom if freedom else np.nan), a, axis) * (a - mean)

    made.sample(a=normal(2, 3, 4))
    made.sample(a=normal(2, 3, 4), axis=(0, 2), keepdims=True, ddof=1)
    made.sample(a=normal(2, 3, 4), axis=-1, dtype="float64")
    made.sample(a=integers(5), _dtypes=("int32",), _grad=())
    return made


dispersion("std", True, "Standard deviation", "[1.0, 0.0]")
dispersion("var", False, "Variance", "[1.0, 0.0]")

# ---- average -------------------------------------------------------------------------------------


def _weights_shape(attrs: Attrs, a: tuple[int, ...], weights: tuple[int, ...]) -> tuple[int, ...]:
    """The shape under which weights broadcast against `a`; MXNetError if they do not fit."""
    if weights == a:
        return a
    axes = np_axes(attrs.axis, len(a))
    if len(weights) != 1 or attrs.axis is None or len(axes) != 1 or weights[0] != a[axes[0]]:
        raise MXNetError("weights must have the shape of a, or be a vector along its one axis")
    return tuple(n if i in axes else 1 for i, n in enumerate(a))


def _average_shapes(attrs: Attrs, a: tuple[int, ...], *weights: tuple[int, ...]) -> list:
    axes = np_axes(attrs.axis, len(a))
    mean = np_reduced(a, axes, False)
    if not weights:
        return [mean, ()]
    _weights_shape(attrs, a, weights[0])
    return [mean, mean if weights[0] == a else ()]


@op(
    "_npi_average",
    outputs=("output0", "output1"),
    visible=lambda a: 2 if a.returned else 1,
    present={"weights": lambda a: a.weighted},
    shape=forward(_average_shapes),
    dtype=numeric,
)
def average(
    xp: Any,
    a: Any,
    weights: Any = None,
    *,
    axis: Shape | None = None,
    returned: bool = False,
    weighted: bool = True,
) -> Any:
    """Average of `a` over `axis` (None: all), each element counting as its weight says.

    weights: of the shape of `a`, or a vector along one axis; without them (`weighted` False) all
    count 1. returned: whether the sum of the weights is a second output. It has the shape of the
    average, or () for a vector of weights and without weights.  (MXNet ``mx.np.average``.)

    >>> mx.np.average(mx.np.array([1.0, 5.0]), weights=mx.np.array([3.0, 1.0])).item()
    2.0
    """
    axes = np_axes(axis, a.ndim)
    wide = a.astype(xp.float64)
    if weights is None:
        number = count(a.shape, axis)
        return xp.divide(wide.sum(axis=axes), number), xp.full((), float(number))
    shape = _weights_shape(Attrs(axis=axis), a.shape, weights.shape)
    factor = weights.astype(xp.float64).reshape(shape)
    sums = factor.sum(axis=axes) if weights.shape == a.shape else factor.sum()
    return (wide * factor).sum(axis=axes) / sums, sums


def _shaped_weights(a: Any, weights: Any, axis: Any) -> Any:
    shape = _weights_shape(Attrs(axis=axis), a.shape, weights.shape)
    return weights if weights.shape == shape else get("_backward_reshape")(weights, shape=shape)


@average.gradient("a")
def _(d_output0: Any, a: Any, weights: Any, output1: Any, axis: Any) -> Any:
    if d_output0 is None:
        return None
    head = over(d_output0 / output1, a, axis)
    return head if weights is None else head * _shaped_weights(a, weights, axis)


@average.gradient("weights")
def _(
    d_output0: Any, d_output1: Any, a: Any, weights: Any, output0: Any, output1: Any, axis: Any
) -> Any:
    total = None
    if d_output0 is not None:
        total = over(d_output0 / output1, a, axis) * (a - over(output0, a, axis))
    if d_output1 is not None and weights.shape == a.shape:
        part = over(d_output1, a, axis)
        total = part if total is None else total + part
    if total is None or weights.shape == a.shape:
        only = d_output1 is not None and weights.shape != a.shape
        return get("broadcast_to")(d_output1, shape=weights.shape) if only else total
    axes = np_axes(axis, len(a.shape))
    others = tuple(i for i in range(len(a.shape)) if i not in axes)
    down = sum_over(total, axis=others, shape=weights.shape)
    return down if d_output1 is None else down + d_output1


_weights = uniform(3, 4, low=0.5, high=2.0)
average.sample(a=normal(3, 4), weights=_weights, returned=True)
average.sample(a=normal(3, 4), weights=_weights, axis=1, returned=True)
average.sample(a=normal(3, 4), weights=uniform(4, low=0.5, high=2.0), axis=1, returned=True)
average.sample(a=normal(3, 4), axis=0, weighted=False)
average.sample(a=integers(4), weighted=False, _dtypes=("int32",), _grad=())

# ---- positions of extremes -----------------------------------------------------------------------


def _position_dtype(attrs: Attrs, dtype: Any) -> str:
    if dtype == np.bool_:
        raise MXNetError("data type bool is not supported; cast it first")
    return "int64"


def _position_shape(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    axes = np_axes(None if attrs.axis is None else (attrs.axis,), len(data))
    if any(data[i] == 0 for i in axes):
        raise MXNetError("no element lies along the axis")
    return np_reduced(data, axes, attrs.keepdims)


def position(name: str, body: Callable[..., Any], doc: str, printed: str) -> Op:
    """Declare ``_npi_NAME``: where along an axis an extreme lies."""

    def run(xp: Any, data: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        shape = _position_shape(Attrs(axis=axis, keepdims=keepdims), data.shape)
        return body(xp, data, axis).reshape(shape)

    run.__name__ = name
    run.__doc__ = (
        f"{doc} along `axis` (None: in the flattened array), the first of several, as int64.\n\n"
        "NaN counts as the extreme; keepdims leaves the axis with size 1; no gradient flows.\n"
        f"(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}(mx.np.array([[1.0, 3.0], [4.0, 2.0]]), axis=1).tolist()\n"
        f"    {printed}\n    "
    )
    rule: Rule = output_dtype(_position_dtype)
    made = op(f"_npi_{name}", shape=forward(_position_shape), dtype=rule)(run)
    made.gradient("data")(flat)
    for axis in (None, 0, -1):
        made.sample(data=distinct(2, 3, 2), axis=axis, keepdims=axis == 0, _grad=())
    made.sample(data=distinct(), _grad=())
    return made


position("argmax", lambda xp, x, axis: x.argmax(axis), "Position of the largest value", "[1, 0]")
position("argmin", lambda xp, x, axis: x.argmin(axis), "Position of the smallest value", "[0, 1]")

# ---- cumulative sum ------------------------------------------------------------------------------


def _running_shape(attrs: Attrs, a: tuple[int, ...]) -> tuple[int, ...]:
    if attrs.axis is None:
        return (int(np.prod(a, dtype=np.int64)),)
    normalize(attrs.axis, len(a))
    return a


def _running_dtype(attrs: Attrs, dtype: Any) -> Any:
    return attrs.dtype or ("int64" if dtype == np.bool_ else dtype)


@op(
    "_np_cumsum",
    aliases=("cumsum",),
    shape=forward(_running_shape),
    dtype=output_dtype(_running_dtype),
)
def cumsum(xp: Any, a: Any, *, axis: int | None = None, dtype: DType | None = None) -> Any:
    """Sums of all elements up to each one along `axis` (None: of the flattened array).

    dtype: type of the result, in which it is added up (half types in float32); by default that of
    `a`, int64 for bool.  (MXNet ``mx.np.cumsum``.)

    >>> mx.nd.cumsum(mx.nd.array([1, 2, 3])).asnumpy()
    array([1., 3., 6.], dtype=float32)
    """
    target = np.dtype(dtype or a.dtype)
    wide = target if target in (np.float32, np.float64) else xp.float32
    return xp.cumsum(a, axis=axis, dtype=wide if is_float(target) else xp.int64)


@cumsum.gradient("a")
def _(dy: Any, a: Any, axis: Any) -> Any:
    along = 0 if axis is None else normalize(axis, len(a.shape))
    turned = get("reverse")(dy, axis=(along,))
    result = get("reverse")(cumsum(turned, axis=along), axis=(along,))
    return result if axis is not None else get("_backward_reshape")(result, shape=a.shape)


cumsum.sample(a=normal(2, 3, 2), axis=1)
cumsum.sample(a=normal(2, 3))
cumsum.sample(a=normal(2, 3), axis=-1, dtype="float64")
cumsum.sample(a=integers(2, 3), axis=0, _dtypes=("int32", "bool"), _grad=())
