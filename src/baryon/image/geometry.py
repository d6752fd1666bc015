"""Images read, resized and cropped. An image is an NDArray (height, width, channels)."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray, _internal

Box = tuple[int, int, int, int]
"""Left, top, width and height."""


def imread(filename: str | os.PathLike, flag: int = 1, to_rgb: bool = True) -> NDArray:
    """Read an image file: uint8, (h, w, 3), or (h, w, 1) where ``flag`` is 0.

    to_rgb : channels in order RGB; else BGR. MXNetError where the file is missing or no image.

    >>> mx.image.imread("photo.jpg").shape  # doctest: +SKIP
    (480, 640, 3)
    """
    return _internal._cvimread(filename, flag, to_rgb)


def imdecode(buf: Any, flag: int = 1, to_rgb: bool = True, out: NDArray | None = None) -> NDArray:
    """The image in bytes, or in an array of them: uint8, (h, w, 3), or (h, w, 1) for ``flag`` 0.

    to_rgb : channels in order RGB; else BGR.    out : where to put it. MXNetError for no image.

    >>> import baryon.pixels
    >>> png = baryon.pixels.encode(np.zeros((4, 5, 3), np.uint8), ".png")
    >>> mx.image.imdecode(png).shape
    (4, 5, 3)
    """
    if isinstance(buf, str):
        raise ValueError(
            "buf must be of type bytes, bytearray or numpy.ndarray,"
            "if you would like to input type str, please convert to bytes"
        )
    return _internal._cvimdecode(buf, flag, to_rgb, out)


def imresize(src: NDArray, w: int, h: int, interp: int = 1) -> NDArray:
    """An image (h, w, channels) of uint8, float32 or float64 in another size.

    interp : 0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos; 9 picks by the sizes (area to
        shrink, bicubic to enlarge), 10 at random.

    >>> mx.image.imresize(mx.nd.zeros((4, 6, 3)), w=3, h=2).shape
    (2, 3, 3)
    """
    sizes = (*src.shape[:2], h, w)
    return _internal._cvimresize(src, w, h, _get_interp_method(interp, sizes))


def copyMakeBorder(
    src: NDArray,
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,
    value: float = 0.0,
    values: Sequence[float] = (),
    out: NDArray | None = None,
    name: str | None = None,
) -> NDArray:
    """An image with more rows and columns around it.

    out : where to put it.    name : only symbols have one.
    type : 0 constant (``value``, or ``values`` for each channel), 1 the edge repeated, 2 mirrored
        with the edge, 3 wrapped around, 4 mirrored without the edge.

    >>> mx.image.copyMakeBorder(mx.nd.zeros((4, 6, 3)), 1, 1, 2, 2, value=7).shape
    (6, 10, 3)
    """
    return _internal._cvcopyMakeBorder(src, top, bot, left, right, type, value, values, out)


def _get_interp_method(interp: int, sizes: Sequence[int] = ()) -> int:
    """The interpolation meant: 9 chooses by ``sizes`` (old h, w, new h, w), 10 at random."""
    if interp == 9:
        if not sizes:
            return 2
        if len(sizes) != 4:
            raise ValueError(f"sizes must be (old h, old w, new h, new w), got {sizes}")
        old_height, old_width, height, width = sizes
        if height > old_height and width > old_width:
            return 2
        return 3 if height < old_height and width < old_width else 1
    if interp == 10:
        return random.randint(0, 4)
    if interp not in range(5):
        raise ValueError(f"Unknown interp method {interp}")
    return interp


def scale_down(src_size: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """A crop's (width, height), shrunk in proportion until it fits into an image's.

    >>> mx.image.scale_down((640, 480), (720, 120))
    (640, 106)
    """
    (width, height), (old_width, old_height) = size, src_size
    if old_height < height:
        width, height = float(width * old_height) / height, old_height
    if old_width < width:
        width, height = old_width, float(height * old_width) / width
    return int(width), int(height)


def resize_short(src: NDArray, size: int, interp: int = 2) -> NDArray:
    """The image with its shorter side resized to ``size``, the longer in proportion.

    >>> mx.image.resize_short(mx.nd.zeros((30, 50, 3)), 20).shape
    (20, 33, 3)
    """
    height, width = src.shape[:2]
    if height > width:
        height, width = size * height // width, size
    else:
        height, width = size, size * width // height
    return imresize(src, width, height, interp)


def fixed_crop(
    src: NDArray,
    x0: int,
    y0: int,
    w: int,
    h: int,
    size: Sequence[int] | None = None,
    interp: int = 2,
) -> NDArray:
    """The part of an image at (x0, y0), ``w`` wide and ``h`` high, resized to ``size`` (w, h).

    >>> mx.image.fixed_crop(mx.nd.zeros((8, 9, 3)), 1, 2, 4, 5, size=(6, 7)).shape
    (7, 6, 3)
    """
    cropped = src[y0 : y0 + h, x0 : x0 + w]
    if size is not None and (w, h) != tuple(size):
        cropped = imresize(cropped, *size, interp=interp)
    return cropped


def random_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, Box]:
    """A part at a random place, and where it lies; resized to ``size`` (w, h) if it had to shrink.

    >>> crop, (x, y, width, height) = mx.image.random_crop(mx.nd.zeros((8, 9, 3)), (4, 5))
    >>> crop.shape, width, height
    ((5, 4, 3), 4, 5)
    """
    height, width = src.shape[:2]
    new_width, new_height = scale_down((width, height), size)
    x0 = random.randint(0, width - new_width)
    y0 = random.randint(0, height - new_height)
    box = (x0, y0, new_width, new_height)
    return fixed_crop(src, *box, size, interp), box


def center_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, Box]:
    """The middle part of an image, and where it lies; resized as by `random_crop`.

    >>> mx.image.center_crop(mx.nd.zeros((8, 9, 3)), (5, 4))[1]
    (2, 2, 5, 4)
    """
    height, width = src.shape[:2]
    new_width, new_height = scale_down((width, height), size)
    box = ((width - new_width) // 2, (height - new_height) // 2, new_width, new_height)
    return fixed_crop(src, *box, size, interp), box


def random_size_crop(
    src: NDArray,
    size: Sequence[int],
    area: float | tuple[float, float],
    ratio: tuple[float, float],
    interp: int = 2,
    **kwargs: Any,
) -> tuple[NDArray, Box]:
    """A part of random area and aspect ratio, resized to ``size`` (w, h), and where it lies.

    area : least and greatest share of the image's area (one number: the least, up to 1).
    ratio : least and greatest width / height. After 10 vain attempts it is the middle part.

    >>> mx.image.random_size_crop(mx.nd.zeros((8, 9, 3)), (4, 5), (0.5, 1), (0.8, 1.2))[0].shape
    (5, 4, 3)
    """
    area = kwargs.pop("min_area", area)
    if kwargs:
        raise TypeError(f"random_size_crop: unexpected keyword arguments {sorted(kwargs)}")
    least, most = (area, 1.0) if np.isscalar(area) else area
    height, width = src.shape[:2]
    for _ in range(10):
        wanted = random.uniform(least, most) * height * width
        aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        new_width = int(round(math.sqrt(wanted * aspect)))
        new_height = int(round(math.sqrt(wanted / aspect)))
        if 0 < new_width <= width and 0 < new_height <= height:
            x0 = random.randint(0, width - new_width)
            y0 = random.randint(0, height - new_height)
            box = (x0, y0, new_width, new_height)
            return fixed_crop(src, *box, size, interp), box
    return center_crop(src, size, interp)


def color_normalize(src: NDArray, mean: Any, std: Any = None) -> NDArray:
    """``(src - mean) / std``; ``mean`` and ``std`` may be None.

    >>> mx.image.color_normalize(mx.nd.ones((1, 1, 3)), mx.nd.array([1, 2, 3])).asnumpy()
    array([[[ 0., -1., -2.]]], dtype=float32)
    """
    if mean is not None:
        src = src - mean
    if std is not None:
        src = src / std
    return src
