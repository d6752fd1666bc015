"""Batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .attrs import Attrs
from .numeric import widen
from .op import Pullback, Spec, get, op
from .rules import unify
from .samples import normal
from .samples import uniform as spread
from .softmax import axis_of, split_at


def along(vector: Any, axis: int, ndim: int) -> Any:
    """A vector laid along one axis of a tensor of `ndim` axes."""
    return vector.reshape(tuple(-1 if i == axis else 1 for i in range(ndim)))


def others(axis: int, ndim: int) -> tuple[int, ...]:
    """All axes but one."""
    return tuple(i for i in range(ndim) if i != axis)


# ---- BatchNorm -----------------------------------------------------------------------------------


def _batch_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output like data, everything else one entry a channel."""
    data = unify(ins[0], outs[0])
    channels = None if data is None else (data[axis_of(attrs.axis, len(data))],)
    for shape in (*ins[1:], *outs[1:]):
        channels = unify(channels, shape)
    return [data] + [channels] * (len(ins) - 1), [data] + [channels] * (len(outs) - 1)


def mixed(count: int) -> Any:
    """Dtype rule: the first `count` inputs and output 0 alike; the rest float32 beside halves."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        found = next((d for d in (*ins[:count], outs[0]) if d is not None), None)
        if found is None:
            return ins, outs
        rest = np.dtype(np.float32) if found.itemsize == 2 else found
        ins = [(found if i < count else rest) if d is None else d for i, d in enumerate(ins)]
        return ins, [found] + [ins[-1] if len(ins) > count else rest] * (len(outs) - 1)

    return rule


def _batch_params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple:
    """Kernel parameters: split at the axis, whether batch statistics are used, and the rest."""
    batch = attrs.train and not attrs.use_global_stats
    return *split_at(ins[0].shape, attrs.axis), batch, attrs.fix_gamma, attrs.eps


@op(
    "BatchNorm",
    aliases=("_npx_batch_norm",),
    shape=_batch_shapes,
    dtype=mixed(1),
    outputs=("output", "mean", "var"),
    visible=lambda a: 3 if a.output_mean_var else 1,
    aux=("moving_mean", "moving_var"),
    init={"moving_mean": '["zero", {}]', "moving_var": '["one", {}]'},
    mutates=lambda a: (1,) if a.fix_gamma else (),
    inplace={0: "data"},
    idempotent=True,
    rowwise=lambda a: ("data",) if a.axis > 0 and not (a.train and not a.use_global_stats) else (),
    kernel=True,
    params=_batch_params,
    onnx="BatchNormalization",
)
def batch_norm(
    xp,
    data,
    gamma,
    beta,
    moving_mean,
    moving_var,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    axis: int = 1,
    cudnn_off: bool = False,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
    train: bool,
):
    """Batch normalisation, ``(data - mean) / sqrt(var + eps) * gamma + beta`` a channel.

    data : any shape, channels along `axis`; the others: (channels,). In training mean and (biased)
    variance are the batch's, and the *backward* pass moves ``moving_mean`` and ``moving_var``
    towards them by ``1 - momentum``; otherwise, and with ``use_global_stats``, they are the moving
    ones. ``fix_gamma`` sets gamma to 1 and its gradient to 0. ``output_mean_var`` also returns the
    mean and ``1 / sqrt(var + eps)``. `cudnn_off`, `min_calib_range` and `max_calib_range` have no
    effect. Source: Ioffe and Szegedy, ICML 2015; MXNet's ``BatchNorm``.

    >>> x, one, zero = mx.nd.array([[1.0], [3.0]]), mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> mx.nd.BatchNorm(x, one, zero, zero, one, eps=0.0).asnumpy()
    array([[1.],
           [3.]], dtype=float32)
    """
    x, axis = widen(xp, data), axis_of(axis, data.ndim)
    mean, var = moving_mean.astype(x.dtype), moving_var.astype(x.dtype)
    if train and not use_global_stats:
        mean = x.mean(axis=others(axis, x.ndim))
        var = xp.square(x - along(mean, axis, x.ndim)).mean(axis=others(axis, x.ndim))
    scale = 1 / xp.sqrt(var + eps)
    weight = xp.ones_like(gamma) if fix_gamma else gamma
    out = (x - along(mean, axis, x.ndim)) * along(scale * weight, axis, x.ndim)
    result = out + along(beta, axis, x.ndim), mean, scale
    return (*result, weight) if fix_gamma else result


def _backward_params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple:
    split = split_at(ins[0].shape, attrs.axis)
    return *split, attrs.batch, attrs.fix_gamma, attrs.eps, attrs.momentum


def _backward_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [ins[1], ins[2], ins[2]]


@op(
    "_backward_BatchNorm",
    shape=_backward_shapes,
    dtype=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    outputs=("d_data", "d_gamma", "d_beta"),
    mutates=("moving_mean", "moving_var"),
    inplace={0: "dy"},
    kernel=True,
    params=_backward_params,
)
def backward_batch_norm(
    xp,
    dy,
    data,
    gamma,
    mean,
    scale,
    moving_mean,
    moving_var,
    *,
    eps: float,
    momentum: float,
    fix_gamma: bool,
    axis: int,
    batch: bool,
):
    """Gradient of `batch_norm`; with `batch` statistics it moves the moving ones."""
    dy, x = widen(xp, dy), widen(xp, data)
    axis, ndim = axis_of(axis, x.ndim), x.ndim
    rest = others(axis, ndim)
    unit = (x - along(mean, axis, ndim)) * along(scale, axis, ndim)
    d_beta, d_gamma = dy.sum(axis=rest), (dy * unit).sum(axis=rest)
    factor = scale if fix_gamma else scale * gamma
    d_data = dy
    if batch:
        count = max(x.size // max(x.shape[axis], 1), 1)
        d_data = dy - along(d_beta, axis, ndim) / count - unit * along(d_gamma, axis, ndim) / count
        moving_mean = moving_mean * momentum + mean * (1 - momentum)
        moving_var = moving_var * momentum + (1 / xp.square(scale) - eps) * (1 - momentum)
    d_data = d_data * along(factor, axis, ndim)
    d_gamma = xp.zeros_like(d_gamma) if fix_gamma else d_gamma
    return d_data, d_gamma, d_beta, moving_mean, moving_var


@batch_norm.gradient("data", "gamma", "beta")
def _(dy, data, gamma, mean, var, moving_mean, moving_var, attrs):
    kept = {k: attrs[k] for k in ("eps", "momentum", "fix_gamma", "axis")}
    return backward_batch_norm(
        *(dy, data, gamma, mean, var, moving_mean, moving_var),
        batch=attrs.train and not attrs.use_global_stats,
        **kept,
    )


def laid(vector: Any, axis: int, like: Any) -> Any:
    """A drawn vector along one axis of `like`, in its number of axes."""
    shape = tuple(d if i == axis else 1 for i, d in enumerate(like.shape))
    return get("Reshape")(vector, shape=shape)


def standardised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """A drawn tensor with mean 0 and variance 1 over axes."""
    centred = x - get("mean")(x, axis=axes, keepdims=True)
    variance = get("mean")(centred * centred, axis=axes, keepdims=True)
    return centred * get("rsqrt")(variance + eps)


def converted(x: Any, like: Any) -> Any:
    """A drawn tensor in the dtype of another."""
    return x if x.dtype == like.dtype else get("Cast")(x, dtype=like.dtype)


@backward_batch_norm.expression
def _(dy, data, gamma, mean, scale, eps, fix_gamma, axis, batch):
    x, axis = converted(data, mean), axis_of(axis, data.ndim)
    if batch:
        unit = standardised(x, others(axis, x.ndim), eps)
    else:
        unit = (x - laid(mean, axis, x)) * laid(scale, axis, x)
    beta = get("zeros_like")(gamma)
    out = (
        unit + laid(beta, axis, x)
        if fix_gamma
        else unit * laid(gamma, axis, x) + laid(beta, axis, x)
    )
    return Pullback([converted(out, dy)], [dy], [data, gamma, beta])


_channels = dict(
    gamma=spread(3, low=0.5, high=1.5),
    beta=normal(3),
    moving_mean=normal(3, scale=0.1),
    moving_var=spread(3, low=0.5, high=1.5),
)
_once = {"_rtol": 1e-3, "_atol": 1e-4}
batch_norm.sample(data=normal(4, 3, 2, 2), fix_gamma=False, **_channels, **_once)
batch_norm.sample(data=normal(4, 2, 3), axis=-1, **_channels, **_once)
batch_norm.sample(data=normal(5, 3), fix_gamma=False, _train=False, **_channels, **_once)
_scale = spread(3, low=0.5, high=1.5)
for _batch in (True, False):
    backward_batch_norm.sample(
        **dict(dy=normal(4, 3, 2, 2), data=normal(4, 3, 2, 2), gamma=_scale, mean=normal(3)),
        **dict(scale=_scale, moving_mean=normal(3), moving_var=_scale),
        **dict(eps=1e-3, momentum=0.9, fix_gamma=_batch, axis=1, batch=_batch, _grad=()),
    )
