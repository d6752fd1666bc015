"""Element types: names, numpy dtypes and the codes that MXNet's files use."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .base import MXNetError

bfloat16 = np.dtype(ml_dtypes.bfloat16)

# MXNet's type flags, as ``.params`` files and symbol JSON hold them.
CODES: dict[str, int] = {
    "float32": 0,
    "float64": 1,
    "float16": 2,
    "uint8": 3,
    "int32": 4,
    "int8": 5,
    "int64": 6,
    "bool": 7,
    "bfloat16": 12,
}
DTYPES: dict[str, np.dtype] = {n: bfloat16 if n == "bfloat16" else np.dtype(n) for n in CODES}
BY_CODE: dict[int, np.dtype] = {code: DTYPES[name] for name, code in CODES.items()}
_KNOWN = {dtype: name for name, dtype in DTYPES.items()}


def as_dtype(value: Any) -> np.dtype:
    """The numpy dtype of a name, type or dtype; MXNetError if MXNet has no such element type."""
    if isinstance(value, str) and value in DTYPES:
        return DTYPES[value]
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError, SyntaxError):  # NumPy parses texts such as "(2,3)f4"
        dtype = None
    if dtype not in _KNOWN:
        raise MXNetError(f"unknown data type {value!r}; expected one of {', '.join(CODES)}")
    return dtype


def dtype_name(value: Any) -> str:
    """The name of a dtype as MXNet spells it, e.g. ``"float32"``."""
    return _KNOWN[as_dtype(value)]


def dtype_code(value: Any) -> int:
    """The type flag of a dtype in MXNet's files."""
    return CODES[dtype_name(value)]


def is_float(dtype: np.dtype) -> bool:
    """Whether a dtype is a floating-point one (bfloat16 included)."""
    return dtype.kind == "f" or dtype == bfloat16
