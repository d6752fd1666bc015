"""How arrays are printed."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["set_printoptions"]


def set_printoptions(
    precision: int | None = None, threshold: int | None = None, **kwarg: Any
) -> None:
    """Digits after the point, elements up to which all are printed, and more; those of NumPy.

    >>> mx.np.set_printoptions(precision=8)
    """
    np.set_printoptions(precision=precision, threshold=threshold, **kwarg)
