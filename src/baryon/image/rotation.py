"""Images turned about their middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray


def imrotate(
    src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """Turn a float32 image (c, h, w), or each of a batch (n, c, h, w), counter-clockwise.

    rotation_degrees : the angle; for a batch one, or an NDArray with one for each image.
    zoom_in : enlarge until nothing from outside shows.    zoom_out : shrink until all is seen.
    The size stays; what comes from outside is 0.

    >>> turned = mx.image.imrotate(mx.nd.arange(4).reshape((1, 2, 2)), 90)
    >>> np.rint(turned.asnumpy()).astype(int).tolist()
    [[[1, 3], [0, 2]]]
    """
    if zoom_in and zoom_out:
        raise ValueError("`zoom_in` and `zoom_out` cannot be both True")
    if src.dtype is not np.float32:
        raise TypeError(f"Only `float32` images are supported by this function, got {src.dtype}")
    if src.ndim not in (3, 4):
        raise ValueError(f"Only 3D and 4D are supported by this function, got shape {src.shape}")
    if src.ndim == 3:
        if not np.isscalar(rotation_degrees):
            raise TypeError(
                "When a single image is passed the rotation angle is required to be a scalar."
            )
        return imrotate(src.expand_dims(0), rotation_degrees, zoom_in, zoom_out)[0]
    many = isinstance(rotation_degrees, NDArray)
    degrees = rotation_degrees.asnumpy() if many else rotation_degrees
    angles = np.atleast_1d(np.asarray(degrees, np.float64)) * (np.pi / 180)
    if angles.shape not in ((1,), (len(src),)) or (many and len(angles) != len(src)):
        raise ValueError(
            "The number of images must be equal to the number of rotation angles, "
            f"got {len(src)} and {angles.size}"
        )
    angles = np.broadcast_to(angles, len(src))
    grid = _grid(*src.shape[2:], angles, zoom_in, zoom_out).astype(np.float32)
    return nd.BilinearSampler(src, nd.array(grid, ctx=src.context))


def _grid(height: int, width: int, angles: np.ndarray, zoom_in: bool, zoom_out: bool) -> np.ndarray:
    """Where each pixel of the turned images comes from: (n, 2, h, w), x and y from -1 to 1."""
    half_width, half_height = (width - 1) / 2, (height - 1) / 2
    x, y = np.meshgrid(np.arange(width) - half_width, np.arange(height) - half_height)
    cos, sin = (f(angles)[:, None, None] for f in (np.cos, np.sin))
    zoom = np.ones_like(cos)
    if zoom_in or zoom_out:
        # Sides of the box around the turned image, in units of the image's own sides.
        across = np.abs(cos) + np.abs(sin) * (height / width)
        down = np.abs(cos) + np.abs(sin) * (width / height)
        zoom = np.maximum(across, down)
        if zoom_in:
            zoom = 1 / zoom
    turned = zoom * (x * cos - y * sin) / half_width, zoom * (x * sin + y * cos) / half_height
    return np.stack(turned, axis=1)


def random_rotate(
    src: NDArray, angle_limits: Sequence[float], zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """`imrotate` by angles drawn uniformly between two limits, in degrees.

    >>> mx.image.random_rotate(mx.nd.zeros((3, 4, 4)), (-10, 10)).shape
    (3, 4, 4)
    """
    count = 1 if src.ndim == 3 else len(src)
    degrees = np.random.uniform(*angle_limits, size=count)
    angle = float(degrees[0]) if src.ndim == 3 else nd.array(degrees, ctx=src.context)
    return imrotate(src, angle, zoom_in, zoom_out)
