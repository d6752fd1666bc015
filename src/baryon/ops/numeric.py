"""Arithmetic that the bodies of several families share, and the dtype rule of numeric operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import bfloat16, is_float
from . import rules

__all__ = ["divide", "modulo", "numeric", "power", "widen"]


def numeric(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: all alike and not bool, which these operators refuse as MXNet does."""
    ins, outs = rules.uniform(attrs, ins, outs)
    if np.dtype(bool) in (*ins, *outs):
        raise MXNetError("data type bool is not supported; cast it first")
    return ins, outs


def widen(xp: Any, x: Any) -> Any:
    """`x` in a type whose functions are accurate: float32 for half types, float64 for integers."""
    if x.dtype in (np.float32, np.float64):
        return x
    return x.astype(xp.float32 if is_float(np.dtype(x.dtype)) else xp.float64)


def divide(xp: Any, a: Any, b: Any) -> Any:
    """``a / b``; integers are cut towards zero, and an integer over 0 is 0."""
    if is_float(np.dtype(a.dtype)):
        return a / b
    nonzero = xp.where(b == 0, xp.ones_like(b), b)
    quotient = xp.floor_divide(a, nonzero)
    uneven = (quotient * nonzero != a) & ((a < 0) != (nonzero < 0))
    return xp.where(b == 0, xp.zeros_like(quotient), quotient + uneven.astype(quotient.dtype))


def modulo(xp: Any, a: Any, b: Any) -> Any:
    """Remainder with the sign of the divisor; 0 where the divisor is 0."""
    wide_a, wide_b = (widen(xp, a), widen(xp, b)) if a.dtype in (np.float16, bfloat16) else (a, b)
    zero = b == 0
    return xp.where(zero, xp.zeros_like(wide_a), xp.mod(wide_a, xp.where(zero, 1, wide_b)))


def power(xp: Any, a: Any, b: Any) -> Any:
    """``a ** b`` computed in floating point, whatever the type."""
    return xp.power(widen(xp, a), widen(xp, b))
