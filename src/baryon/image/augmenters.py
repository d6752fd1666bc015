"""Augmenters: callables that change an image, most of them at random.

Random choices come from Python's `random` (and, for `LightingAug`, NumPy's global state). Colours
change only in float images: put a `CastAug` before.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from ..pixels.colour import EIGENVALUES, EIGENVECTORS, LUMA, MEAN, STD
from .geometry import (
    center_crop,
    color_normalize,
    imresize,
    random_crop,
    random_size_crop,
    resize_short,
)

_YIQ = np.array([LUMA, [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
_FROM_YIQ = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])


def plain(value: Any) -> Any:
    """An argument as JSON has it."""
    if isinstance(value, NDArray):
        value = value.asnumpy()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


class Augmenter:
    """Base of the augmenters: subclasses define ``__call__(src)``.

    Keyword arguments are what `dumps` tells about the augmenter.

    >>> mx.image.ResizeAug(256).dumps()
    '["resizeaug", {"size": 256, "interp": 2}]'
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = {name: plain(value) for name, value in kwargs.items()}

    def dumps(self) -> Any:
        """Name and arguments as JSON; those of several augmenters as a list."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class _Several(Augmenter):
    """Augmenters applied one after the other."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = ts

    def dumps(self) -> list:
        """The name, and what each augmenter tells."""
        return [type(self).__name__.lower(), [t.dumps() for t in self.ts]]

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        for augmenter in self.ts:
            src = augmenter(src)
        return src


class SequentialAug(_Several):
    """Augmenters in order."""


class RandomOrderAug(_Several):
    """Augmenters in an order drawn anew for each image."""

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        random.shuffle(self.ts)
        return super().__call__(src)


# ---- sizes ---------------------------------------------------------------------------------------


class ResizeAug(Augmenter):
    """The shorter side becomes ``size``; see `resize_short`."""

    def __init__(self, size: int, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """The image becomes ``size`` (w, h), whatever its proportions."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return imresize(src, *self.size, interp=self.interp)


class RandomCropAug(Augmenter):
    """A part of ``size`` (w, h) at a random place; see `random_crop`."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return random_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """A part of random area and aspect ratio; see `random_size_crop`."""

    def __init__(
        self, size: Sequence[int], area: Any, ratio: tuple[float, float], interp: int = 2, **kwargs
    ) -> None:
        area = kwargs.pop("min_area", area)
        if kwargs:
            raise TypeError(f"RandomSizedCropAug: unexpected keyword arguments {sorted(kwargs)}")
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size, self.area, self.ratio, self.interp = size, area, ratio, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class CenterCropAug(Augmenter):
    """The middle part of ``size`` (w, h); see `center_crop`."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return center_crop(src, self.size, self.interp)[0]


class HorizontalFlipAug(Augmenter):
    """Mirrored left to right with probability ``p``."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return nd.flip(src, axis=1) if random.random() < self.p else src


# ---- colours -------------------------------------------------------------------------------------


def _beside(src: NDArray, values: Any) -> NDArray:
    """Numbers as an array of an image's kind, on its device."""
    array = nd.array(values, ctx=src.context)
    return array if type(src) is NDArray else array.as_np_ndarray()


def _mix(src: NDArray, matrix: np.ndarray) -> NDArray:
    """Each pixel's channels, a row vector, times a matrix."""
    return nd.dot(src, _beside(src, matrix))


def _luma(src: NDArray) -> NDArray:
    """Each channel's share in brightness."""
    return src * _beside(src, np.reshape(LUMA, (1, 1, 3)))


class BrightnessJitterAug(Augmenter):
    """All channels times a factor from ``1 - brightness`` to ``1 + brightness``."""

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return src * (1.0 + random.uniform(-self.brightness, self.brightness))


class ContrastJitterAug(Augmenter):
    """The distance from the mean brightness times ``1 - contrast`` to ``1 + contrast``."""

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast=contrast)
        self.contrast = contrast

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        alpha = 1.0 + random.uniform(-self.contrast, self.contrast)
        grey = nd.sum(_luma(src)) * (3 * (1.0 - alpha) / src.size)
        return src * alpha + grey


class SaturationJitterAug(Augmenter):
    """The distance from each pixel's grey times ``1 - saturation`` to ``1 + saturation``."""

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation=saturation)
        self.saturation = saturation

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        alpha = 1.0 + random.uniform(-self.saturation, self.saturation)
        grey = nd.sum(_luma(src), axis=2, keepdims=True)
        return src * alpha + grey * (1.0 - alpha)


class HueJitterAug(Augmenter):
    """Colours turned about the grey axis of YIQ by up to ``hue`` half circles."""

    def __init__(self, hue: float) -> None:
        super().__init__(hue=hue)
        self.hue = hue

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        angle = math.pi * random.uniform(-self.hue, self.hue)
        cos, sin = math.cos(angle), math.sin(angle)
        turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
        return _mix(src, (_FROM_YIQ @ turn @ _YIQ).T)


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation jitter, those that are not 0, in random order."""

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        kinds = (BrightnessJitterAug, ContrastJitterAug, SaturationJitterAug)
        amounts = (brightness, contrast, saturation)
        super().__init__([kind(x) for kind, x in zip(kinds, amounts, strict=True) if x > 0])


class LightingAug(Augmenter):
    """Noise along the principal components of colour (Krizhevsky et al. 2012).

    alphastd : standard deviation.    eigval, eigvec : the components' sizes and directions.
    """

    def __init__(self, alphastd: float, eigval: Any, eigvec: Any) -> None:
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd, self.eigval, self.eigvec = alphastd, eigval, eigvec

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        alpha = np.random.normal(0, self.alphastd, size=(3,))
        return src + _beside(src, np.dot(self.eigvec * alpha, self.eigval))


class ColorNormalizeAug(Augmenter):
    """``(src - mean) / std``; each may be None."""

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.mean, self.std = (
            x if x is None or isinstance(x, NDArray) else nd.array(x) for x in (mean, std)
        )

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        mean, std = (
            x if x is None or type(x) is type(src) else _beside(src, x)
            for x in (self.mean, self.std)
        )
        return color_normalize(src, mean, std)


class RandomGrayAug(Augmenter):
    """Grey in all channels, with probability ``p``."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        if random.random() >= self.p:
            return src
        return _mix(src, np.repeat([[0.21], [0.72], [0.07]], 3, axis=1))


class CastAug(Augmenter):
    """To another dtype."""

    def __init__(self, typ: str = "float32") -> None:
        super().__init__(type=typ)
        self.typ = typ

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        return src.astype(self.typ)


# ---- the usual ones ------------------------------------------------------------------------------


def statistics(value: Any, default: np.ndarray, name: str) -> NDArray | None:
    """A mean or deviation argument: True means ImageNet's; else 1 or 3 numbers, or None."""
    if value is None or value is False:
        return None
    if value is True:
        value = default
    elif not isinstance(value, np.ndarray | NDArray) or value.shape[:1] not in ((1,), (3,)):
        raise ValueError(f"{name} must be True or an array of 1 or 3 numbers, got {value!r}")
    return value if isinstance(value, NDArray) else nd.array(value)


def colour_augmenters(
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    pca_noise: float,
    rand_gray: float,
) -> list[Augmenter]:
    """The augmenters of colour that are asked for."""
    chosen: list[Augmenter] = []
    if brightness or contrast or saturation:
        chosen.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        chosen.append(HueJitterAug(hue))
    if pca_noise > 0:
        chosen.append(LightingAug(pca_noise, EIGENVALUES, EIGENVECTORS))
    if rand_gray > 0:
        chosen.append(RandomGrayAug(rand_gray))
    return chosen


def CreateAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """The usual augmenters of classification, in the usual order.

    ``data_shape`` is the (channels, height, width) wanted. ``resize`` first resizes the shorter
    side, unless 0. ``rand_crop`` crops at a random place, else in the middle; with ``rand_resize``
    too, a part of random area and aspect ratio. ``rand_mirror`` mirrors half of the images.
    ``mean`` and ``std`` are subtracted and divided by: arrays, or True for ImageNet's.
    ``brightness``, ``contrast``, ``saturation``, ``hue`` and ``pca_noise`` are amounts of jitter,
    ``rand_gray`` the probability of grey; ``inter_method`` is as `imresize` has it.

    >>> [type(a).__name__ for a in mx.image.CreateAugmenter((3, 8, 8), rand_mirror=True)]
    ['CenterCropAug', 'HorizontalFlipAug', 'CastAug']
    """
    size = (data_shape[2], data_shape[1])
    chosen: list[Augmenter] = [ResizeAug(resize, inter_method)] if resize > 0 else []
    if rand_resize:
        if not rand_crop:
            raise ValueError("CreateAugmenter: rand_resize needs rand_crop")
        ratio = (3.0 / 4.0, 4.0 / 3.0)
        chosen.append(RandomSizedCropAug(size, 0.08, ratio, inter_method))
    else:
        chosen.append((RandomCropAug if rand_crop else CenterCropAug)(size, inter_method))
    if rand_mirror:
        chosen.append(HorizontalFlipAug(0.5))
    chosen.append(CastAug())
    chosen += colour_augmenters(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean, std = statistics(mean, MEAN, "mean"), statistics(std, STD, "std")
    if mean is not None or std is not None:
        chosen.append(ColorNormalizeAug(mean, std))
    return chosen
