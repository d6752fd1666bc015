"""Polynomials and percentiles in the NumPy interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .np_reduce import np_axes, np_reduced
from .numeric import numeric
from .op import get, op
from .rules import forward, output_dtype
from .samples import constant, distinct, integers, normal
from .unary import flat

# ---- polynomials ---------------------------------------------------------------------------------


def _polynomial(attrs: Attrs, p: Sequence[int], x: Sequence[int]) -> tuple[int, ...]:
    if len(p) != 1:
        raise MXNetError(f"p must be a vector of coefficients, got {len(p)} dimensions")
    return tuple(x)


@op("_npi_polyval", shape=forward(_polynomial), dtype=numeric)
def polyval(xp: Any, p: Any, x: Any) -> Any:
    """Value at each `x` of the polynomial with coefficients `p`, that of the highest power first.

    (MXNet ``mx.np.polyval``.)

    >>> mx.np.polyval(mx.np.array([1.0, 0.0, 2.0]), mx.np.array([0.0, 3.0])).tolist()
    [2.0, 11.0]
    """
    total = xp.zeros_like(x)
    for coefficient in p:
        total = total * x + coefficient
    return total


@polyval.gradient("x")
def _(dy: Any, p: Any, x: Any) -> Any:
    degree = p.shape[0] - 1
    if degree < 1:
        return None
    leading = get("slice_axis")(p, axis=0, begin=0, end=degree)
    powers = get("reverse")(get("cumsum")(get("ones_like")(leading)), axis=(0,))
    return dy * polyval(leading * powers, x)


@polyval.gradient("p")
def _(dy: Any, p: Any, x: Any) -> Any:
    if not p.shape[0]:
        return None
    degree = p.shape[0] - 1
    rows = [get("ones_like")(x)]
    for _ in range(degree):
        rows.append(rows[-1] * x)
    summed = [get("_sum_over")(dy * r, axis=tuple(range(x.ndim)), shape=(1,)) for r in rows[::-1]]
    return summed[0] if len(summed) == 1 else get("Concat")(*summed, dim=0, num_args=len(summed))


polyval.sample(p=normal(3), x=normal(4))
polyval.sample(p=normal(4), x=normal(2, 3))
polyval.sample(p=normal(1), x=normal())
polyval.sample(p=integers(3), x=integers(2), _dtypes=("int32",), _grad=())

# ---- percentiles ---------------------------------------------------------------------------------

Interpolation = Literal["higher", "linear", "lower", "midpoint", "nearest"]


def _percentile_shape(attrs: Attrs, a: Sequence[int], *q: tuple[int, ...]) -> tuple[int, ...]:
    axes = np_axes(attrs.axis, len(a))
    if any(a[i] == 0 for i in axes):
        raise MXNetError("no element lies along the axes")
    return (*(q[0] if q else ()), *np_reduced(a, axes, attrs.keepdims))


def _percentile_dtype(attrs: Attrs, a: Any, *q: Any) -> Any:
    return a if a is None or a == np.float64 else "float32"


def _nearest(xp: Any, a: Any, q: Any, axes: Sequence[int]) -> Any:
    """The nearest element, of two equally near ones the larger, which NumPy leaves to parity."""
    kept = [i for i in range(a.ndim) if i not in axes]
    rows = xp.transpose(a, (*kept, *axes)).reshape(*(a.shape[i] for i in kept), -1)
    at = xp.floor(fixed(xp, q) / 100 * (rows.shape[-1] - 1) + 0.5).astype(xp.int64)
    found = xp.take(xp.sort(rows, axis=-1), at, axis=-1)
    return xp.moveaxis(found, tuple(range(len(kept), found.ndim)), tuple(range(at.ndim)))


@op(
    "_npi_percentile",
    present={"q": lambda a: a.q_scalar is None},
    shape=forward(_percentile_shape),
    dtype=output_dtype(_percentile_dtype),
)
def percentile(
    xp: Any,
    a: Any,
    q: Any = None,
    *,
    axis: Shape | None = None,
    interpolation: Interpolation = "linear",
    keepdims: bool = False,
    q_scalar: float | None = None,
) -> Any:
    """The value below which `q` per cent of the elements along `axis` (None: all) lie.

    An array of percentages `q` adds its axes in front; `q_scalar` is a single one. Between two
    elements `interpolation` says what counts (nearest: ties go up). All types but float64 give
    float32. No gradient flows.  (MXNet ``mx.np.percentile``.) `keepdims` leaves the axes with size
    1.

    >>> mx.np.percentile(mx.np.array([1.0, 2.0, 4.0, 9.0]), 50).item()
    3.0
    """
    wanted = np.float64(q_scalar) if q is None else q.astype(xp.float64)
    if bool(((wanted < 0) | (wanted > 100)).any()):
        raise MXNetError("operator _npi_percentile: q must lie between 0 and 100")
    axes = np_axes(axis, a.ndim)
    wide = a.astype(xp.float64)
    if interpolation == "nearest":
        found = _nearest(xp, wide, wanted, axes)
        return found.reshape((*wanted.shape, *np_reduced(a.shape, axes, keepdims)))
    return xp.percentile(wide, wanted, axis=axes, method=interpolation, keepdims=keepdims)


percentile.gradient("a")(flat)
for _mode in ("linear", "lower", "higher", "midpoint", "nearest"):
    percentile.sample(a=distinct(3, 4), q_scalar=30.0, interpolation=_mode, _grad=())
percentile.sample(a=distinct(3, 4), q=constant([30.0, 60.0]), axis=(0,), keepdims=True, _grad=())
percentile.sample(a=integers(5), q_scalar=75.0, _dtypes=("int32",), _grad=())
