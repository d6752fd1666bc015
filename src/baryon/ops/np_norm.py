"""Norms of vectors and matrices in the NumPy interface."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .broadcast import sum_over
from .np_products import matmul
from .np_reduce import np_axes, np_reduced, over, reduced
from .np_spectral import svd
from .numeric import numeric, widen
from .op import get, op
from .rules import forward
from .samples import distinct, normal
from .unary import absolute, sign

# MXNet's front end says by a flag what the norm is.
_FLAT, _BY_ORDER, _SPECTRAL, _FROBENIUS, _NUCLEAR = -2, -1, 0, 1, 2


def _kind(flag: int, ord: float, axes: tuple[int, ...]) -> str:
    """Which norm is meant; MXNetError if there is no such norm."""
    if flag in (_FLAT, _FROBENIUS) or not axes:
        return "frobenius"
    if flag == _BY_ORDER and len(axes) == 1:
        return "vector"
    if len(axes) == 2:
        if flag == _NUCLEAR:
            return "nuclear"
        if flag in (_SPECTRAL, _BY_ORDER) and abs(ord) == 2:
            return "spectral"
        if flag == _BY_ORDER and abs(ord) in (1, math.inf):
            return "sums"
    raise MXNetError(f"there is no norm of order {ord} (flag {flag}) over {len(axes)} axes")


def _shape(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    _kind(attrs.flag, attrs.ord, np_axes(attrs.axis, len(data)))
    return reduced(attrs, data)


@op("_npi_norm", outputs=("output0",), counted=lambda a: 4, shape=forward(_shape), dtype=numeric)
def np_norm(
    xp: Any,
    data: Any,
    *,
    ord: float = 2.0,
    axis: Shape | None = None,
    keepdims: bool = False,
    flag: int = -1,
) -> Any:
    """Norm of the vectors along one axis, of the matrices in two, or of all elements.

    flag: -2 or 1 the root of the sum of squares over `axis`; 2 the nuclear norm; 0 the largest
    (`ord` 2) or smallest (-2) singular value; -1 the norm of order `ord`: of vectors any number or
    infinity, of matrices 1, -1, 2, -2, inf or -inf.  (MXNet ``mx.np.linalg.norm``.) `keepdims`
    leaves the axes with size 1.

    >>> mx.np.linalg.norm(mx.np.array([3.0, 4.0])).item()
    5.0
    """
    axes = np_axes(axis, data.ndim)
    kind, wide = _kind(flag, ord, axes), widen(xp, data).astype(xp.float64)
    if kind == "frobenius":
        found = xp.sqrt(xp.square(wide).sum(axis=axes))
    elif kind == "vector":
        found = xp.linalg.norm(wide, ord, axis=axes[0])
    else:
        given = _given(axis, data.ndim)
        found = xp.linalg.norm(wide, "nuc" if kind == "nuclear" else ord, axis=given)
    return found.reshape(np_reduced(data.shape, axes, keepdims))


def _given(axis: Any, ndim: int) -> tuple[int, int]:
    """Axes of rows and columns in the order in which they were named."""
    return (0, 1) if axis is None else tuple(a % ndim for a in axis)


# ---- gradients -----------------------------------------------------------------------------------


def _vector_slope(data: Any, out: Any, axis: Any, ord: float) -> Any:
    """Derivative of a vector norm by each element."""
    full, magnitude = over(out, data, axis), absolute(data)
    if math.isinf(ord):
        return sign(data) * (magnitude == full)
    if ord == 1:
        return sign(data)
    power = get("_power_scalar")
    return sign(data) * power(magnitude / full, scalar=ord - 1, is_int=False)


def _sums_slope(data: Any, out: Any, axis: Any, ord: float) -> Any:
    """Derivative of the extreme sum of absolute values along columns (1) or rows (inf)."""
    rows, columns = _given(axis, data.ndim)
    along = rows if abs(ord) == 1 else columns
    kept = np_reduced(data.shape, (along,), True)
    sums = sum_over(absolute(data), axis=(along,), shape=kept)
    chosen = sums == over(out, sums, axis)
    return sign(data) * chosen


def _spectral_slope(data: Any, axis: Any, ord: float | None) -> Any:
    """Derivative of the largest or smallest singular value, of their sum for None."""
    rows, columns = _given(axis, data.ndim)
    order = [*(i for i in range(data.ndim) if i not in (rows, columns)), rows, columns]
    if data.shape[rows] > data.shape[columns]:
        order[-2:] = order[:-3:-1]
    left, values, right = svd(get("_np_transpose")(data, axes=tuple(order)))
    if ord is not None:
        extreme = get("_np_max" if ord > 0 else "_np_min")(values, axis=-1, keepdims=True)
        left = left * get("expand_dims")(values == extreme, axis=values.ndim - 1)
    back = tuple(int(i) for i in np.argsort(order))
    return get("_np_transpose")(matmul(left, right), axes=back)


@np_norm.gradient("data")
def _(dy: Any, data: Any, out: Any, axis: Any, ord: float, flag: int) -> Any:
    kind = _kind(flag, ord, np_axes(axis, data.ndim))
    if kind == "vector" and ord == 0:
        return None
    head = over(dy, data, axis)
    if kind == "frobenius":
        return over(dy / out, data, axis) * data
    if kind == "vector":
        return head * _vector_slope(data, out, axis, ord)
    if kind == "sums":
        return head * _sums_slope(data, out, axis, ord)
    return head * _spectral_slope(data, axis, None if kind == "nuclear" else ord)


np_norm.sample(data=normal(2, 3), flag=-2)
np_norm.sample(data=normal(3))
np_norm.sample(data=normal(2, 3, 4), axis=(0, 2), keepdims=True, flag=1)
for _ord in (1.0, 2.0, 3.0, math.inf, -math.inf, 0.0):
    np_norm.sample(data=distinct(2, 3), axis=(1,), ord=_ord, flag=-1)
for _ord in (1.0, -1.0, math.inf, -math.inf):
    np_norm.sample(data=distinct(2, 3, 2), axis=(1, 2), ord=_ord, flag=-1, keepdims=_ord > 0)
for _ord, _flag in ((2.0, 0), (-2.0, 0), (2.0, 2), (2.0, -1)):
    np_norm.sample(data=normal(3, 2, 2), axis=(0, -1), ord=_ord, flag=_flag, _rtol=1e-3)
