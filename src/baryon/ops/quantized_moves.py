"""Layers that move 8-bit integers: windows, relu, flatten, concat and rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .indexing import valid
from .op import get, op
from .pooling import Layout, pool
from .quantize import (
    BYTES,
    HALF_STEPS,
    Twin,
    kinds,
    magnitude,
    ranged_shapes,
    same_first,
    to_bytes,
)
from .quantized import ends
from .rules import unify
from .samples import integers, typed, uniform
from .windows import channels_first, channels_last

_OUTPUTS = ("output", "min_output", "max_output")


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
    layout: Layout | None = None,
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
    weight=typed(integers(4, 3, low=-100, high=100), "int8"),
    min_weight=_LOW,
    max_weight=_HIGH,
    input_dim=4,
    output_dim=3,
    _dtypes=("float32",),
)
