"""Training steps of Gluon networks, recorded call by call and hybridized: what they are made of.

Parameters are named and ordered as the layers are; every contestant takes them in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Workload, best, floats, times
from .language import LSTM, Shapes, Transformer, dense, values_of

WAYS = ("baryon/block", "baryon/hybrid")
PEERS = ("torch/eager", "torch/compile", "mxnet/hybrid", "jax/jit")


@dataclass(frozen=True)
class MLP:
    """Dense layers with ReLU between them, classes last."""

    batch: int = 64
    widths: tuple[int, ...] = (784, 256, 128, 10)

    def shapes(self) -> Shapes:
        """Every parameter."""
        for i, width in enumerate(self.widths[1:]):
            yield from dense(f"dense{i}", self.widths[i], width)

    def inputs(self, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        """A batch."""
        return {
            "data": floats(rng, self.batch, self.widths[0]),
            "label": rng.randint(0, self.widths[-1], self.batch).astype(np.float32),
        }

    def symbol(self, sym: object) -> object:
        """Scores of classes."""
        x = sym.var("data")
        for i, width in enumerate(self.widths[1:]):
            x = sym.Activation(x, act_type="relu") if i else x
            x = sym.FullyConnected(x, num_hidden=width, name=f"dense{i}")
        return x


NETS = {
    "mlp": MLP(),
    "lstm_lm": LSTM(vocabulary=2000, width=200, layers=2, steps=35, batch=20),
    "transformer_lm": Transformer(vocabulary=2000, width=128, layers=2, steps=64, batch=16),
    "lstm650": LSTM(vocabulary=10000, width=650, layers=2, steps=35, batch=20),
}


def _workload(name: str, step: str, bar: float, *more: str) -> Workload:
    net, contestants = NETS[name], (*WAYS, *PEERS, *more)
    ways = [c for c in contestants if c.startswith("baryon/")]
    bars = [best(bar, way) for way in ways]
    bars += [times(1.1, "baryon/block", "baryon/hybrid"), times(1.0, "baryon/block", "torch/eager")]
    bars += [times(1.0, way, "numpy/hand") for way in ways if "numpy/hand" in more]
    load = lambda: values_of(net)  # noqa: E731
    return Workload(f"gluon.{name}", f"{step}: training step, SGD", load, contestants, tuple(bars))


WORKLOADS = (
    _workload(
        "mlp",
        "dense 784-256-128-10, batch 64",
        0.7,
        "baryon/symbol",
        "baryon/module",
        "mxnet/module",
        "numpy/hand",
    ),
    _workload("lstm_lm", "language model, 2 x LSTM 200, 35 steps, batch 20, 2000 words", 0.8),
    _workload(
        "transformer_lm",
        "language model, 2 x transformer 128, 64 steps, batch 16, 2000 words",
        0.8,
    ),
    _workload("lstm650", "language model, 2 x LSTM 650, 35 steps, batch 20, 10000 words", 0.95),
)
