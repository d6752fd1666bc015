"""Borders around images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base import MXNetError

BORDERS = {0: "constant", 1: "edge", 2: "symmetric", 3: "wrap", 4: "reflect"}
"""OpenCV's border types, as NumPy names them."""


def add_border(
    pixels: np.ndarray,
    sizes: tuple[int, int, int, int],
    kind: int = 0,
    value: float | Sequence[float] = 0.0,
) -> np.ndarray:
    """An image with ``sizes`` (top, bottom, left, right) more rows and columns around it.

    kind : one of `BORDERS`.    value : of a constant border, for all channels or for each.
    """
    if kind not in BORDERS:
        raise MXNetError(f"copyMakeBorder: type must be one of {sorted(BORDERS)}, got {kind}")
    if min(sizes) < 0:
        raise MXNetError(
            f"copyMakeBorder: top, bottom, left, right must not be negative, got {sizes}"
        )
    top, bottom, left, right = sizes
    if kind:
        widths = ((top, bottom), (left, right), (0, 0))
        return np.pad(pixels, widths, BORDERS[kind])  # type: ignore[call-overload]
    height, width, channels = pixels.shape
    fill = np.atleast_1d(np.asarray(value, np.float64))
    if fill.size not in (1, channels):
        raise MXNetError(f"copyMakeBorder: {fill.size} values for {channels} channels")
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        fill = np.clip(np.rint(fill), limits.min, limits.max)
    made = np.empty((top + height + bottom, left + width + right, channels), pixels.dtype)
    made[:] = fill.astype(pixels.dtype)
    made[top : top + height, left : left + width] = pixels
    return made
