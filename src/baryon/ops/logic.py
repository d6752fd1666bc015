"""Comparisons and logic: 0 or 1 in the dtype of the inputs, as MXNet's legacy operators give them.

No gradient flows through any of them. NaN counts as true and compares unequal to everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .binary import both
from .samples import Draw, integers
from .scalar import with_number
from .storage import KEEPS_ZERO
from .unary import flat


class Comparison(NamedTuple):
    """One comparison: name stem, its spelling in old aliases, function, formula, its operator in C,
    the example's result, ONNX operator.
    """

    name: str
    old: str
    body: Callable[[Any, Any, Any], Any]
    formula: str
    sign: str
    example: str
    onnx: str | None


_TABLE = (
    Comparison("equal", "Equal", lambda xp, a, b: a == b, "lhs == rhs", "==", "[0., 0.]", "Equal"),
    Comparison(
        "not_equal", "Not_Equal", lambda xp, a, b: a != b, "lhs != rhs", "!=", "[1., 1.]", None
    ),
    Comparison(
        "greater", "Greater", lambda xp, a, b: a > b, "lhs > rhs", ">", "[1., 1.]", "Greater"
    ),
    Comparison(
        "greater_equal",
        "Greater_Equal",
        lambda xp, a, b: a >= b,
        "lhs >= rhs",
        ">=",
        "[1., 1.]",
        "GreaterOrEqual",
    ),
    Comparison("lesser", "Lesser", lambda xp, a, b: a < b, "lhs < rhs", "<", "[0., 0.]", "Less"),
    Comparison(
        "lesser_equal",
        "Lesser_Equal",
        lambda xp, a, b: a <= b,
        "lhs <= rhs",
        "<=",
        "[0., 0.]",
        "LessOrEqual",
    ),
    Comparison(
        "logical_and",
        "Logical_And",
        lambda xp, a, b: (a != 0) & (b != 0),
        "lhs and rhs",
        "&&",
        "[1., 1.]",
        "And",
    ),
    Comparison(
        "logical_or",
        "Logical_Or",
        lambda xp, a, b: (a != 0) | (b != 0),
        "lhs or rhs",
        "||",
        "[1., 1.]",
        "Or",
    ),
    Comparison(
        "logical_xor",
        "Logical_Xor",
        lambda xp, a, b: (a != 0) ^ (b != 0),
        "lhs xor rhs",
        "^",
        "[0., 0.]",
        "Xor",
    ),
)


def _element(sign: str, right: str) -> str:
    truth = "A(({} != 0) {} ({} != 0))" if sign in ("&&", "||", "^") else "A({} {} {})"
    return truth.format("a", sign, right)


def _few(*shape: int) -> Draw:
    """Values among 0, 1 and 2, so that all outcomes occur."""
    return integers(*shape, low=0, high=3)


for _c in _TABLE:
    both(
        f"_{_c.name}",
        f"broadcast_{_c.name}",
        _c.body,
        (flat, flat),
        doc=f"1 where ``{_c.formula}``, else 0.  No gradient flows.",
        example=_c.example,
        element=_element(_c.sign, "b"),
        plain_aliases=(f"_{_c.old}",),
        onnx=_c.onnx,
        values=_few,
        _dtypes=("float32", "float64", "int32"),
        _grad=(),
    )
    with_number(
        f"_{_c.name}_scalar",
        _c.body,
        flat,
        doc=f"1 where ``{_c.formula.replace('lhs', 'data').replace('rhs', 'scalar')}``, else 0",
        example=_c.example,
        element=_element(_c.sign, "{scalar}"),
        aliases=(f"_{_c.old.replace('_', '')}Scalar",),
        samples=(_few(3, 4),),
        scalar=1.0,
        storage=() if _c.name.startswith("logical") else KEEPS_ZERO,
        _dtypes=("float32", "float64", "int32"),
        _grad=(),
    )
