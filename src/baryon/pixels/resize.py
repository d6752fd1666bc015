"""Images of another size.

The interpolations are OpenCV's, which place pixel centres at half-integers and, except ``area``,
do not smooth when they shrink. Each is linear and separable: one matrix for the rows, one for the
columns. That is how NumPy computes it here; OpenCV's own code does the same faster.
"""

from __future__ import annotations

import numpy as np

from ..base import MXNetError
from ._cv import opencv

INTERPOLATIONS = {0: "nearest", 1: "bilinear", 2: "bicubic", 3: "area", 4: "Lanczos"}
"""Interpolations by OpenCV's numbers."""

_DTYPES = ("uint8", "float32", "float64")


def resize(pixels: np.ndarray, width: int, height: int, interp: int = 1) -> np.ndarray:
    """An image (h, w, channels) of uint8, float32 or float64 as (height, width, channels)."""
    if pixels.ndim != 3 or not pixels.size:
        raise MXNetError(f"imresize: expected an image (h, w, channels), got shape {pixels.shape}")
    if width < 1 or height < 1:
        raise MXNetError(f"imresize: w and h must be at least 1, got {width} and {height}")
    if interp not in INTERPOLATIONS:
        choices = ", ".join(f"{k} ({v})" for k, v in INTERPOLATIONS.items())
        raise MXNetError(f"imresize: interp must be one of {choices}, got {interp}")
    if pixels.dtype.name not in _DTYPES:
        raise MXNetError(f"imresize: dtype must be one of {_DTYPES}, got {pixels.dtype}")
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    cv2 = opencv()
    if cv2 is None:
        return _resize(pixels, width, height, interp)
    made = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=interp)
    return made.reshape(height, width, pixels.shape[2])


def _resize(pixels: np.ndarray, width: int, height: int, interp: int) -> np.ndarray:
    """`resize` in NumPy."""
    old_height, old_width, channels = pixels.shape
    if interp == 3 and (height > old_height or width > old_width):
        kernel = _stretched_area
    else:
        kernel = (_nearest, _bilinear, _bicubic, _area, _lanczos)[interp]
    dtype = np.float64 if pixels.dtype == np.float64 else np.float32
    rows = kernel(old_height, height).astype(dtype)
    columns = kernel(old_width, width).astype(dtype)
    made = rows @ pixels.reshape(old_height, -1).astype(dtype, copy=False)
    made = columns @ made.reshape(height, old_width, channels)
    if pixels.dtype == np.uint8:
        made = np.clip(np.rint(made), 0, 255)
    return made.astype(pixels.dtype, copy=False)


# ---- matrices (new size, old size) ---------------------------------------------------------------


def _matrix(old: int, taps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Row i holds weights[i] at the columns taps[i]; taps beyond an edge count for the edge."""
    made = np.zeros((len(taps), old))
    rows = np.broadcast_to(np.arange(len(taps))[:, None], taps.shape)
    np.add.at(made, (rows, np.clip(taps, 0, old - 1)), weights)
    return made


def _nearest(old: int, new: int) -> np.ndarray:
    taps = (np.arange(new) * (old / new)).astype(int)[:, None]
    return _matrix(old, taps, np.ones(taps.shape))


def _centres(old: int, new: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The 2 * reach pixels around each new centre, and their distances from it."""
    where = (np.arange(new) + 0.5) * (old / new) - 0.5
    taps = np.floor(where).astype(int)[:, None] + np.arange(1 - reach, reach + 1)
    return taps, np.abs(where[:, None] - taps)


def _bilinear(old: int, new: int) -> np.ndarray:
    taps, distance = _centres(old, new, 1)
    return _matrix(old, taps, 1 - distance)


def _bicubic(old: int, new: int) -> np.ndarray:
    """Keys' cubic convolution (1981) with a = -0.75."""
    taps, d = _centres(old, new, 2)
    a = -0.75
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return _matrix(old, taps, np.where(d <= 1, near, far))


def _lanczos(old: int, new: int) -> np.ndarray:
    taps, d = _centres(old, new, 4)
    weights = np.sinc(d) * np.sinc(d / 4)
    return _matrix(old, taps, weights / weights.sum(axis=1, keepdims=True))


def _area(old: int, new: int) -> np.ndarray:
    """The share of each old pixel in each new one."""
    edges = np.arange(new + 1) * (old / new)
    start, stop, pixel = edges[:-1, None], edges[1:, None], np.arange(old)
    shares = np.minimum(stop, pixel + 1) - np.maximum(start, pixel)
    return np.maximum(shares, 0) * (new / old)


def _stretched_area(old: int, new: int) -> np.ndarray:
    """What OpenCV's ``area`` does when a side grows: bilinear only across old pixels' edges."""
    left = np.floor(np.arange(new) * (old / new)).astype(int)
    share = (np.arange(new) + 1) - (left + 1) * (new / old)
    share = np.where(share <= 0, 0, share - np.floor(share))
    taps = left[:, None] + np.arange(2)
    return _matrix(old, taps, np.stack([1 - share, share], axis=1))
