"""Arrays from text."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..context import current_context
from ..ndarray.np_ndarray import array, ndarray

__all__ = ["genfromtxt"]


def genfromtxt(*args: Any, **kwargs: Any) -> ndarray:
    """An array from a text file of columns, as ``numpy.genfromtxt`` reads it; float32 by default.

    dtype, ctx : of the array.    All other arguments are NumPy's.

    >>> mx.np.genfromtxt(["1 2", "3 4"]).shape
    (2, 2)
    """
    ctx, dtype = kwargs.pop("ctx", None) or current_context(), kwargs.pop("dtype", "float32")
    return array(np.genfromtxt(*args, dtype=dtype, **kwargs), dtype, ctx)
