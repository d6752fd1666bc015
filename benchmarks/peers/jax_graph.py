"""The networks of `workloads` as functions of JAX: their `symbol` is called with `Operators`."""

from __future__ import annotations

from types import SimpleNamespace

import jax
from jax import lax
from jax import numpy as jnp

LAYOUT = ("NCHW", "OIHW", "NCHW")
PLACES = (2, 3)


class Operators:
    """The operators that the networks use, named as in MXNet, on these values.

    In training batch norm leaves new moving averages in `moved`.
    """

    def __init__(self, values: dict, training: bool = False) -> None:
        self.values, self.training, self.moved = values, training, {}

    def of(self, name: str, *parts: str) -> SimpleNamespace:
        """Weights of a layer."""
        return SimpleNamespace(**{part: self.values[f"{name}_{part}"] for part in parts})

    def var(self, name: str) -> jax.Array:
        """An input or a weight."""
        return self.values[name]

    # ---- images --------------------------------------------------------------------------------

    def Convolution(
        self, x, kernel, name, stride=(1, 1), pad=(0, 0), num_group=1, no_bias=False, **_
    ):
        y = lax.conv_general_dilated(
            x,
            self.values[f"{name}_weight"],
            stride,
            [(p, p) for p in pad],
            dimension_numbers=LAYOUT,
            feature_group_count=num_group,
        )
        return y if no_bias else y + self.values[f"{name}_bias"][:, None, None]

    def BatchNorm(self, x, fix_gamma, eps, name):
        w = self.of(name, "gamma", "beta")
        if self.training:
            axes = (0, *PLACES)
            mean, var = x.mean(axes), x.var(axes)
            for part, new in (("moving_mean", mean), ("moving_var", var)):
                key = f"{name}_{part}"
                self.moved[key] = 0.9 * self.values[key] + 0.1 * new
        else:
            now = self.of(name, "moving_mean", "moving_var")
            mean, var = now.moving_mean, now.moving_var
        scale = w.gamma * lax.rsqrt(var + eps)
        return x * scale[:, None, None] + (w.beta - mean * scale)[:, None, None]

    def Pooling(self, x, pool_type, kernel, stride=(1, 1), pad=(0, 0), global_pool=False):
        if global_pool:
            return x.mean(PLACES, keepdims=True)
        window, pads = ((1, 1, *kernel), (1, 1, *stride)), [(p, p) for p in (0, 0, *pad)]
        return lax.reduce_window(x, -jnp.inf, lax.max, *window, pads)

    def Flatten(self, x):
        return x.reshape(x.shape[0], -1)

    # ---- elements ------------------------------------------------------------------------------

    def Activation(self, x, act_type):
        return getattr(jax.nn, act_type)(x)

    def LeakyReLU(self, x, act_type):
        return {"gelu": lambda x: jax.nn.gelu(x, approximate=False)}[act_type](x)

    def clip(self, x, a_min, a_max):
        return jnp.clip(x, a_min, a_max)

    def SoftmaxOutput(self, x, name):
        return x  # the loss takes the softmax

    broadcast_add = staticmethod(jnp.add)

    # ---- words ---------------------------------------------------------------------------------

    def Embedding(self, x, input_dim, output_dim, name):
        return self.values[f"{name}_weight"][x.astype(jnp.int32)]

    def FullyConnected(self, x, num_hidden, name, flatten=True):
        w = self.of(name, "weight", "bias")
        return (self.Flatten(x) if flatten else x) @ w.weight.T + w.bias

    def LayerNorm(self, x, name, eps=1e-5):
        w, mean = self.of(name, "gamma", "beta"), x.mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(x.var(-1, keepdims=True) + eps) * w.gamma + w.beta

    def softmax(self, x):
        return jax.nn.softmax(x)

    def batch_dot(self, a, b, transpose_b=False):
        return a @ (b.swapaxes(1, 2) if transpose_b else b)

    def transpose(self, x, axes=None):
        return jnp.transpose(x, axes)

    def reshape(self, x, shape):
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    def expand_dims(self, x, axis):
        return jnp.expand_dims(x, axis)

    def split(self, x, num_outputs, axis, squeeze_axis):
        parts = jnp.split(x, num_outputs, axis)
        return [part.squeeze(axis) for part in parts] if squeeze_axis else parts

    def RNN(self, x, mode, state_size, num_layers, name):
        for i in range(num_layers):
            x = self._lstm(x, f"{name}{i}", state_size)
        return x

    def _lstm(self, x, name: str, size: int):
        """One layer: the inputs' products of all steps at once, then a scan."""
        w = self.of(name, "i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias")
        given = x @ w.i2h_weight.T + (w.i2h_bias + w.h2h_bias)

        def step(state: tuple, now: jax.Array) -> tuple:
            h, c = state
            i, f, g, o = jnp.split(now + h @ w.h2h_weight.T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], size), x.dtype)
        return lax.scan(step, (zeros, zeros), given)[1]
