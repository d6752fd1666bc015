"""Operators that normalise their data as they read it: the fuse pass draws these.

Between a convolution and the next one in training lie a batch norm and a relu, whose result need
not exist: who reads it computes it from the data and the batch norm's four vectors. No user names
these operators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .activation import backward_activation
from .attrs import Attrs, Shape
from .blocked import BLOCK, blocked, image
from .convolution import backward_weight, geometry
from .fused import INFINITY, again_batch_norm
from .fused_training import measured_convolution
from .fusion import Beginning, Fusion
from .norm import backward_batch_norm
from .op import op
from .samples import normal
from .samples import uniform as spread


def _norm(attrs: Attrs) -> tuple:
    return attrs.fix_gamma, attrs.low, attrs.high


def _raw(attrs: Attrs) -> dict[str, Any]:
    return {name: attrs[name] for name in ("fix_gamma", "low", "high")}


def _loadable(attrs: Attrs) -> bool:
    return not attrs.adds and attrs.axis == 1


def _is_relu(attrs: Attrs) -> bool:
    return attrs.low == 0 and attrs.high == math.inf


again_batch_norm.fusion = again_batch_norm.fusion._replace(loadable=_loadable, rectifies=_is_relu)
backward_activation.fusion = Fusion(rectified=lambda attrs: attrs.act_type == "relu")


# ---- convolution -------------------------------------------------------------------------------


def _measured_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    first, outs = measured_convolution.shape_rule(attrs, [*ins[:2], *ins[6:]], outs)
    channels = (first[0][1],) if first[0] is not None else None
    return [*first[:2], *[channels] * 4, *first[2:]], outs


@op(
    "_normed_Convolution",
    shape=_measured_shapes,
    outputs=("output", "mean", "scale"),
    present={"bias": lambda a: not a.no_bias},
    params=lambda a, ins, outs: (*measured_convolution.params(a, ins, outs), *_norm(a)),
    flops=measured_convolution.flops,
)
def normed_convolution(
    xp: Any,
    data: Any,
    weight: Any,
    gamma: Any,
    beta: Any,
    norm_mean: Any,
    norm_scale: Any,
    bias: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    no_bias: bool = False,
    layout: str | None = None,
    eps: float,
    fix_gamma: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
) -> Any:
    """`_measured_Convolution` of what `_again_BatchNorm` gives for the data.

    >>> x, one = mx.nd.array([[[[1.0, -1.0]]]]), mx.nd.ones((1,))
    >>> call = mx.nd._internal._normed_Convolution
    >>> window = {"kernel": (1, 1), "num_filter": 1, "no_bias": True}
    >>> call(x, one.reshape((1, 1, 1, 1)), one, one, one, one, eps=0.0, low=0.0, **window)[0].asnumpy()
    array([[[[1., 0.]]]], dtype=float32)
    """  # noqa: E501
    vectors, bounds = (gamma, beta, norm_mean, norm_scale), {"low": low, "high": high}
    x = again_batch_norm.body(xp, data, *vectors, fix_gamma=fix_gamma, **bounds)
    window = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad, "layout": layout}
    more = {"num_filter": num_filter, "num_group": num_group, "no_bias": no_bias, "eps": eps}
    return measured_convolution.body(xp, x.astype(data.dtype), weight, bias, **window, **more)


def _normed(inputs: Sequence[Any], attrs: Attrs, norm: Sequence[Any], bounds: Attrs) -> Beginning:
    data, weight, *bias = inputs
    raw = {k: attrs[k] for k in measured_convolution.attrs}
    return Beginning(normed_convolution, [data, weight, *norm, *bias], {**raw, **_raw(bounds)})


measured_convolution.fusion = Fusion(on_load={0: _normed})
_options = ("winograd", "keep_weights")
blocked(normed_convolution, ("data",), (0,), heavy=True, options=_options)


# ---- its gradient by weights -------------------------------------------------------------------


def _weight_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    first, outs = backward_weight.shape_rule(attrs, ins[:2], outs)
    return [*first, *ins[2:]], outs


@op(
    "_backward_normed_Convolution_weight",
    shape=_weight_shapes,
    outputs=lambda a: ("weight",) if a.no_bias else ("weight", "bias"),
    params=lambda a, ins, outs: (*backward_weight.params(a, ins, outs), *_norm(a)),
    flops=backward_weight.flops,
)
def backward_normed_weight(
    xp: Any,
    head: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    norm_mean: Any,
    norm_scale: Any,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    no_bias: bool = False,
    layout: str | None = None,
    fix_gamma: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
) -> Any:
    """Gradients of `_normed_Convolution` by its weight and bias."""
    vectors, bounds = (gamma, beta, norm_mean, norm_scale), {"low": low, "high": high}
    x = again_batch_norm.body(xp, data, *vectors, fix_gamma=fix_gamma, **bounds)
    window = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad, "layout": layout}
    more = {"num_group": num_group, "no_bias": no_bias}
    return backward_weight.body(xp, head, x.astype(data.dtype), **window, **more)


def _by_weight(
    inputs: Sequence[Any], attrs: Attrs, norm: Sequence[Any], bounds: Attrs
) -> Beginning:
    raw = {**geometry(attrs), "no_bias": attrs.no_bias, **_raw(bounds)}
    return Beginning(backward_normed_weight, [*inputs, *norm], raw)


backward_weight.fusion = Fusion(on_load={1: _by_weight})
blocked(backward_normed_weight, ("head", "data"), (), heavy=True, options=_options)


# ---- batch norm and the relu behind it ---------------------------------------------------------


@op(
    "_backward_masked_BatchNorm",
    shape=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    dtype=lambda a, ins, outs: (ins, [ins[1], ins[2], ins[2]]),
    outputs=("d_data", "d_gamma", "d_beta"),
    mutates=("moving_mean", "moving_var"),
    inplace={0: "dy"},
    params=backward_batch_norm.params,
)
def backward_masked_norm(
    xp: Any,
    dy: Any,
    data: Any,
    gamma: Any,
    mean: Any,
    scale: Any,
    moving_mean: Any,
    moving_var: Any,
    beta: Any,
    *,
    eps: float,
    momentum: float,
    fix_gamma: bool,
    axis: int,
    batch: bool,
) -> Any:
    """Gradient of a batch norm with relu, whose result is computed again to see where it is 0."""
    out = again_batch_norm.body(
        xp, data, gamma, beta, mean, scale, fix_gamma=fix_gamma, axis=axis, low=0
    )
    states = (gamma, mean, scale, moving_mean, moving_var)
    own = {"eps": eps, "momentum": momentum, "fix_gamma": fix_gamma, "axis": axis, "batch": batch}
    return backward_batch_norm.body(xp, dy * (out > 0), data, *states, **own)


def _masked(inputs: Sequence[Any], attrs: Attrs, dy: Any, beta: Any) -> Beginning:
    raw = {k: attrs[k] for k in backward_batch_norm.attrs}
    return Beginning(backward_masked_norm, [dy, *inputs[1:], beta], raw)


backward_batch_norm.fusion = Fusion(masked=_masked)
blocked(backward_masked_norm, ("dy", "data"), (0,))


# ---- samples -----------------------------------------------------------------------------------

_near = {"_dtypes": ("float32",), "_rtol": 1e-4, "_atol": 2e-4}


def _vectors(count: int) -> dict[str, Any]:
    scale = spread(count, low=0.5, high=1.5)
    more = {"norm_mean": normal(count), "norm_scale": scale}
    return {"gamma": normal(count), "beta": normal(count), **more}


def _form(op: Any, block: int) -> Any:
    return op.blocked.op if block > 1 else op


def _sample_convolutions(block: int, pad: int, fixed: bool) -> None:
    channels, filters, sizes = 2 * block, 3 * block, [n + 2 * pad - 2 for n in (9, 13)]
    draw = image if block > 1 else lambda _, *shape: normal(*shape)
    raw: dict[str, Any] = {"kernel": (3, 3), "stride": (1, 1), "pad": (pad,) * 2}
    raw |= {"no_bias": fixed, "fix_gamma": fixed, "low": 0.0, "high": 2.0 if fixed else INFINITY}
    if block > 1:
        raw |= {"block": block, "winograd": True, "keep_weights": True}
    data = draw(block, 3, channels, 9, 13)
    weight = normal(filters, channels, 3, 3, scale=0.2)
    bias = {} if fixed else {"bias": normal(filters)}
    given = {"data": data, **_vectors(channels)}
    _form(normed_convolution, block).sample(
        **given, weight=weight, **bias, num_filter=filters, eps=1e-3, **raw, **_near
    )
    head = draw(block, 3, filters, *sizes)
    _form(backward_normed_weight, block).sample(head=head, **given, **raw, **_near)


def _sample_norm(block: int, fixed: bool) -> None:
    count = 2 * block
    draw = image if block > 1 else lambda _, *shape: normal(*shape)
    more = {"block": block} if block > 1 else {}
    scale = spread(count, low=0.5, high=1.5)
    _form(backward_masked_norm, block).sample(
        dy=draw(block, 3, count, 5, 3),
        data=draw(block, 3, count, 5, 3),
        **dict(gamma=scale, beta=normal(count), mean=normal(count), scale=scale),
        **dict(moving_mean=normal(count), moving_var=scale),
        **dict(eps=1e-3, momentum=0.9, fix_gamma=fixed, axis=1, batch=not fixed, _grad=()),
        **more,
        **_near,
    )


for _block in (1, BLOCK):
    for _fixed in (False, True):
        for _pad in (0, 1, 2):
            _sample_convolutions(_block, _pad, _fixed)
        _sample_norm(_block, _fixed)
