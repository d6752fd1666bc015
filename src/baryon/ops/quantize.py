"""Floats as 8-bit integers with a range, and back.

A quantized tensor is three: the integers, and the least and greatest float that they stand for, of
shape (1,). ``int8`` is symmetric: 127 steps reach the larger of the two in magnitude. ``uint8``
stands for what is not negative, in 255 steps. MXNet 1.9.1 counts 127.5 and 255.5 steps in places;
so does this file where it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .device import fixed
from .op import Op, op
from .rules import Rule, unify
from .samples import constant, integers, normal, typed

STEPS = {"int8": 127.0, "uint8": 255.0, "int32": float(2**31 - 1)}
HALF_STEPS = {"int8": 127.5, "uint8": 255.5}
BYTES = ("int8", "uint8")


class Twin(NamedTuple):
    """The quantized form of an operator, which is its `quantized`.

    inputs  : which inputs are quantized, None for all; their ranges follow all inputs.
    wide    : results are int32, to be brought to 8 bits.
    follows : it only moves numbers, and so is worth it only among others that are quantized.
    signed  : its first input must be int8.
    ranged  : the range of its results must be calibrated.
    serves  : whether there is a form for these attributes.
    """

    op: Op
    inputs: tuple[str, ...] | None = None
    wide: bool = False
    follows: bool = False
    signed: bool = False
    ranged: bool = False
    serves: Callable[[Attrs], bool] = lambda attrs: True


# ---- what the quantized families share ---------------------------------------------------------


def magnitude(xp: Any, low: Any, high: Any) -> Any:
    """The larger magnitude of a range: arrays of shape (1,), as float64."""
    return xp.maximum(xp.abs(low), xp.abs(high)).astype(np.float64)


def to_bytes(xp: Any, values: Any, kind: str, steps: dict[str, float] = STEPS, reach: Any = 1):
    """Floats as `kind`, so that `reach` is the last step; ties go to even numbers."""
    limits = np.iinfo(kind)
    scale = fixed(xp, steps[kind] / reach, values.dtype)  # MXNet multiplies in float32
    found = xp.rint(values * scale)
    return xp.clip(xp.nan_to_num(found), limits.min, limits.max).astype(kind)


def signed_range(xp: Any, reach: Any) -> tuple[Any, Any]:
    """The range of a symmetric type."""
    return -reach, reach


def ranged_shapes(rule: Rule, heads: int) -> Rule:
    """The shape rule of the first `heads` inputs and the first output; the rest are ranges."""

    def shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        data, out = rule(attrs, ins[:heads], outs[:1])
        ranges = [unify(s, (1,)) for s in ins[heads:]]
        return [*data, *ranges], [*out, *(unify(s, (1,)) for s in outs[1:])]

    return shapes


def kinds(accepted: Sequence[Sequence[str]], out: str | Callable[..., str | None]) -> Rule:
    """A dtype rule: what leading inputs may be; other inputs, and all outputs but one, are float32.

    out : dtype of the first output, or ``(attrs, *dtypes of the leading inputs)`` -> it.
    """

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        if "min_calib_range" in attrs:
            calibrated(attrs)
        found = []
        for i, dtype in enumerate(ins):
            names = accepted[i] if i < len(accepted) else ("float32",)
            if dtype is not None and dtype.name not in names:
                raise MXNetError(f"input {i} is {dtype}, expected {' or '.join(names)}")
            found.append(np.dtype(names[0]) if len(names) == 1 else dtype)
        lead = found[: len(accepted)]
        first = out if isinstance(out, str) else None if None in lead else out(attrs, *lead)
        rest = [np.dtype("float32")] * (len(outs) - 1)
        return found, [None if first is None else np.dtype(first), *rest]

    return rule


def calibrated(attrs: Any) -> tuple[float, float] | None:
    """The range that calibration found, if both ends are given."""
    low, high = attrs["min_calib_range"], attrs["max_calib_range"]
    if low is None or high is None:
        return None
    if low > high:
        raise MXNetError(f"min_calib_range {low} is above max_calib_range {high}")
    return low, high


def same_first(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """The first output has the shape of the only leading input."""
    shape = unify(ins[0], outs[0])
    return [shape], [shape]


_QUANTIZED = ("output0", "output1", "output2")


def range_ends(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple[float, ...]:
    """Parameters of kernels: whether there is a calibrated range, and its ends."""
    found = calibrated(attrs)
    return (0.0, 0.0, 0.0) if found is None else (1.0, *found)


# ---- quantize ----------------------------------------------------------------------------------


@op(
    "_contrib_quantize",
    shape=ranged_shapes(same_first, 1),
    dtype=kinds([("float32",)], lambda attrs, data: attrs.out_type),
    outputs=_QUANTIZED,
)
def quantize(xp, data, min_range, max_range, *, out_type: Literal["int8", "uint8"] = "uint8"):
    """float32 data as `out_type`, and the range that it stands for.

    min_range, max_range : (1,), of the floats to represent; what is outside is cut. Source: MXNet
    operator contrib.quantize.

    >>> x, low, high = mx.nd.array([-1, 0.5, 1]), mx.nd.array([-1]), mx.nd.array([1])
    >>> mx.nd.contrib.quantize(x, low, high, out_type="int8")[0].asnumpy()
    array([-127,   64,  127], dtype=int8)
    """
    reach = magnitude(xp, min_range, max_range)
    low, high = signed_range(xp, reach) if out_type == "int8" else (min_range, max_range)
    return to_bytes(xp, data, out_type, reach=reach), low, high


_LOW, _HIGH = (typed(constant([x]), "float32") for x in (-1.5, 1.0))
for _type in ("int8", "uint8"):
    quantize.sample(
        data=normal(2, 3), min_range=_LOW, max_range=_HIGH, out_type=_type, _dtypes=("float32",)
    )

Auto = Literal["auto", "int8", "uint8"]


def chosen(attrs: Any) -> str:
    """The type meant by ``auto``: uint8 for a calibrated range without negative numbers."""
    if attrs["out_type"] != "auto":
        return attrs["out_type"]
    found = calibrated(attrs)
    return "uint8" if found is not None and found[0] >= 0 else "int8"


@op(
    "_contrib_quantize_v2",
    shape=ranged_shapes(same_first, 1),
    dtype=kinds([("float32", *BYTES)], lambda attrs, data: _kept_or_chosen(attrs, data)),
    outputs=_QUANTIZED,
    kernel=True,
    params=range_ends,
)
def quantize_v2(
    xp,
    data,
    *,
    out_type: Auto = "int8",
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
):
    """float32 data as `out_type` and the range that it stands for: that given, or the data's own.

    ``auto`` is uint8 for a given range without negative numbers, else int8. Data of 8 bits stay as
    they are. The range given is that from `min_calib_range` to `max_calib_range`. Source: MXNet
    operator contrib.quantize_v2.

    >>> q, low, high = mx.nd.contrib.quantize_v2(mx.nd.array([-1, 0.5, 2]))
    >>> print(q.asnumpy(), low.asnumpy(), high.asnumpy())
    [-64  32 127] [-2.] [2.]
    """
    if data.dtype.name in BYTES:
        reach = HALF_STEPS[data.dtype.name]
        low = -reach if data.dtype == np.int8 else 0.0
        return data, xp.full(1, low), xp.full(1, reach)
    attrs = {"min_calib_range": min_calib_range, "max_calib_range": max_calib_range}
    attrs["out_type"] = out_type
    ends = calibrated(attrs)
    if ends is None:
        ends = (data.min(), data.max()) if data.size else (0.0, 0.0)
    low, high = (fixed(xp, e, np.float64).reshape(1) for e in ends)
    kind = chosen(attrs)
    reach = magnitude(xp, low, high)
    found = to_bytes(xp, data, kind, HALF_STEPS, reach)
    return found, *(signed_range(xp, reach) if kind == "int8" else (low, high))


def _kept_or_chosen(attrs: Attrs, data: np.dtype) -> str:
    wanted = chosen(attrs)
    if data.name in BYTES and data.name != wanted:
        raise MXNetError(f"data is {data}, but out_type asks for {wanted}")
    return wanted


for _attrs in ({}, {"out_type": "auto", "min_calib_range": 0, "max_calib_range": 1.5}):
    quantize_v2.sample(data=normal(2, 3), _dtypes=("float32",), **_attrs)
quantize_v2.sample(data=integers(2, 3, low=-9), _dtypes=("int8",))


@op(
    "_contrib_quantize_asym",
    shape=ranged_shapes(same_first, 1),
    dtype=kinds([("float32",)], "uint8"),
    outputs=("output", "scale", "shift"),
)
def quantize_asym(
    xp, data, *, min_calib_range: float | None = None, max_calib_range: float | None = None
):
    """float32 data as uint8 ``data * scale + shift`` that reach from 0 to 255; scale and shift.

    The range is that from `min_calib_range` to `max_calib_range`, or the data's own. Source: MXNet
    operator contrib.quantize_asym.

    >>> q, scale, shift = mx.nd.contrib.quantize_asym(mx.nd.array([-1, 0, 4]))
    >>> print(q.asnumpy(), scale.asnumpy(), shift.asnumpy())
    [  0  51 255] [51.] [51.]
    """
    ends = calibrated({"min_calib_range": min_calib_range, "max_calib_range": max_calib_range})
    if ends is None:
        ends = (data.min(), data.max()) if data.size else (0.0, 0.0)
    low, high = (fixed(xp, e, np.float64).reshape(1) for e in ends)
    scale = 255 / (high - low)
    shift = 255 - high * scale
    found = xp.clip(xp.nan_to_num(xp.rint(data * scale + shift)), 0, 255)
    return found.astype(np.uint8), scale, shift


quantize_asym.sample(data=normal(2, 3, 2), _dtypes=("float32",))
quantize_asym.sample(data=normal(2, 3), min_calib_range=-1, max_calib_range=1, _dtypes=("float32",))


# ---- dequantize, requantize --------------------------------------------------------------------


def floats(xp: Any, data: Any, low: Any, high: Any, steps: dict[str, float] = HALF_STEPS) -> Any:
    """The float64 numbers that quantized data stand for."""
    return data.astype(np.float64) * (magnitude(xp, low, high) / steps[data.dtype.name])


@op(
    "_contrib_dequantize",
    shape=ranged_shapes(same_first, 1),
    dtype=kinds([BYTES], "float32"),
    kernel=True,
)
def dequantize(xp, data, min_range, max_range, *, out_type: Literal["float32"] = "float32"):
    """The float32 numbers that int8 or uint8 data of this range stand for.

    min_range, max_range : (1,). `out_type` can only be float32. Source: MXNet operator
    contrib.dequantize.

    >>> x = mx.nd.array([-51, 0, 102], dtype="int8")
    >>> mx.nd.contrib.dequantize(x, mx.nd.array([-2.5]), mx.nd.array([2.5])).asnumpy()
    array([-1.,  0.,  2.], dtype=float32)
    """
    return floats(xp, data, min_range, max_range)


dequantize.sample(
    data=integers(2, 3, high=120), min_range=_LOW, max_range=_HIGH, _dtypes=("int8", "uint8")
)


@op(
    "_contrib_requantize",
    shape=ranged_shapes(same_first, 1),
    dtype=kinds([("int32",)], lambda attrs, data: chosen(attrs)),
    outputs=_QUANTIZED,
    kernel=True,
    params=range_ends,
)
def requantize(
    xp,
    data,
    min_range,
    max_range,
    *,
    out_type: Auto = "int8",
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
):
    """int32 data of a range as 8 bits of a smaller one: that given, or the data's own.

    ``auto`` is uint8 for a given range without negative numbers, else int8. The range given is that
    from `min_calib_range` to `max_calib_range`, the result has `out_type`. Source: MXNet operator
    contrib.requantize.

    >>> x = mx.nd.array([2**30, -2**29], dtype="int32")
    >>> q, low, high = mx.nd.contrib.requantize(x, mx.nd.array([-4]), mx.nd.array([4]))
    >>> print(q.asnumpy(), low.asnumpy(), high.asnumpy())
    [127 -64] [-2.] [2.]
    """
    attrs = {"min_calib_range": min_calib_range, "max_calib_range": max_calib_range}
    attrs["out_type"] = out_type
    values, kind = floats(xp, data, min_range, max_range, STEPS), chosen(attrs)
    ends = calibrated(attrs)
    if ends is not None:
        reach = fixed(xp, [max(map(abs, ends))])
    else:
        reach = xp.abs(values).max().reshape(1) if values.size else xp.zeros(1)
    low = -reach if kind == "int8" else xp.zeros(1)
    return to_bytes(xp, values, kind, reach=reach), low, reach


_WIDE = integers(2, 3, low=-(2**30), high=2**30)
requantize.sample(data=_WIDE, min_range=_LOW, max_range=_HIGH, _dtypes=("int32",))
requantize.sample(
    data=_WIDE,
    min_range=_LOW,
    max_range=_HIGH,
    min_calib_range=0,
    max_calib_range=0.4,
    out_type="auto",
    _dtypes=("int32",),
)
