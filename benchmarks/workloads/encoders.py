"""Inference with networks of words: BERT's encoder, and LSTM layers as wide as a medium model's.

Devlin et al., 2018, arXiv:1810.04805; Zaremba et al., 2014, arXiv:1409.2329.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Workload, best, floats
from .language import Shapes, attention, dense, lstm, norm, values_of


@dataclass(frozen=True)
class Encoder:
    """BERT's encoder: embeddings of words, segments and
    places, then layers of attention and of a wider dense pair with GELU. The sum of each with what
    it saw is normalized.
    """

    vocabulary: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    steps: int = 128
    batch: int = 1
    eps: float = 1e-12

    def inputs(self, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        """Words and the sentence (0 or 1) of each, (batch, steps)."""
        shape = self.batch, self.steps
        segments = np.arange(self.steps) * 2 // self.steps
        words = rng.randint(0, self.vocabulary, shape).astype(np.float32)
        return {"data": words, "segment": np.broadcast_to(segments, shape).astype(np.float32)}

    def shapes(self) -> Shapes:
        """Every parameter."""
        d = self.width
        yield "word_weight", (self.vocabulary, d)
        yield "place_weight", (self.steps, d)
        yield "segment_weight", (2, d)
        yield from norm("start", d)
        for name in (f"layer{i}" for i in range(self.layers)):
            yield from dense(f"{name}_qkv", d, 3 * d)
            yield from dense(f"{name}_mix", d, d)
            yield from norm(f"{name}_norm1", d)
            yield from dense(f"{name}_wide", d, 4 * d)
            yield from dense(f"{name}_narrow", 4 * d, d)
            yield from norm(f"{name}_norm2", d)

    def symbol(self, sym: object) -> object:
        """What the last layer gives, (batch, steps, width)."""
        d, each = self.width, self.width // self.heads

        def layer(x: object, name: str, width: int) -> object:
            return sym.FullyConnected(x, num_hidden=width, flatten=False, name=name)

        def normal(x: object, name: str) -> object:
            return sym.LayerNorm(x, eps=self.eps, name=name)

        words = sym.Embedding(sym.var("data"), input_dim=self.vocabulary, output_dim=d, name="word")
        segments = sym.Embedding(sym.var("segment"), input_dim=2, output_dim=d, name="segment")
        places = sym.expand_dims(sym.var("place_weight"), axis=0)
        x = normal(sym.broadcast_add(words + segments, places), "start")
        for name in (f"layer{i}" for i in range(self.layers)):
            qkv = layer(x, f"{name}_qkv", 3 * d)
            seen = attention(sym, qkv, self.heads, each, self.steps)
            x = normal(x + layer(seen, f"{name}_mix", d), f"{name}_norm1")
            y = sym.LeakyReLU(layer(x, f"{name}_wide", 4 * d), act_type="gelu")
            x = normal(x + layer(y, f"{name}_narrow", d), f"{name}_norm2")
        return x


@dataclass(frozen=True)
class Recurrent:
    """A stack of LSTM layers alone, on vectors (steps, batch, width)."""

    width: int = 650
    layers: int = 2
    steps: int = 35
    batch: int = 20

    def inputs(self, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        """A batch."""
        return {"data": floats(rng, self.steps, self.batch, self.width)}

    def shapes(self) -> Shapes:
        """Every parameter."""
        return lstm(self.width, self.layers)

    def symbol(self, sym: object) -> object:
        """What the last layer gives in each step."""
        sizes = {"state_size": self.width, "num_layers": self.layers}
        return sym.RNN(sym.var("data"), mode="lstm", name="lstm", **sizes)


LENGTHS = (32, 64, 128, 256, 512, 1024, 2048)
NETS = {
    "bert.b1": Encoder(),
    "lstm650.infer": Recurrent(),
    **{f"attention.t{n}": Encoder(vocabulary=1000, layers=2, steps=n) for n in LENGTHS},
    **{f"lstm256.t{n}": Recurrent(width=256, steps=n) for n in LENGTHS},
}
PEERS = ("torch/eager", "torch/compile", "ort/session", "openvino/model", "jax/jit", "mxnet/hybrid")


def workload(name: str, step: str, peers: tuple[str, ...], bar: float | None = None) -> Workload:
    """Inference with one of `NETS`."""
    contestants = ("baryon/hybrid", *peers)
    ours = [c for c in contestants if c.startswith("baryon/")] if bar is not None else []
    bars = tuple(best(bar, c) for c in ours)
    return Workload(name, step, lambda: values_of(NETS[name]), contestants, bars)


WORKLOADS = (
    workload(
        "bert.b1",
        "BERT-base encoder, one pair of sentences, 128 words",
        (*PEERS, "baryon/interleaved", "mxnet/interleaved"),
        0.95,
    ),
    workload("lstm650.infer", "2 x LSTM 650, 35 steps, batch 20: inference", PEERS, 0.95),
)
