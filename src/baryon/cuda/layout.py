"""Launches that turn images around: channels last, or first again."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops.channels_last import turned
from .launch import TYPES, dense, kernel_of, launch, output
from .registry import kernel

_TILE = 32
_MOST = 65535  # blocks along the second and third axis of a grid


def _transposed(xp: Any, data: Any, shape: tuple, rows: int, columns: int) -> Any:
    """Images as matrices of so many rows, transposed."""
    high, wide = -(-rows // _TILE), -(-columns // _TILE)
    if np.dtype(data.dtype) not in TYPES or not data.size or high > _MOST:
        return NotImplemented
    data, out = dense(xp, data), output(xp, shape, data.dtype)
    grid = wide, high, min(data.shape[0], _MOST)
    sizes = (np.int64(n) for n in (data.shape[0], rows, columns))
    launch(kernel_of(xp, "layout", "transpose", T=data.dtype), grid, (32, 8), data, out, *sizes)
    return out


@kernel("_to_channels_last")
def to_last(xp, data):
    """See the operator."""
    return _transposed(xp, data, turned(data.shape), data.shape[1], prod(data.shape[2:]))


@kernel("_to_channels_first")
def to_first(xp, data):
    """See the operator."""
    first = data.shape[0], data.shape[-1], *data.shape[1:-1]
    return _transposed(xp, data, first, prod(data.shape[1:-1]), data.shape[-1])
