"""`a + b` on 16x16: nothing but the overhead of one eager call, recorded and not."""

from __future__ import annotations

import numpy as np

from .base import Workload, floats, times

SEED = 1


def arrays() -> dict[str, np.ndarray]:
    """Two matrices."""
    rng = np.random.RandomState(SEED)
    return {"a": floats(rng, 16, 16), "b": floats(rng, 16, 16)}


WORKLOADS = (
    Workload(
        "add16.eager",
        "a + b on 16x16",
        arrays,
        ("baryon/eager", "torch/eager", "mxnet/eager"),
        (times(0.6, "baryon/eager", "torch/eager"),),
    ),
    Workload(
        "add16.recorded",
        "a + b on 16x16 while recording; a wants a gradient",
        arrays,
        ("baryon/eager", "torch/eager", "mxnet/eager"),
        (times(0.6, "baryon/eager", "torch/eager"),),
    ),
)
