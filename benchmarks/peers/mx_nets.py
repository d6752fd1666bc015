"""Networks in MXNet's API, which baryon shares: one adapter serves both."""

from __future__ import annotations

import numpy as np

from ..workloads import lenet, tiny_hybrid
from .base import Prepared, digest, prepares, repeat
from .mx_eager import arrays_of

STATIC = {"static_alloc": True, "static_shape": True}


@prepares("tiny_hybrid", "hybrid")
def tiny(mx: object, arrays: dict) -> Prepared:
    """One hybridized call, static where the peer can."""
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    for _ in range(tiny_hybrid.LAYERS):
        net.add(nn.Dense(tiny_hybrid.WIDTH, activation="relu", in_units=tiny_hybrid.WIDTH))
    net.initialize()
    for i in range(tiny_hybrid.LAYERS):
        net[i].weight.set_data(mx.nd.array(arrays[f"weight{i}"]))
        net[i].bias.set_data(mx.nd.array(arrays[f"bias{i}"]))
    net.hybridize(**STATIC)
    x = mx.nd.array(arrays["x"])
    return Prepared(digest(net(x).asnumpy()), repeat(lambda: net(x).wait_to_read()))


def _optimizer_options() -> dict:
    return {"learning_rate": lenet.LEARNING_RATE, "momentum": lenet.MOMENTUM}


def _train(mx: object, step: object, loss_of: object) -> Prepared:
    """Three checked steps, then the loop."""
    losses = [float(loss_of(step())) for _ in range(lenet.CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)


@prepares("lenet", "symbol")
def symbolic(mx: object, arrays: dict) -> Prepared:
    """Bind; a step is forward, backward, and the updates in one call of the updater."""
    values = arrays_of(mx, arrays)
    data, label = values.pop("data"), values.pop("label")
    requests = dict.fromkeys(values, "write")
    executor = lenet.symbol(mx.sym).simple_bind(
        mx.cpu(), data=data.shape, softmax_label=label.shape, grad_req=requests
    )
    executor.copy_params_from(values)
    sgd = mx.optimizer.create("sgd", rescale_grad=1 / lenet.BATCH, **_optimizer_options())
    update = mx.optimizer.get_updater(sgd)
    indices = list(range(len(values)))
    grads = [executor.grad_dict[name] for name in values]
    weights = [executor.arg_dict[name] for name in values]

    def step() -> object:
        executor.forward(is_train=True, data=data, softmax_label=label)
        executor.backward()
        update(indices, grads, weights)
        return executor.outputs[0]

    def loss_of(probabilities: object) -> float:
        chosen = probabilities.asnumpy()[np.arange(lenet.BATCH), arrays["label"].astype(int)]
        return -np.log(chosen).mean()

    return _train(mx, step, loss_of)


def _layers(mx: object, block: object) -> object:
    """LeNet as a Gluon network of class `block`'s kind, of children only."""
    nn = mx.gluon.nn
    with block.name_scope():
        for _, filters in lenet.CONVOLUTIONS:
            block.add(nn.Conv2D(filters, kernel_size=5, activation="relu"), nn.MaxPool2D(2, 2))
        block.add(nn.Dense(500, activation="relu"), nn.Dense(lenet.CLASSES))
    return block


def _gluon(mx: object, arrays: dict, net: object) -> Prepared:
    values = arrays_of(mx, arrays)
    data, label = values["data"], values["label"]
    net.initialize()
    net(data)
    for layer, name in ((0, "conv1"), (2, "conv2"), (4, "fc1"), (5, "fc2")):
        net[layer].weight.set_data(values[f"{name}_weight"])
        net[layer].bias.set_data(values[f"{name}_bias"])
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", _optimizer_options(), kvstore=None)
    record = mx.autograd.record

    def step() -> object:
        with record():
            loss = loss_of(net(data), label)
        loss.backward()
        trainer.step(lenet.BATCH)
        return loss

    return _train(mx, step, lambda loss: loss.mean().asscalar())


@prepares("lenet", "block")
def imperative(mx: object, arrays: dict) -> Prepared:
    """Recorded call by call."""
    return _gluon(mx, arrays, _layers(mx, mx.gluon.nn.Sequential()))


@prepares("lenet", "hybrid")
def hybridized(mx: object, arrays: dict) -> Prepared:
    """Traced once; the loss stays outside the traced graph, as users write it."""
    net = _layers(mx, mx.gluon.nn.HybridSequential())
    net.hybridize(**STATIC)
    return _gluon(mx, arrays, net)
