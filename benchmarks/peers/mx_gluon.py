"""Training Gluon networks in MXNet's API, recorded call by call and hybridized."""

from __future__ import annotations

import numpy as np

from ..workloads import gluon, resnet
from .base import Prepared, prepares, repeat
from .mx_nets import STATIC


def _mlp(mx: object, net: gluon.MLP) -> object:
    nn = mx.gluon.nn
    block = nn.HybridSequential()
    for width in net.widths[1:-1]:
        block.add(nn.Dense(width, activation="relu"))
    block.add(nn.Dense(net.widths[-1]))
    return block


def _resnet(mx: object, net: resnet.Net) -> object:
    nn = mx.gluon.nn

    def convolution(filters: int, size: int, stride: int) -> tuple:
        layer = nn.Conv2D(filters, size, stride, size // 2, use_bias=False)
        return layer, nn.BatchNorm(epsilon=resnet.EPS)

    class Residual(nn.HybridBlock):
        def __init__(self, block: resnet.Block) -> None:
            super().__init__()
            self.body, self.side = nn.HybridSequential(), None
            self.body.add(*convolution(block.filters, 3, block.stride), nn.Activation("relu"))
            self.body.add(*convolution(block.filters, 3, 1))
            if block.widens:
                self.side = nn.HybridSequential()
                self.side.add(*convolution(block.filters, 1, block.stride))

        def hybrid_forward(self, F: object, x: object) -> object:
            shortcut = x if self.side is None else self.side(x)
            return F.Activation(self.body(x) + shortcut, act_type="relu")

    block = nn.HybridSequential()
    block.add(*convolution(*net.stem), nn.Activation("relu"))
    block.add(*map(Residual, resnet.blocks(net)))
    block.add(nn.GlobalAvgPool2D(), nn.Dense(net.classes))
    return block


def _lstm(mx: object, net: gluon.LSTM) -> object:
    nn = mx.gluon.nn
    block = nn.HybridSequential()
    block.add(nn.Embedding(net.vocabulary, net.width))
    block.add(mx.gluon.rnn.LSTM(net.width, net.layers, input_size=net.width))
    block.add(nn.Dense(net.vocabulary, flatten=False))
    block.add(nn.HybridLambda(lambda F, x: x.reshape((-1, net.vocabulary))))
    return block


def _transformer(mx: object, net: gluon.Transformer) -> object:
    nn, steps, width, heads = mx.gluon.nn, net.steps, net.width, net.heads
    each = width // heads
    ahead = np.triu(np.full((1, steps, steps), -1e9, np.float32), 1)

    class Layer(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.qkv = nn.LayerNorm(), nn.Dense(3 * width, flatten=False)
            self.mix, self.norm2 = nn.Dense(width, flatten=False), nn.LayerNorm()
            self.wide = nn.Dense(4 * width, flatten=False, activation="relu")
            self.narrow = nn.Dense(width, flatten=False)
            self.ahead = self.params.get_constant("ahead", mx.nd.array(ahead))

        def hybrid_forward(self, F: object, x: object, ahead: object) -> object:
            y = self.qkv(self.norm1(x)).reshape((0, 0, 3, heads, each))
            y = F.transpose(y, axes=(2, 0, 3, 1, 4)).reshape((3, -1, steps, each))
            q, k, v = F.split(y, num_outputs=3, axis=0, squeeze_axis=True)
            scores = F.batch_dot(q, k, transpose_b=True) * each**-0.5
            seen = F.batch_dot(F.softmax(F.broadcast_add(scores, ahead)), v)
            seen = F.transpose(seen.reshape((-1, heads, steps, each)), axes=(0, 2, 1, 3))
            x = x + self.mix(seen.reshape((0, 0, -1)))
            return x + self.narrow(self.wide(self.norm2(x)))

    class Model(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(net.vocabulary, width)
            self.place = self.params.get("place", shape=(steps, width))
            self.body = nn.HybridSequential()
            self.body.add(*[Layer() for _ in range(net.layers)])
            self.output = nn.Dense(net.vocabulary, flatten=False)

        def hybrid_forward(self, F: object, tokens: object, place: object) -> object:
            x = F.broadcast_add(self.embedding(F.transpose(tokens)), F.expand_dims(place, axis=0))
            x = F.transpose(self.output(self.body(x)), axes=(1, 0, 2))
            return x.reshape((-1, net.vocabulary))

    return Model()


MAKERS = {"mlp": _mlp, "resnet20": _resnet, "lstm_lm": _lstm, "transformer_lm": _transformer}


def _train(mx: object, arrays: dict, name: str, hybrid: bool) -> Prepared:
    net = MAKERS[name](mx, {**gluon.NETS, "resnet20": resnet.RESNET20}[name])
    data, label = mx.nd.array(arrays["data"]), mx.nd.array(arrays["label"])
    net.initialize()
    if hybrid:
        net.hybridize(**STATIC)
    net(data)
    _set(mx, net, arrays)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    options = {"learning_rate": gluon.LEARNING_RATE, "momentum": gluon.MOMENTUM}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", options, kvstore=None)
    record, size = mx.autograd.record, label.size

    def step() -> object:
        with record():
            loss = loss_of(net(data), label)
        loss.backward()
        trainer.step(size)
        return loss

    losses = [float(step().mean().asscalar()) for _ in range(gluon.CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)


def _set(mx: object, net: object, arrays: dict) -> None:
    """Give the parameters that are trained their values, which come in the same order."""
    named = [(n, v) for n, v in arrays.items() if n not in ("data", "label")]
    params = [p for p in _in_order(net) if p.grad_req != "null"]
    if len(params) != len(named):
        raise ValueError(f"{len(params)} parameters for {len(named)} values")
    for param, (name, value) in zip(params, named):  # noqa: B905 (MXNet's Python is 3.8)
        if tuple(param.shape) != value.shape:
            raise ValueError(f"{param.name} {param.shape} is not {name} {value.shape}")
        param.set_data(mx.nd.array(value))


def _in_order(net: object) -> list:
    """Parameters in the order of layers; a Block's own come after its first layer."""
    own = list(net._reg_params.values())
    children = [p for child in net._children.values() for p in _in_order(child)]
    return children[:1] + own + children[1:] if own and children else own + children


for _name in MAKERS:
    for _way, _hybrid in (("block", False), ("hybrid", True)):
        prepares(f"gluon.{_name}", _way)(
            lambda mx, arrays, name=_name, hybrid=_hybrid: _train(mx, arrays, name, hybrid)
        )
