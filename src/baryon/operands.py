"""Functions of two operands, either of which may be a number: the same for arrays and symbols."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from .ops.op import get
from .ops.operators import TABLE, Names, is_number


def _named(stem: str, plain: Callable) -> tuple[Names, Callable]:
    scalar = f"_{stem}_scalar"
    return Names(f"_{stem}", f"broadcast_{stem}", scalar, scalar), plain


_TWO_OPERANDS: dict[str, tuple[Names, Callable]] = {
    "add": (TABLE["add"], operator.add),
    "subtract": (TABLE["sub"], operator.sub),
    "multiply": (TABLE["mul"], operator.mul),
    "divide": (TABLE["truediv"], operator.truediv),
    "modulo": (TABLE["mod"], operator.mod),
    "power": (TABLE["pow"], operator.pow),
    "maximum": _named("maximum", max),
    "minimum": _named("minimum", min),
    "equal": (TABLE["eq"], lambda a, b: float(a == b)),
    "not_equal": (TABLE["ne"], lambda a, b: float(a != b)),
    "greater": (TABLE["gt"], lambda a, b: float(a > b)),
    "greater_equal": (TABLE["ge"], lambda a, b: float(a >= b)),
    "lesser": (TABLE["lt"], lambda a, b: float(a < b)),
    "lesser_equal": (TABLE["le"], lambda a, b: float(a <= b)),
    "logical_and": _named("logical_and", lambda a, b: float(bool(a) and bool(b))),
    "logical_or": _named("logical_or", lambda a, b: float(bool(a) or bool(b))),
    "logical_xor": _named("logical_xor", lambda a, b: float(bool(a) != bool(b))),
    "hypot": _named("hypot", math.hypot),
}


def binary_functions(
    apply: Callable[..., Any], tensor: type, broadcasting: bool = True
) -> dict[str, Callable]:
    """`add`, `maximum`, `equal` and so on for tensors and numbers in any combination.

    apply : ``(op, inputs, attrs)`` -> result.    broadcasting : use the broadcasting operators.
    """
    made = {}
    for name, (ops, plain) in _TWO_OPERANDS.items():
        if not broadcasting:
            ops = ops._replace(broadcast=ops.elemwise)
        made[name] = _binary(name, ops, plain, apply, tensor)
    return made


def same_shape_functions(apply: Callable[..., Any], tensor: type) -> dict[str, Callable]:
    """`binary_functions` whose operands of one shape meet plainly, which keeps their storage."""
    made = {}
    for name, (ops, plain) in _TWO_OPERANDS.items():
        alike = _binary(name, ops._replace(broadcast=ops.elemwise), plain, apply, tensor)
        made[name] = _by_shape(alike, _binary(name, ops, plain, apply, tensor))
    return made


def _by_shape(alike: Callable, broadcasting: Callable) -> Callable:
    def function(lhs: Any, rhs: Any) -> Any:
        same = getattr(lhs, "shape", None) == getattr(rhs, "shape", None)
        return (alike if same else broadcasting)(lhs, rhs)

    function.__name__ = function.__qualname__ = alike.__name__
    function.__module__ = f"{alike.__module__}.sparse"
    function.__doc__ = alike.__doc__
    return function


def _binary(name: str, ops: Names, plain: Callable, apply: Callable, tensor: type) -> Callable:
    def function(lhs: Any, rhs: Any) -> Any:
        for value in (lhs, rhs):
            if not isinstance(value, tensor) and not is_number(value):
                raise TypeError(f"{name}: type {type(value)} not supported")
        if isinstance(lhs, tensor):
            if isinstance(rhs, tensor):
                return apply(get(ops.broadcast), (lhs, rhs), {})
            return apply(get(ops.scalar), (lhs,), {"scalar": rhs})
        if isinstance(rhs, tensor):
            return apply(get(ops.reverse), (rhs,), {"scalar": lhs})
        return plain(lhs, rhs)

    function.__name__ = function.__qualname__ = name
    function.__module__ = tensor.__module__.rpartition(".")[0]
    function.__doc__ = f"Element-wise {name} with broadcasting; either operand may be a number."
    return function
