"""Language models of LSTM and of transformer layers, and what they are made of.

A network yields its parameters in the order of its layers, and `symbol` builds it from whatever has
MXNet's operators: a `sym` module, or the like of ``peers.onnx_graph`` and ``peers.jax_graph``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from .base import floats

Shapes = Iterator["tuple[str, tuple[int, ...]]"]


def dense(name: str, before: int, width: int) -> Shapes:
    """Parameters of a dense layer."""
    yield f"{name}_weight", (width, before)
    yield f"{name}_bias", (width,)


def norm(name: str, width: int) -> Shapes:
    """Parameters of a layer norm."""
    yield f"{name}_gamma", (width,)
    yield f"{name}_beta", (width,)


def lstm(width: int, layers: int) -> Shapes:
    """Parameters of a stack of LSTM layers, named as Gluon's."""
    for i in range(layers):
        for part in ("i2h", "h2h"):
            yield f"lstm{i}_{part}_weight", (4 * width, width)
        for part in ("i2h", "h2h"):
            yield f"lstm{i}_{part}_bias", (4 * width,)


def attention(
    sym: object, qkv: object, heads: int, each: int, length: int, ahead: object = None
) -> object:
    """Of queries, keys and values side by side (batch, length, 3 * width): (batch, length, width).

    `ahead` is added to the scores.
    """
    y = sym.reshape(qkv, shape=(0, 0, 3, heads, each))
    y = sym.reshape(sym.transpose(y, axes=(2, 0, 3, 1, 4)), shape=(3, -1, length, each))
    q, k, v = sym.split(y, num_outputs=3, axis=0, squeeze_axis=True)
    scores = sym.batch_dot(q, k, transpose_b=True) * each**-0.5
    if ahead is not None:
        scores = sym.broadcast_add(scores, ahead)
    seen = sym.reshape(sym.batch_dot(sym.softmax(scores), v), shape=(-1, heads, length, each))
    return sym.reshape(sym.transpose(seen, axes=(0, 2, 1, 3)), shape=(0, 0, -1))


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
        yield from lstm(self.width, self.layers)
        yield from dense("output", self.width, self.vocabulary)

    def symbol(self, sym: object) -> object:
        """Scores (time * batch, vocabulary)."""
        sizes = {"input_dim": self.vocabulary, "output_dim": self.width}
        x = sym.Embedding(sym.var("data"), name="embedding", **sizes)
        x = sym.RNN(x, mode="lstm", state_size=self.width, num_layers=self.layers, name="lstm")
        x = sym.reshape(x, shape=(-1, self.width))
        return sym.FullyConnected(x, num_hidden=self.vocabulary, name="output")


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
        for name in (f"layer{i}" for i in range(self.layers)):
            yield from norm(f"{name}_norm1", d)
            yield from dense(f"{name}_qkv", d, 3 * d)
            yield from dense(f"{name}_mix", d, d)
            yield from norm(f"{name}_norm2", d)
            yield from dense(f"{name}_wide", d, 4 * d)
            yield from dense(f"{name}_narrow", 4 * d, d)
        yield from dense("output", d, self.vocabulary)

    def symbol(self, sym: object) -> object:
        """Scores (time * batch, vocabulary); the constant `ahead` is an input."""
        d, each, ahead = self.width, self.width // self.heads, sym.var("ahead")

        def layer(x: object, name: str, width: int) -> object:
            return sym.FullyConnected(x, num_hidden=width, flatten=False, name=name)

        sizes = {"input_dim": self.vocabulary, "output_dim": d}
        x = sym.Embedding(sym.transpose(sym.var("data")), name="embedding", **sizes)
        x = sym.broadcast_add(x, sym.expand_dims(sym.var("place_weight"), axis=0))
        for name in (f"layer{i}" for i in range(self.layers)):
            qkv = layer(sym.LayerNorm(x, name=f"{name}_norm1"), f"{name}_qkv", 3 * d)
            seen = attention(sym, qkv, self.heads, each, self.steps, ahead)
            x = x + layer(seen, f"{name}_mix", d)
            y = layer(sym.LayerNorm(x, name=f"{name}_norm2"), f"{name}_wide", 4 * d)
            x = x + layer(sym.Activation(y, act_type="relu"), f"{name}_narrow", d)
        x = sym.transpose(layer(x, "output", self.vocabulary), axes=(1, 0, 2))
        return sym.reshape(x, shape=(-1, self.vocabulary))

    def ahead(self) -> np.ndarray:
        """Added to scores (1, steps, steps): hides what comes later."""
        return np.triu(np.full((1, self.steps, self.steps), -1e9, np.float32), 1)


def values_of(net: object, seed: int = 6) -> dict[str, np.ndarray]:
    """The inputs of a network, then its parameters in order."""
    rng = np.random.RandomState(seed)
    values = net.inputs(rng)
    for key, shape in net.shapes():
        bound = float(np.sqrt(3 / shape[-1])) if key.endswith("weight") else 0.0
        start = 1.0 if key.endswith("gamma") else 0.0
        values[key] = start + floats(rng, *shape, low=-bound, high=bound)
    return values
