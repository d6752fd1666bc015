"""Windows as kernels take them: three spatial axes, by value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ops.windows import Window


def geometry(win: Window, size: Sequence[int], out: Sequence[int]) -> np.ndarray:
    """``Geometry`` of ``windows.cu``: axes that are missing come first, with size 1."""
    missing = 3 - len(size)
    rows = (size, 1), (out, 1), (win.kernel, 1), (win.stride, 1), (win.dilate, 1), (win.pad, 0)
    return np.array([[*(fill,) * missing, *values] for values, fill in rows], np.int32)


def positions(*counts: int) -> np.dtype:
    """The narrower type that numbers arrays of so many elements and what loops add to them."""
    return np.dtype(np.int32 if max(counts) < 2**30 else np.int64)
