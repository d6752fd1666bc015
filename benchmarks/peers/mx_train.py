"""Steps of training in MXNet's API: of a bound executor, and of a Gluon network."""

from __future__ import annotations

import numpy as np

from ..workloads.base import CHECKED_STEPS, LEARNING_RATE, MOMENTUM
from .base import Prepared, repeat
from .mx_eager import arrays_of

SGD = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM}
STATIC = {"static_alloc": True, "static_shape": True}


def bound(mx: object, symbol: object, values: dict, trained: tuple[str, ...] = ()) -> object:
    """An executor of these very arrays; moving averages that are not among them begin anew."""
    args = {name: values[name] for name in symbol.list_arguments()}
    shapes = symbol.infer_shape(**{name: x.shape for name, x in args.items()})[2]
    moving = {}
    for name, shape in zip(symbol.list_auxiliary_states(), shapes):  # noqa: B905 (Python 3.8)
        fresh = mx.nd.ones if name.endswith("_var") else mx.nd.zeros
        moving[name] = values[name] if name in values else fresh(shape)
    grads = {name: mx.nd.zeros(args[name].shape) for name in trained}
    requests = {name: "write" if name in trained else "null" for name in args}
    return symbol.bind(mx.cpu(), args, grads, requests, moving)


def symbolic(mx: object, arrays: dict, symbol: object) -> Prepared:
    """As `Module` does it: forward, backward, and the updates in one call of the updater."""
    values = arrays_of(mx, arrays)
    data, label = values.pop("data"), values.pop("label")
    inputs = {"data": data.copy(), "softmax_label": label.copy()}
    executor = bound(mx, symbol, {**values, **inputs}, tuple(values))
    update = mx.optimizer.get_updater(
        mx.optimizer.create("sgd", rescale_grad=1 / label.size, **SGD)
    )
    indices = list(range(len(values)))
    grads = [executor.grad_dict[name] for name in values]
    weights = [executor.arg_dict[name] for name in values]

    def step() -> object:
        executor.forward(is_train=True, data=data, softmax_label=label)
        executor.backward()
        update(indices, grads, weights)
        return executor.outputs[0]

    def loss() -> float:
        chosen = step().asnumpy()[np.arange(label.size), arrays["label"].astype(int)]
        return float(-np.log(chosen).mean())

    losses = [loss() for _ in range(CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)


class _Again:
    """One batch over and over: data to fit to."""

    def __init__(self, batch: object, steps: int) -> None:
        self.batch, self.steps = batch, steps
        self.provide_data, self.provide_label = batch.provide_data, batch.provide_label

    def __iter__(self) -> object:
        return iter([self.batch] * self.steps)

    def reset(self) -> None:
        """Begin again."""


def fitted(mx: object, arrays: dict, symbol: object) -> Prepared:
    """`Module.fit` without a key-value store; the metric is the usual one, accuracy."""
    values = arrays_of(mx, arrays)
    data, label = values.pop("data"), values.pop("label")
    batch = mx.io.DataBatch(
        [data],
        [label],
        provide_data=[mx.io.DataDesc("data", data.shape)],
        provide_label=[mx.io.DataDesc("softmax_label", label.shape)],
    )
    module = mx.mod.Module(symbol)

    def fit(steps: int) -> None:
        module.fit(
            _Again(batch, steps),
            num_epoch=1,
            kvstore=None,
            optimizer="sgd",
            optimizer_params={**SGD, "rescale_grad": 1 / label.size},
            arg_params=values,
        )

    def loss() -> float:
        fit(1)
        chosen = module.get_outputs()[0].asnumpy()[
            np.arange(label.size), arrays["label"].astype(int)
        ]
        return float(-np.log(chosen).mean())

    losses = [loss() for _ in range(CHECKED_STEPS)]
    return Prepared(losses, fit, mx.nd.waitall)


def imperative(mx: object, net: object, arrays: dict) -> Prepared:
    """As users of Gluon write it; the loss stays outside the network. `net` has its values."""
    data, label = mx.nd.array(arrays["data"]), mx.nd.array(arrays["label"])
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", SGD, kvstore=None)
    record, size = mx.autograd.record, label.size

    def step() -> object:
        with record():
            loss = loss_of(net(data), label)
        loss.backward()
        trainer.step(size)
        return loss

    losses = [float(step().mean().asscalar()) for _ in range(CHECKED_STEPS)]
    return Prepared(losses, repeat(step), mx.nd.waitall)
