"""Bytes that a bound training executor plans for activations and gradients of activations."""

from __future__ import annotations

import numpy as np

from . import lenet, resnet
from .base import MIB, Bar, Workload, times

NETWORKS = {
    "memory.lenet": (lenet.symbol, (lenet.BATCH, 1, 28, 28)),
    "memory.resnet18": (
        lambda sym: resnet.symbol(sym, resnet.RESNET18),
        (resnet.RESNET18.batch, *resnet.RESNET18.image),
    ),
}


def arrays() -> dict[str, np.ndarray]:
    """Nothing: plans depend on shapes alone."""
    return {}


def _workload(name: str, step: str, *bars: Bar) -> Workload:
    close = times(1.02, "baryon/symbol#planned", "baryon/symbol#lower_bound")
    contestants = ("baryon/symbol", "mxnet/symbol")
    return Workload(name, step, arrays, contestants, (close, *bars), timed=False)


WORKLOADS = (
    _workload("memory.lenet", "LeNet b64, memory planned for training"),
    _workload(
        "memory.resnet18",
        "ResNet-18 b16 of 224x224, memory planned for training",
        Bar("baryon/symbol#planned", 376 * MIB),
    ),
)
