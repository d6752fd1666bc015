"""A chain of 100 tiny operators, forward and backward: the overhead of the tape."""

from __future__ import annotations

import numpy as np

from .base import Workload, floats, times

SEED, LINKS = 2, 50


def arrays() -> dict[str, np.ndarray]:
    """The start `x` and the factor `w`, near 1 so that no gradient vanishes."""
    rng = np.random.RandomState(SEED)
    return {"x": floats(rng, 16, 16), "w": floats(rng, 16, 16, low=0.8, high=1.6)}


WORKLOADS = (
    Workload(
        "chain100",
        "50 times x = tanh(x * w) on 16x16, then the gradients of x and w",
        arrays,
        ("baryon/eager", "torch/eager", "mxnet/eager"),
        (times(0.6, "baryon/eager", "torch/eager"),),
    ),
)
