"""Arithmetic and comparison of a tensor with a number: ``_plus_scalar`` and its kin.

The number meets the tensor in the result's dtype (see `scalar_dtype`): with ``is_int`` left true,
as Python's operators leave it, an integer tensor stays integer and 2.5 counts as 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..dtypes import is_float
from . import rules
from .fusion import Fusion
from .numeric import divide, modulo, power, widen
from .op import Op, get, op
from .samples import Draw, integers, normal, uniform
from .storage import KEEPS, KEEPS_ZERO, Case
from .unary import floor


def scalar_dtype(dtype: np.dtype, is_int: bool) -> np.dtype:
    """Dtype of a tensor's arithmetic with a number that is (`is_int`) or is not an integer."""
    if is_float(dtype):
        return dtype
    if not is_int:
        return np.dtype("float64")
    return np.dtype("int64") if dtype == np.bool_ else dtype


def _result(attrs: Any, dtype: np.dtype | None) -> np.dtype | None:
    return None if dtype is None else scalar_dtype(dtype, attrs.is_int)


def number(value: float, dtype: np.dtype) -> Any:
    """`value` as a numpy scalar of a dtype; integers are cut towards zero and wrap."""
    if is_float(dtype):
        return np.asarray(value, dtype)[()]
    whole = int(value) if math.isfinite(value) else 0
    return np.asarray(whole & (2**64 - 1), np.uint64).astype(dtype)[()]


def with_number(
    name: str,
    body: Callable[[Any, Any, Any], Any],
    gradient: Callable[..., Any],
    *,
    doc: str,
    element: str | None = None,
    example: str | None = None,
    aliases: Iterable[str] = (),
    kernel: str | None = None,
    samples: Iterable[Draw] = (normal(2, 3),),
    scalar: float = 1.5,
    storage: Iterable[Case] = (),
    **sample_options: Any,
) -> Op:
    """Declare ``body(xp, data, number)`` as operator `name`.

    element : the operation in CUDA C++, on ``a`` and ``{scalar}`` (see `op`).
    example : what the example ``[6, 7] name 4`` prints; None for a caller that documents it.
    """

    def run(xp: Any, data: Any, *, scalar: float = 1.0, is_int: bool = True) -> Any:
        dtype = scalar_dtype(np.dtype(data.dtype), is_int)
        return body(xp, data.astype(dtype, copy=False), number(scalar, dtype))

    run.__name__ = name
    run.__doc__ = (
        f"{doc}\n\nA floating-point tensor keeps its dtype. An integer one keeps it too, and\n"
        "`scalar` is cut towards zero, unless `is_int` is False, which gives float64.\n"
        f"(MXNet operator ``{name}``.)\n"
        f"\n    >>> mx.nd._internal.{name}(mx.nd.array([6.0, 7.0]), scalar=4.0).asnumpy()\n"
        f"    array({example}, dtype=float32)\n    "
    )
    made = op(
        name,
        aliases=aliases,
        dtype=rules.output_dtype(_result),
        inplace={0: "data"},
        pointwise=True,
        element=element,
        kernel=kernel or name,
        params=lambda a, ins, outs: (a.scalar,),
        storage=storage,
    )(run)
    made.gradient("data")(gradient)
    for draw in samples:
        made.sample(data=draw, scalar=scalar, **sample_options)
    return made


_positive = uniform(2, 3, low=0.5, high=2.0)

with_number(
    "_plus_scalar",
    lambda xp, x, s: x + s,
    lambda dy: dy,
    element="a + {scalar}",
    doc="``data + scalar``",
    example="[10., 11.]",
    aliases=("_PlusScalar",),
    storage=KEEPS_ZERO,
)
with_number(
    "_minus_scalar",
    lambda xp, x, s: x - s,
    lambda dy: dy,
    element="a - {scalar}",
    doc="``data - scalar``",
    example="[2., 3.]",
    aliases=("_MinusScalar",),
    storage=KEEPS_ZERO,
)
with_number(
    "_rminus_scalar",
    lambda xp, x, s: s - x,
    lambda dy: -dy,
    element="{scalar} - a",
    doc="``scalar - data``",
    example="[-2., -3.]",
    aliases=("_RMinusScalar",),
)
with_number(
    "_mul_scalar",
    lambda xp, x, s: x * s,
    lambda dy, scalar: dy * scalar,
    element="a * {scalar}",
    doc="``data * scalar``",
    example="[24., 28.]",
    aliases=("_MulScalar",),
    storage=KEEPS,
)
with_number(
    "_div_scalar",
    lambda xp, x, s: divide(xp, x, xp.full_like(x, s)),
    lambda dy, scalar: dy / scalar,
    element="a / {scalar}",
    doc="``data / scalar``; integers are cut towards zero, and 0 for scalar 0",
    example="[1.5 , 1.75]",
    aliases=("_DivScalar",),
    storage=KEEPS,
)
with_number(
    "_rdiv_scalar",
    lambda xp, x, s: divide(xp, xp.full_like(x, s), x),
    lambda dy, data, out: -dy * out / data,
    element="{scalar} / a",
    doc="``scalar / data``; integers are cut towards zero, and 0 where data is 0",
    example="[0.6666667, 0.5714286]",
    aliases=("_RDivScalar",),
    samples=(_positive,),
)
with_number(
    "_mod_scalar",
    lambda xp, x, s: modulo(xp, x, xp.full_like(x, s)),
    lambda dy: dy,
    element="modulo(a, {scalar})",
    doc="Remainder of ``data / scalar`` with the sign of scalar; 0 for scalar 0",
    example="[2., 3.]",
    aliases=("_ModScalar",),
    samples=(_positive,),
    scalar=2.25,
)
with_number(
    "_rmod_scalar",
    lambda xp, x, s: modulo(xp, xp.full_like(x, s), x),
    lambda dy, data, scalar: -dy * floor(scalar / data),
    element="modulo({scalar}, a)",
    doc="Remainder of ``scalar / data`` with the sign of data; 0 where data is 0",
    example="[4., 4.]",
    aliases=("_RModScalar",),
    samples=(uniform(2, 3, low=0.55, high=0.7),),
    scalar=2.0,
)
power_scalar = with_number(
    "_power_scalar",
    lambda xp, x, s: power(xp, x, xp.full_like(x, s)),
    lambda dy, data, scalar: dy * power_scalar(data, scalar=scalar - 1, is_int=False) * scalar,
    element="pow(a, {scalar})",
    doc="``data ** scalar``",
    example="[1296., 2401.]",
    aliases=("_PowerScalar",),
    samples=(_positive,),
)
with_number(
    "_rpower_scalar",
    lambda xp, x, s: power(xp, xp.full_like(x, s), x),
    lambda dy, out, scalar: dy * out * _log(scalar),
    element="pow({scalar}, a)",
    doc="``scalar ** data``",
    example="[ 4096., 16384.]",
    aliases=("_RPowerScalar",),
)
with_number(
    "_maximum_scalar",
    lambda xp, x, s: xp.maximum(x, s),
    lambda dy, data, scalar: dy * (data >= scalar),
    element="a > {scalar} || a != a ? a : {scalar}",
    doc="Larger of data and scalar; the gradient passes at ties",
    example="[6., 7.]",
    aliases=("_MaximumScalar", "_npi_maximum_scalar"),
    samples=(normal(3, 4),),
    scalar=0.3,
)
with_number(
    "_minimum_scalar",
    lambda xp, x, s: xp.minimum(x, s),
    lambda dy, data, scalar: dy * (data <= scalar),
    element="a < {scalar} || a != a ? a : {scalar}",
    doc="Smaller of data and scalar; the gradient passes at ties",
    example="[4., 4.]",
    aliases=("_MinimumScalar", "_npi_minimum_scalar"),
    samples=(normal(3, 4),),
    scalar=0.3,
)
with_number(
    "_hypot_scalar",
    lambda xp, x, s: xp.hypot(widen(xp, x), widen(xp, xp.full_like(x, s))),
    lambda dy, data, out: dy * data / out,
    element="hypot(a, {scalar})",
    doc="``sqrt(data**2 + scalar**2)`` without overflow",
    example="[7.2111025, 8.062258 ]",
    aliases=("_HypotScalar", "_npi_hypot_scalar"),
)
with_number(
    "_scatter_plus_scalar",
    lambda xp, x, s: x + s,
    lambda dy: dy,
    element="a + {scalar}",
    doc="``data + scalar`` that leaves the absent rows of a sparse tensor absent",
    example="[10., 11.]",
    kernel="_plus_scalar",
    storage=KEEPS,
)
with_number(
    "_scatter_minus_scalar",
    lambda xp, x, s: x - s,
    lambda dy: dy,
    element="a - {scalar}",
    doc="``data - scalar`` that leaves the absent rows of a sparse tensor absent",
    example="[2., 3.]",
    kernel="_minus_scalar",
    storage=KEEPS,
)


def _log(value: float) -> float:
    """Natural logarithm, -inf at 0 and NaN below."""
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


get("_mul_scalar").fusion = Fusion(factor=lambda attrs: attrs.scalar)
get("_div_scalar").fusion = Fusion(factor=lambda attrs: 1 / attrs.scalar if attrs.scalar else None)

for _name in ("_plus_scalar", "_mul_scalar", "_rdiv_scalar", "_mod_scalar", "_power_scalar"):
    get(_name).sample(
        data=integers(2, 3, low=1), scalar=2.5, _dtypes=("int32", "int64", "uint8"), _grad=()
    )
    get(_name).sample(
        data=integers(2, 3, low=1), scalar=2.5, is_int=False, _dtypes=("int32", "int8"), _grad=()
    )
