"""Whether random generators draw from the distribution that they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Buckets = Sequence[Any]


def gen_buckets_probs_with_ppf(
    ppf: Callable[[float], float], nbuckets: int
) -> tuple[list[tuple[float, float]], list[float]]:
    """Intervals of equal probability, from the inverse of the distribution function.

    >>> mx.test_utils.gen_buckets_probs_with_ppf(lambda p: 2 * p, 2)
    ([(0.0, 1.0), (1.0, 2.0)], [0.5, 0.5])
    """
    if nbuckets <= 0:
        raise AssertionError(f"expected at least one bucket, got {nbuckets}")
    ends = [ppf(i / nbuckets) for i in range(nbuckets + 1)]
    return list(zip(ends, ends[1:], strict=False)), [1 / nbuckets] * nbuckets


def _samples(generator: Callable[[int], Any], nsamples: int) -> np.ndarray:
    drawn = generator(nsamples)
    return (drawn.asnumpy() if hasattr(drawn, "asnumpy") else np.asarray(drawn)).ravel()


def mean_check(generator: Callable, mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the samples' mean is within 3 standard errors of `mu`."""
    mean = _samples(generator, nsamples).astype(np.float64).mean()
    return bool(abs(mean - mu) < 3 * sigma / math.sqrt(nsamples))


def var_check(generator: Callable, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether a normal generator's variance is within 3 standard errors of ``sigma**2``."""
    variance = _samples(generator, nsamples).astype(np.float64).var(ddof=1)
    return bool(abs(variance - sigma**2) < 3 * math.sqrt(2 * sigma**4 / (nsamples - 1)))


def chi_square_check(
    generator: Callable[[int], Any],
    buckets: Buckets,
    probs: Sequence[float],
    nsamples: int = 1000000,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Pearson's chi-square test: p-value, observed and expected counts of the buckets.

    generator : draws as many samples as it is asked for.
    buckets   : intervals (low, high), or the values of a discrete distribution.
    probs     : their probabilities; the expected counts are scaled to the samples that fell into
                some bucket.
    """
    if not buckets or len(buckets) != len(probs):
        raise AssertionError(f"{len(buckets)} buckets and {len(probs)} probabilities")
    samples = _samples(generator, nsamples)
    if isinstance(buckets[0], (tuple, list)):
        counts = [np.count_nonzero((samples >= low) & (samples < high)) for low, high in buckets]
    else:
        counts = [np.count_nonzero(samples == value) for value in buckets]
    observed = np.asarray(counts, np.float64)
    expected = np.asarray(probs, np.float64)
    expected = expected * (observed.sum() / expected.sum())
    if not observed.sum():
        return 0.0, observed, expected
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return _chi_square_tail(statistic, len(buckets) - 1), observed, expected


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Probability that a chi-square variable is larger: the upper incomplete gamma function.

    A series below the mean and a continued fraction above it (Numerical Recipes, 6.2).
    """
    if freedom <= 0 or statistic <= 0:
        return 1.0
    a, x = freedom / 2, statistic / 2
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        k = a
        while abs(term) > 1e-16 * abs(total):
            k += 1
            term *= x / k
            total += term
        return max(0.0, 1 - scale * total)
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    fraction = d
    for i in range(1, 10000):
        n = -i * (i - a)
        b += 2
        d = 1 / (n * d + b or tiny)
        c = b + n / c or tiny
        fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return scale * fraction


def verify_generator(
    generator: Callable[[int], Any],
    buckets: Buckets,
    probs: Sequence[float],
    nsamples: int = 1000000,
    nrepeat: int = 5,
    success_rate: float = 0.2,
    alpha: float = 0.05,
) -> list[float]:
    """AssertionError unless enough of `nrepeat` chi-square tests have a p-value above `alpha`.

    Arguments as in `chi_square_check`; returns the p-values.

    >>> draw = lambda n: np.random.uniform(size=n)
    >>> len(mx.test_utils.verify_generator(draw, [(0, 0.5), (0.5, 1)], [0.5, 0.5], nsamples=1000))
    5
    """
    tests = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    found = [p for p, _, _ in tests]
    if sum(p > alpha for p in found) < nrepeat * success_rate:
        raise AssertionError(
            f"Generator test fails, Chi-square p={found}, obs_freq={[t[1] for t in tests]}, "
            f"expected_freq={[t[2] for t in tests]}.\nbuckets={buckets}, probs={probs}"
        )
    return found
