"""Transforms of images: NDArrays of height, width and channels (``…vision.transforms``).

Those that are one operator are HybridBlocks, and draw random numbers from ``mx.random``'s seed;
`CenterCrop`, `RandomResizedCrop` and the rotations are functions of ``mx.image``, which draw from
Python's and NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import image
from ....ndarray import NDArray
from ...block import Block
from ...hybrid_block import HybridBlock
from ...nn import HybridSequential, Sequential

__all__ = [
    "Cast",
    "CenterCrop",
    "Compose",
    "CropResize",
    "Normalize",
    "RandomApply",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomFlipLeftRight",
    "RandomFlipTopBottom",
    "RandomHue",
    "RandomLighting",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "Resize",
    "Rotate",
    "ToTensor",
]


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Width and height, where one number stands for both."""
    return (size, size) if np.isscalar(size) else tuple(size)


class Compose(Sequential):
    """Transforms applied one after the other.

    HybridBlocks that follow each other become one HybridSequential.

    >>> T = mx.gluon.data.vision.transforms
    >>> T.Compose([T.ToTensor(), T.Normalize(0.5, 0.5)])(mx.nd.zeros((4, 5, 3))).shape
    (3, 4, 5)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__()
        run: list[HybridBlock] = []
        for step in [*transforms, None]:
            if isinstance(step, HybridBlock):
                run.append(step)
                continue
            self.add(*_joined(run))
            run = []
            if step is not None:
                self.add(step)


def _joined(run: Sequence[HybridBlock]) -> Sequence[HybridBlock]:
    """A run of blocks as one."""
    if len(run) < 2:
        return run
    both = HybridSequential()
    both.add(*run)
    return [both]


class RandomApply(Sequential):
    """A transform, or several one after the other, applied with probability `p`.

    >>> T = mx.gluon.data.vision.transforms
    >>> T.RandomApply(T.ToTensor(), p=1)(mx.nd.zeros((4, 5, 3))).shape
    (3, 4, 5)
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        several = isinstance(transforms, (list, tuple))
        self.transforms = Compose(transforms) if several else transforms
        self.p = p

    def forward(self, x: NDArray) -> NDArray:
        """The image, transformed or not."""
        return self.transforms(x) if np.random.random() < self.p else x


# ---- values ------------------------------------------------------------------------------------


class Cast(HybridBlock):
    """To another dtype.

    >>> mx.gluon.data.vision.transforms.Cast("uint8")(mx.nd.ones((2, 2, 3))).dtype
    <class 'numpy.uint8'>
    """

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__()
        self._dtype = dtype

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.cast(x, self._dtype)


class ToTensor(HybridBlock):
    """Images (h, w, c) or (n, h, w, c) of 0..255 to float32 (c, h, w) or (n, c, h, w) of 0..1.

    >>> mx.gluon.data.vision.transforms.ToTensor()(mx.nd.ones((4, 5, 3))).shape
    (3, 4, 5)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.to_tensor(x)


class Normalize(HybridBlock):
    """``(x - mean) / std`` for each channel of (c, h, w) or (n, c, h, w); numbers serve all.

    >>> mx.gluon.data.vision.transforms.Normalize(0.5, 2)(mx.nd.ones((1, 1, 1))).asscalar()
    np.float32(0.25)
    """

    def __init__(
        self, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0
    ) -> None:
        super().__init__()
        self._mean, self._std = mean, std

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.normalize(x, self._mean, self._std)


# ---- places ------------------------------------------------------------------------------------


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


def _around_one(spread: float) -> tuple[float, float]:
    """The least and greatest factor, at most `spread` from 1 and never negative."""
    return max(0, 1 - spread), 1 + spread


class RandomBrightness(HybridBlock):
    """The image times a factor that differs from 1 by up to `brightness`.

    >>> mx.gluon.data.vision.transforms.RandomBrightness(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, brightness: float) -> None:
        super().__init__()
        self._args = _around_one(brightness)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_brightness(x, *self._args)


class RandomContrast(HybridBlock):
    """The image away from its mean brightness by a factor that differs from 1 by up to `contrast`.

    >>> mx.gluon.data.vision.transforms.RandomContrast(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, contrast: float) -> None:
        super().__init__()
        self._args = _around_one(contrast)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_contrast(x, *self._args)


class RandomSaturation(HybridBlock):
    """Colours away from gray by a factor that differs from 1 by up to `saturation`.

    >>> mx.gluon.data.vision.transforms.RandomSaturation(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, saturation: float) -> None:
        super().__init__()
        self._args = _around_one(saturation)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_saturation(x, *self._args)


class RandomHue(HybridBlock):
    """Hues moved on by up to `hue` turns of the colour circle, back or forth.

    >>> mx.gluon.data.vision.transforms.RandomHue(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, hue: float) -> None:
        super().__init__()
        self._args = _around_one(hue)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_hue(x, *self._args)


class RandomColorJitter(HybridBlock):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    >>> mx.gluon.data.vision.transforms.RandomColorJitter()(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(
        self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0
    ) -> None:
        super().__init__()
        self._args = (brightness, contrast, saturation, hue)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_color_jitter(x, *self._args)


class RandomLighting(HybridBlock):
    """The image plus random amounts, of deviation `alpha`, of ImageNet's colour components.

    >>> mx.gluon.data.vision.transforms.RandomLighting(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_lighting(x, self._alpha)
