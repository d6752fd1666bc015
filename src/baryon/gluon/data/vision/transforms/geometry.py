"""Transforms that move pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..... import image
from .....ndarray import NDArray
from ....block import Block
from ....hybrid_block import HybridBlock


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Width and height, where one number stands for both."""
    return (size, size) if np.isscalar(size) else tuple(size)


class Resize(HybridBlock):
    """Images (h, w, c) or (n, h, w, c) to another size.

    size : width and height, or one number for both (with `keep_ratio` the length of the shorter
    side). interpolation : 0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos.

    >>> mx.gluon.data.vision.transforms.Resize((8, 6))(mx.nd.ones((4, 5, 3))).shape
    (6, 8, 3)
    """

    def __init__(
        self, size: int | Sequence[int], keep_ratio: bool = False, interpolation: int = 1
    ) -> None:
        super().__init__()
        self._size, self._keep, self._interpolation = size, keep_ratio, interpolation

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.resize(x, self._size, self._keep, self._interpolation)


class CropResize(HybridBlock):
    """The part `width` by `height` pixels large at (x, y) of (n,) h, w, c images, then resized.

    size : width and height, or one number for both; None leaves the part as it is.
    interpolation : as for `Resize`, bilinear if None.

    >>> crop = mx.gluon.data.vision.transforms.CropResize(1, 0, 2, 3, size=(4, 5))
    >>> crop(mx.nd.ones((6, 7, 3))).shape
    (5, 4, 3)
    """

    def __init__(
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        size: int | Sequence[int] | None = None,
        interpolation: int | None = None,
    ) -> None:
        super().__init__()
        self._box = (x, y, width, height)
        self._size = size
        self._interpolation = 1 if interpolation is None else interpolation

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        out = F.image.crop(x, *self._box)
        return (
            out if not self._size else F.image.resize(out, self._size, False, self._interpolation)
        )


class CenterCrop(Block):
    """The middle of an image (h, w, c), width by height `size`, or a square for one number.

    An image that is smaller is cut to the same ratio and enlarged.

    >>> mx.gluon.data.vision.transforms.CenterCrop((3, 2))(mx.nd.ones((6, 7, 3))).shape
    (2, 3, 3)
    """

    def __init__(self, size: int | Sequence[int], interpolation: int = 1) -> None:
        super().__init__()
        self._args = (_pair(size), interpolation)

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return image.center_crop(x, *self._args)[0]


class RandomResizedCrop(Block):
    """A part of random area and aspect ratio, brought to width by height `size`.

    scale : least and greatest share of the area.    ratio : least and greatest width / height.

    >>> crop = mx.gluon.data.vision.transforms.RandomResizedCrop(4)
    >>> crop(mx.nd.ones((6, 7, 3))).shape
    (4, 4, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: int = 1,
    ) -> None:
        super().__init__()
        self._args = (_pair(size), scale, ratio, interpolation)

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return image.random_size_crop(x, *self._args)[0]


class Rotate(Block):
    """float32 images (c, h, w) or (n, c, h, w) turned counter-clockwise by degrees.

    zoom_in : enlarge until nothing from outside shows.    zoom_out : shrink until all is seen.

    >>> mx.gluon.data.vision.transforms.Rotate(30)(mx.nd.ones((3, 6, 7))).shape
    (3, 6, 7)
    """

    def __init__(
        self, rotation_degrees: float, zoom_in: bool = False, zoom_out: bool = False
    ) -> None:
        super().__init__()
        self._args = (rotation_degrees, zoom_in, zoom_out)

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return image.imrotate(x, *self._args)


class RandomRotation(Block):
    """`Rotate` by an angle between two limits, with probability `rotate_with_proba`.

    >>> turn = mx.gluon.data.vision.transforms.RandomRotation((-10, 10), zoom_in=True)
    >>> turn(mx.nd.ones((3, 6, 7))).shape
    (3, 6, 7)
    """

    def __init__(
        self,
        angle_limits: tuple[float, float],
        zoom_in: bool = False,
        zoom_out: bool = False,
        rotate_with_proba: float = 1.0,
    ) -> None:
        super().__init__()
        lower, upper = angle_limits
        if lower >= upper:
            raise ValueError(f"angle_limits must be (lower, upper), got {angle_limits}")
        if not 0 <= rotate_with_proba <= 1:
            raise ValueError(f"rotate_with_proba must be from 0 to 1, got {rotate_with_proba}")
        self._args = ((lower, upper), zoom_in, zoom_out)
        self._proba = rotate_with_proba

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return image.random_rotate(x, *self._args) if np.random.random() < self._proba else x


class RandomFlipLeftRight(HybridBlock):
    """The image, left and right exchanged in half of the calls.

    >>> mx.gluon.data.vision.transforms.RandomFlipLeftRight()(mx.nd.ones((4, 5, 3))).shape
    (4, 5, 3)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_flip_left_right(x)


class RandomFlipTopBottom(HybridBlock):
    """The image, upside down in half of the calls.

    >>> mx.gluon.data.vision.transforms.RandomFlipTopBottom()(mx.nd.ones((4, 5, 3))).shape
    (4, 5, 3)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_flip_top_bottom(x)


# ---- colours -----------------------------------------------------------------------------------
