"""Layers of products of 8-bit integers.

Every quantized tensor comes with the ends of its range, of shape (1,), and so do the results. Sums
of products are int32; their range says what the integers stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .attrs import Attrs, Shape
from .convolution import Layout, Tune, correlate
from .fully_connected import rows
from .op import get, op
from .quantize import (
    BYTES,
    HALF_STEPS,
    STEPS,
    Twin,
    kinds,
    magnitude,
    ranged_shapes,
    signed_range,
)
from .samples import Draw, constant, integers, typed
from .windows import channels_first, channels_last, window

_OUTPUTS = ("output", "min_output", "max_output")


def ends(low: float, high: float) -> tuple[Draw, Draw]:
    """The two ends of a range, for samples."""
    return tuple(typed(constant([x]), "float32") for x in (low, high))


def _only_int8(draw: Draw) -> Draw:
    return typed(draw, "int8")


# ---- products ----------------------------------------------------------------------------------


def product_range(xp: Any, data: Any, weight: Any, kind: str) -> tuple[Any, Any]:
    """The range of int32 sums of products of two quantized tensors, by theirs."""
    step = magnitude(xp, *data) / STEPS[kind] * (magnitude(xp, *weight) / STEPS["int8"])
    return signed_range(xp, step * STEPS["int32"])


def _exact(terms: int) -> type:
    """A float type in which sums of so many products of bytes lose nothing."""
    return np.float32 if terms * 255 * 128 < 2**24 else np.float64


def _scaled_bias(xp: Any, bias: Any, ranges: Sequence[Any], kind: str) -> Any:
    """int8 bias in the steps of the products: what it counts for in the sum."""
    data, weight, own = (magnitude(xp, *ranges[i : i + 2]) for i in (0, 2, 4))
    both = xp.where(data * weight > 0, data * weight, np.inf)
    return xp.trunc(bias.astype(np.float64) * (own * HALF_STEPS[kind] / both))


def _affine_shapes(float_op: str) -> Any:
    """The shape rule of the layer on floats, then ranges."""

    def shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        heads = 2 if attrs.no_bias else 3
        return ranged_shapes(get(float_op).shape_rule, heads)(attrs, ins, outs)

    return shapes


def _affine_kinds(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    heads = [BYTES, ("int8",)] if attrs.no_bias else [BYTES, ("int8",), ("int8",)]
    return kinds(heads, "int32")(attrs, ins, outs)


def _with_bias(attrs: Attrs) -> bool:
    return not attrs.no_bias


_BIASED = {name: _with_bias for name in ("bias", "min_bias", "max_bias")}


def _inputs(no_bias: bool, arrays: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """The bias, None where there is none, and the ranges of data, weight and bias."""
    return (None, arrays[:4]) if no_bias else (arrays[0], arrays[1:])


@op(
    "_contrib_quantized_fully_connected",
    shape=_affine_shapes("FullyConnected"),
    dtype=_affine_kinds,
    outputs=_OUTPUTS,
    present=_BIASED,
    kernel=True,
    params=get("FullyConnected").params,
)
def quantized_fully_connected(
    xp,
    data,
    weight,
    bias,
    min_data,
    max_data=None,
    min_weight=None,
    max_weight=None,
    min_bias=None,
    max_bias=None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
):
    """`FullyConnected` of int8 or uint8 data, int8 weight and bias: int32, and its range.

    Source: MXNet operator contrib.quantized_fully_connected.

    >>> x, w = mx.nd.array([[127, 0]], dtype="int8"), mx.nd.array([[127, 1]], dtype="int8")
    >>> one = mx.nd.ones((1,))
    >>> y, low, high = mx.nd.contrib.quantized_fully_connected(
    ...     x, w, min_data=-one, max_data=one, min_weight=-one, max_weight=one, num_hidden=1,
    ...     no_bias=True)
    >>> y.asnumpy(), (y.astype("float32") * high / (2**31 - 1)).asnumpy()
    (array([[16129]], dtype=int32), array([[1.]], dtype=float32))
    """
    given = (bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
    bias, ranges = _inputs(no_bias, given)
    kind = data.dtype.name
    matrix = rows(data, flatten)
    exact = _exact(matrix.shape[1])
    out = matrix.astype(exact) @ weight.astype(exact).T
    if bias is not None:
        out = out + _scaled_bias(xp, bias, ranges, kind)
    lead = data.shape[:1] if flatten else data.shape[:-1]
    return out.reshape(*lead, num_hidden), *product_range(xp, ranges[:2], ranges[2:4], kind)


@op(
    "_contrib_quantized_conv",
    shape=_affine_shapes("Convolution"),
    dtype=_affine_kinds,
    outputs=_OUTPUTS,
    present=_BIASED,
    kernel=True,
    params=get("Convolution").params,
)
def quantized_conv(
    xp,
    data,
    weight,
    bias,
    min_data,
    max_data=None,
    min_weight=None,
    max_weight=None,
    min_bias=None,
    max_bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Layout | None = None,
):
    """`Convolution` of int8 or uint8 data, int8 weight and bias: int32, and its range.

    As in MXNet, the range is that of int8 data even where they are uint8, which need twice as many
    steps. `workspace`, `cudnn_tune` and `cudnn_off` change no value. Source: MXNet operator
    contrib.quantized_conv.

    >>> x, w = (mx.nd.ones((1, 1, 2, 2), dtype="int8") * k for k in (127, 2))
    >>> one = mx.nd.ones((1,))
    >>> y, low, high = mx.nd.contrib.quantized_conv(
    ...     x, w, min_data=-one, max_data=one, min_weight=-one, max_weight=one, kernel=(2, 2),
    ...     num_filter=1, no_bias=True)
    >>> y.asnumpy().ravel()
    array([1016], dtype=int32)
    """
    given = (bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
    bias, ranges = _inputs(no_bias, given)
    exact = _exact(prod(weight.shape[1:]))
    x, w = (channels_first(xp, a, layout).astype(exact) for a in (data, weight))
    out = correlate(xp, x, w, window(kernel, stride, dilate, pad), num_group)
    if bias is not None:
        scaled = _scaled_bias(xp, bias, ranges, data.dtype.name)
        out = out + scaled.reshape(-1, *(1,) * (out.ndim - 2))
    return channels_last(xp, out, layout), *product_range(xp, ranges[:2], ranges[2:4], "int8")


get("FullyConnected").quantized = Twin(quantized_fully_connected, wide=True)
get("Convolution").quantized = Twin(quantized_conv, wide=True, signed=True)

_RANGES = {
    f"{end}_{name}": d
    for name, reach in (("data", 2.0), ("weight", 0.5))
    for end, d in zip(("min", "max"), ends(-1.0, reach), strict=True)
}
_BIAS = dict(zip(("min_bias", "max_bias"), ends(-3, 1), strict=True))
for _kind in BYTES:
    _data = typed(integers(2, 4, low=0, high=120), _kind)
    quantized_fully_connected.sample(
        data=_data,
        weight=_only_int8(integers(3, 4, low=-120, high=120)),
        bias=_only_int8(integers(3, low=-9)),
        num_hidden=3,
        **_RANGES,
        **_BIAS,
        _dtypes=("int8",),
    )
    quantized_conv.sample(
        data=typed(integers(1, 2, 4, 3, low=0, high=120), _kind),
        weight=_only_int8(integers(2, 2, 2, 2, low=-120, high=120)),
        kernel=(2, 2),
        pad=(1, 1),
        num_filter=2,
        no_bias=True,
        **_RANGES,
        _dtypes=("int8",),
    )
quantized_conv.sample(
    data=_only_int8(integers(1, 4, 3, 2, low=-100, high=100)),
    weight=_only_int8(integers(2, 2, 2, 1, low=-100, high=100)),
    bias=_only_int8(integers(2, low=-100, high=100)),
    kernel=(2, 2),
    num_filter=2,
    num_group=2,
    layout="NHWC",
    **_RANGES,
    **_BIAS,
    _dtypes=("int8",),
)
