"""Distinct samples of Zipf's law, for sampled losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import op
from .rules import forward


def _shapes(attrs: Attrs) -> list:
    if attrs.shape is None or len(attrs.shape) != 2:
        raise MXNetError(f"attribute shape must have two dimensions, got {attrs.shape}")
    if attrs.shape[1] > attrs.range_max:
        raise MXNetError(f"there are no {attrs.shape[1]} distinct numbers below {attrs.range_max}")
    return [attrs.shape, attrs.shape[:1]]


def _distinct(draw: Any, count: int) -> tuple[np.ndarray, int]:
    """The first `count` distinct numbers that ``draw(n)`` makes, and how many that took."""
    drawn = draw(2 * count)
    while True:
        values, first = np.unique(drawn, return_index=True)
        if len(values) >= count:
            order = np.sort(first)[:count]
            return drawn[order], int(order[-1]) + 1 if count else 0
        drawn = np.concatenate([drawn, draw(len(drawn))])


@op(
    "_sample_unique_zipfian",
    outputs=("output0", "output1"),
    shape=forward(_shapes),
    dtype="int64",
    host=True,
)
def sample_unique_zipfian(xp: Any, *, range_max: int, shape: Shape | None = None, rng: Any) -> Any:
    """Rows of distinct numbers below `range_max`, and how many draws each row took (int64).

    A draw is k with probability ``log((k + 2) / (k + 1)) / log(range_max + 1)``.
    It runs on the CPU only.  (MXNet operator ``_sample_unique_zipfian``.)

    >>> drawn, tries = mx.nd._internal._sample_unique_zipfian(3, shape=(1, 3))
    >>> sorted(drawn.asnumpy()[0].tolist()), bool(tries.asnumpy()[0] >= 3)
    ([0, 1, 2], True)
    """
    rows, count = shape

    def draw(n: int) -> np.ndarray:
        u = rng.uniform((n,), np.float64)
        return np.exp(u * math.log(range_max + 1)).astype(np.int64) - 1

    found = [_distinct(draw, count) for _ in range(rows)]
    values = np.array([f[0] for f in found], np.int64).reshape(shape)
    return xp.asarray(values), xp.asarray([f[1] for f in found])


sample_unique_zipfian.sample(range_max=20, shape=(2, 5))
sample_unique_zipfian.sample(range_max=4, shape=(1, 4))
