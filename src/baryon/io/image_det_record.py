"""`ImageDetRecordIter`: packed images with objects in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..base import MXNetError
from .det_augment import DetAugmentation
from .fields import build, signature
from .normalize import Normalization, mean_image
from .prefetch import Batch
from .record_iter import Reading, RecordIter

_HEAD = 4  # what comes before an image's own label: channels, height, width, length of the label


@dataclass(frozen=True)
class _Labels:
    label_width: int = -1
    label_pad_width: int = 0
    label_pad_value: float = -1.0


@dataclass(frozen=True)
class _Values:
    mean_img: str = ""
    mean_r: float = 0.0
    mean_g: float = 0.0
    mean_b: float = 0.0
    mean_a: float = 0.0
    std_r: float = 0.0
    std_g: float = 0.0
    std_b: float = 0.0
    std_a: float = 0.0
    scale: float = 1.0


_SETTINGS = (Reading, _Labels, _Values, DetAugmentation)


class ImageDetRecordIter(RecordIter):
    """Batches of packed images with objects, decoded and augmented by threads.

    A packed label is flat: the length of its head (2 or more), the numbers an object (5 or more),
    the rest of the head, then the objects: class, left, top, right, bottom (shares of the image)
    and whatever more. A batch's label (n, 4 + width) holds channels, height and width of the image
    in the batch, the length of its label, the label, and ``label_pad_value``.

    The arguments are MXNet's: those of `ImageRecordIter` that read, batch and normalise;
    ``label_width`` (what all labels must have; -1: any), ``label_pad_width`` (0 or -1: the longest
    label's), ``label_pad_value``; ``resize_mode`` ("force" to the data's shape, or in proportion:
    "fit", or "shrink" those that are larger; the rest of the data is then 0); and the other fields
    of ``baryon.io.det_augment.DetAugmentation``.

    >>> batches = mx.io.ImageDetRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 300, 300), batch_size=32, shuffle=True,
    ...     rand_mirror_prob=0.5, rand_crop_prob=0.5, min_crop_scales=0.3)  # doctest: +SKIP
    """

    augmenters = "det_aug_default"

    __signature__ = signature(*_SETTINGS)

    def __init__(self, **kwargs: Any) -> None:
        reading, self._labels, values, self._augmentation = build(
            type(self).__name__, kwargs, *_SETTINGS
        )
        super().__init__(reading)
        if reading.dtype not in (None, "float32"):
            raise MXNetError(f"{self._name}: dtype must be 'float32', got {reading.dtype!r}")
        self._values = Normalization(**vars(values))
        self._mean = self._values.means(reading.data_shape[0])
        if values.mean_img:
            self._mean = self._mean_image(values.mean_img)
        self._begin((_HEAD + self._label_width(),))

    def _mean_image(self, path: str) -> np.ndarray:
        whole = replace(self._augmentation, resize_mode="force")
        nothing = np.zeros((0, 5), np.float32)
        shape = self._reading.data_shape
        images = self._images(lambda p, rng: whole.apply(p, nothing, shape[1:], rng)[0])
        return mean_image(path, shape, images)

    def _label_width(self) -> int:
        """The length of the longest label, or the length wanted."""
        longest = 0
        for sample in range(len(self._source)):
            number, label, _ = self._source.read(sample)
            if self._labels.label_width not in (-1, label.size):
                raise MXNetError(
                    f"{self._name}: image with id {number}: it has {label.size} labels, "
                    f"label_width is {self._labels.label_width}"
                )
            self._objects(label, number)
            longest = max(longest, label.size)
        wanted = self._labels.label_pad_width
        if 0 < wanted < longest:
            raise MXNetError(
                f"{self._name}: label_pad_width {wanted} is smaller than a label of {longest}"
            )
        return max(wanted, longest)

    def _objects(self, label: np.ndarray, number: int | None = None) -> np.ndarray:
        """The objects (n, numbers an object) of a flat label."""
        head, width = (int(label[0]), int(label[1])) if label.size > 2 else (0, 0)
        if head < 2 or width < 5 or label.size < head or (label.size - head) % width:
            of = "" if number is None else f"image with id {number}: "
            raise MXNetError(
                f"{self._name}: {of}not a label of objects: {label[:8].tolist()} "
                f"({label.size} numbers)"
            )
        return label[head:].reshape(-1, width)

    def _new(self) -> Batch:
        batch = super()._new()
        batch[1][:] = self._labels.label_pad_value
        return batch

    def _put(
        self,
        data: np.ndarray,
        row: np.ndarray,
        pixels: np.ndarray,
        label: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        size = self._reading.data_shape[1:]
        pixels, objects = self._augmentation.apply(pixels, self._objects(label), size, rng)
        height, width = pixels.shape[:2]
        mean = self._mean[:, :height, :width]
        self._values.write(pixels, data[:, :height, :width], mean, rng)
        head = label[: int(label[0])]
        flat = np.concatenate([head, objects.reshape(-1)])
        row[0, :_HEAD] = (len(data), height, width, flat.size)
        row[0, _HEAD : _HEAD + flat.size] = flat
