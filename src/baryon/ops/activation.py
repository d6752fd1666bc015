"""Activation functions chosen by an attribute: Activation and LeakyReLU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .fusion import Beginning, Fusion
from .numeric import widen
from .op import get, op
from .rules import known, same
from .samples import constant, normal
from .samples import uniform as spread
from .special import special

ACTIVATIONS = ("relu", "sigmoid", "softrelu", "softsign", "tanh")
RECTIFIERS = ("elu", "gelu", "leaky", "prelu", "rrelu", "selu")
ActType = Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"]
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def sigmoid(xp: Any, x: Any) -> Any:
    """The logistic function without overflow."""
    small = xp.exp(-xp.abs(x))
    return xp.where(x < 0, small, 1) / (1 + small)


def softplus(xp: Any, x: Any) -> Any:
    """``log(1 + exp(x))`` without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


_FORWARD = {
    "relu": lambda xp, x: xp.maximum(x, 0),
    "sigmoid": sigmoid,
    "softrelu": softplus,
    "softsign": lambda xp, x: x / (1 + xp.abs(x)),
    "tanh": lambda xp, x: xp.tanh(x),
}
# Derivatives in terms of the output y.
_SLOPE = {
    "relu": lambda xp, y: xp.sign(y),
    "sigmoid": lambda xp, y: y * (1 - y),
    "softrelu": lambda xp, y: -xp.expm1(-y),
    "softsign": lambda xp, y: xp.square(1 - xp.abs(y)),
    "tanh": lambda xp, y: 1 - y * y,
}
# The derivatives of those, on graph entries; None is zero.
_CURVE = {
    "relu": None,
    "sigmoid": lambda y: 1 - y * 2,
    "softrelu": lambda y: get("exp")(-y),
    "softsign": lambda y: (abs(y) - 1) * get("sign")(y) * 2,
    "tanh": lambda y: y * -2,
}


# Both in CUDA C++, of the input; of the gradient and the output (see `op`).
_ELEMENT = {
    "relu": "a <= 0 ? A(0) : a",
    "sigmoid": "sigmoid(a)",
    "softrelu": "softrelu(a)",
    "softsign": "a / (1 + fabs(a))",
    "tanh": "tanh(a)",
}
_SLOPE_ELEMENT = {
    "relu": "a * (b > 0 ? A(1) : b < 0 ? A(-1) : b)",
    "sigmoid": "a * (b * (1 - b))",
    "softrelu": "-a * expm1(-b)",
    "softsign": "a * ((1 - fabs(b)) * (1 - fabs(b)))",
    "tanh": "a * (1 - b * b)",
}


def _code(names: tuple[str, ...]) -> Any:
    """Kernel parameters: the position of ``act_type`` in a tuple of names."""
    return lambda attrs, ins, outs: (names.index(attrs.act_type),)


@op(
    "Activation",
    aliases=("_npx_activation",),
    kernel=True,
    params=_code(ACTIVATIONS),
    pointwise=True,
    element=lambda attrs: _ELEMENT[attrs.act_type],
    inplace={0: "data"},
)
def activation(xp, data, *, act_type: ActType):
    """An activation function, element by element (MXNet's operator ``Activation``).

    ``act_type``: relu ``max(x, 0)``, sigmoid ``1 / (1 + exp(-x))``, tanh, softrelu
    ``log(1 + exp(x))`` or softsign ``x / (1 + |x|)``. Any shape; the output has the data's.

    >>> mx.nd.Activation(mx.nd.array([-1.0, 2.0]), act_type="relu").asnumpy()
    array([0., 2.], dtype=float32)
    """
    return _FORWARD[act_type](xp, widen(xp, data))


@op(
    "_backward_Activation",
    kernel=True,
    params=_code(ACTIVATIONS),
    pointwise=True,
    element=lambda attrs: _SLOPE_ELEMENT[attrs.act_type],
    inplace={0: "dy"},
)
def backward_activation(xp, dy, out, *, act_type: ActType):
    """Gradient of `activation` from its output."""
    return widen(xp, dy) * _SLOPE[act_type](xp, widen(xp, out))


def _bounds(attrs: Attrs) -> tuple[float, float] | None:
    return (0.0, np.inf) if attrs.act_type == "relu" else None


activation.fusion = Fusion(
    bounds=_bounds, curve=lambda attrs: "relu" if attrs.act_type == "relu" else None
)


@activation.gradient("data")
def _(dy, out, act_type):
    return backward_activation(dy, out, act_type=act_type)


@backward_activation.gradient("dy")
def _(d_output, out, act_type):
    return backward_activation(d_output, out, act_type=act_type)


@backward_activation.gradient("out")
def _(d_output, dy, out, act_type):
    curve = _CURVE[act_type]
    return None if curve is None else d_output * dy * curve(out)


for _kind in ACTIVATIONS:
    activation.sample(data=normal(3, 5, scale=2.0), act_type=_kind)
    backward_activation.sample(dy=normal(3, 5), out=spread(3, 5, low=0.1, high=0.9), act_type=_kind)


# ---- LeakyReLU -----------------------------------------------------------------------------------


def _rectifier_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Outputs like data; a missing gamma has one entry a channel, a given one may have one."""
    (data, *gammas), outs = ins, list(outs)
    (data, *_), outs = same(attrs, [data], outs)
    if gammas and gammas[0] is None and data is not None:
        gammas = [data[1:2] if len(data) > 1 else data[:1]]
    elif gammas and known(data) and known(gammas[0]) and len(gammas[0]) == 1:
        channels = data[1] if len(data) > 1 else data[0]
        if gammas[0][0] not in (1, channels):
            raise MXNetError(f"gamma has {gammas[0][0]} entries, expected 1 or {channels}")
    return [data, *gammas], outs


def _backward_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """dy, data and the result are alike."""
    pair, outs = same(attrs, ins[:2], outs)
    return [*pair, *ins[2:]], outs


def _outputs(attrs: Attrs) -> tuple[str, ...]:
    return ("output", "mask") if attrs.act_type == "rrelu" else ("output",)


def _channelwise(gamma: Any, ndim: int) -> Any:
    """Gamma laid along axis 1 of a tensor of `ndim` axes (scalars and full shapes unchanged)."""
    if len(gamma.shape) != 1 or ndim < 2:
        return gamma
    return gamma.reshape((1, -1) + (1,) * (ndim - 2))


def _leaky_params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    """Kernel parameters: kind and slope; prelu adds the layout of channels; rrelu is the body's."""
    if attrs.act_type == "rrelu":
        return None
    channels, inner = 1, 1
    if attrs.act_type == "prelu":
        shape, gamma = ins[0].shape, ins[-1].shape
        if len(gamma) != 1:
            return None
        channels = gamma[0]
        inner = int(np.prod(shape[2:], dtype=np.int64)) if len(shape) > 1 else 1
    return RECTIFIERS.index(attrs.act_type), attrs.slope, channels, inner


def gelu(xp: Any, x: Any) -> Any:
    """``x * Phi(x)``, Phi the standard normal distribution."""
    return 0.5 * x * (1 + special(xp, "erf", x * 0.5**0.5))


def _gelu_slope(xp: Any, x: Any) -> Any:
    density = xp.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5
    return 0.5 * (1 + special(xp, "erf", x * 0.5**0.5)) + x * density


_RECTIFY = {
    "leaky": lambda xp, x, a: xp.where(x > 0, x, a * x),
    "elu": lambda xp, x, a: xp.where(x > 0, x, a * xp.expm1(xp.minimum(x, 0))),
    "selu": lambda xp, x, a: _SELU_SCALE * _RECTIFY["elu"](xp, x, _SELU_ALPHA),
    "gelu": lambda xp, x, a: gelu(xp, x),
}
_RECTIFY_SLOPE = {
    "leaky": lambda xp, x, a: xp.where(x > 0, x.dtype.type(1), a),
    "elu": lambda xp, x, a: xp.where(x > 0, 1, a * xp.exp(xp.minimum(x, 0))),
    "selu": lambda xp, x, a: _SELU_SCALE * _RECTIFY_SLOPE["elu"](xp, x, _SELU_ALPHA),
    "gelu": lambda xp, x, a: _gelu_slope(xp, x),
}
for _table in (_RECTIFY, _RECTIFY_SLOPE):
    _table["prelu"] = _table["rrelu"] = _table["leaky"]

# The latter in CUDA C++, of the gradient and the input.
_RECTIFY_SLOPE_ELEMENT = {
    "leaky": "a * (b > 0 ? A(1) : {slope})",
    "elu": "a * (b > 0 ? A(1) : {slope} * exp(b))",
    "selu": f"a * A({_SELU_SCALE}) * (b > 0 ? A(1) : A({_SELU_ALPHA}) * exp(b))",
    "gelu": "a * gelu_slope(b)",
}

RectType = Literal["elu", "gelu", "leaky", "prelu", "rrelu", "selu"]


@op(
    "LeakyReLU",
    aliases=("_npx_leaky_relu",),
    shape=_rectifier_shapes,
    outputs=_outputs,
    visible=1,
    present={"gamma": lambda a: a.act_type == "prelu"},
    init={"gamma": '["Constant", {"value": 0.25}]'},
    kernel=True,
    params=_leaky_params,
)
def leaky_relu(
    xp,
    data,
    gamma=None,
    *,
    act_type: RectType = "leaky",
    slope: float = 0.25,
    lower_bound: float = 0.125,
    upper_bound: float = 0.334,
    train: bool,
    rng,
):
    """Rectifiers that let negative values through (MXNet's operator ``LeakyReLU``).

    ``act_type``: leaky ``slope * x`` below 0 (Maas et al. 2013), elu ``slope * (exp(x) - 1)``
    (Clevert et al. 2015), selu (Klambauer et al. 2017), gelu ``x * Phi(x)`` (Hendrycks and Gimpel
    2016), prelu with learned slopes ``gamma`` of shape ``(1,)`` or ``(channels,)`` along axis 1
    (He et al. 2015), rrelu with slopes drawn from [lower_bound, upper_bound) for each element in
    training and their mean otherwise (Xu et al. 2015).

    >>> mx.nd.LeakyReLU(mx.nd.array([-1.0, 2.0]), slope=0.1).asnumpy()
    array([-0.1,  2. ], dtype=float32)
    """
    x = widen(xp, data)
    a: Any = slope
    if act_type == "prelu":
        a = _channelwise(widen(xp, gamma), x.ndim)
    elif act_type == "rrelu":
        a = xp.full(x.shape, (lower_bound + upper_bound) / 2, x.dtype)
        if train:
            a = lower_bound + (upper_bound - lower_bound) * rng.uniform(x.shape)
    out = _RECTIFY[act_type](xp, x, a)
    return (out, a) if act_type == "rrelu" else out


@op("_rectifier", derived=True, pointwise=True, kernel="LeakyReLU", params=_leaky_params)
def rectifier(
    xp, data, *, act_type: Literal["elu", "gelu", "leaky", "selu"] = "leaky", slope: float = 0.25
):
    """`LeakyReLU` of the kinds that neither learn slopes nor draw them: the fuse pass draws it."""
    return _RECTIFY[act_type](xp, widen(xp, data), slope)


def _as_rectifier(inputs: Sequence[Any], attrs: Attrs, parts: Any) -> Beginning | None:
    if attrs.act_type in ("prelu", "rrelu"):
        return None
    return Beginning(rectifier, list(inputs), {"act_type": attrs.act_type, "slope": attrs.slope})


@op(
    "_backward_LeakyReLU",
    present={"slopes": lambda a: a.act_type == "prelu"},
    shape=_backward_shapes,
    pointwise=lambda attrs: attrs.act_type not in ("prelu", "rrelu"),
    element=lambda attrs: _RECTIFY_SLOPE_ELEMENT.get(attrs.act_type),
    kernel=True,
    params=_leaky_params,
)
def backward_leaky_relu(
    xp, dy, data, slopes=None, *, act_type: RectType = "leaky", slope: float = 0.25
):
    """Gradient of `leaky_relu` towards its data."""
    a = slope if slopes is None else _channelwise(widen(xp, slopes), data.ndim)
    return widen(xp, dy) * _RECTIFY_SLOPE[act_type](xp, widen(xp, data), a)


def _sum_to_slopes(grad: Any, gamma: Any) -> Any:
    """A gradient of data's shape summed to the shape of a one-axis gamma along axis 1."""
    if gamma.ndim != 1 or grad.ndim < 2:
        return grad
    keep = 1 if gamma.shape[0] > 1 else -1
    return get("sum")(grad, axis=tuple(i for i in range(grad.ndim) if i != keep))


@leaky_relu.gradient("data")
def _(dy, data, out, gamma, act_type, slope):
    if act_type == "rrelu":  # the slope drawn for a negative element is its output over its input
        positive = data > 0
        return dy * (positive + (1 - positive) * (out / (data + (data == 0))))
    return backward_leaky_relu(dy, data, gamma, act_type=act_type, slope=slope)


@rectifier.gradient("data")
def _(dy, data, act_type, slope):
    return backward_leaky_relu(dy, data, act_type=act_type, slope=slope)


@leaky_relu.gradient("gamma")
def _(dy, data, gamma):
    return _sum_to_slopes(dy * data * (data <= 0), gamma)


@backward_leaky_relu.gradient("dy")
def _(d_output, data, slopes, act_type, slope):
    return backward_leaky_relu(d_output, data, slopes, act_type=act_type, slope=slope)


@backward_leaky_relu.gradient("slopes")
def _(d_output, dy, data, slopes):
    return _sum_to_slopes(d_output * dy * (data <= 0), slopes)


@backward_leaky_relu.gradient("data")
def _(d_output, dy, data, act_type, slope):
    exp = get("exp")
    if act_type == "gelu":
        square = data * data
        return d_output * dy * exp(square * -0.5) * (2 - square) * (2 * np.pi) ** -0.5
    if act_type in ("elu", "selu"):
        a = slope if act_type == "elu" else _SELU_ALPHA * _SELU_SCALE
        return d_output * dy * exp(data) * (data <= 0) * a
    return None


_mixed = constant(np.array([[-2.0, -0.4, 0.3], [1.5, -1.1, 0.8]]))
leaky_relu.fusion = Fusion(
    curve=lambda attrs: "gelu" if attrs.act_type == "gelu" else None, lean=_as_rectifier
)

for _kind in ("leaky", "elu", "selu", "gelu"):
    leaky_relu.sample(data=_mixed, act_type=_kind, slope=0.3)
    rectifier.sample(data=_mixed, act_type=_kind, slope=0.3)
leaky_relu.sample(data=normal(2, 3, 4), gamma=spread(3, low=0.1, high=0.5), act_type="prelu")
leaky_relu.sample(data=normal(2, 3), gamma=spread(1, low=0.1, high=0.5), act_type="prelu")
leaky_relu.sample(data=_mixed, act_type="rrelu", _train=False)
backward_leaky_relu.sample(dy=normal(2, 3), data=_mixed, act_type="gelu")
