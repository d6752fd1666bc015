"""Functions of two operands, either of which may be a number (`mx.sym.maximum` and its like)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..operands import binary_functions
from ..ops.op import Op
from ._symbol import Symbol, compose
from .spelling import old_name

__all__ = ["hypot", "maximum", "minimum", "pow", "power"]


def _apply(op: Op, inputs: Sequence[Symbol], raw: Mapping[str, Any]) -> Symbol:
    return compose(op, inputs, raw, hint=old_name(op))


_TWO = binary_functions(_apply, Symbol, broadcasting=False)


def maximum(left: Any, right: Any) -> Any:
    """The greater of two operands, element by element.

    >>> mx.sym.maximum(mx.sym.var("a"), 2).eval(a=mx.nd.array([1.0, 3.0]))[0].asnumpy()
    array([2., 3.], dtype=float32)
    """
    return _TWO["maximum"](left, right)


def minimum(left: Any, right: Any) -> Any:
    """The smaller of two operands, element by element.

    >>> mx.sym.minimum(mx.sym.var("a"), 2).eval(a=mx.nd.array([1.0, 3.0]))[0].asnumpy()
    array([1., 2.], dtype=float32)
    """
    return _TWO["minimum"](left, right)


def hypot(left: Any, right: Any) -> Any:
    """The length of the hypotenuse over two legs, element by element.

    >>> mx.sym.hypot(mx.sym.var("a"), 4).eval(a=mx.nd.array([3.0]))[0].asnumpy()
    array([5.], dtype=float32)
    """
    return _TWO["hypot"](left, right)


def pow(base: Any, exp: Any) -> Any:
    """`base` to the power `exp`, element by element.

    >>> mx.sym.pow(2, mx.sym.var("a")).eval(a=mx.nd.array([3.0]))[0].asnumpy()
    array([8.], dtype=float32)
    """
    return _TWO["power"](base, exp)


power = pow
