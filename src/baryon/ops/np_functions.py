"""Functions of two numbers that only the NumPy interface has: of two arrays, or with a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import is_float
from . import rules
from .device import fixed
from .linalg_triangle import floating
from .numeric import numeric, widen
from .op import Op, get, op
from .samples import Draw, constant, integers, normal
from .scalar import with_number
from .unary import flat, square

Body = Callable[[Any, Any, Any], Any]
Rules = tuple[Callable[..., Any], Callable[..., Any]]


def pair(
    name: str,
    body: Body,
    gradients: Rules,
    *,
    doc: str,
    example: str,
    dtype: rules.Rule = numeric,
    draws: tuple[Draw, Draw] = (normal(2, 3), normal(3)),
    **options: Any,
) -> Op:
    """Declare ``body(xp, lhs, rhs)`` as ``_npi_NAME``; `example`: arguments -> what is printed."""

    def run(xp: Any, lhs: Any, rhs: Any) -> Any:
        return body(xp, lhs, rhs)

    given, printed = example.split(" -> ")
    run.__name__ = name
    run.__doc__ = (
        f"{doc}\n\nShapes broadcast; both have one dtype.  (MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}({given}).tolist()\n    {printed}\n    "
    )
    made = op(f"_npi_{name}", shape=rules.broadcast, dtype=dtype, inplace={0: "lhs"})(run)
    for side, rule in zip(("lhs", "rhs"), gradients, strict=True):
        made.gradient(side)(rule)
    made.sample(lhs=draws[0], rhs=draws[1], **options)
    made.sample(lhs=draws[1], rhs=constant(2, integral=True), **options)
    return made


def numbered(
    name: str,
    body: Body,
    gradient: Callable[..., Any],
    *,
    of: str,
    example: str,
    dtype: rules.Rule | None = None,
    **options: Any,
) -> Op:
    """Declare ``body(xp, data, number)`` as ``_npi_NAME``: the function `of` with one number."""
    call, printed = example.split(" -> ")
    made = with_number(f"_npi_{name}", body, gradient, doc=of, **options)
    made.kernel = None
    made.dtype_rule = dtype or made.dtype_rule
    made.__doc__ = (
        f"``mx.np.{of}`` of an array and the number `scalar`.\n\n"
        "A floating-point array keeps its dtype; an integer one too, and `scalar` is cut towards\n"
        "zero, unless `is_int` is False, which gives float64.\n\n"
        f"    >>> mx.np.{call}.tolist()\n    {printed}\n    "
    )
    return made


# ---- arctan2 -------------------------------------------------------------------------------------


def _arctan2(xp: Any, a: Any, b: Any) -> Any:
    return xp.arctan2(widen(xp, a), widen(xp, b))


@op("_npi_arctan2", shape=rules.broadcast, dtype=floating)
def arctan2(xp: Any, x1: Any, x2: Any) -> Any:
    """Angle of the point (x2, x1) in radians, within [-pi, pi].

    Shapes broadcast; both have one floating-point type.  (MXNet ``mx.np.arctan2``.)

    >>> mx.np.arctan2(mx.np.array([0.0, 0.0]), mx.np.array([2.0, 3.0])).tolist()
    [0.0, 0.0]
    """
    return _arctan2(xp, x1, x2)


@arctan2.gradient("x1")
def _(dy: Any, x1: Any, x2: Any) -> Any:
    return dy * x2 / (square(x1) + square(x2))


@arctan2.gradient("x2")
def _(dy: Any, x1: Any, x2: Any) -> Any:
    return -dy * x1 / (square(x1) + square(x2))


arctan2.sample(x1=normal(2, 3), x2=normal(3))
arctan2.sample(x1=normal(), x2=normal(2, 1))
numbered(
    "arctan2_scalar",
    _arctan2,
    lambda dy, data, scalar: dy * scalar / (square(data) + scalar**2),
    of="arctan2",
    example="arctan2(mx.np.array([0.0]), 2) -> [0.0]",
)
numbered(
    "rarctan2_scalar",
    lambda xp, x, s: _arctan2(xp, s, x),
    lambda dy, data, scalar: dy * -scalar / (square(data) + scalar**2),
    of="arctan2",
    example="arctan2(0, mx.np.array([2.0])) -> [0.0]",
)

# ---- copysign ------------------------------------------------------------------------------------


def _copysign(xp: Any, a: Any, b: Any) -> Any:
    return xp.copysign(widen(xp, a), widen(xp, b))


def _sign(x: Any) -> Any:
    """-1 for negative entries, else 1."""
    return (x >= 0) * 2 - 1


def _sign_of(value: float) -> float:
    return math.copysign(1.0, value)


pair(
    "copysign",
    _copysign,
    (lambda dy, lhs, rhs: dy * _sign(lhs) * _sign(rhs), flat),
    doc="Magnitude of lhs with the sign of rhs.",
    example="mx.np.array([1.0, -2.0]), mx.np.array([-3.0, 3.0]) -> [-1.0, 2.0]",
)
numbered(
    "copysign_scalar",
    _copysign,
    lambda dy, data, scalar: dy * _sign(data) * _sign_of(scalar),
    of="copysign",
    example="copysign(mx.np.array([1.0, -2.0]), -1) -> [-1.0, -2.0]",
)
numbered(
    "rcopysign_scalar",
    lambda xp, x, s: _copysign(xp, xp.full_like(x, s), x),
    flat,
    of="copysign",
    example="copysign(3, mx.np.array([1.0, -2.0])) -> [3.0, -3.0]",
    _grad=(),
)

# ---- ldexp ---------------------------------------------------------------------------------------


def _ldexp(xp: Any, a: Any, b: Any) -> Any:
    return widen(xp, a) * xp.exp2(widen(xp, b))


def _two_to(x: Any) -> Any:
    return get("_rpower_scalar")(x, scalar=2.0, is_int=False)


pair(
    "ldexp",
    _ldexp,
    (lambda dy, rhs: dy * _two_to(rhs), lambda dy, out: dy * out * math.log(2)),
    doc="``lhs * 2 ** rhs``; rhs need not be whole.",
    example="mx.np.array([1.0, 3.0]), mx.np.array([3.0, -1.0]) -> [8.0, 1.5]",
)
numbered(
    "ldexp_scalar",
    lambda xp, x, s: _ldexp(xp, x, xp.full_like(x, s)),
    lambda dy, scalar: dy * 2.0**scalar,
    of="ldexp",
    example="ldexp(mx.np.array([1.0, 3.0]), 2) -> [4.0, 12.0]",
)
numbered(
    "rldexp_scalar",
    lambda xp, x, s: _ldexp(xp, xp.full_like(x, s), x),
    lambda dy, out: dy * out * math.log(2),
    of="ldexp",
    example="ldexp(3, mx.np.array([1.0, 2.0])) -> [6.0, 12.0]",
)

# ---- integers ------------------------------------------------------------------------------------


def _lcm(xp: Any, a: Any, b: Any) -> Any:
    return a & b if a.dtype == np.bool_ else xp.lcm(a, b)


def _whole(xp: Any, x: Any) -> Any:
    """An integer array; beside a number that is not `is_int`, one comes as float64."""
    return x.astype(np.int64) if is_float(x.dtype) else x


_few = integers(2, 3, low=1), integers(3, low=1)
for _name, _body, _doc, _printed in (
    ("lcm", _lcm, "Least common multiple, not negative; 0 where either is 0.", "[6, 15]"),
    ("bitwise_and", lambda xp, a, b: a & b, "Bits that are set in both.", "[2, 1]"),
    ("bitwise_or", lambda xp, a, b: a | b, "Bits that are set in either.", "[3, 7]"),
    ("bitwise_xor", lambda xp, a, b: a ^ b, "Bits that are set in just one.", "[1, 6]"),
):
    _array = 'mx.np.array([{}], dtype="int32")'
    pair(
        _name,
        _body,
        (flat, flat),
        doc=_doc + "  No gradient flows.",
        example=f"{_array.format('2, 5')}, {_array.format('3, 3')} -> {_printed}",
        dtype=rules.integral,
        draws=_few,
        _grad=(),
        _dtypes=("int32", "uint8", "int64"),
    )
    numbered(
        f"{_name}_scalar",
        lambda xp, x, s, body=_body: body(xp, *(_whole(xp, fixed(xp, v)) for v in (x, s))),
        flat,
        of=_name,
        example=f"{_name}({_array.format('2, 5')}, 3) -> {_printed}",
        dtype=rules.integral,
        samples=(_few[0],),
        scalar=6,
        _grad=(),
        _dtypes=("int32", "uint8", "int64"),
    )
