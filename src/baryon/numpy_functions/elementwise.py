"""Element-wise functions of the NumPy interface: one and two operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.operators import is_number
from ..util import wrap_np_binary_func, wrap_np_unary_func
from .call import accelerated, call, is_tensor, two

__all__: list[str] = []


def _publish(name: str, made: Callable, doc: str) -> None:
    made.__name__ = made.__qualname__ = name
    made.__doc__ = doc
    __all__.append(name)


# ---- one operand ---------------------------------------------------------------------------------

# Functions whose operator has their name, and what each computes.
_UNARY = {
    "absolute": "Absolute value",
    "arccos": "Inverse cosine, in radians",
    "arccosh": "Inverse hyperbolic cosine",
    "arcsin": "Inverse sine, in radians",
    "arcsinh": "Inverse hyperbolic sine",
    "arctan": "Inverse tangent, in radians",
    "arctanh": "Inverse hyperbolic tangent",
    "bitwise_not": "Every bit inverted; of bools, the opposite",
    "cbrt": "Cube root",
    "ceil": "Smallest integer not below",
    "cos": "Cosine of radians",
    "cosh": "Hyperbolic cosine",
    "degrees": "Radians as degrees",
    "exp": "e to the power of each element",
    "expm1": "exp(x) - 1, accurate near 0",
    "fix": "Rounded toward 0",
    "floor": "Largest integer not above",
    "isfinite": "Whether each element is neither infinite nor NaN",
    "isinf": "Whether each element is infinite",
    "isnan": "Whether each element is NaN",
    "isneginf": "Whether each element is -infinity",
    "isposinf": "Whether each element is +infinity",
    "log": "Natural logarithm",
    "log10": "Logarithm to base 10",
    "log1p": "log(1 + x), accurate near 0",
    "log2": "Logarithm to base 2",
    "logical_not": "Whether each element is 0",
    "negative": "Numerical negative",
    "radians": "Degrees as radians",
    "reciprocal": "One divided by each element",
    "rint": "Rounded to the nearest integer",
    "sign": "-1, 0 or 1",
    "sin": "Sine of radians",
    "sinh": "Hyperbolic sine",
    "sqrt": "Square root",
    "square": "Each element times itself",
    "tan": "Tangent of radians",
    "tanh": "Hyperbolic tangent",
    "trunc": "Rounded toward 0",
}
_SAME = {"abs": "absolute", "fabs": "absolute", "invert": "bitwise_not", "rad2deg": "degrees",
         "deg2rad": "radians"}  # fmt: skip


def _unary(name: str, op: str, what: str) -> Callable:
    plain = getattr(np, "trunc" if name == "fix" else name)  # NumPy 2.5 deprecates its fix

    def function(x: Any, out: Any = None, **kwargs: Any) -> Any:
        if is_tensor(x):
            return call(op, x, out=out)
        if is_number(x):
            return plain(x)
        raise TypeError(f"{name}: type {type(x)} not supported")

    doc = (
        f"{what}, element by element; of a number, NumPy's result.\n\n"
        f"x : array or symbol.    out : array that takes the result.  (MXNet ``mx.np.{name}``.)"
    )
    _publish(name, function, doc)
    return accelerated(op)(wrap_np_unary_func(function))


for _name, _what in _UNARY.items():
    globals()[_name] = _unary(_name, f"_npi_{_name}", _what)
for _name, _op in _SAME.items():
    globals()[_name] = _unary(_name, f"_npi_{_op}", _UNARY[_op])


def around(x: Any, decimals: int = 0, out: Any = None, **kwargs: Any) -> Any:
    """Rounded to `decimals` digits after the point (negative: before it), ties to even.

    >>> mx.np.around(mx.np.array([1.25, -0.5]), 1).tolist()
    [1.2000000476837158, -0.5]
    """
    if is_number(x):
        return np.around(x, decimals)
    if not isinstance(decimals, int):
        raise TypeError(f"around: decimals must be an integer, got {decimals!r}")
    return call("_npi_around", x, out=out, decimals=decimals)


round = round_ = around


def nan_to_num(
    x: Any,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    **kwargs: Any,
) -> Any:
    """NaN replaced by `nan`, infinities by `posinf` and `neginf` (default: the largest numbers).

    copy : False writes over `x`.

    >>> mx.np.nan_to_num(mx.np.array([np.nan, 1.0]), nan=7.0)
    array([7., 1.])
    """
    if is_number(x):
        return np.nan_to_num(x, copy, nan, posinf, neginf)
    out = None if copy else x
    return call("_npi_nan_to_num", x, out=out, copy=copy, nan=nan, posinf=posinf, neginf=neginf)


# ---- two operands --------------------------------------------------------------------------------

# name: (operator, with a number on the right, with a number on the left, what it computes)
_R = {"subtract", "true_divide", "mod", "power", "arctan2", "copysign", "ldexp"}
_FLIPPED = {"greater": "less", "less": "greater", "greater_equal": "less_equal",
            "less_equal": "greater_equal"}  # fmt: skip
_BINARY = {
    "add": "Sum",
    "subtract": "Difference",
    "multiply": "Product",
    "true_divide": "Quotient, a floating-point number",
    "mod": "Remainder, with the sign of the divisor",
    "power": "First operand to the power of the second",
    "maximum": "Larger of two",
    "minimum": "Smaller of two",
    "arctan2": "Angle of the point (x2, x1), in radians",
    "copysign": "Magnitude of the first operand with the sign of the second",
    "hypot": "Length of the hypotenuse over two legs",
    "ldexp": "First operand times 2 to the power of the second",
    "lcm": "Least common multiple",
    "bitwise_and": "Bits set in both",
    "bitwise_or": "Bits set in either",
    "bitwise_xor": "Bits set in one of the two",
    "equal": "Whether both are equal",
    "not_equal": "Whether both differ",
    "greater": "Whether the first is greater",
    "greater_equal": "Whether the first is greater or equal",
    "less": "Whether the first is less",
    "less_equal": "Whether the first is less or equal",
}


def _binary(name: str, stem: str) -> Callable:
    plain, op = getattr(np, name), f"_npi_{stem}"
    scalar = f"{op}_scalar"
    reverse = f"_npi_r{stem}_scalar" if stem in _R else f"_npi_{_FLIPPED.get(stem, stem)}_scalar"

    def function(x1: Any, x2: Any, out: Any = None, **kwargs: Any) -> Any:
        return two(op, scalar, reverse, plain, x1, x2, out)

    doc = (
        f"{_BINARY[stem]}, element by element with broadcasting; of two numbers, NumPy's result."
        f"\n\nx1, x2 : arrays, symbols or numbers.    out : array that takes the result.  "
        f"(MXNet ``mx.np.{name}``.)"
    )
    _publish(name, function, doc)
    return accelerated(op)(wrap_np_binary_func(function))


for _name in _BINARY:
    globals()[_name] = _binary(_name, _name)
divide, remainder = _binary("divide", "true_divide"), _binary("remainder", "mod")


def clip(a: Any, a_min: float | None, a_max: float | None, out: Any = None) -> Any:
    """Values below `a_min` or above `a_max` replaced by these; None: no limit on that side.

    >>> mx.np.clip(mx.np.array([-1.0, 5.0]), 0, None)
    array([0., 5.])
    """
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    low = -np.inf if a_min is None else a_min
    return call("_npi_clip", a, out=out, a_min=low, a_max=np.inf if a_max is None else a_max)


__all__ += ["around", "clip", "nan_to_num", "round", "round_"]
