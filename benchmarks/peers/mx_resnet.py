"""Training residual networks in MXNet's API: bind, forward, backward, one call of the updater."""

from __future__ import annotations

import numpy as np

from ..workloads import resnet
from .base import Prepared, prepares, repeat
from .mx_eager import arrays_of


def train(mx: object, arrays: dict, net: resnet.Net) -> Prepared:
    """A step as `Module` takes it, and the losses of the first steps."""
    values = arrays_of(mx, arrays)
    data, label = values.pop("data"), values.pop("label")
    executor = resnet.symbol(mx.sym, net).simple_bind(
        mx.cpu(), data=data.shape, grad_req=dict.fromkeys(values, "write")
    )
    moving = {n: mx.nd.ones(x.shape) for n, x in executor.aux_dict.items() if n.endswith("_var")}
    executor.copy_params_from(values, moving)
    options = {"learning_rate": resnet.LEARNING_RATE, "momentum": resnet.MOMENTUM}
    sgd = mx.optimizer.create("sgd", rescale_grad=1 / net.batch, **options)
    update = mx.optimizer.get_updater(sgd)
    indices = list(range(len(values)))
    grads = [executor.grad_dict[name] for name in values]
    weights = [executor.arg_dict[name] for name in values]

    def step() -> object:
        executor.forward(is_train=True, data=data, softmax_label=label)
        executor.backward()
        update(indices, grads, weights)
        return executor.outputs[0]

    def loss() -> float:
        chosen = step().asnumpy()[np.arange(net.batch), arrays["label"].astype(int)]
        return float(-np.log(chosen).mean())

    losses = [loss() for _ in range(resnet.CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)


def gluon_network(mx: object, net: resnet.Net) -> object:
    """The network as a HybridBlock, its parameters named as the Symbol's."""
    nn = mx.gluon.nn

    def convolution(name: str, filters: int, size: int, stride: int) -> object:
        pair = nn.HybridSequential(prefix="")
        with pair.name_scope():
            pair.add(
                nn.Conv2D(filters, size, stride, size // 2, use_bias=False, prefix=f"{name}_conv_"),
                nn.BatchNorm(epsilon=resnet.EPS, prefix=f"{name}_norm_"),
            )
        return pair

    class Residual(mx.gluon.HybridBlock):
        def __init__(self, block: resnet.Block) -> None:
            super().__init__(prefix="")
            self.widens = block.widens
            with self.name_scope():
                self.first = convolution(f"{block.name}_1", block.filters, 3, block.stride)
                self.second = convolution(f"{block.name}_2", block.filters, 3, 1)
                if block.widens:
                    side = (f"{block.name}_side", block.filters, 1, block.stride)
                    self.side = convolution(*side)

        def hybrid_forward(self, F: object, x: object) -> object:  # noqa: N803
            y = self.second(F.Activation(self.first(x), act_type="relu"))
            return F.Activation(y + (self.side(x) if self.widens else x), act_type="relu")

    model = nn.HybridSequential(prefix="")
    with model.name_scope():
        model.add(convolution("stem", *net.stem), nn.Activation("relu"))
        if net.pooled:
            model.add(nn.MaxPool2D(3, 2, 1))
        model.add(*map(Residual, resnet.blocks(net)))
        model.add(nn.GlobalAvgPool2D(), nn.Dense(net.classes, prefix="fc_"))
    return model


def gluon_train(mx: object, arrays: dict, net: resnet.Net, hybrid: bool) -> Prepared:
    """A step as users of Gluon write it."""
    values = arrays_of(mx, arrays)
    data, label = values.pop("data"), values.pop("label")
    model = gluon_network(mx, net)
    model.initialize()
    model(data)
    for name, parameter in model.collect_params().items():
        if name in values:
            parameter.set_data(values[name])
    if hybrid:
        model.hybridize(static_alloc=True, static_shape=True)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    options = {"learning_rate": resnet.LEARNING_RATE, "momentum": resnet.MOMENTUM}
    trainer = mx.gluon.Trainer(model.collect_params(), "sgd", options, kvstore=None)

    def step() -> object:
        with mx.autograd.record():
            loss = loss_of(model(data), label)
        loss.backward()
        trainer.step(net.batch)
        return loss

    losses = [float(step().mean().asscalar()) for _ in range(resnet.CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)


def _declare(net: resnet.Net) -> None:
    prepares(f"{net.name}.train", "symbol")(lambda mx, arrays: train(mx, arrays, net))
    for way, hybrid in (("block", False), ("hybrid", True)):
        prepares(f"{net.name}.train", way)(
            lambda mx, arrays, hybrid=hybrid: gluon_train(mx, arrays, net, hybrid)
        )


for _net in resnet.NETS:
    _declare(_net)
