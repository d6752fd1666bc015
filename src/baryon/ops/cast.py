"""Changes of dtype, and the two that automatic mixed precision inserts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import dtype_code, is_float
from .attrs import DType
from .op import op
from .rules import attr_dtype, numbered, output_dtype
from .samples import integers, normal


def convert(xp: Any, data: Any, dtype: np.dtype) -> Any:
    """`data` as `dtype`, as C converts on x86-64.

    Floats are cut towards zero; beyond int64, or int32 for the smaller types, and for NaN they
    become the smallest integer of that type. Integers wrap. Whatever is not 0 is true.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu" or not is_float(np.dtype(data.dtype)):
        return data.astype(dtype)
    middle = np.dtype("int64" if dtype.itemsize == 8 else "int32")
    bound = -float(np.iinfo(middle).min)
    wide = data.astype(xp.float64)
    inside = (wide >= -bound) & (wide < bound)
    return xp.where(inside, wide, -bound).astype(middle).astype(dtype)


@op(
    "Cast",
    aliases=("cast", "_npi_cast", "_npx_cast"),
    dtype=attr_dtype(),
    inplace={0: "data"},
    pointwise=True,
    element="a",
    converts=True,
    kernel=True,
    onnx="Cast",
)
def cast(xp: Any, data: Any, *, dtype: DType) -> Any:
    """`data` as another dtype; fractions are cut towards zero.  (MXNet operator ``Cast``.)

    >>> mx.nd.cast(mx.nd.array([1.9, -1.9]), dtype="int32").asnumpy()
    array([ 1, -1], dtype=int32)
    """
    return convert(xp, data, dtype)


@cast.gradient("data")
def _(dy: Any, data: Any) -> Any:
    return cast(dy, dtype=data.dtype)


def _mixed(dtype: Any) -> bool:
    """Whether mixed precision converts a dtype: float64 and integers pass unchanged."""
    return is_float(np.dtype(dtype)) and np.dtype(dtype).itemsize <= 4


def _amp_dtype(attrs: Any, dtype: Any) -> Any:
    if dtype is None:
        return None
    return attrs.dtype if _mixed(dtype) else dtype


@op(
    "amp_cast",
    dtype=output_dtype(_amp_dtype),
    inplace={0: "data"},
    pointwise=True,
    element="a",
    converts=True,
    kernel="Cast",
    onnx="Cast",
)
def amp_cast(xp: Any, data: Any, *, dtype: DType) -> Any:
    """`data` as another dtype; float64 and integers pass unchanged.

    (MXNet operator ``amp_cast``, inserted by automatic mixed precision.)

    >>> mx.nd.amp_cast(mx.nd.array([1.0]), dtype="float16").asnumpy()
    array([1.], dtype=float16)
    """
    return convert(xp, data, dtype) if _mixed(data.dtype) else data.copy()


@amp_cast.gradient("data")
def _(dy: Any, data: Any) -> Any:
    return cast(dy, dtype=data.dtype)


def _common(dtypes: Sequence[np.dtype], narrow: bool) -> np.dtype | None:
    """The widest (or narrowest) among the dtypes that mixed precision converts."""
    floats = [d for d in dtypes if _mixed(d)]
    if not floats:
        return None
    chosen = (min if narrow else max)(floats, key=lambda d: (d.itemsize, dtype_code(d)))
    if not narrow and chosen.itemsize == 2 and len(set(floats)) > 1:
        return np.dtype("float32")  # float16 and bfloat16 meet in float32
    return chosen


def _multicast_dtypes(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    if any(d is None for d in ins):
        return ins, outs
    common = _common(ins, attrs.cast_narrow)
    return ins, [common if _mixed(d) else d for d in ins]


def _pairwise(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    return ins, list(ins)


@op(
    "amp_multicast",
    variadic="num_outputs",
    shape=_pairwise,
    dtype=_multicast_dtypes,
    outputs=lambda a: numbered(a.num_outputs),
    converts=True,
)
def amp_multicast(xp: Any, *data: Any, num_outputs: int, cast_narrow: bool = False) -> Any:
    """All inputs as the widest of their dtypes, or the narrowest; float64 and integers unchanged.

    (MXNet operator ``amp_multicast``, inserted by automatic mixed precision.) `cast_narrow` asks
    for the narrowest; `num_outputs` counts the inputs.

    >>> x, y = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0])
    >>> [z.dtype.__name__ for z in mx.nd.amp_multicast(x, y, num_outputs=2)]
    ['float32', 'float32']
    """
    common = _common([np.dtype(d.dtype) for d in data], cast_narrow)
    return tuple(d.astype(common) if _mixed(d.dtype) else d for d in data)


@amp_multicast.gradient("data")
def _(dys: Any, data: Any) -> Any:
    return [cast(dy, dtype=d.dtype) for dy, d in zip(dys, data, strict=True)]


cast.sample(data=normal(2, 3), dtype="float64")
cast.sample(data=normal(2, 3, scale=50.0), dtype="int32", _grad=())
cast.sample(data=integers(2, 3), dtype="float16", _dtypes=("int32", "int64", "uint8"), _grad=())
amp_cast.sample(data=normal(2, 3), dtype="float64")
amp_multicast.sample(data=[normal(2, 3), normal(4)], num_outputs=2)
