"""What baryon costs before it computes anything: importing it, and the size of its wheel."""

from __future__ import annotations

import numpy as np

from .base import MIB, Bar, Workload


def arrays() -> dict[str, np.ndarray]:
    """Nothing."""
    return {}


WORKLOADS = (
    Workload(
        "import",
        "a fresh interpreter that imports the package and ends",
        arrays,
        tuple(f"{peer}/import" for peer in ("baryon", "mxnet", "torch", "ort", "openvino", "jax")),
        (Bar("baryon/import", 0.25),),
    ),
    Workload(
        "wheel",
        "the files of the package, compressed as in a wheel",
        arrays,
        ("baryon/files",),
        (Bar("baryon/files#wheel", 15 * MIB),),
        timed=False,
    ),
)
