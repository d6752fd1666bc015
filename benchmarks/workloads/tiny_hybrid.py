"""One call of a tiny net: the overhead of a compiled graph."""

from __future__ import annotations

import numpy as np

from .base import Bar, Workload, floats, times

SEED, LAYERS, WIDTH, BATCH = 3, 5, 16, 4


def arrays() -> dict[str, np.ndarray]:
    """Input `x`, and `weight<i>`, `bias<i>` of each layer."""
    rng = np.random.RandomState(SEED)
    values = {"x": floats(rng, BATCH, WIDTH)}
    for i in range(LAYERS):
        values[f"weight{i}"] = floats(rng, WIDTH, WIDTH, low=-0.5, high=0.5)
        values[f"bias{i}"] = floats(rng, WIDTH, low=0, high=0.5)
    return values


WORKLOADS = (
    Workload(
        "tiny_hybrid",
        "5 x (dense 16, relu) on a batch of 4, one hybridized call (torch: eager)",
        arrays,
        ("baryon/hybrid", "mxnet/hybrid", "torch/eager"),
        (Bar("baryon/hybrid", 10e-6), times(0.2, "baryon/hybrid", "mxnet/hybrid")),
    ),
)
