"""Special functions that neither numpy nor cupy's core has, in float64 for the reference bodies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _at_pole(function: Callable[[float], float], pole: Callable[[float], float]) -> Callable:
    def safe(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return pole(x)

    return safe


def _gamma_pole(x: float) -> float:
    return math.copysign(math.inf, x) if x == 0 else math.nan


_SCALAR: dict[str, Callable[[float], float]] = {
    "erf": math.erf,
    "gamma": _at_pole(math.gamma, _gamma_pole),
    "gammaln": _at_pole(math.lgamma, lambda x: math.inf),
}


def special(xp: Any, name: str, x: Any) -> Any:
    """``erf``, ``gamma`` or ``gammaln`` of `x`, from the C library or from cupy."""
    if xp is np:
        values = np.frompyfunc(_SCALAR[name], 1, 1)(np.asarray(x, np.float64))
        return np.asarray(values, np.float64)
    from cupyx.scipy import special as library

    return getattr(library, name)(x)


def erfinv(xp: Any, y: Any) -> Any:
    """Inverse of erf on [-1, 1]: a rational first guess (Winitzki), then Halley steps."""
    y = y.astype(xp.float64)
    inside = xp.where(xp.abs(y) < 1, y, xp.zeros_like(y))
    log = xp.log1p(-inside * inside)
    a = 0.147
    b = 2 / (math.pi * a) + log / 2
    x = xp.copysign(xp.sqrt(xp.sqrt(b * b - log / a) - b), inside)
    for _ in range(3):
        step = (special(xp, "erf", x) - inside) * (math.sqrt(math.pi) / 2) * xp.exp(x * x)
        x = x - step / (1 + x * step)
    x = xp.where(xp.abs(y) == 1, xp.copysign(xp.full_like(y, xp.inf), y), x)
    return xp.where(xp.abs(y) <= 1, x, xp.full_like(y, xp.nan))


# Coefficients B_2k / (2k) and B_2k of the asymptotic series of digamma and trigamma.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _reflected(xp: Any, x: Any) -> tuple[Any, Any]:
    """Where to reflect, and arguments >= 0.5 there."""
    low = x < 0.5
    return low, xp.where(low, 1 - x, x)


def digamma(xp: Any, x: Any) -> Any:
    """Derivative of gammaln; infinite at the poles 0, -1, -2, …"""
    low, z = _reflected(xp, x.astype(xp.float64))
    total = xp.zeros_like(z)
    for _ in range(8):
        total = total - 1 / z
        z = z + 1
    square = 1 / (z * z)
    term = square
    series = xp.log(z) - 0.5 / z
    for k, b in enumerate(_BERNOULLI, 1):
        series = series - b / (2 * k) * term
        term = term * square
    value = total + series
    pole = low & (x == xp.floor(x))
    angle = math.pi * (x - xp.floor(x)).astype(xp.float64)
    reflected = value - math.pi / xp.tan(xp.where(pole, 1.0, angle))
    return xp.where(pole, xp.inf, xp.where(low, reflected, value))


def trigamma(xp: Any, x: Any) -> Any:
    """Derivative of digamma; infinite at the poles."""
    low, z = _reflected(xp, x.astype(xp.float64))
    total = xp.zeros_like(z)
    for _ in range(8):
        total = total + 1 / (z * z)
        z = z + 1
    square = 1 / (z * z)
    term = square / z
    series = 1 / z + square / 2
    for b in _BERNOULLI:
        series = series + b * term
        term = term * square
    value = total + series
    angle = math.pi * (x - xp.floor(x)).astype(xp.float64)
    return xp.where(low, (math.pi / xp.sin(angle)) ** 2 - value, value)
