"""Layers that compute with 8-bit integers: products, windows, and what only moves numbers.

Every quantized tensor comes with the ends of its range, of shape (1,), and so do the results. Sums
of products are int32; their range says what the integers stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .convolution import Layout, Tune, correlate
from .fully_connected import rows
from .indexing import valid
from .op import get, op
from .pooling import Layout as PoolLayout
from .pooling import pool
from .quantize import (
    BYTES,
    HALF_STEPS,
    STEPS,
    Twin,
    kinds,
    magnitude,
    ranged_shapes,
    same_first,
    signed_range,
    to_bytes,
)
from .rules import unify
from .samples import Draw, constant, integers, typed, uniform
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


# ---- windows, activation, shape ----------------------------------------------------------------


def _same_kind(attrs: Attrs, data: np.dtype) -> str:
    return data.name


_MOVES = {"dtype": kinds([BYTES], _same_kind), "outputs": _OUTPUTS}


def _pooled_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.pool_type not in ("max", "avg"):
        raise MXNetError(f"pool_type is {attrs.pool_type}, only max and avg are quantized")
    return ranged_shapes(get("Pooling").shape_rule, 1)(attrs, ins, outs)


@op("_contrib_quantized_pooling", shape=_pooled_shapes, **_MOVES)
def quantized_pooling(
    xp,
    data,
    min_data,
    max_data,
    *,
    kernel: Shape = (),
    pool_type: Literal["avg", "lp", "max", "sum"] = "max",
    global_pool: bool = False,
    cudnn_off: bool = False,
    pooling_convention: Literal["full", "same", "valid"] = "valid",
    stride: Shape = (),
    pad: Shape = (),
    p_value: int | None = None,
    count_include_pad: bool | None = None,
    layout: PoolLayout | None = None,
):
    """`Pooling` (max or avg) of int8 or uint8 data; means are rounded, the range stays.

    Source: MXNet operator contrib.quantized_pooling.

    >>> x, one = mx.nd.array([[[[1, 2], [3, 8]]]], dtype="int8"), mx.nd.ones((1,))
    >>> mx.nd.contrib.quantized_pooling(x, -one, one, kernel=(2, 2),
    ...                                 pool_type="avg")[0].asnumpy().item()
    4
    """
    attrs = {"kernel": kernel, "global_pool": global_pool, "stride": stride, "pad": pad}
    attrs |= {"pooling_convention": pooling_convention, "p_value": p_value}
    attrs["count_include_pad"] = count_include_pad
    x = channels_first(xp, data, layout)
    x = x.astype(np.float32) if pool_type == "avg" else x
    found = pool(xp, x, pool_type, attrs)
    found = xp.rint(found) if pool_type == "avg" else found
    return channels_last(xp, found, layout), min_data, max_data


def _relu_only(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.act_type != "relu":
        raise MXNetError(f"act_type is {attrs.act_type}, only relu is quantized")
    return same_first(attrs, ins, outs)


@op("_contrib_quantized_act", shape=ranged_shapes(_relu_only, 1), **_MOVES)
def quantized_act(
    xp,
    data,
    min_data,
    max_data,
    *,
    act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"],
):
    """`Activation` (relu) of int8 or uint8 data; the range stays.

    Source: MXNet operator contrib.quantized_act.

    >>> x, one = mx.nd.array([-3, 5], dtype="int8"), mx.nd.ones((1,))
    >>> mx.nd.contrib.quantized_act(x, -one, one, act_type="relu")[0].asnumpy()
    array([0, 5], dtype=int8)
    """
    return xp.maximum(data, 0), min_data, max_data


@op(
    "_contrib_quantized_flatten",
    shape=ranged_shapes(get("Flatten").shape_rule, 1),
    dtype=kinds([(*BYTES, "int32")], _same_kind),
    outputs=_OUTPUTS,
)
def quantized_flatten(xp, data, min_data, max_data):
    """`Flatten` of quantized data; the range stays.  Source: MXNet contrib.quantized_flatten.

    >>> x, one = mx.nd.ones((2, 2, 3), dtype="int8"), mx.nd.ones((1,))
    >>> mx.nd.contrib.quantized_flatten(x, -one, one)[0].shape
    (2, 6)
    """
    return data.reshape(data.shape[0], -1), min_data, max_data


get("Pooling").quantized = Twin(
    quantized_pooling, follows=True, serves=lambda attrs: attrs.pool_type in ("max", "avg")
)
get("Activation").quantized = Twin(
    quantized_act, follows=True, serves=lambda attrs: attrs.act_type == "relu"
)
get("Flatten").quantized = Twin(quantized_flatten, follows=True)

_LOW, _HIGH = ends(-1.5, 1.0)
for _op, _attrs in (
    (quantized_pooling, {"kernel": (2, 2), "pool_type": "avg", "stride": (2, 2), "pad": (1, 1)}),
    (quantized_pooling, {"global_pool": True}),
    (quantized_act, {"act_type": "relu"}),
    (quantized_flatten, {}),
):
    _op.sample(
        data=integers(1, 2, 3, 4, high=120), min_data=_LOW, max_data=_HIGH, _dtypes=BYTES, **_attrs
    )


# ---- concat, embedding -------------------------------------------------------------------------


def _concat_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    count = attrs.num_args
    if len(ins) != 3 * count:
        raise MXNetError(f"expects {count} arrays and the two ends of their ranges: {3 * count}")
    return ranged_shapes(get("Concat").shape_rule, count)(attrs, ins, outs)


def _concat_kinds(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return kinds([BYTES] * attrs.num_args, lambda a, *data: _signed_if_any(data))(attrs, ins, outs)


def _signed_if_any(data: Sequence[np.dtype]) -> str:
    return "int8" if np.dtype("int8") in data else "uint8"


@op(
    "_contrib_quantized_concat",
    shape=_concat_shapes,
    dtype=_concat_kinds,
    outputs=_OUTPUTS,
    variadic="num_args",
)
def quantized_concat(xp, *data, num_args: int, dim: int = 1):
    """`Concat` of int8 or uint8 arrays, brought to one range that holds all.

    data : the `num_args` arrays, then for each the least and greatest float of its range. Source:
    MXNet operator contrib.quantized_concat.

    >>> x, one = mx.nd.array([[100]], dtype="int8"), mx.nd.ones((1,))
    >>> mx.nd.contrib.quantized_concat(x, x, -one, one, -one * 2, one * 2, num_args=2)[0].asnumpy()
    array([[ 50, 100]], dtype=int8)
    """
    arrays, lows, highs = data[:num_args], data[num_args::2], data[num_args + 1 :: 2]
    low = xp.minimum(xp.concatenate(lows).min(), 0).reshape(1)
    high = xp.maximum(xp.concatenate(highs).max(), 0).reshape(1)
    kind = _signed_if_any([x.dtype for x in arrays])
    reach, parts = magnitude(xp, low, high), []
    for x, a, b in zip(arrays, lows, highs, strict=True):
        own = magnitude(xp, a, b) / HALF_STEPS[x.dtype.name]
        parts.append(to_bytes(xp, x * own, kind, HALF_STEPS, xp.where(reach > 0, reach, 1)))
    return xp.concatenate(parts, dim), low, high


get("Concat").quantized = Twin(quantized_concat, follows=True)

_TWO = [_LOW, _HIGH, *ends(-0.5, 2.0)]
for _pair in (("int8", "int8"), ("uint8", "uint8"), ("uint8", "int8")):
    quantized_concat.sample(
        data=[
            *(typed(integers(2, n, high=120), k) for n, k in zip((2, 3), _pair, strict=True)),
            *_TWO,
        ],
        num_args=2,
        _dtypes=("int8",),
    )


def _embedded(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, weight = ins
    weight = unify(weight, (attrs.input_dim, attrs.output_dim))
    out = outs[0] if data is None else unify(outs[0], (*data, attrs.output_dim))
    if attrs.input_dim < 1:
        raise MXNetError(f"input_dim is {attrs.input_dim}, expected a positive number")
    return [data, weight], [out]


_INDICES = ("float32", "float64", "float16", "int32", "int64", *BYTES)


@op(
    "_contrib_quantized_embedding",
    shape=ranged_shapes(_embedded, 2),
    dtype=kinds([_INDICES, ("int8",)], "int8"),
    outputs=_OUTPUTS,
)
def quantized_embedding(
    xp,
    data,
    weight,
    min_weight,
    max_weight,
    *,
    input_dim: int,
    output_dim: int,
    dtype: Literal[
        "bfloat16", "float16", "float32", "float64", "int32", "int64", "int8", "uint8"
    ] = "float32",
    sparse_grad: bool = False,
):
    """Rows of an int8 weight (input_dim, output_dim) by number, clipped; the range stays.

    `dtype` and `sparse_grad` change nothing. Source: MXNet operator contrib.quantized_embedding.

    >>> weight, one = mx.nd.array([[1, 2], [3, 4]], dtype="int8"), mx.nd.ones((1,))
    >>> rows, low, high = mx.nd.contrib.quantized_embedding(
    ...     mx.nd.array([1, 9]), weight, -one, one, input_dim=2, output_dim=2)
    >>> rows.asnumpy()
    array([[3, 4],
           [3, 4]], dtype=int8)
    """
    return weight[valid(xp, data, input_dim, "clip")], min_weight, max_weight


get("Embedding").quantized = Twin(quantized_embedding, inputs=("weight",))

quantized_embedding.sample(
    data=uniform(2, 3, low=-2, high=6),
    weight=_only_int8(integers(4, 3, low=-100, high=100)),
    min_weight=_LOW,
    max_weight=_HIGH,
    input_dim=4,
    output_dim=3,
    _dtypes=("float32",),
)
