"""Sums, products, normalisation and recurrence of 8-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .norm import along
from .op import get, op
from .quantize import (
    BYTES,
    HALF_STEPS,
    STEPS,
    Twin,
    calibrated,
    floats,
    kinds,
    magnitude,
    range_ends,
    ranged_shapes,
    signed_range,
    to_bytes,
)
from .quantized import ends, product_range
from .rnn import Mode
from .rules import same, unify
from .samples import constant, integers, normal, typed, uniform

_OUTPUTS = ("output", "min_output", "max_output")


# ---- elementwise -------------------------------------------------------------------------------


def _calibrated_kind(attrs: Attrs, lhs: np.dtype, rhs: np.dtype) -> str:
    if calibrated(attrs) is None:
        return "int32"
    return "uint8" if lhs == rhs == np.uint8 else "int8"


@op(
    "_contrib_quantized_elemwise_add",
    shape=ranged_shapes(same, 2),
    dtype=kinds([BYTES, BYTES], _calibrated_kind),
    outputs=_OUTPUTS,
    kernel=True,
    params=range_ends,
)
def quantized_elemwise_add(
    xp,
    lhs,
    rhs,
    lhs_min,
    lhs_max,
    rhs_min,
    rhs_max,
    *,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
):
    """The sum of two int8 or uint8 arrays of one shape.

    8 bits of the calibrated range, where one is given, else int32 whose range is that of both
    added. Source: MXNet operator contrib.quantized_elemwise_add.

    >>> x, one = mx.nd.array([51], dtype="int8"), mx.nd.ones((1,))
    >>> add = mx.nd.contrib.quantized_elemwise_add
    >>> add(x, x, -one, one, -one, one, min_calib_range=-1, max_calib_range=1)[0].asnumpy()
    array([102], dtype=int8)
    """
    total = floats(xp, lhs, lhs_min, lhs_max) + floats(xp, rhs, rhs_min, rhs_max)
    found = calibrated({"min_calib_range": min_calib_range, "max_calib_range": max_calib_range})
    if found is not None:
        kind = "uint8" if lhs.dtype == rhs.dtype == np.uint8 else "int8"
        low, high = (xp.full(1, end) for end in found)
        return to_bytes(xp, total, kind, HALF_STEPS, magnitude(xp, low, high)), low, high
    reach = magnitude(xp, lhs_min, lhs_max) + magnitude(xp, rhs_min, rhs_max)
    safe = xp.where(reach > 0, reach, 1)
    return to_bytes(xp, total, "int32", reach=safe), *signed_range(xp, reach)


def _product_kind(attrs: Attrs, lhs: np.dtype, rhs: np.dtype) -> str:
    if attrs.enable_float_output:
        return "float32"
    return "int8" if calibrated(attrs) is not None else "int32"


@op(
    "_contrib_quantized_elemwise_mul",
    shape=ranged_shapes(same, 2),
    dtype=kinds([("int8",), ("int8",)], _product_kind),
    outputs=_OUTPUTS,
    visible=lambda attrs: 1 if attrs.enable_float_output else 3,
)
def quantized_elemwise_mul(
    xp,
    lhs,
    rhs,
    lhs_min,
    lhs_max,
    rhs_min,
    rhs_max,
    *,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
    enable_float_output: bool = False,
):
    """The product of two int8 arrays of one shape.

    float32 alone with `enable_float_output`, else int8 of the range from `min_calib_range` to
    `max_calib_range`, where they are given,
    else int32 and its range. Source: MXNet operator contrib.quantized_elemwise_mul.

    >>> x, one = mx.nd.array([127], dtype="int8"), mx.nd.ones((1,))
    >>> mul = mx.nd.contrib.quantized_elemwise_mul
    >>> mul(x, x, -one, one, -one * 2, one * 2, enable_float_output=True).asnumpy()
    array([2.], dtype=float32)
    """
    product = lhs.astype(np.int32) * rhs.astype(np.int32)
    low, high = product_range(xp, (lhs_min, lhs_max), (rhs_min, rhs_max), "int8")
    real = product * (high / STEPS["int32"])
    found = calibrated({"min_calib_range": min_calib_range, "max_calib_range": max_calib_range})
    if enable_float_output:
        return real, low, high
    if found is None:
        return product, low, high
    low, high = (xp.full(1, end) for end in found)
    return to_bytes(xp, real, "int8", reach=magnitude(xp, low, high)), low, high


get("elemwise_add").quantized = Twin(quantized_elemwise_add, wide=True)
get("elemwise_mul").quantized = Twin(quantized_elemwise_mul, wide=True)

_SIDES = dict(
    zip(("lhs_min", "lhs_max", "rhs_min", "rhs_max"), (*ends(-1, 2), *ends(-3, 1)), strict=True)
)
_CALIBRATED = {"min_calib_range": -3.0, "max_calib_range": 4.0}
for _attrs in ({}, _CALIBRATED):
    _pair = {n: integers(2, 3, high=120) for n in ("lhs", "rhs")}
    quantized_elemwise_add.sample(**_pair, **_SIDES, **_attrs, _dtypes=BYTES)
    quantized_elemwise_mul.sample(**_pair, **_SIDES, **_attrs, _dtypes=("int8",))
quantized_elemwise_mul.sample(**_pair, **_SIDES, enable_float_output=True, _dtypes=("int8",))


# ---- batch_norm --------------------------------------------------------------------------------


def _norm_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if calibrated(attrs) is None:
        raise MXNetError("needs min_calib_range and max_calib_range: calibrate the network")

    def rule(attrs: Attrs, heads: list, tops: list) -> tuple[list, list]:
        heads, tops = get("BatchNorm").shape_rule(attrs, heads, [*tops, None, None])
        return heads, tops[:1]

    return ranged_shapes(rule, 5)(attrs, ins, outs)


def _norm_params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple[float, ...]:
    """The range, whether gamma is 1, epsilon, then data as (outer, channels, inner)."""
    shape = ins[0].shape
    axis = attrs.axis % len(shape)
    sizes = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    return (*range_ends(attrs, ins, outs), attrs.fix_gamma, attrs.eps, *sizes)


@op(
    "_contrib_quantized_batch_norm",
    shape=_norm_shapes,
    dtype=kinds([BYTES], "int8"),
    outputs=_OUTPUTS,
    aux=("moving_mean", "moving_var"),
    kernel=True,
    params=_norm_params,
)
def quantized_batch_norm(
    xp,
    data,
    gamma,
    beta,
    moving_mean,
    moving_var,
    min_data,
    max_data,
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
):
    """`BatchNorm` by the moving statistics of int8 or uint8 data: int8 of the calibrated range.

    gamma, beta, moving_mean, moving_var : (channels,), float32; with `fix_gamma` gamma counts
    as 1. `momentum`, `use_global_stats`, `output_mean_var` and `cudnn_off` change nothing.
    Source: MXNet operator contrib.quantized_batch_norm.

    >>> x, one = mx.nd.array([[127]], dtype="int8"), mx.nd.ones((1,))
    >>> mx.nd.contrib.quantized_batch_norm(x, one, one, one * 0, one, -one, one, eps=0,
    ...     min_calib_range=-4, max_calib_range=4)[0].asnumpy()
    array([[64]], dtype=int8)
    """
    axis = axis % data.ndim
    scale = (xp.ones_like(gamma) if fix_gamma else gamma) / xp.sqrt(moving_var + eps)
    shift = beta - moving_mean * scale
    x = floats(xp, data, min_data, max_data)
    out = x * along(scale, axis, data.ndim) + along(shift, axis, data.ndim)
    low, high = (xp.full(1, end) for end in (min_calib_range, max_calib_range))
    return to_bytes(xp, out, "int8", HALF_STEPS, magnitude(xp, low, high)), low, high


get("BatchNorm").quantized = Twin(
    quantized_batch_norm,
    inputs=("data",),
    ranged=True,
    serves=lambda attrs: not attrs.output_mean_var,
)

quantized_batch_norm.sample(
    data=integers(2, 3, 2, high=120),
    **{n: typed(normal(3), "float32") for n in ("gamma", "beta", "moving_mean")},
    moving_var=typed(uniform(3, low=0.5, high=2), "float32"),
    **dict(zip(("min_data", "max_data"), ends(-1, 2), strict=True)),
    fix_gamma=False,
    **_CALIBRATED,
    _dtypes=BYTES,
)


# ---- RNN ---------------------------------------------------------------------------------------


def _visible(attrs: Attrs) -> int:
    return (3 if attrs.mode == "lstm" else 2) if attrs.state_outputs else 1


def _rnn_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.use_sequence_length:
        raise MXNetError("use_sequence_length is not quantized")
    plain, found = get("RNN").shape_rule(Attrs(attrs, train=False), ins[:-2], [None] * 6)
    return [*plain, *(unify(s, (1,)) for s in ins[-2:])], found[: len(outs)]


@op(
    "_contrib_quantized_rnn",
    shape=_rnn_shapes,
    dtype=kinds([("uint8",)], "float32"),
    outputs=lambda attrs: ("output", "state_output", "statecell_output")[: _visible(attrs)],
    present={"state_cell": lambda attrs: attrs.mode == "lstm"},
)
def quantized_rnn(
    xp,
    data,
    parameters,
    state,
    state_cell,
    data_scale,
    data_shift=None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool = False,
    mode: Mode,
    p: float = 0.0,
    state_outputs: bool = False,
    projection_size: int | None = None,
    lstm_state_clip_min: float | None = None,
    lstm_state_clip_max: float | None = None,
    lstm_state_clip_nan: bool = False,
    use_sequence_length: bool = False,
):
    """`RNN`, in prediction, of uint8 data that stand for ``(data - data_shift) / data_scale``.

    data_scale, data_shift : (1,), as `quantize_asym` gives them; parameters and states are float32.
    `p` changes nothing. Source: MXNet operator contrib.quantized_rnn.

    >>> x, scale, shift = mx.nd.contrib.quantize_asym(mx.nd.array([[[-1, 1]]]))
    >>> h, w = mx.nd.zeros((1, 1, 3)), mx.nd.zeros((21,))
    >>> mx.nd.contrib.quantized_rnn(x, w, h, data_scale=scale, data_shift=shift, state_size=3,
    ...                             num_layers=1, mode="rnn_tanh").shape
    (1, 1, 3)
    """
    if mode != "lstm":
        state_cell, data_scale, data_shift = None, state_cell, data_scale
    x = (data.astype(np.float32) - data_shift) / data_scale
    outs = get("RNN").body(
        xp,
        x,
        parameters,
        state,
        state_cell,
        state_size=state_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        mode=mode,
        projection_size=projection_size,
        lstm_state_clip_min=lstm_state_clip_min,
        lstm_state_clip_max=lstm_state_clip_max,
        train=False,
        rng=None,
    )
    return outs[: (3 if mode == "lstm" else 2) if state_outputs else 1]


for _mode, _size in (("lstm", 100), ("gru", 75)):
    _states = {n: typed(normal(1, 2, 3), "float32") for n in ("state", "state_cell")}
    quantized_rnn.sample(
        data=integers(4, 2, 2, high=256),
        parameters=typed(normal(4 * 3 * 7 if _mode == "lstm" else 3 * 3 * 7), "float32"),
        **(_states if _mode == "lstm" else {"state": _states["state"]}),
        data_scale=typed(constant([64.0]), "float32"),
        data_shift=typed(constant([128.0]), "float32"),
        state_size=3,
        num_layers=1,
        mode=_mode,
        state_outputs=True,
        _dtypes=("uint8",),
    )
