"""Eager calls on large arrays with fresh results each time: bandwidth and page faults."""

from __future__ import annotations

import numpy as np

from .base import Workload, floats, times

SEED, LENGTH, MATRIX = 5, 10_000_000, (8192, 1024)


def vectors() -> dict[str, np.ndarray]:
    """Three vectors of 1e7 elements."""
    rng = np.random.RandomState(SEED)
    return {name: floats(rng, LENGTH, low=0) for name in "abc"}


def matrix() -> dict[str, np.ndarray]:
    """Rows for a softmax."""
    return {"a": floats(np.random.RandomState(SEED), *MATRIX, low=-4, high=4)}


def _workload(name: str, step: str, arrays: object) -> Workload:
    contestants = ("baryon/eager", "torch/eager", "mxnet/eager")
    bars = (times(0.5, "baryon/eager", "torch/eager"),)
    return Workload(f"large_eager.{name}", step, arrays, contestants, bars)


WORKLOADS = (
    _workload("multiply_add", "a * b + c, 1e7 elements", vectors),
    _workload("exp", "exp, 1e7 elements", vectors),
    _workload("sum", "sum to a scalar, 1e7 elements", vectors),
    _workload("softmax", "softmax of (8192, 1024) over the last axis", matrix),
)
