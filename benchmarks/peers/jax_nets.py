"""Inference and training in JAX: each step is one function, compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..workloads import convnets, encoders, gluon, lenet, resnet
from ..workloads.base import CHECKED_STEPS, LEARNING_RATE, MOMENTUM
from .base import Prepared, digest, prepares, repeat

INPUTS = ("data", "segment")
MOVING = ("_moving_mean", "_moving_var")


def infer(jax: object, arrays: dict, symbol: Callable) -> Prepared:
    """A call that waits for what it gives."""
    from .jax_graph import Operators

    values = {name: jax.numpy.asarray(value) for name, value in arrays.items()}
    inputs = {name: values.pop(name) for name in INPUTS if name in values}
    compiled = jax.jit(lambda weights, inputs: symbol(Operators({**weights, **inputs})))

    def step() -> object:
        return compiled(values, inputs).block_until_ready()

    return Prepared(digest(step()), repeat(step))


def train(jax: object, arrays: dict, symbol: Callable, more: Callable = dict) -> Prepared:
    """Loss, gradients and updates in one call, which takes the weights' memory for the new ones.

    more : gives further constant inputs.
    """
    from .jax_graph import Operators

    jnp = jax.numpy
    weights = {name: jnp.array(value) for name, value in arrays.items()}
    given = {"data": weights.pop("data"), **{k: jnp.asarray(v) for k, v in more().items()}}
    label = weights.pop("label").astype(jnp.int32)
    norms = [name[: -len("_gamma")] for name in weights if name.endswith("_norm_gamma")]
    moving = {n + part: jnp.ones(weights[f"{n}_beta"].shape) for n in norms for part in MOVING}

    def loss_of(weights: dict, moving: dict) -> tuple:
        operators = Operators({**weights, **moving, **given}, training=True)
        chances = jax.nn.log_softmax(symbol(operators))
        return -jnp.take_along_axis(chances, label[:, None], 1).mean(), operators.moved

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(weights: dict, speeds: dict, moving: dict) -> tuple:
        (loss, moved), grads = jax.value_and_grad(loss_of, has_aux=True)(weights, moving)
        speeds = {k: MOMENTUM * speeds[k] - LEARNING_RATE * grads[k] for k in weights}
        return {k: weights[k] + speeds[k] for k in weights}, speeds, moved, loss

    state = [weights, jax.tree.map(jnp.zeros_like, weights), moving]

    def step() -> object:
        *state[:], loss = update(*state)
        return loss

    losses = [float(step()) for _ in range(CHECKED_STEPS)]
    return Prepared(losses, repeat(step), lambda: jax.block_until_ready(state))


for _name, (_net, _) in convnets.RUNS.items():
    prepares(_name, "jit")(partial(infer, symbol=partial(convnets.symbol, net=_net)))
for _name, _net in encoders.NETS.items():
    prepares(_name, "jit")(partial(infer, symbol=_net.symbol))
for _net in resnet.NETS:
    _symbol = partial(resnet.symbol, net=_net)
    prepares(f"{_net.name}.train", "jit")(partial(train, symbol=_symbol))
prepares("lenet", "jit")(partial(train, symbol=lenet.symbol))
for _name, _net in gluon.NETS.items():
    _more = (lambda net=_net: {"ahead": net.ahead()}) if hasattr(_net, "ahead") else dict
    prepares(f"gluon.{_name}", "jit")(partial(train, symbol=_net.symbol, more=_more))
