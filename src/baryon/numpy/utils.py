"""Constants and types of the NumPy interface."""

__all__ = [
    "NAN", "NINF", "NZERO", "NaN", "PINF", "PZERO", "bool", "bool_", "e", "finfo", "float16",
    "float32", "float64", "iinfo", "inf", "int32", "int64", "int8", "nan", "newaxis", "pi",
    "uint8",
]  # fmt: skip

from numpy import (
    bool_,
    e,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
    inf,
    int8,
    int32,
    int64,
    nan,
    newaxis,
    pi,
    uint8,
)

bool = bool_
NAN = NaN = nan
PINF, NINF = inf, -inf
PZERO, NZERO = 0.0, -0.0
