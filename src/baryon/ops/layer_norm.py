"""Normalisation within each sample: LayerNorm, InstanceNorm, GroupNorm, L2Normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .norm import along, converted, laid, mixed, others, standardised
from .numeric import widen
from .op import Pullback, get, op
from .rules import unify
from .samples import normal
from .samples import uniform as spread
from .softmax import axis_of, split_at


def _standardise(xp: Any, x: Any, axes: Any, eps: float) -> tuple[Any, Any, Any]:
    """X with mean 0 and variance 1 over axes, the mean, and ``sqrt(var + eps)`` (axes kept)."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    std = xp.sqrt(xp.square(centred).mean(axis=axes, keepdims=True) + eps)
    return centred / std, mean, std


def _unstandardise(xp: Any, d_unit: Any, unit: Any, std: Any, axes: Any) -> Any:
    """Gradient of `_standardise` from that of its result."""
    mean = d_unit.mean(axis=axes, keepdims=True)
    return (d_unit - mean - unit * (d_unit * unit).mean(axis=axes, keepdims=True)) / std


# ---- LayerNorm -----------------------------------------------------------------------------------


def _layer_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Gamma and beta along the axis; the statistics have size 1 there."""
    data = unify(ins[0], outs[0])
    if data is None:
        return ins, outs
    axis = axis_of(attrs.axis, len(data))
    vector = unify(unify((data[axis],), ins[1]), ins[2])
    reduced = data[:axis] + (1,) + data[axis + 1 :]
    return [data, vector, vector], [data, reduced, reduced]


@op(
    "LayerNorm",
    aliases=("_npx_layer_norm",),
    shape=_layer_shapes,
    dtype=mixed(3),
    outputs=("output", "mean", "std"),
    visible=lambda a: 3 if a.output_mean_var else 1,
    kernel=True,
    params=lambda a, ins, outs: (*split_at(ins[0].shape, a.axis), a.eps),
    onnx="LayerNormalization",
)
def layer_norm(
    xp,
    data,
    gamma,
    beta,
    *,
    axis: int = -1,
    eps: float = 1e-5,
    output_mean_var: bool = False,
):
    """``(data - mean) / sqrt(var + eps) * gamma + beta`` along `axis` of each sample.

    gamma, beta : (size of `axis`,). ``output_mean_var`` also returns the mean and the standard
    deviation, with size 1 along `axis`. Source: Ba, Kiros and Hinton 2016; MXNet's ``LayerNorm``.

    >>> mx.nd.LayerNorm(mx.nd.array([[1.0, 3.0]]), mx.nd.ones((2,)), mx.nd.zeros((2,))).asnumpy()
    array([[-0.999995,  0.999995]], dtype=float32)
    """
    axis = axis_of(axis, data.ndim)
    unit, mean, std = _standardise(xp, widen(xp, data), axis, eps)
    out = unit * along(gamma, axis, data.ndim) + along(beta, axis, data.ndim)
    return out, mean, std


@op(
    "_backward_LayerNorm",
    shape=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    dtype=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    outputs=("d_data", "d_gamma", "d_beta"),
    kernel=True,
    params=lambda a, ins, outs: split_at(ins[1].shape, a.axis),
)
def backward_layer_norm(xp, dy, data, gamma, mean, std, *, axis: int, eps: float):
    """Gradient of `layer_norm`."""
    dy, axis = widen(xp, dy), axis_of(axis, data.ndim)
    unit = (widen(xp, data) - mean) / std
    rest = others(axis, data.ndim)
    d_data = _unstandardise(xp, dy * along(gamma, axis, data.ndim), unit, std, axis)
    return d_data, (dy * unit).sum(axis=rest), dy.sum(axis=rest)


@layer_norm.gradient("data", "gamma", "beta")
def _(dy, data, gamma, mean, std, axis, eps):
    return backward_layer_norm(dy, data, gamma, mean, std, axis=axis, eps=eps)


@backward_layer_norm.expression
def _(dy, data, gamma, axis, eps):
    x, axis, beta = converted(data, gamma), axis_of(axis, data.ndim), get("zeros_like")(gamma)
    out = standardised(x, (axis,), eps) * laid(gamma, axis, x) + laid(beta, axis, x)
    return Pullback([converted(out, dy)], [dy], [data, gamma, beta])


# ---- GroupNorm and InstanceNorm ------------------------------------------------------------------


def _groups(attrs: Attrs, shape: Sequence[int]) -> tuple[int, int]:
    """Groups a sample and elements a group; without ``num_groups`` a channel is a group."""
    count = attrs.get("num_groups") or shape[1]
    if count < 1 or shape[1] % count:
        raise MXNetError(f"num_groups {count} does not divide {shape[1]} channels")
    return count, int(np.prod(shape[1:], dtype=int)) // count


def _group_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = unify(ins[0], outs[0])
    if data is None or len(data) < 3 or data[1] < 0:
        if data is not None and len(data) < 3:
            raise MXNetError(f"data needs at least 3 axes, got {len(data)}")
        return ins, outs
    groups, _ = _groups(attrs, data)
    vector = unify(unify((groups,), ins[1]), ins[2])
    return [data, vector, vector], [data, (data[0], groups), (data[0], groups)]


def _group_norm(xp: Any, data: Any, gamma: Any, beta: Any, groups: int, eps: float) -> tuple:
    shape = data.shape[0], groups, int(np.prod(data.shape[1:], dtype=int)) // groups
    unit, mean, std = _standardise(xp, widen(xp, data).reshape(shape), 2, eps)
    out = unit * gamma.reshape(1, -1, 1) + beta.reshape(1, -1, 1)
    return out.reshape(data.shape), mean[..., 0], std[..., 0]


def _group_op(name: str, onnx: str) -> Any:
    return op(
        name,
        shape=_group_shapes,
        dtype=mixed(3),
        outputs=("output", "mean", "std"),
        visible=lambda a: 3 if a.get("output_mean_var") else 1,
        kernel="GroupNorm",
        params=lambda a, ins, outs: (*_groups(a, ins[0].shape), a.eps),
        onnx=onnx,
    )


@_group_op("GroupNorm", "GroupNormalization")
def group_norm(
    xp,
    data,
    gamma,
    beta,
    *,
    num_groups: int = 1,
    eps: float = 1e-5,
    output_mean_var: bool = False,
):
    """Normalise each group of neighbouring channels of each sample (MXNet's ``GroupNorm``).

    data : (N, C, ...), C a multiple of ``num_groups``. gamma, beta : (num_groups,).
    ``output_mean_var`` also returns mean and standard deviation, (N, num_groups). `eps` is added to
    the variance. Source: Wu and He, ECCV 2018.

    >>> x = mx.nd.array([[[1.0], [3.0]]])
    >>> mx.nd.GroupNorm(x, mx.nd.ones((1,)), mx.nd.zeros((1,)), eps=0.0).asnumpy().ravel()
    array([-1.,  1.], dtype=float32)
    """
    return _group_norm(xp, data, gamma, beta, num_groups, eps)


@_group_op("InstanceNorm", "InstanceNormalization")
def instance_norm(xp, data, gamma, beta, *, eps: float = 1e-3):
    """Normalise each channel of each sample (MXNet's operator ``InstanceNorm``).

    data : (N, C, ...). gamma, beta : (C,). `eps` is added to the variance. Source: Ulyanov, Vedaldi
    and Lempitsky 2016.

    >>> x = mx.nd.array([[[1.0, 3.0]]])
    >>> mx.nd.InstanceNorm(x, mx.nd.ones((1,)), mx.nd.zeros((1,)), eps=0.0).asnumpy().ravel()
    array([-1.,  1.], dtype=float32)
    """
    return _group_norm(xp, data, gamma, beta, data.shape[1], eps)


@op(
    "_backward_GroupNorm",
    shape=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    dtype=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    outputs=("d_data", "d_gamma", "d_beta"),
    kernel=True,
    params=lambda a, ins, outs: (ins[2].shape[0], ins[1].size // max(ins[3].size, 1)),
)
def backward_group_norm(xp, dy, data, gamma, mean, std, *, eps: float):
    """Gradient of `group_norm` and `instance_norm`."""
    shape = (*mean.shape, data.size // max(mean.size, 1))
    dy, std = widen(xp, dy).reshape(shape), std[..., None]
    unit = (widen(xp, data).reshape(shape) - mean[..., None]) / std
    d_data = _unstandardise(xp, dy * gamma.reshape(1, -1, 1), unit, std, 2)
    return d_data.reshape(data.shape), (dy * unit).sum(axis=(0, 2)), dy.sum(axis=(0, 2))


@group_norm.gradient("data", "gamma", "beta")
@instance_norm.gradient("data", "gamma", "beta")
def _(dy, data, gamma, mean, std, eps):
    return backward_group_norm(dy, data, gamma, mean, std, eps=eps)


@backward_group_norm.expression
def _(dy, data, gamma, mean, eps):
    groups, beta = mean.shape[1], get("zeros_like")(gamma)
    shape = data.shape[0], groups, data.size // max(mean.size, 1)
    x = converted(get("Reshape")(data, shape=shape), gamma)
    out = standardised(x, (2,), eps) * laid(gamma, 1, x) + laid(beta, 1, x)
    out = converted(get("Reshape")(out, shape=data.shape), dy)
    return Pullback([out], [dy], [data, gamma, beta])


# ---- L2Normalization -----------------------------------------------------------------------------


def _norm_axes(mode: str, ndim: int) -> tuple[int, ...]:
    first = {"instance": 1, "channel": 1, "spatial": 2}[mode]
    return (1,) if mode == "channel" else tuple(range(first, ndim))


def _l2_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = unify(ins[0], outs[0])
    if data is None:
        return ins, outs
    axes = _norm_axes(attrs.mode, len(data))
    return [data], [data, tuple(1 if i in axes else d for i, d in enumerate(data))]


@op("L2Normalization", shape=_l2_shapes, outputs=("output", "norm"), visible=1)
def l2_normalization(
    xp, data, *, eps: float = 1e-10, mode: Literal["channel", "instance", "spatial"] = "instance"
):
    """Divide by the Euclidean norm ``sqrt(sum(data ** 2) + eps)`` (MXNet's ``L2Normalization``).

    The sum runs over all axes but the first (`mode` instance), over axis 1 (channel), or over axes
    2 and later (spatial).

    >>> mx.nd.L2Normalization(mx.nd.array([[3.0, 4.0]])).asnumpy()
    array([[0.6, 0.8]], dtype=float32)
    """
    x = widen(xp, data)
    norm = xp.sqrt(xp.square(x).sum(axis=_norm_axes(mode, x.ndim), keepdims=True) + eps)
    return x / norm, norm


@l2_normalization.gradient("data")
def _(dy, d_norm, out, norm, mode):
    along_row = get("sum")(dy * out, axis=_norm_axes(mode, dy.ndim), keepdims=True)
    grad = (dy - out * along_row) / norm
    return grad if d_norm is None else grad + d_norm * out  # second order comes by the norm too


_affine = {"gamma": spread(4, low=0.5, high=1.5), "beta": normal(4)}
_once: dict[str, Any] = {"_rtol": 1e-3, "_atol": 1e-4}
layer_norm.sample(data=normal(3, 4), **_affine, **_once)
layer_norm.sample(data=normal(2, 4, 3), axis=1, **_affine, **_once)
layer_norm.sample(data=normal(2, 4), output_mean_var=True, _grad=(), **_affine)
group_norm.sample(data=normal(2, 8, 3), num_groups=4, **_affine, **_once)
instance_norm.sample(data=normal(2, 4, 3, 2), **_affine, **_once)
for _mode in ("channel", "instance", "spatial"):
    l2_normalization.sample(data=normal(2, 3, 2, 2), mode=_mode)
backward_layer_norm.sample(
    **dict(dy=normal(3, 4), data=normal(3, 4), gamma=_affine["gamma"]),
    **dict(mean=normal(3, 1), std=spread(3, 1, low=0.5, high=1.5), axis=-1, eps=1e-5, _grad=()),
)
backward_group_norm.sample(
    **dict(dy=normal(2, 8, 3), data=normal(2, 8, 3), gamma=_affine["gamma"]),
    **dict(mean=normal(2, 4), std=spread(2, 4, low=0.5, high=1.5), eps=1e-5, _grad=()),
)
