"""The softmax family, normalising along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, DType
from .fusion import Fusion
from .numeric import widen
from .op import Spec, get, op
from .rules import attr_dtype, forward, unify
from .samples import integers, normal


def axis_of(axis: int, ndim: int) -> int:
    """A possibly negative axis as a position; MXNetError if a tensor of `ndim` axes has none."""
    if not -ndim <= axis < ndim:
        raise MXNetError(f"axis {axis} is outside of a tensor with {ndim} axes")
    return axis % ndim


def split_at(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Sizes before, at and after an axis."""
    axis = axis_of(axis, len(shape))
    before, after = np.prod(shape[:axis], dtype=int), np.prod(shape[axis + 1 :], dtype=int)
    return int(before), shape[axis], int(after)


def log_normalised(xp: Any, x: Any, axis: int) -> tuple[Any, Any]:
    """``x`` less its maximum along `axis`, and the logarithm of the sum of its exponentials."""
    if x.size == 0:
        return x, 0
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted, xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


def normalised(xp: Any, x: Any, axis: int) -> Any:
    """exp(x) divided by its sum along `axis`."""
    if x.size == 0:
        return x
    powers = xp.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _scaled(xp: Any, data: Any, temperature: float | None, sign: float = 1.0) -> Any:
    scale = sign / (temperature or 1.0)
    return widen(xp, data) if scale == 1 else widen(xp, data) * scale


def _params(sign: float) -> Any:
    """Kernel parameters: sizes before, at and after the axis, and the factor before exp."""

    def params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
        if any(s.dtype != outs[0].dtype for s in ins):
            return None
        return (*split_at(ins[0].shape, attrs.axis), sign / (attrs.temperature or 1.0))

    return params


def _lengths_complete(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output like data; lengths have data's shape without the axis."""
    data, *length = ins
    data = unify(data, outs[0])
    if data is not None:
        axis = axis_of(attrs.axis, len(data))
        length = [unify(data[:axis] + data[axis + 1 :], s) for s in length]
    return [data, *length], [data]


@op(
    "softmax",
    aliases=("_npx_softmax",),
    shape=_lengths_complete,
    dtype=attr_dtype(),
    present={"length": lambda a: bool(a.use_length)},
    kernel=True,
    params=_params(1.0),
    inplace={0: "data"},
    onnx="Softmax",
)
def softmax(
    xp,
    data,
    length=None,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType | None = None,
    use_length: bool | None = False,
):
    """``exp(data / temperature)`` divided by its sum along `axis` (MXNet's operator ``softmax``).

    With ``use_length``, `length` (data's shape without `axis`) says how many leading entries of
    each row count; the others are 0. `dtype` is that of the result, data's where it is None.

    >>> mx.nd.softmax(mx.nd.array([[0.0, 0.0]])).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    x = _scaled(xp, data if dtype is None else data.astype(dtype), temperature)
    if length is None:
        return normalised(xp, x, axis)
    axis = axis_of(axis, x.ndim)
    steps = xp.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    inside = steps < xp.expand_dims(length, axis)
    result = normalised(xp, xp.where(inside, x, xp.finfo(np.float32).min), axis)
    return xp.where(inside, result, 0)


@op(
    "log_softmax",
    aliases=("_npx_log_softmax",),
    shape=_lengths_complete,
    dtype=attr_dtype(),
    kernel=True,
    params=_params(1.0),
    inplace={0: "data"},
    onnx="LogSoftmax",
)
def log_softmax(
    xp,
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType | None = None,
    use_length: bool | None = False,
):
    """Logarithm of `softmax` without loss of digits (MXNet's operator ``log_softmax``).

    ``use_length`` has no effect; `dtype` is that of the result, data's where it is None. `axis` and
    `temperature` as there.

    >>> mx.nd.log_softmax(mx.nd.array([[0.0, 0.0]])).asnumpy()
    array([[-0.6931472, -0.6931472]], dtype=float32)
    """
    x = _scaled(xp, data if dtype is None else data.astype(dtype), temperature)
    shifted, log_sum = log_normalised(xp, x, axis)
    return shifted - log_sum


@op(
    "softmin",
    shape=_lengths_complete,
    dtype=attr_dtype(),
    kernel="softmax",
    params=_params(-1.0),
    inplace={0: "data"},
)
def softmin(
    xp,
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType | None = None,
    use_length: bool | None = False,
):
    """`softmax` of ``-data``: the smallest entry along `axis` weighs most.

    ``use_length`` has no effect; `dtype` is that of the result, data's where it is None.

    >>> mx.nd.softmin(mx.nd.array([[1.0, 1.0]])).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    x = _scaled(xp, data if dtype is None else data.astype(dtype), temperature, -1.0)
    return normalised(xp, x, axis)


@op("_backward_softmax", kernel=True, params=_params(1.0), inplace={0: "dy"})
def backward_softmax(xp, dy, out, *, axis: int = -1, temperature: float | None = None):
    """Gradient of `softmax` from its output."""
    dy, out = widen(xp, dy), widen(xp, out)
    return _scaled(xp, out * (dy - (dy * out).sum(axis=axis, keepdims=True)), temperature)


@op("_backward_log_softmax", kernel=True, params=_params(1.0), inplace={0: "dy"})
def backward_log_softmax(xp, dy, out, *, axis: int = -1, temperature: float | None = None):
    """Gradient of `log_softmax` from its output."""
    dy = widen(xp, dy)
    dx = dy - xp.exp(widen(xp, out)) * dy.sum(axis=axis, keepdims=True)
    return _scaled(xp, dx, temperature)


def _softens(attrs: Attrs, ndim: int) -> float | None:
    last = attrs.dtype is None and attrs.axis in (-1, ndim - 1)
    return 1 / (attrs.temperature or 1.0) if last else None


softmax.fusion = Fusion(softens=_softens)


@softmax.gradient("data")
def _(dy, out, axis, temperature):
    return backward_softmax(dy, out, axis=axis, temperature=temperature)


@log_softmax.gradient("data")
def _(dy, out, axis, temperature):
    return backward_log_softmax(dy, out, axis=axis, temperature=temperature)


@softmin.gradient("data")
def _(dy, out, axis, temperature):
    return -backward_softmax(dy, out, axis=axis, temperature=temperature)


def _sum(x: Any, axis: int) -> Any:
    return get("sum")(x, axis=axis, keepdims=True)


@backward_softmax.gradient("dy")
def _(d_output, out, axis, temperature):
    return backward_softmax(d_output, out, axis=axis, temperature=temperature)


@backward_softmax.gradient("out")
def _(d_output, dy, out, axis, temperature):
    grad = d_output * (dy - _sum(dy * out, axis)) - dy * _sum(d_output * out, axis)
    return grad * (1 / (temperature or 1.0))


@backward_log_softmax.gradient("dy")
def _(d_output, out, axis, temperature):
    grad = d_output - _sum(d_output * get("exp")(out), axis)
    return grad * (1 / (temperature or 1.0))


@backward_log_softmax.gradient("out")
def _(d_output, dy, out, axis, temperature):
    return d_output * get("exp")(out) * _sum(dy, axis) * (-1 / (temperature or 1.0))


@op(
    "SoftmaxActivation",
    kernel="softmax",
    params=lambda a, ins, outs: (*split_at(ins[0].shape, _axis(a.mode)), 1.0),
    inplace={0: "data"},
)
def softmax_activation(xp, data, *, mode: Literal["channel", "instance"] = "instance"):
    """Softmax along the last axis (`mode` instance) or along axis 1 (channel).

    Deprecated by MXNet in favour of `softmax` (MXNet's operator ``SoftmaxActivation``).

    >>> mx.nd.SoftmaxActivation(mx.nd.array([[0.0, 0.0]])).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    return normalised(xp, widen(xp, data), _axis(mode))


def _axis(mode: str) -> int:
    return 1 if mode == "channel" else -1


@softmax_activation.gradient("data")
def _(dy, out, mode):
    return backward_softmax(dy, out, axis=_axis(mode))


def _one_loss(attrs: Attrs, data: Sequence[int], label: Sequence[int]) -> tuple[int]:
    if len(data) != 2 or tuple(label) != tuple(data[:1]):
        raise MXNetError("data must be (rows, classes) and label (rows)")
    return (1,)


@op(
    "softmax_cross_entropy",
    shape=forward(_one_loss),
)
def softmax_cross_entropy(xp, data, label):
    """Sum over the rows of ``-log(softmax(data))[label]`` (MXNet's ``softmax_cross_entropy``).

    data : (N, classes). label : (N,), class indices. Result: (1,).

    >>> mx.nd.softmax_cross_entropy(mx.nd.array([[0.0, 0.0]]), mx.nd.array([1])).asnumpy()
    array([0.6931472], dtype=float32)
    """
    shifted, log_sum = log_normalised(xp, widen(xp, data), 1)
    index = label.astype(np.int64)
    return -(shifted - log_sum)[xp.arange(data.shape[0]), index].sum(keepdims=True)


@softmax_cross_entropy.gradient("data")
def _(dy, data, label):
    chosen = get("one_hot")(label, depth=data.shape[1], dtype=data.dtype)
    return (softmax(data) - chosen) * dy


softmax.sample(data=normal(4, 7))
softmax.sample(data=normal(2, 5, 3), axis=1, temperature=2.0)
softmax.sample(data=normal(3, 5), length=integers(3, low=1, high=6), use_length=True)
log_softmax.sample(data=normal(4, 7))
log_softmax.sample(data=normal(2, 5, 3), axis=1, temperature=2.0)
softmin.sample(data=normal(4, 7))
softmax_activation.sample(data=normal(2, 3, 4), mode="channel")
softmax_activation.sample(data=normal(2, 3, 4))
softmax_cross_entropy.sample(
    data=normal(4, 5), label=integers(4, high=5), _grad=("data",), _second_order=False
)
for _made in (backward_softmax, backward_log_softmax):
    _made.sample(dy=normal(3, 5), out=normal(3, 5, scale=0.3), axis=1)
