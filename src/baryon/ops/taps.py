"""Bilinear reading between pixels, as a sum over four weighted pixels (taps), and its adjoint.

A set of points is a pair of arrays ``y, x``; its taps are ``(index, weight)`` of shape
``(4, *points)``, where `index` counts pixels of an image row by row. Points outside, NaN included,
get weights 0 and indices inside, so that nothing is ever read out of bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .indexing import add_at


class Taps(NamedTuple):
    """Pixels, their weights, and the weights' derivatives by y and by x."""

    index: Any
    weight: Any
    by_y: Any
    by_x: Any


def finite(xp: Any, values: Any, low: float, high: float) -> Any:
    """`values` within [low, high], NaN as `low`."""
    return xp.clip(xp.nan_to_num(values, nan=low), low, high)


def _corners(xp: Any, size: int, at: Any, clamp: bool) -> tuple:
    """Along one axis: lower and upper pixel, their weights, and the weights' derivatives."""
    at = finite(xp, at, -2, size + 1)
    if clamp:  # pixels outside repeat those at the border, but points outside read nothing
        inside = (at >= 0) & (at < size)
        last = at >= size - 1
        low = xp.where(last, size - 1, xp.floor(at)).astype(np.int64)
        part = xp.where(last, 0, at - low).astype(at.dtype)
        pixels = (low, xp.minimum(low + 1, size - 1))
        exists = (inside, inside & ~last)
        slopes = (inside & ~last, inside & ~last)
    else:  # pixels outside are 0
        low = xp.floor(at).astype(np.int64)
        part = (at - low).astype(at.dtype)
        pixels = (low, low + 1)
        exists = tuple((p >= 0) & (p < size) for p in pixels)
        slopes = exists
    weights = [w * e for w, e in zip((1 - part, part), exists, strict=True)]
    signs = [s * e.astype(at.dtype) for s, e in zip((-1, 1), slopes, strict=True)]
    pixels = [xp.clip(p, 0, max(size - 1, 0)) for p in pixels]
    return pixels, weights, signs


def taps(xp: Any, y: Any, x: Any, size: Sequence[int], clamp: bool = False) -> Taps:
    """The taps of points in images of `size` (height, width).

    Beyond the border images are 0, or with `clamp` what they are at the border; then points
    outside [0, height) x [0, width) read nothing.
    """
    rows, wy, sy = _corners(xp, size[0], y, clamp)
    columns, wx, sx = _corners(xp, size[1], x, clamp)
    pairs = [(a, b) for a in (0, 1) for b in (0, 1)]
    return Taps(
        xp.stack([rows[a] * size[1] + columns[b] for a, b in pairs]),
        xp.stack([wy[a] * wx[b] for a, b in pairs]),
        xp.stack([sy[a] * wx[b] for a, b in pairs]),
        xp.stack([wy[a] * sx[b] for a, b in pairs]),
    )


# Images are (batch, channel, height, width) and points (batch, point), of each image its own.
# Pixels lie in rows (pixels of all images, channel): gathering one moves all its channels.


def pixel_rows(xp: Any, data: Any) -> Any:
    """Images as (pixels of all images, channel)."""
    return xp.ascontiguousarray(xp.moveaxis(data, 1, -1)).reshape(-1, data.shape[1])


def _numbered(xp: Any, index: Any, pixels: int) -> Any:
    """Pixel numbers of one image each, (tap, image, point), as row numbers of `pixel_rows`."""
    return index + xp.arange(index.shape[1]).reshape(-1, 1) * pixels


def gather(xp: Any, data: Any, index: Any, weight: Any) -> Any:
    """The weighted sums of taps: (batch, channel, point)."""
    batch, channels, height, width = data.shape
    total = xp.zeros((batch, index.shape[2], channels), data.dtype)
    if data.size and index.size:
        rows = pixel_rows(xp, data)
        for i, w in zip(_numbered(xp, index, height * width), weight, strict=True):
            total += rows[i] * w[..., None]
    return xp.moveaxis(total, -1, 1)


def scatter(xp: Any, head: Any, index: Any, weight: Any, shape: Sequence[int]) -> Any:
    """The adjoint of `gather`: `head` (batch, channel, point) added up in images of `shape`."""
    batch, channels, height, width = shape
    total = xp.zeros((batch * height * width, channels), head.dtype)
    if total.size and head.size:
        rows = xp.moveaxis(head, 1, -1)
        for i, w in zip(_numbered(xp, index, height * width), weight, strict=True):
            add_at(xp, total, i.reshape(-1), (rows * w[..., None]).reshape(-1, channels))
    return xp.moveaxis(total.reshape(batch, height, width, channels), -1, 1)


def slopes(xp: Any, data: Any, head: Any, found: Taps) -> tuple[Any, Any]:
    """Gradients of ``gather(data, ...)`` by the points' y and x, each (batch, point)."""
    by_y = gather(xp, data, found.index, found.by_y)
    by_x = gather(xp, data, found.index, found.by_x)
    return (head * by_y).sum(1), (head * by_x).sum(1)
