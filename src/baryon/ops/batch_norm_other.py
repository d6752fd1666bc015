"""Variants of batch normalisation: across devices, followed by ReLU, and MXNet's first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .attrs import Attrs
from .norm import backward_batch_norm, batch_norm, mixed
from .op import get, op
from .rules import unify
from .samples import normal
from .samples import uniform as spread
from .softmax import axis_of


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output like data, everything else one entry a channel."""
    data = unify(ins[0], outs[0])
    axis = attrs.get("axis", 1)
    channels = None if data is None else (data[axis_of(axis, len(data))],)
    for shape in (*ins[1:], *outs[1:]):
        channels = unify(channels, shape)
    return [data] + [channels] * (len(ins) - 1), [data] + [channels] * (len(outs) - 1)


def _declare(name: str, counted: int) -> Callable:
    return op(
        name,
        shape=_shapes,
        dtype=mixed(1),
        outputs=("output", "mean", "var"),
        visible=lambda a: 3 if a.output_mean_var else 1,
        counted=lambda a: counted,
        aux=("moving_mean", "moving_var"),
        init={"moving_mean": '["zero", {}]', "moving_var": '["one", {}]'},
        mutates=lambda a: (1,) if a.fix_gamma else (),
    )


def _with_variance(xp: Any, result: tuple, eps: float) -> tuple:
    """Results of `batch_norm` with the variance in place of its inverse root."""
    out, mean, scale, *gamma = result
    return out, mean, 1 / xp.square(scale) - eps, *gamma


def _gradients(dy: Any, tensors: tuple, attrs: Attrs, axis: int = 1) -> Any:
    """Gradients of data, gamma and beta; `tensors` end with 1 / deviation and moving statistics."""
    kept = {k: attrs[k] for k in ("eps", "momentum", "fix_gamma")}
    batch = attrs.train and not attrs.use_global_stats
    return backward_batch_norm(dy, *tensors, axis=axis, batch=batch, **kept)


@_declare("_contrib_SyncBatchNorm", 3)
def sync_batch_norm(
    xp: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_var: Any,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    ndev: int = 1,
    key: str,
    train: bool,
) -> Any:
    """`BatchNorm` along axis 1 whose statistics MXNet gathers from `ndev` devices.

    They are those of this call's data: one device holds all of a batch. `ndev` and `key` have no
    effect. ``output_mean_var`` also returns mean and variance. All else as in `BatchNorm`. Source:
    MXNet operator contrib.SyncBatchNorm.

    >>> x, one, zero = mx.nd.array([[1.0], [3.0]]), mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> mx.nd.contrib.SyncBatchNorm(x, one, zero, zero, one, eps=0.0, key="a").asnumpy()
    array([[1.],
           [3.]], dtype=float32)
    """
    tensors = data, gamma, beta, moving_mean, moving_var
    flags = dict(fix_gamma=fix_gamma, use_global_stats=use_global_stats, train=train)
    return _with_variance(xp, batch_norm.body(xp, *tensors, eps=eps, **flags), eps)


@_declare("BatchNorm_v1", 3)
def batch_norm_v1(
    xp: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_var: Any,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    train: bool,
) -> Any:
    """MXNet's first `BatchNorm`, along axis 1; ``output_mean_var`` also gives mean and variance.

    All else as in `BatchNorm`. Source: MXNet operator BatchNorm_v1.

    >>> x, one, zero = mx.nd.array([[1.0], [3.0]]), mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> mx.nd.BatchNorm_v1(x, one, zero, zero, one, eps=0.0).asnumpy()
    array([[1.],
           [3.]], dtype=float32)
    """
    tensors = data, gamma, beta, moving_mean, moving_var
    flags = dict(fix_gamma=fix_gamma, use_global_stats=use_global_stats, train=train)
    return _with_variance(xp, batch_norm.body(xp, *tensors, eps=eps, **flags), eps)


@sync_batch_norm.gradient("data", "gamma", "beta")
@batch_norm_v1.gradient("data", "gamma", "beta")
def _(dy, data, gamma, mean, var, moving_mean, moving_var, attrs):
    scale = get("rsqrt")(var + attrs.eps)
    return _gradients(dy, (data, gamma, mean, scale, moving_mean, moving_var), attrs)


@_declare("_contrib_BatchNormWithReLU", 4)
def batch_norm_relu(
    xp: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_var: Any,
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
) -> Any:
    """`BatchNorm`, and its negative results set to 0.

    ``cudnn_off`` and the calibration ranges have no effect. All else as in `BatchNorm`. Source:
    MXNet operator contrib.BatchNormWithReLU.

    >>> x, one, zero = mx.nd.array([[-1.0], [3.0]]), mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> mx.nd.contrib.BatchNormWithReLU(x, one, zero, zero, one, eps=0.0).asnumpy()
    array([[0.],
           [3.]], dtype=float32)
    """
    tensors = data, gamma, beta, moving_mean, moving_var
    flags = dict(fix_gamma=fix_gamma, use_global_stats=use_global_stats, train=train)
    out, *rest = batch_norm.body(xp, *tensors, eps=eps, axis=axis, **flags)
    return xp.maximum(out, np.float32(0)), *rest


@batch_norm_relu.gradient("data", "gamma", "beta")
def _(dy, out, data, gamma, mean, var, moving_mean, moving_var, attrs):
    tensors = data, gamma, mean, var, moving_mean, moving_var
    return _gradients(dy * (out > 0), tensors, attrs, attrs.axis)


_channels = dict(
    gamma=spread(3, low=0.5, high=1.5),
    beta=normal(3),
    moving_mean=normal(3, scale=0.1),
    moving_var=spread(3, low=0.5, high=1.5),
)
_once = {"_rtol": 1e-3, "_atol": 1e-4}
for _train in (True, False):
    _both = {**_channels, **_once, "_train": _train, "fix_gamma": False}
    sync_batch_norm.sample(data=normal(4, 3, 2, 2), key="a", **_both)
    batch_norm_v1.sample(data=normal(4, 3, 2, 2), **_both)
    batch_norm_relu.sample(data=normal(4, 3, 2, 2), **_both)
batch_norm_relu.sample(data=normal(4, 2, 3), axis=-1, **_channels, **_once)
sync_batch_norm.sample(data=normal(4, 3), key="a", **_channels, **_once)
