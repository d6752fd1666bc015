"""Augmenters of images together with the objects in them.

A label is a NumPy array (objects, 5 or more): class, left, top, right and bottom, the sides in
shares of the image's width and height.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from ..pixels.boxes import areas, clipped, relative
from ..pixels.colour import MEAN, STD
from .augmenters import (
    Augmenter,
    CastAug,
    ColorNormalizeAug,
    ForceResizeAug,
    ResizeAug,
    colour_augmenters,
    plain,
    statistics,
)
from .geometry import copyMakeBorder, fixed_crop

Pair = tuple[NDArray, np.ndarray]


class DetAugmenter:
    """Base of the augmenters of detection: subclasses define ``__call__(src, label)``."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = {name: plain(value) for name, value in kwargs.items()}

    def dumps(self) -> Any:
        """Name and arguments as JSON; those of several augmenters as a list."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class DetBorrowAug(DetAugmenter):
    """An augmenter that leaves objects where they are, such as one of colours.

    >>> mx.image.DetBorrowAug(mx.image.CastAug()).dumps()
    ['detborrowaug', '["castaug", {"type": "float32"}]']
    """

    def __init__(self, augmenter: Augmenter) -> None:
        if not isinstance(augmenter, Augmenter):
            raise TypeError(f"Borrowing from invalid Augmenter {augmenter!r}")
        super().__init__()
        self.augmenter = augmenter

    def dumps(self) -> list:
        """The name, and what the augmenter tells."""
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several augmenters, or none of them with probability ``skip_prob``."""

    def __init__(self, aug_list: Any, skip_prob: float = 0) -> None:
        super().__init__(skip_prob=skip_prob)
        aug_list = aug_list if isinstance(aug_list, list | tuple) else [aug_list]
        for augmenter in aug_list:
            if not isinstance(augmenter, DetAugmenter):
                raise ValueError(f"Allow DetAugmenter in list only, got {augmenter!r}")
        self.aug_list = list(aug_list)
        self.skip_prob = skip_prob if aug_list else 1

    def dumps(self) -> list:
        """The name, and what each augmenter tells."""
        return [type(self).__name__.lower(), [a.dumps() for a in self.aug_list]]

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        if random.random() < self.skip_prob:
            return src, label
        random.shuffle(self.aug_list)
        return self.aug_list[0](src, label)


class DetHorizontalFlipAug(DetAugmenter):
    """Mirrored left to right with probability ``p``, objects included."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        if random.random() >= self.p:
            return src, label
        label = label.copy()
        label[:, [1, 3]] = 1.0 - label[:, [3, 1]]
        return nd.flip(src, axis=1), label


class _Proposing(DetAugmenter):
    """An augmenter that tries random rectangles until one will do.

    Its arguments are its attributes; a single ratio or area stands for both ends of its range.
    """

    aspect_ratio_range: tuple[float, float]
    area_range: tuple[float, float]
    max_attempts: int

    def __init__(self, **arguments: Any) -> None:
        for name in ("aspect_ratio_range", "area_range"):
            ends = arguments[name]
            arguments[name] = (ends, ends) if np.isscalar(ends) else tuple(ends)
        super().__init__(**arguments)
        for name, value in arguments.items():
            setattr(self, name, value)
        self.enabled = self._sensible()
        if not self.enabled:
            warnings.warn(
                f"{type(self).__name__} does nothing: area_range {self.area_range} or "
                f"aspect_ratio_range {self.aspect_ratio_range} holds no rectangle",
                stacklevel=3,
            )

    def _sensible(self) -> bool:
        (least, most), (narrow, wide) = self.area_range, self.aspect_ratio_range
        return most > 0 and least <= most and 0 < narrow <= wide


class DetRandomCropAug(_Proposing):
    """A random part that keeps enough of the objects in it.

    Parameters
    ----------
    min_object_covered : a part is good if every object it touches lies in it to this share.
    aspect_ratio_range, area_range : least and greatest width / height, and share of the area.
    min_eject_coverage : objects of which less than this share stays are dropped.
    max_attempts : after that many vain attempts the image stays as it is.
    """

    min_object_covered: float
    min_eject_coverage: float

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ) -> None:
        super().__init__(
            min_object_covered=min_object_covered,
            aspect_ratio_range=aspect_ratio_range,
            area_range=area_range,
            min_eject_coverage=min_eject_coverage,
            max_attempts=max_attempts,
        )

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        height, width = src.shape[:2]
        for _ in range(self.max_attempts if self.enabled else 0):
            size = self._size(height, width)
            if size is None:
                continue
            w, h = size
            y, x = random.randint(0, height - h), random.randint(0, width - w)
            sides = (x / width, y / height, (x + w) / width, (y + h) / height)
            box = np.array(sides, label.dtype)
            if self._good(label, box, height, width):
                kept = self._cropped(label, box)
                if len(kept):
                    return fixed_crop(src, x, y, w, h), kept
        return src, label

    def _size(self, height: int, width: int) -> tuple[int, int] | None:
        """A random width and height within the ranges and the image, or None."""
        ratio = random.uniform(*self.aspect_ratio_range)
        least, most = (area * height * width for area in self.area_range)
        tallest = int(round(math.sqrt(most / ratio)))
        if round(tallest * ratio) > width:
            tallest = int((width + 0.4999999) / ratio)
        tallest = min(tallest, height)
        h = min(int(round(math.sqrt(least / ratio))), tallest)
        if h < tallest:
            h = random.randint(h, tallest)
        if round(h * ratio) * h < least:
            h += 1
        w = int(round(h * ratio))
        if w * h > most:
            h -= 1
            w = int(round(h * ratio))
        fits = 0 < w <= width and 0 < h <= height
        return (w, h) if fits and least <= w * h <= most else None

    def _good(self, label: np.ndarray, box: np.ndarray, height: int, width: int) -> bool:
        sides = label[:, 1:5]
        sizes = areas(sides)
        visible = sizes * width * height > 2  # an object of two pixels tells nothing
        if not visible.any():
            return False
        covered = areas(clipped(sides[visible], box)) / sizes[visible]
        covered = covered[covered > 0]
        return bool(covered.size) and covered.min() > self.min_object_covered

    def _cropped(self, label: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The objects of which enough stays, as shares of the part."""
        made = label.copy()
        inside = clipped(label[:, 1:5], box)
        made[:, 1:5] = relative(inside, box)
        whole = np.maximum(areas(label[:, 1:5]), 1e-30)
        kept = areas(inside) / whole > self.min_eject_coverage
        return made[kept & (areas(inside) > 0)]


class DetRandomPadAug(_Proposing):
    """The image at a random place within a larger one.

    Parameters
    ----------
    aspect_ratio_range, area_range : of the larger image, area in the image's own.
    max_attempts : after that many vain attempts the image stays as it is.
    pad_val : colour of the rest.
    """

    pad_val: tuple[float, ...]

    def __init__(
        self,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (1.0, 3.0),
        max_attempts: int = 50,
        pad_val: Any = (128, 128, 128),
    ) -> None:
        pad_val = tuple(pad_val) if isinstance(pad_val, list | tuple) else (pad_val,)
        super().__init__(
            aspect_ratio_range=aspect_ratio_range,
            area_range=area_range,
            max_attempts=max_attempts,
            pad_val=pad_val,
        )

    def _sensible(self) -> bool:
        return super()._sensible() and self.area_range[1] > 1.0

    def __call__(self, src: NDArray, label: np.ndarray) -> Pair:
        """The changed image and label."""
        height, width = src.shape[:2]
        for _ in range(self.max_attempts if self.enabled else 0):
            w, h = self._size(height, width)
            if h - height < 2 or w - width < 2:
                continue
            y, x = random.randint(0, h - height), random.randint(0, w - width)
            borders = (y, h - y - height, x, w - x - width)
            made = label.copy()
            made[:, [1, 3]] = (label[:, [1, 3]] * width + x) / w
            made[:, [2, 4]] = (label[:, [2, 4]] * height + y) / h
            return copyMakeBorder(src, *borders, values=self.pad_val), made
        return src, label

    def _size(self, height: int, width: int) -> tuple[int, int]:
        ratio = random.uniform(*self.aspect_ratio_range)
        least, most = (area * height * width for area in self.area_range)
        tallest = int(round(math.sqrt(most / ratio)))
        h = int(round(math.sqrt(least / ratio)))
        if round(h * ratio) < width:
            h = int((width + 0.499999) / ratio)
        h = min(max(h, height), tallest)
        if h < tallest:
            h = random.randint(h, tallest)
        return int(round(h * ratio)), h


def CreateMultiRandCropAugmenter(
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """A choice among several `DetRandomCropAug`: each argument may be a list with one for each.

    >>> aug = mx.image.CreateMultiRandCropAugmenter(min_object_covered=[0.1, 0.5, 0.9])
    >>> len(aug.aug_list)
    3
    """
    arguments = {
        "min_object_covered": min_object_covered,
        "aspect_ratio_range": aspect_ratio_range,
        "area_range": area_range,
        "min_eject_coverage": min_eject_coverage,
        "max_attempts": max_attempts,
    }
    lists = {k: v if isinstance(v, list) else [v] for k, v in arguments.items()}
    count = max(map(len, lists.values()))
    for name, values in lists.items():
        if len(values) not in (1, count):
            raise ValueError(
                f"CreateMultiRandCropAugmenter: {name} has {len(values)} values, others {count}"
            )
    crops = [
        DetRandomCropAug(**{k: v[i if len(v) > 1 else 0] for k, v in lists.items()})
        for i in range(count)
    ]
    return DetRandomSelectAug(crops, skip_prob)


def CreateDetAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: tuple[float, float] = (0.05, 3.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: int = 50,
    pad_val: Any = (127, 127, 127),
) -> list[DetAugmenter]:
    """The usual augmenters of detection, in the usual order.

    ``data_shape`` is (channels, height, width), to which images are stretched at last; ``resize``
    first resizes the shorter side, unless 0. ``rand_crop``, ``rand_pad`` and ``rand_gray`` are the
    probabilities of a random part, a larger image, and grey; ``area_range`` the least area of a
    part and the greatest of a larger image. The other arguments are those of `CreateAugmenter`,
    `DetRandomCropAug` and `DetRandomPadAug`.

    >>> [type(a).__name__ for a in mx.image.CreateDetAugmenter((3, 8, 8), rand_mirror=True)]
    ['DetHorizontalFlipAug', 'DetBorrowAug', 'DetBorrowAug']
    """
    chosen: list[DetAugmenter] = []

    def borrow(make: Callable[..., Augmenter], *args: Any) -> None:
        chosen.append(DetBorrowAug(make(*args)))

    if resize > 0:
        borrow(ResizeAug, resize, inter_method)
    if rand_crop > 0:
        chosen.append(
            CreateMultiRandCropAugmenter(
                min_object_covered,
                aspect_ratio_range,
                area_range,
                min_eject_coverage,
                max_attempts,
                skip_prob=1 - rand_crop,
            )
        )
    if rand_mirror:
        chosen.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        larger = (1.0, area_range[1])
        pad = DetRandomPadAug(aspect_ratio_range, larger, max_attempts, pad_val)
        chosen.append(DetRandomSelectAug([pad], 1 - rand_pad))
    borrow(ForceResizeAug, (data_shape[2], data_shape[1]), inter_method)
    borrow(CastAug)
    colours = colour_augmenters(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    chosen += map(DetBorrowAug, colours)
    mean, std = statistics(mean, MEAN, "mean"), statistics(std, STD, "std")
    if mean is not None or std is not None:
        borrow(ColorNormalizeAug, mean, std)
    return chosen
