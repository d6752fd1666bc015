"""Errors and the small helpers that MXNet keeps in ``mxnet.base``."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MXNetError", "integer_types", "mx_real_t", "mx_uint", "numeric_types", "string_types"]

string_types = (str,)
numeric_types = (float, int, np.generic)
integer_types = (int, np.int32, np.int64)
mx_real_t = np.float32
mx_uint = int


class MXNetError(RuntimeError):
    """Every error that baryon raises about operators, graphs, files and devices."""


class NotImplementedForSymbol(MXNetError):
    """A method that only arrays have was called on a Symbol."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Function {name} is not implemented for Symbol and only available in NDArray."
        )


class NotSupportedForSparseNDArray(MXNetError):
    """A dense-only function was called with a sparse array."""


def _as_list(obj: Any) -> list:
    """``obj`` itself if it is a list or tuple, else a list that holds it."""
    return obj if isinstance(obj, (list, tuple)) else [obj]
