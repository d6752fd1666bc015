"""Training steps of Gluon networks, recorded call by call and hybridized: what they are made of.

Parameters are named and ordered as the layers are; every contestant takes them in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from . import resnet
from .base import Workload, floats, times

LEARNING_RATE, MOMENTUM, CHECKED_STEPS = 0.01, 0.9, 3
CONTESTANTS = ("baryon/block", "baryon/hybrid", "torch/eager", "mxnet/hybrid")
Shapes = Iterator["tuple[str, tuple[int, ...]]"]


@dataclass(frozen=True)
class MLP:
    """Dense layers with ReLU between them, classes last."""

    batch: int = 64
    widths: tuple[int, ...] = (784, 256, 128, 10)

    def shapes(self) -> Shapes:
        """Every parameter."""
        for i, width in enumerate(self.widths[1:]):
            yield f"dense{i}_weight", (width, self.widths[i])
            yield f"dense{i}_bias", (width,)

    def inputs(self, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        """A batch."""
        return {
            "data": floats(rng, self.batch, self.widths[0]),
            "label": rng.randint(0, self.widths[-1], self.batch).astype(np.float32),
        }


@dataclass(frozen=True)
class LanguageModel:
    """What both language models share: tokens (time, batch), each of which predicts the next."""

    vocabulary: int
    width: int
    layers: int
    steps: int
    batch: int

    def inputs(self, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        """A batch."""
        tokens = rng.randint(0, self.vocabulary, (self.steps + 1, self.batch)).astype(np.float32)
        return {"data": tokens[:-1], "label": tokens[1:].ravel()}


class LSTM(LanguageModel):
    """An embedding, layers of LSTM, and a dense layer over the vocabulary."""

    def shapes(self) -> Shapes:
        """Every parameter."""
        yield "embedding_weight", (self.vocabulary, self.width)
        for i in range(self.layers):
            for part in ("i2h", "h2h"):
                yield f"lstm{i}_{part}_weight", (4 * self.width, self.width)
            for part in ("i2h", "h2h"):
                yield f"lstm{i}_{part}_bias", (4 * self.width,)
        yield "output_weight", (self.vocabulary, self.width)
        yield "output_bias", (self.vocabulary,)


class Transformer(LanguageModel):
    """Embeddings of tokens and places, layers that look back, and a dense layer.

    A layer adds attention over what came before, then a wider dense pair with ReLU; both see
    normalized values. Attention reads queries, keys and values from one dense layer, for each of
    `heads` one slice after another.
    """

    heads = 4

    def shapes(self) -> Shapes:
        """Every parameter."""
        d = self.width
        yield "embedding_weight", (self.vocabulary, d)
        yield "place_weight", (self.steps, d)
        for i in range(self.layers):
            for layer, shape in (
                ("norm1", None), ("qkv", (3 * d, d)), ("mix", (d, d)),
                ("norm2", None), ("wide", (4 * d, d)), ("narrow", (d, 4 * d)),
            ):  # fmt: skip
                if shape is None:
                    yield f"layer{i}_{layer}_gamma", (d,)
                    yield f"layer{i}_{layer}_beta", (d,)
                else:
                    yield f"layer{i}_{layer}_weight", shape
                    yield f"layer{i}_{layer}_bias", shape[:1]
        yield "output_weight", (self.vocabulary, d)
        yield "output_bias", (self.vocabulary,)


NETS = {
    "mlp": MLP(),
    "lstm_lm": LSTM(vocabulary=2000, width=200, layers=2, steps=35, batch=20),
    "transformer_lm": Transformer(vocabulary=2000, width=128, layers=2, steps=64, batch=16),
}


def arrays(name: str) -> dict[str, np.ndarray]:
    """`data`, `label`, and the parameters of a network in order."""
    if name == "resnet20":
        return resnet.arrays(resnet.RESNET20)
    net, rng = NETS[name], np.random.RandomState(6)
    values = net.inputs(rng)
    for key, shape in net.shapes():
        bound = float(np.sqrt(3 / shape[-1])) if key.endswith("weight") else 0.0
        start = 1.0 if key.endswith("gamma") else 0.0
        values[key] = start + floats(rng, *shape, low=-bound, high=bound)
    return values


STEPS = {
    "mlp": "dense 784-256-128-10, batch 64",
    "resnet20": "ResNet-20, batch 128 of 32x32",
    "lstm_lm": "language model, 2 x LSTM 200, 35 steps, batch 20, 2000 words",
    "transformer_lm": "language model, 2 x transformer 128, 64 steps, batch 16, 2000 words",
}


def _workload(name: str, step: str) -> Workload:
    load: Callable = lambda: arrays(name)  # noqa: E731
    bars = (
        times(1.1, "baryon/block", "baryon/hybrid"),
        times(1.0, "baryon/block", "torch/eager"),
    )
    return Workload(f"gluon.{name}", f"{step}: training step, SGD", load, CONTESTANTS, bars)


WORKLOADS = tuple(_workload(*pair) for pair in STEPS.items())
