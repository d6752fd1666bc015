"""Random samplers whose values come from rejection or sums: gamma, Poisson and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDS = 64  # of rejection; each accepts over 60 % of what is left


def standard_exponential(xp: Any, rng: Any, shape: tuple[int, ...]) -> Any:
    """Exponential values with mean 1, in float64."""
    return -xp.log1p(-rng.uniform(shape, np.float64))


def standard_gamma(xp: Any, rng: Any, alpha: Any) -> Any:
    """Gamma values with scale 1, one for each shape parameter in `alpha`, in float64.

    Draws for as many rounds as there may be, whatever the values say. Source: Marsaglia and Tsang,
    ACM TOMS 26 (2000); below 1 by their power of a uniform.
    """
    alpha = alpha.astype(np.float64)
    power = rng.uniform(alpha.shape, np.float64) ** (1 / xp.where(alpha > 0, alpha, 1))
    end = rng.block + ROUNDS * 2 * -(-alpha.size // 2)
    d = xp.where(alpha < 1, alpha + 1, alpha) - 1 / 3
    c = 1 / xp.sqrt(9 * d)
    result, missing = d, xp.ones(alpha.shape, bool)
    for _ in range(ROUNDS):
        x = rng.normal(alpha.shape, np.float64)
        v = (1 + c * x) ** 3
        log_v = xp.log(xp.where(v > 0, v, 1))
        log_u = -standard_exponential(xp, rng, alpha.shape)
        good = (v > 0) & (log_u < 0.5 * x * x + d * (1 - v + log_v))
        result = xp.where(missing & good, d * v, result)
        missing &= ~good
        if not missing.any():
            break
    rng.block = end
    return xp.where(alpha < 1, result * power, result)


def poisson(xp: Any, rng: Any, lam: Any) -> Any:
    """Poisson values, one for each mean in `lam`, in float64.

    Means of at least 10 by transformed rejection (Hoermann, Insurance: Mathematics and Economics
    12 (1993), algorithm PTRS), smaller ones by inversion.
    """
    lam = lam.astype(np.float64)
    small = _poisson_by_inversion(xp, rng, xp.minimum(lam, 10))
    if not (lam >= 10).any():
        return small
    return xp.where(lam < 10, small, _poisson_by_rejection(xp, rng, xp.maximum(lam, 10)))


def _poisson_by_inversion(xp: Any, rng: Any, lam: Any) -> Any:
    u = rng.uniform(lam.shape, np.float64)
    mass = xp.exp(-lam)
    total, count = mass.copy(), xp.zeros(lam.shape)
    for k in range(1, 100):
        beyond = u >= total
        if not beyond.any():
            break
        count = xp.where(beyond, k, count)
        mass = mass * lam / k
        total = total + mass
    return count


def _poisson_by_rejection(xp: Any, rng: Any, lam: Any) -> Any:
    b = 0.931 + 2.53 * xp.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse, limit = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    result, missing = xp.floor(lam), xp.ones(lam.shape, bool)
    for _ in range(ROUNDS):
        u, v = rng.uniform(lam.shape, np.float64) - 0.5, rng.uniform(lam.shape, np.float64)
        us = xp.maximum(0.5 - xp.abs(u), 1e-300)
        k = xp.floor((2 * a / us + b) * u + lam + 0.43)
        quick = (us >= 0.07) & (v <= limit)
        allowed = (k >= 0) & ~((us < 0.013) & (v > us))
        log_v = xp.log(xp.maximum(v, 1e-300) * inverse / (a / (us * us) + b))
        exact = log_v <= k * xp.log(lam) - lam - _log_factorial(xp, xp.maximum(k, 0))
        good = quick | (allowed & exact)
        result = xp.where(missing & good, k, result)
        missing &= ~good
        if not missing.any():
            break
    return result


def _log_factorial(xp: Any, k: Any) -> Any:
    """log(k!) by Stirling's series from k + 10 downwards."""
    x = k + 10
    series = (x - 0.5) * xp.log(x) - x + 0.5 * np.log(2 * np.pi)
    series = series + 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    product = xp.ones_like(x)
    for i in range(1, 10):
        product = product * (k + i)
    return series - xp.log(product)


def negative_binomial(xp: Any, rng: Any, k: Any, p: Any) -> Any:
    """Failures before the `k`-th success of probability `p`: Poisson with a gamma mean."""
    return rng.poisson(rng.gamma(k) * (1 - p) / p)


def generalized_negative_binomial(xp: Any, rng: Any, mu: Any, alpha: Any) -> Any:
    """Poisson with a gamma mean of mean `mu` and variance ``alpha * mu ** 2``."""
    safe = xp.where(alpha > 0, alpha, 1).astype(np.float64)
    spread = rng.gamma(1 / safe) * safe * mu
    return rng.poisson(xp.where(alpha > 0, spread, mu))
