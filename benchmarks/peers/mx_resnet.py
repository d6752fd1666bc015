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


for _net in resnet.NETS:
    prepares(f"{_net.name}.train", "symbol")(lambda mx, arrays, net=_net: train(mx, arrays, net))
