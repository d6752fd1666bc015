"""Element-wise operators of one input that need no transcendental function, and their declarer.

`unary` makes an `Op` from one line of mathematics and one line of gradient; `functions` uses it for
the exponential, trigonometric and special functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .fusion import Fusion
from .numeric import numeric, widen
from .op import Op, get, op
from .rules import Rule
from .samples import Draw, constant, normal
from .samples import uniform as spread
from .storage import KEEPS


def unary(
    name: str,
    body: Callable[[Any, Any], Any],
    gradient: Callable[..., Any],
    *,
    doc: str,
    example: tuple[list[float], str],
    element: str | None = None,
    sample: Draw | None = None,
    aliases: Iterable[str] = (),
    sparse: bool = True,
    wide: bool = True,
    dtype: Rule = numeric,
    kernel: str | bool = True,
    onnx: str | None = None,
    keeps: bool = False,
    flops: Callable[..., int] | None = None,
    **sample_options: Any,
) -> Op:
    """Declare the operator `name`: ``body(xp, x)`` and the rule of its gradient.

    doc, example : first paragraph of the docstring; input and printed output of its example.
    element      : the function in CUDA C++, of ``a`` (see `op`).
    sparse       : whether MXNet has the alias ``_sparse_<name>``.
    keeps        : a sparse tensor stays sparse, for the function of 0 is 0.
    wide         : compute half types in float32 and integers in float64.
    The rest is as in `op` and `Op.sample`.
    """

    def run(xp: Any, data: Any) -> Any:
        return body(xp, widen(xp, data) if wide else data)

    values, printed = example
    run.__name__ = name
    run.__doc__ = (
        f"{doc}\n\nThe result has the shape and dtype of `data`; for integers it is cut towards "
        f"zero.  (MXNet operator ``{name}``.)\n\n"
        f"    >>> mx.nd.{name}(mx.nd.array({values})).asnumpy()\n"
        f"    array({printed}, dtype=float32)\n    "
    )
    names = (f"_sparse_{name}",) if sparse else ()
    made = op(
        name,
        aliases=(*names, *aliases),
        dtype=dtype,
        inplace={0: "data"},
        pointwise=True,
        element=element,
        kernel=kernel,
        onnx=onnx,
        storage=KEEPS if keeps else (),
        flops=flops,
    )(run)
    made.gradient("data")(gradient)
    made.sample(data=sample or normal(2, 3), **sample_options)
    return made


def flat(dy: Any) -> None:
    """Gradient of a step function: none."""
    return None


# ---- signs and steps ---------------------------------------------------------------------------

negative = unary(
    "negative",
    lambda xp, x: -x,
    lambda dy: -dy,
    element="-a",
    doc="Numerical negative, ``-x``.",
    example=([1.0, -2.0], "[-1.,  2.]"),
    wide=False,
    onnx="Neg",
    keeps=True,
)
absolute = unary(
    "abs",
    lambda xp, x: xp.abs(x),
    lambda dy, data: dy * sign(data),
    element="fabs(a)",
    doc="Absolute value, ``|x|``; the gradient at 0 is 0.",
    example=([1.0, -2.0], "[1., 2.]"),
    wide=False,
    onnx="Abs",
    keeps=True,
)
sign = unary(
    "sign",
    lambda xp, x: (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype),
    flat,
    element="A(a > 0) - A(a < 0)",
    doc="Sign of x: -1, 0 or 1; 0 for NaN, as in MXNet.",
    example=([3.0, 0.0, -2.0], "[ 1.,  0., -1.]"),
    wide=False,
    onnx="Sign",
    keeps=True,
)


def _round(xp: Any, x: Any) -> Any:
    whole = xp.trunc(x)
    away = xp.abs(x - whole) >= 0.5
    return xp.where(away, whole + xp.copysign(xp.ones_like(x), x), whole)


def _rint(xp: Any, x: Any) -> Any:
    low, high = xp.floor(x), xp.ceil(x)
    return xp.where(x - low <= high - x, low, high)


def _ceil(xp: Any, x: Any) -> Any:
    return xp.ceil(x)


def _floor(xp: Any, x: Any) -> Any:
    return xp.floor(x)


def _trunc(xp: Any, x: Any) -> Any:
    return xp.trunc(x)


# Name, body, CUDA function, documentation, the example's result, ONNX operator.
_STEPS: tuple[tuple[str, Callable, str, str, str, str | None], ...] = (
    ("round", _round, "round", "Nearest integer; ties go away from zero.", "[ 3., -3.,  1.]", None),
    ("rint", _rint, "rint_down", "Nearest integer; ties go down.", "[ 2., -3.,  1.]", None),
    ("ceil", _ceil, "ceil", "Smallest integer >= x.", "[ 3., -2.,  2.]", "Ceil"),
    ("floor", _floor, "floor", "Largest integer <= x.", "[ 2., -3.,  1.]", "Floor"),
    ("trunc", _trunc, "trunc", "x without its fraction.", "[ 2., -2.,  1.]", None),
    ("fix", _trunc, "trunc", "Nearest integer towards zero.", "[ 2., -2.,  1.]", None),
)
_step = {
    _name: unary(
        _name,
        _body,
        flat,
        doc=_doc + "  No gradient flows.",
        example=([2.5, -2.5, 1.2], _printed),
        element=f"{_function}(a)",
        sample=constant([[-2.6, -1.5, -0.5, 0.3], [0.5, 1.5, 2.5, 1e9]]),
        kernel="trunc" if _name == "fix" else True,
        onnx=_onnx,
        keeps=True,
        _grad=(),
    )
    for _name, _body, _function, _doc, _printed, _onnx in _STEPS
}
floor = _step["floor"]

relu = unary(
    "relu",
    lambda xp, x: xp.maximum(x, xp.zeros_like(x)),
    lambda dy, out: get("_backward_Activation")(dy, out, act_type="relu"),
    element="a <= 0 ? A(0) : a",
    doc="Rectified linear unit, ``max(x, 0)``; the gradient at 0 is 0.",
    example=([-1.0, 2.0], "[0., 2.]"),
    wide=False,
    onnx="Relu",
    keeps=True,
)
relu.fusion = Fusion(bounds=lambda attrs: (0.0, math.inf), curve=lambda attrs: "relu")
softsign = unary(
    "softsign",
    lambda xp, x: x / (1 + xp.abs(x)),
    lambda dy, data: dy / square(1 + absolute(data)),
    element="a / (1 + fabs(a))",
    doc="Softsign, ``x / (1 + |x|)``.",
    example=([1.0, -3.0], "[ 0.5 , -0.75]"),
    sparse=False,
    onnx="Softsign",
)
logical_not = unary(
    "logical_not",
    lambda xp, x: x == 0,
    flat,
    element="A(a == 0)",
    doc="1 where x is 0, else 0 (NaN counts as true).",
    example=([0.0, 2.0], "[1., 0.]"),
    sample=constant([0.0, 1.0, -2.0]),
    sparse=False,
    wide=False,
    _grad=(),
)

# ---- powers ------------------------------------------------------------------------------------

positive = spread(2, 3, low=0.3, high=3.0)

square = unary(
    "square",
    lambda xp, x: x * x,
    lambda dy, data: dy * data * 2,
    element="a * a",
    doc="Square, ``x * x``.",
    example=([2.0, -3.0], "[4., 9.]"),
    wide=False,
    keeps=True,
)
sqrt = unary(
    "sqrt",
    lambda xp, x: xp.sqrt(x),
    lambda dy, out: dy * 0.5 / out,
    element="sqrt(a)",
    doc="Square root; NaN for negative x.",
    example=([4.0, 9.0], "[2., 3.]"),
    sample=positive,
    onnx="Sqrt",
    keeps=True,
)
rsqrt = unary(
    "rsqrt",
    lambda xp, x: 1 / xp.sqrt(x),
    lambda dy, data, out: dy * -0.5 * out / data,
    element="1 / sqrt(a)",
    doc="Reciprocal square root, ``1 / sqrt(x)``.",
    example=([4.0, 16.0], "[0.5 , 0.25]"),
    sample=positive,
)
cbrt = unary(
    "cbrt",
    lambda xp, x: xp.cbrt(x),
    lambda dy, out: dy / (square(out) * 3),
    element="cbrt(a)",
    doc="Cube root.",
    example=([8.0, -1.0], "[ 2., -1.]"),
    sample=positive,
    keeps=True,
)
rcbrt = unary(
    "rcbrt",
    lambda xp, x: 1 / xp.cbrt(x),
    lambda dy, data, out: dy * out / (data * -3),
    element="1 / cbrt(a)",
    doc="Reciprocal cube root.",
    example=([8.0, -1.0], "[ 0.5, -1. ]"),
    sample=positive,
    sparse=False,
)
reciprocal = unary(
    "reciprocal",
    lambda xp, x: 1 / x,
    lambda dy, out: -dy * square(out),
    element="1 / a",
    doc="Reciprocal, ``1 / x``.",
    example=([4.0, -0.5], "[ 0.25, -2.  ]"),
    sample=positive,
    sparse=False,
    onnx="Reciprocal",
)
