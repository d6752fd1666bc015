"""Images of another size in NumPy or CuPy, by every interpolation that OpenCV numbers.

They place pixel centres at half-integers and, except ``area``, do not smooth when they shrink.
Each is linear and separable: one matrix for the rows, one for the columns. Bytes are rounded step
by step as OpenCV's fixed-point arithmetic rounds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

NEAREST, LINEAR, CUBIC, AREA, LANCZOS, LINEAR_EXACT = METHODS = range(6)
_CUBIC = -0.75  # Keys' free parameter, as OpenCV chooses it


def _keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel (IEEE Trans. ASSP 29, 1981) at distances `x`."""
    x, a = np.abs(x), _CUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _hat(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 4, np.sinc(x) * np.sinc(x / 4), 0)


_KERNELS = {
    LINEAR: (_hat, 1), CUBIC: (_keys, 2), LANCZOS: (_lanczos, 4), LINEAR_EXACT: (_hat, 1)
}  # fmt: skip


def _taps(n: int, out: int, method: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that each pixel of the result reads, and how much they count."""
    at = np.arange(out)
    if method == AREA:  # where an axis grows: a step, blended only where it falls
        low = np.floor(at * (n / out)).astype(np.int64)
        part = (at + 1) - (low + 1) * (out / n)
        part = np.where(part <= 0, 0, part - np.floor(part))
        taps, weights = np.stack([low, low + 1], -1), np.stack([1 - part, part], -1)
    else:
        kernel, reach = _KERNELS[method]
        at = (at + 0.5) * (n / out) - 0.5
        taps = np.floor(at).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
        weights = kernel(at[:, None] - taps)
    return np.clip(taps, 0, n - 1), weights / weights.sum(1, keepdims=True)


def _sparse(n: int, taps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The matrix of these taps."""
    matrix = np.zeros((len(taps), n))
    np.add.at(matrix, (np.arange(len(taps))[:, None], taps), weights)
    return matrix


def _averaged(n: int, out: int) -> np.ndarray:
    """Each pixel of the result is the mean of the pixels that it covers, weighted by area."""
    edges = np.arange(out + 1) * (n / out)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(n)
    matrix = np.maximum(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0)
    return matrix / matrix.sum(1, keepdims=True)


@lru_cache(maxsize=256)
def _matrix(n: int, out: int, method: int, covers: bool) -> np.ndarray:
    """(out, n): how much every pixel of a line counts for every pixel of the result."""
    if covers:
        return _averaged(n, out)
    if method == NEAREST:
        at = np.floor(np.arange(out) * (n / out)).astype(np.int64)
        return _sparse(n, np.minimum(at, n - 1)[:, None], np.ones((out, 1)))
    return _sparse(n, *_taps(n, out, method))


_BITS = 11  # of the weights by which OpenCV multiplies bytes


@lru_cache(maxsize=256)
def _fixed_taps(n: int, out: int, method: int) -> tuple[np.ndarray, np.ndarray]:
    """`_taps` with whole weights, of which 2 ** 11 are one."""
    taps, weights = _taps(n, out, method)
    return taps, np.rint(weights * (1 << _BITS)).astype(np.int64)


def _resample_bytes(xp: Any, images: Any, size: Sequence[int], method: int) -> Any:
    """Images (n, height, width, channel) of bytes, rounded step by step as OpenCV rounds."""
    (down, rows), (across, columns) = (
        map(xp.asarray, _fixed_taps(n, out, method))
        for n, out in zip(images.shape[1:3], size, strict=True)
    )
    lines = sum(
        images[:, :, across[:, k]].astype(np.int64) * columns[:, k, None]
        for k in range(columns.shape[1])
    )
    steps = [lines[:, down[:, k]] for k in range(rows.shape[1])]
    weights = [rows[:, k, None, None] for k in range(rows.shape[1])]
    if len(steps) == 2:
        total = sum(((x >> 4) * w) >> 16 for x, w in zip(steps, weights, strict=True))
        total = (total + 2) >> 2
    else:
        total = sum(x * w for x, w in zip(steps, weights, strict=True))
        total = (total + (1 << (2 * _BITS - 1))) >> (2 * _BITS)
    return xp.clip(total, 0, 255).astype(np.uint8)


def _rounded(xp: Any, values: Any, dtype: np.dtype) -> Any:
    """Values as `dtype`: the nearest within its range where it is integral."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = xp.clip(xp.rint(values), limits.min, limits.max)
    return values.astype(dtype)


def resample(xp: Any, images: Any, size: Sequence[int], method: int = LINEAR) -> Any:
    """Images (..., height, width, channel) of another size (height, width), in their own dtype.

    method : OpenCV's number: nearest, bilinear, bicubic, area, Lanczos over 8 pixels, bilinear.
    """
    *lead, height, width, channels = images.shape
    covers = method == AREA and size[0] <= height and size[1] <= width
    stacked = images.reshape(-1, height, width, channels)
    if images.dtype == np.uint8 and method not in (NEAREST, LINEAR_EXACT) and not covers:
        result = _resample_bytes(xp, stacked, size, method)
    else:
        wide = np.float64 if images.dtype == np.float64 else np.float32
        down, across = (
            xp.asarray(_matrix(n, out, method, covers), wide)
            for n, out in zip((height, width), size, strict=True)
        )
        rows = stacked.astype(wide).reshape(-1, height, width * channels)
        result = across @ (down @ rows).reshape(-1, width, channels)
        result = _rounded(xp, result, images.dtype)
    return result.reshape(*lead, *size, channels)
