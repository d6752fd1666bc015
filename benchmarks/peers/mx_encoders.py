"""Inference with networks of words in MXNet's API, hybridized."""

from __future__ import annotations

from functools import partial
from typing import Iterator  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from ..workloads import encoders
from .base import Prepared, digest, prepares, repeat
from .mx_gluon import fill
from .mx_train import STATIC

QKV = "_qkv_"


def _attention(mx: object, net: encoders.Encoder) -> object:
    """Self-attention (batch, steps, width) of three dense layers and batched products."""
    nn, heads = mx.gluon.nn, net.heads
    scale = (net.width // heads) ** -0.5

    class Attention(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Dense(net.width, flatten=False)
            self.key = nn.Dense(net.width, flatten=False)
            self.value = nn.Dense(net.width, flatten=False)
            self.mix = nn.Dense(net.width, flatten=False)

        def hybrid_forward(self, F: object, x: object) -> object:
            def by_head(y: object) -> object:
                y = F.transpose(y.reshape((0, 0, heads, -1)), axes=(0, 2, 1, 3))
                return y.reshape((-1, 0, 0), reverse=True)

            q, k, v = by_head(self.query(x)), by_head(self.key(x)), by_head(self.value(x))
            seen = F.batch_dot(F.softmax(F.batch_dot(q * scale, k, transpose_b=True)), v)
            seen = seen.reshape((-1, heads, 0, 0), reverse=True)
            return self.mix(F.transpose(seen, axes=(0, 2, 1, 3)).reshape((0, 0, -1)))

    return Attention()


def _interleaved(mx: object, net: encoders.Encoder) -> object:
    """Self-attention (steps, batch, width) by MXNet's operators for it, of one dense layer."""
    nn, heads = mx.gluon.nn, net.heads

    class Attention(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Dense(3 * net.width, flatten=False)
            self.mix = nn.Dense(net.width, flatten=False)

        def hybrid_forward(self, F: object, x: object) -> object:
            y = self.qkv(x)
            scores = F.contrib.interleaved_matmul_selfatt_qk(y, heads=heads)
            seen = F.softmax(scores, axis=-1)
            return self.mix(F.contrib.interleaved_matmul_selfatt_valatt(y, seen, heads=heads))

    return Attention()


def _bert(mx: object, net: encoders.Encoder, interleaved: bool) -> object:
    """As GluonNLP writes it, dropout (idle in inference) included."""
    nn, attention = mx.gluon.nn, _interleaved if interleaved else _attention

    class Layer(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention(mx, net)
            self.norm1 = nn.LayerNorm(epsilon=net.eps)
            self.wide = nn.Dense(4 * net.width, flatten=False)
            self.gelu, self.drop = nn.GELU(), nn.Dropout(0.1)
            self.narrow = nn.Dense(net.width, flatten=False)
            self.norm2 = nn.LayerNorm(epsilon=net.eps)

        def hybrid_forward(self, F: object, x: object) -> object:
            x = self.norm1(x + self.drop(self.attention(x)))
            return self.norm2(x + self.drop(self.narrow(self.gelu(self.wide(x)))))

    class Model(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(net.vocabulary, net.width)
            self.segment = nn.Embedding(2, net.width)
            self.place = self.params.get("place", shape=(net.steps, net.width))
            self.start, self.body = nn.LayerNorm(epsilon=net.eps), nn.HybridSequential()
            self.body.add(*[Layer() for _ in range(net.layers)])

        def hybrid_forward(self, F: object, word: object, segment: object, place: object) -> object:
            x = self.word(word) + self.segment(segment)
            x = self.start(F.broadcast_add(x, F.expand_dims(place, axis=0)))
            if not interleaved:
                return self.body(x)
            x = self.body(F.transpose(x, axes=(1, 0, 2)))
            return F.transpose(x, axes=(1, 0, 2))

    return Model()


def _spelled(arrays: dict, net: encoders.Encoder, interleaved: bool) -> Iterator:
    """Values with queries, keys and values by themselves, or interleaved by heads."""
    for name, value in arrays.items():
        if QKV not in name:
            yield name, value
        elif interleaved:
            by_head = value.reshape(3, net.heads, -1, *value.shape[1:])
            yield name, np.ascontiguousarray(by_head.swapaxes(0, 1)).reshape(value.shape)
        elif name.endswith("weight"):
            bias = name.replace("weight", "bias")
            for i, part in enumerate(("query", "key", "value")):
                yield name.replace(QKV, f"_{part}_"), np.split(value, 3)[i]
                yield bias.replace(QKV, f"_{part}_"), np.split(arrays[bias], 3)[i]


def _infer(mx: object, block: object, arrays: dict) -> Prepared:
    inputs = [mx.nd.array(arrays[name]) for name in ("data", "segment") if name in arrays]
    block.initialize()
    block.hybridize(**STATIC)
    block(*inputs)
    fill(mx, block, arrays)

    def step() -> object:
        return block(*inputs)

    return Prepared(digest(step().asnumpy()), repeat(step), mx.nd.waitall)


def _encoder(mx: object, arrays: dict, net: encoders.Encoder, interleaved: bool) -> Prepared:
    return _infer(mx, _bert(mx, net, interleaved), dict(_spelled(arrays, net, interleaved)))


def _recurrent(mx: object, arrays: dict, net: encoders.Recurrent) -> Prepared:
    return _infer(mx, mx.gluon.rnn.LSTM(net.width, net.layers, input_size=net.width), arrays)


for _name, _net in encoders.NETS.items():
    if isinstance(_net, encoders.Recurrent):
        prepares(_name, "hybrid")(partial(_recurrent, net=_net))
    else:
        prepares(_name, "hybrid")(partial(_encoder, net=_net, interleaved=False))
        prepares(_name, "interleaved")(partial(_encoder, net=_net, interleaved=True))
