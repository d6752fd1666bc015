"""How kernels divide rows among threads, and the types in which they compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import FLOATS

_ROWS_A_BLOCK = 8  # of those that a warp takes


def floating(*arrays: Any) -> bool:
    """Whether all arrays (None: absent) are of a float type that kernels store."""
    return all(a is None or np.dtype(a.dtype) in FLOATS for a in arrays)


def wide(dtype: Any) -> type:
    """NumPy's type for the numbers (``A`` in the sources) that sums of `dtype` are kept in."""
    return np.float64 if dtype == np.float64 else np.float32


def over_rows(rows: int, length: int, each: int) -> tuple[int, tuple[int, int]]:
    """Grid and block for kernels with one row a ``threadIdx.y``; `each` elements an access.

    A warp takes a short row, a whole block a long one.
    """
    accesses = -(-length // each)
    if accesses <= 128:
        return -(-rows // _ROWS_A_BLOCK), (32, _ROWS_A_BLOCK)
    return rows, (min(1024, 32 * (-(-accesses // 128))), 1)
