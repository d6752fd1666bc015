"""Exponential, logarithmic, trigonometric and special functions, element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .attrs import Attrs
from .op import Spec, op
from .samples import uniform
from .special import digamma as _digamma
from .special import erfinv as _erfinv
from .special import special
from .special import trigamma as _trigamma
from .unary import rsqrt, square, unary

_LN2, _LN10 = math.log(2), math.log(10)
_unit = uniform(2, 3, low=-0.9, high=0.9)
_positive = uniform(2, 3, low=0.3, high=3.0)

# ---- exponentials and logarithms ---------------------------------------------------------------


def _sigmoid(xp: Any, x: Any) -> Any:
    small = xp.exp(-xp.abs(x))  # never overflows
    return xp.where(x < 0, small, xp.ones_like(x)) / (1 + small)


exp = unary(
    "exp",
    lambda xp, x: xp.exp(x),
    lambda dy, out: dy * out,
    element="exp(a)",
    doc="Exponential, ``e ** x``.",
    example=([0.0, -1000.0], "[1., 0.]"),
    onnx="Exp",
)
expm1 = unary(
    "expm1",
    lambda xp, x: xp.expm1(x),
    lambda dy, out: dy * (out + 1),
    element="expm1(a)",
    doc="``exp(x) - 1``, accurate near 0.",
    example=([0.0, -1000.0], "[ 0., -1.]"),
    keeps=True,
)
log = unary(
    "log",
    lambda xp, x: xp.log(x),
    lambda dy, data: dy / data,
    element="log(a)",
    doc="Natural logarithm; NaN for negative x, -inf for 0.",
    example=([1.0, 0.0], "[  0., -inf]"),
    sample=_positive,
    onnx="Log",
)
log2 = unary(
    "log2",
    lambda xp, x: xp.log2(x),
    lambda dy, data: dy / (data * _LN2),
    element="log2(a)",
    doc="Logarithm to base 2.",
    example=([8.0, 0.5], "[ 3., -1.]"),
    sample=_positive,
)
log10 = unary(
    "log10",
    lambda xp, x: xp.log10(x),
    lambda dy, data: dy / (data * _LN10),
    element="log10(a)",
    doc="Logarithm to base 10.",
    example=([1.0, 10.0], "[0., 1.]"),
    sample=_positive,
)
log1p = unary(
    "log1p",
    lambda xp, x: xp.log1p(x),
    lambda dy, data: dy / (data + 1),
    element="log1p(a)",
    doc="``log(1 + x)``, accurate near 0.",
    example=([0.0, -1.0], "[  0., -inf]"),
    sample=_positive,
    keeps=True,
)
sigmoid = unary(
    "sigmoid",
    _sigmoid,
    lambda dy, out: dy * out * (1 - out),
    element="sigmoid(a)",
    doc="Logistic sigmoid, ``1 / (1 + exp(-x))``.",
    example=([0.0, 1000.0], "[0.5, 1. ]"),
    onnx="Sigmoid",
)

# ---- trigonometry, angles in radians -----------------------------------------------------------

sin = unary(
    "sin",
    lambda xp, x: xp.sin(x),
    lambda dy, data: dy * cos(data),
    element="sin(a)",
    doc="Sine of x radians.",
    example=([0.0], "[0.]"),
    onnx="Sin",
    keeps=True,
)
cos = unary(
    "cos",
    lambda xp, x: xp.cos(x),
    lambda dy, data: -dy * sin(data),
    element="cos(a)",
    doc="Cosine of x radians.",
    example=([0.0], "[1.]"),
    onnx="Cos",
)
tan = unary(
    "tan",
    lambda xp, x: xp.tan(x),
    lambda dy, out: dy * (square(out) + 1),
    element="tan(a)",
    doc="Tangent of x radians.",
    example=([0.0], "[0.]"),
    sample=_unit,
    onnx="Tan",
    keeps=True,
)
arcsin = unary(
    "arcsin",
    lambda xp, x: xp.arcsin(x),
    lambda dy, data: dy * rsqrt(1 - square(data)),
    element="asin(a)",
    doc="Inverse sine in radians, within [-pi/2, pi/2].",
    example=([0.0, 2.0], "[ 0., nan]"),
    sample=_unit,
    onnx="Asin",
    keeps=True,
)
arccos = unary(
    "arccos",
    lambda xp, x: xp.arccos(x),
    lambda dy, data: -dy * rsqrt(1 - square(data)),
    element="acos(a)",
    doc="Inverse cosine in radians, within [0, pi].",
    example=([1.0, 2.0], "[ 0., nan]"),
    sample=_unit,
    onnx="Acos",
)
arctan = unary(
    "arctan",
    lambda xp, x: xp.arctan(x),
    lambda dy, data: dy / (square(data) + 1),
    element="atan(a)",
    doc="Inverse tangent in radians, within [-pi/2, pi/2].",
    example=([0.0], "[0.]"),
    onnx="Atan",
    keeps=True,
)
degrees = unary(
    "degrees",
    lambda xp, x: x * (180 / math.pi),
    lambda dy: dy * (180 / math.pi),
    element="a * A(57.29577951308232)",
    doc="Radians as degrees.",
    example=([0.0, math.pi], "[  0., 180.]"),
    keeps=True,
)
radians = unary(
    "radians",
    lambda xp, x: x * (math.pi / 180),
    lambda dy: dy * (math.pi / 180),
    element="a * A(0.017453292519943295)",
    doc="Degrees as radians.",
    example=([0.0], "[0.]"),
    keeps=True,
)

# ---- hyperbolic functions ----------------------------------------------------------------------

sinh = unary(
    "sinh",
    lambda xp, x: xp.sinh(x),
    lambda dy, data: dy * cosh(data),
    element="sinh(a)",
    doc="Hyperbolic sine.",
    example=([0.0], "[0.]"),
    onnx="Sinh",
    keeps=True,
)
cosh = unary(
    "cosh",
    lambda xp, x: xp.cosh(x),
    lambda dy, data: dy * sinh(data),
    element="cosh(a)",
    doc="Hyperbolic cosine.",
    example=([0.0], "[1.]"),
    onnx="Cosh",
)
tanh = unary(
    "tanh",
    lambda xp, x: xp.tanh(x),
    lambda dy, out: dy * (1 - square(out)),
    element="tanh(a)",
    doc="Hyperbolic tangent.",
    example=([0.0, 1000.0], "[0., 1.]"),
    onnx="Tanh",
    keeps=True,
)
arcsinh = unary(
    "arcsinh",
    lambda xp, x: xp.arcsinh(x),
    lambda dy, data: dy * rsqrt(square(data) + 1),
    element="asinh(a)",
    doc="Inverse hyperbolic sine.",
    example=([0.0], "[0.]"),
    onnx="Asinh",
    keeps=True,
)
arccosh = unary(
    "arccosh",
    lambda xp, x: xp.arccosh(x),
    lambda dy, data: dy * rsqrt(square(data) - 1),
    element="acosh(a)",
    doc="Inverse hyperbolic cosine; NaN below 1.",
    example=([1.0, 0.0], "[ 0., nan]"),
    sample=uniform(2, 3, low=1.3, high=3.0),
    onnx="Acosh",
)
arctanh = unary(
    "arctanh",
    lambda xp, x: xp.arctanh(x),
    lambda dy, data: dy / (1 - square(data)),
    element="atanh(a)",
    doc="Inverse hyperbolic tangent; NaN outside [-1, 1].",
    example=([0.0, 2.0], "[ 0., nan]"),
    sample=_unit,
    onnx="Atanh",
    keeps=True,
)

# ---- error function and gamma family -----------------------------------------------------------


def _many(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> int:
    """Operations of a function that is computed element by element: enough to keep its values."""
    return 100 * outs[0].size


erf = unary(
    "erf",
    lambda xp, x: special(xp, "erf", x),
    lambda dy, data: dy * exp(-square(data)) * (2 / math.sqrt(math.pi)),
    element="erf(a)",
    doc="Gauss error function.",
    example=([0.0, 10.0], "[0., 1.]"),
    sparse=False,
    aliases=("_npx_erf",),
    onnx="Erf",
)
erfinv = unary(
    "erfinv",
    _erfinv,
    lambda dy, out: dy * exp(square(out)) * (math.sqrt(math.pi) / 2),
    element="erfinv(a)",
    flops=_many,
    doc="Inverse of the error function; NaN outside [-1, 1].",
    example=([0.0, 2.0], "[ 0., nan]"),
    sample=_unit,
    sparse=False,
    aliases=("_npx_erfinv",),
)
gamma = unary(
    "gamma",
    lambda xp, x: special(xp, "gamma", x),
    lambda dy, data, out: dy * out * digamma(data),
    element="tgamma(a)",
    flops=_many,
    doc="Gamma function; NaN at negative integers.",
    example=([5.0, 1.0], "[24.,  1.]"),
    sample=_positive,
    aliases=("_npx_gamma",),
)
gammaln = unary(
    "gammaln",
    lambda xp, x: special(xp, "gammaln", x),
    lambda dy, data: dy * digamma(data),
    element="lgamma(a)",
    flops=_many,
    doc="Logarithm of the absolute value of the gamma function.",
    example=([1.0, 0.0], "[ 0., inf]"),
    sample=_positive,
    aliases=("_npx_gammaln",),
)


@op("_digamma", inplace={0: "data"}, kernel=True)
def digamma(xp: Any, data: Any) -> Any:
    """Derivative of `gammaln`, by reflection, recurrence and the asymptotic series (float64).

    >>> mx.nd._internal._digamma(mx.nd.array([1.0])).asnumpy().round(4)  # -Euler's constant
    array([-0.5772], dtype=float32)
    """
    return _digamma(xp, data)


@op("_trigamma", inplace={0: "data"}, kernel=True)
def trigamma(xp: Any, data: Any) -> Any:
    """Second derivative of `gammaln`; itself without a gradient.

    >>> mx.nd._internal._trigamma(mx.nd.array([1.0])).asnumpy().round(4)  # pi ** 2 / 6
    array([1.6449], dtype=float32)
    """
    return _trigamma(xp, data)


@digamma.gradient("data")
def _(dy: Any, data: Any) -> Any:
    return dy * trigamma(data)


digamma.sample(data=uniform(2, 3, low=-2.9, high=-2.1), _second_order=False)
digamma.sample(data=_positive, _second_order=False)
trigamma.sample(data=uniform(2, 3, low=-0.9, high=3.0), _grad=())
