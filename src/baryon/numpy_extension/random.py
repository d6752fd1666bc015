"""Random arrays beyond NumPy, and the seed of all random numbers."""

from __future__ import annotations

from typing import Any

from .. import random as _legacy
from ..ndarray.np_ndarray import draw as _draw
from ..numpy_functions import functions as _functions

globals().update(_functions("npx.random", _draw, __name__))


def seed(seed: int, ctx: Any = "all") -> None:
    """Start the random numbers of all devices, or of one, afresh; see `mx.random.seed`.

    >>> mx.npx.random.seed(7)
    """
    _legacy.seed(seed, ctx)
