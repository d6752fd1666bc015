"""The workloads in baryon: Gluon, hybridized, mixed precision by ``contrib.amp``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import baryon as mx
from baryon.contrib import amp
from baryon.gluon import nn

from .sizes import Sizes

Prepared = tuple[Callable[[], object], Callable[[], object]]  # a step, and a wait for its end
_VALUES = ("_contrib_interleaved_matmul_selfatt_valatt",)
RNG = np.random.default_rng(0)


def _array(ctx: Any, *shape: int, high: int | None = None) -> Any:
    values = RNG.normal(size=shape) if high is None else RNG.integers(0, high, shape)
    return mx.nd.array(values, ctx=ctx, dtype="float32")


def _training(
    net: Any, inputs: list, label: Any, half: str | None, optimizer: str = "sgd", **options: Any
) -> Prepared:
    """A training step: forward, cross-entropy, backward, update."""
    ctx = label.context
    if half:  # MXNet's lists leave attention's second product in float32
        amp.init(half, [*amp.list_lp16_ops(half), *(_VALUES if half == "float16" else ())])
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    options.setdefault("learning_rate", 1e-4)
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer, options)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    loss_of.hybridize(static_alloc=True, static_shape=True)
    scaled = half == "float16"
    if scaled:
        amp.init_trainer(trainer)

    def step() -> object:
        with mx.autograd.record():
            loss = loss_of(net(*inputs), label)
            if scaled:
                with amp.scale_loss(loss, trainer) as larger:
                    mx.autograd.backward(larger)
        if not scaled:
            loss.backward()
        trainer.step(label.shape[0])
        return loss

    return step, mx.nd.waitall


# ---- networks ------------------------------------------------------------------------------------


class _Bottleneck(nn.HybridBlock):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.HybridSequential()
        for filters, size, pace in ((width, 1, 1), (width, 3, stride), (4 * width, 1, 1)):
            convolution = nn.Conv2D(filters, size, pace, size // 2, use_bias=False, layout="NHWC")
            self.body.add(convolution, nn.BatchNorm(axis=3))
            if filters == width:
                self.body.add(nn.Activation("relu"))
        self.side = None
        if stride > 1 or before != 4 * width:
            self.side = nn.HybridSequential()
            shortcut = nn.Conv2D(4 * width, 1, stride, use_bias=False, layout="NHWC")
            self.side.add(shortcut, nn.BatchNorm(axis=3))

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803
        return F.relu(self.body(x) + (x if self.side is None else self.side(x)))


def resnet50(sizes: Sizes, ctx: Any, half: str) -> Prepared:
    """ResNet-50 v1.5, channels last."""
    batch, side = sizes.images
    net = nn.HybridSequential()
    net.add(nn.Conv2D(64, 7, 2, 3, use_bias=False, layout="NHWC"), nn.BatchNorm(axis=3))
    net.add(nn.Activation("relu"), nn.MaxPool2D(3, 2, 1, layout="NHWC"))
    before = 64
    for stage, count in enumerate(sizes.stages):
        for i in range(count):
            width = 64 << stage
            net.add(_Bottleneck(before, width, 2 if stage and not i else 1))
            before = 4 * width
    net.add(nn.GlobalAvgPool2D(layout="NHWC"), nn.Flatten(), nn.Dense(1000))
    data, label = _array(ctx, batch, side, side, 3), _array(ctx, batch, high=1000)
    return _training(net, [data], label, half, momentum=0.9, wd=1e-4)


class _Layer(nn.HybridBlock):
    """A layer of BERT on (steps, batch, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.mix = nn.Dense(3 * width, flatten=False), nn.Dense(width, flatten=False)
        self.wide, self.narrow = nn.Dense(4 * width, flatten=False), nn.Dense(width, flatten=False)
        self.norm1, self.norm2 = nn.LayerNorm(), nn.LayerNorm()
        self.gelu, self.drop = nn.GELU(), nn.Dropout(0.1)

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803
        y = self.qkv(x)
        seen = self.drop(F.softmax(F.contrib.interleaved_matmul_selfatt_qk(y, heads=self.heads)))
        seen = F.contrib.interleaved_matmul_selfatt_valatt(y, seen, heads=self.heads)
        x = self.norm1(x + self.drop(self.mix(seen)))
        return self.norm2(x + self.drop(self.narrow(self.gelu(self.wide(x)))))


def bert(sizes: Sizes, ctx: Any, half: str) -> Prepared:
    """BERT-base with a head over words, every word a label."""
    batch, steps = sizes.text
    layers, width, heads, words = sizes.bert
    net = nn.HybridSequential()
    net.add(nn.Embedding(words, width), nn.LayerNorm(), nn.Dropout(0.1))
    net.add(*[_Layer(width, heads) for _ in range(layers)], nn.Dense(words, flatten=False))
    data, label = (_array(ctx, steps, batch, high=words) for _ in range(2))
    return _training(net, [data], label, half, "adam")


def mlp(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """A small perceptron: launches cost more than their work."""
    batch, inputs, *widths, classes = sizes.mlp
    net = nn.HybridSequential()
    net.add(*[nn.Dense(w, activation="relu") for w in widths], nn.Dense(classes))
    data, label = _array(ctx, batch, inputs), _array(ctx, batch, high=classes)
    return _training(net, [data], label, half, momentum=0.9)


def _fitting(net: Any, data: Any, label: Any) -> Prepared:
    """What ``Module.fit`` does for a batch: passes and update as one graph."""
    loss = mx.sym.SoftmaxOutput(net, name="softmax")
    module = mx.mod.Module(loss, context=data.context)
    module.bind([("data", data.shape)], [("softmax_label", label.shape)])
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={"learning_rate": 1e-4, "momentum": 0.9})
    batch = mx.io.DataBatch([data], [label])
    return lambda: module._train_on(batch), mx.nd.waitall


def mlp_fit(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """`mlp` by ``Module.fit``."""
    batch, inputs, *widths, classes = sizes.mlp
    x = mx.sym.var("data")
    for width in widths:
        x = mx.sym.relu(mx.sym.FullyConnected(x, num_hidden=width))
    x = mx.sym.FullyConnected(x, num_hidden=classes)
    return _fitting(x, _array(ctx, batch, inputs), _array(ctx, batch, high=classes))


def lenet_fit(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """`lenet` by ``Module.fit``."""
    x = mx.sym.var("data")
    for filters in (20, 50):
        x = mx.sym.relu(mx.sym.Convolution(x, kernel=(5, 5), num_filter=filters))
        x = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2))
    x = mx.sym.relu(mx.sym.FullyConnected(x, num_hidden=500))
    x = mx.sym.FullyConnected(x, num_hidden=10)
    return _fitting(x, _array(ctx, sizes.digits, 1, 28, 28), _array(ctx, sizes.digits, high=10))


def lenet(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """LeNet on 28 x 28 pixels."""
    net = nn.HybridSequential()
    for filters in (20, 50):
        net.add(nn.Conv2D(filters, 5, activation="relu"), nn.MaxPool2D(2, 2))
    net.add(nn.Dense(500, activation="relu"), nn.Dense(10))
    data, label = _array(ctx, sizes.digits, 1, 28, 28), _array(ctx, sizes.digits, high=10)
    return _training(net, [data], label, half, momentum=0.9)


def lstm(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """A language model of two LSTM layers."""
    steps, batch, width, words = sizes.lstm
    net = nn.HybridSequential()
    net.add(nn.Embedding(words, width), mx.gluon.rnn.LSTM(width, 2, input_size=width))
    net.add(nn.Dense(words, flatten=False))
    data, label = (_array(ctx, steps, batch, high=words) for _ in range(2))
    return _training(net, [data], label, half)


class _Chain(nn.HybridBlock):
    def hybrid_forward(self, F: Any, x: Any, y: Any) -> Any:  # noqa: N803
        return F.tanh(F.relu(x * 0.5 + y) * 1.5 - F.sigmoid(x)) + y


def pointwise(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """A chain that reads two arrays and writes one."""
    net = _Chain()
    net.hybridize(static_alloc=True, static_shape=True)
    x, y = (_array(ctx, sizes.pointwise) for _ in range(2))
    return lambda: net(x, y), mx.nd.waitall


def copy(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """A plain copy, which says what the memory gives."""
    x, y = (_array(ctx, sizes.pointwise) for _ in range(2))
    return lambda: x.copyto(y), mx.nd.waitall


def eager(sizes: Sizes, ctx: Any, half: str | None) -> Prepared:
    """100 additions of small arrays."""
    x, y = (_array(ctx, sizes.small) for _ in range(2))

    def step() -> object:
        for _ in range(100):
            z = x + y
        return z

    return step, mx.nd.waitall


WORKLOADS = {
    f.__name__: f
    for f in (
        *(resnet50, bert, mlp, mlp_fit, lenet, lenet_fit, lstm),
        *(pointwise, copy, eager),
    )
}
