"""`ImageRecordIter` and its kin: packed images for classification."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import MXNetError
from ..pixels import swapped
from .augment import Augmentation
from .fields import build, signature
from .normalize import Normalization, mean_image
from .record_iter import Reading, RecordIter


@dataclass(frozen=True)
class _Labels:
    label_width: int = 1

    def __post_init__(self) -> None:
        if self.label_width < 1:
            raise ValueError(f"label_width must be at least 1, got {self.label_width}")


_SETTINGS = (Reading, _Labels, Normalization, Augmentation)


class ImageRecordIter(RecordIter):
    """Batches of packed images (see `recordio.pack_img`), decoded and augmented by threads.

    The arguments are MXNet's; ``path_imgrec``, ``data_shape`` and ``batch_size`` are required.

    - Records: ``path_imgrec`` (a file, several with ``;`` between, or a folder), ``path_imgidx``
      (its index, without which the file is scanned once), ``path_imglist`` (labels by id in place
      of the packed ones), ``label_width``; ``num_parts`` and ``part_index`` (one of equal parts).
    - Batches: ``shuffle`` (all images of the part, whatever ``shuffle_chunk_size``) by ``seed`` and
      ``shuffle_chunk_seed``; ``round_batch`` (fill the last batch from the beginning, where the
      next epoch then does not begin; else its rest is 0); ``data_name``, ``label_name``, ``dtype``
      ("float32", "uint8" or "int8").
    - Work: ``preprocess_threads``, ``prefetch_buffer`` (batches ahead), ``device_id`` (-1: batches
      lie in ordinary memory even where there is a GPU), ``ctx``, ``verbose``.
    - Images: ``resize`` (shorter side), ``rand_crop``, ``random_resized_crop``, and the other
      fields of ``baryon.io.augment.Augmentation``; ``mirror``, ``rand_mirror``; ``seed_aug``.
    - Values: ``mean_r`` to ``mean_a``, ``std_r`` to ``std_a``, ``scale``, ``mean_img`` (a file,
      made from all images where it is missing), ``max_random_contrast``,
      ``max_random_illumination``: ``(x - mean) / std * scale``. Bytes stay bytes: "uint8" data
      have none of these, "int8" data only a mean.

    Other arguments are ignored with a warning; MXNetError for files that cannot be read, naming
    the image.

    >>> batches = mx.io.ImageRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=64, shuffle=True,
    ...     resize=256, rand_crop=True, rand_mirror=True)  # doctest: +SKIP
    """

    to_rgb = False
    __signature__ = signature(*_SETTINGS)

    def __init__(self, **kwargs: Any) -> None:
        reading, labels, self._values, self._augmentation = build(
            type(self).__name__, kwargs, *_SETTINGS
        )
        super().__init__(reading)
        self.dtype = _dtype(self._name, type(self).dtype, reading.dtype)
        for unused in self._values.unused(self.dtype):
            warnings.warn(f"{self._name}: {unused} has no effect on {self.dtype}", stacklevel=2)
        self._width = labels.label_width
        self._mean = self._values.means(reading.data_shape[0])
        if self._values.mean_img:
            images = self._images(self._augmented)
            self._mean = mean_image(self._values.mean_img, reading.data_shape, images)
        self._begin((self._width,) if self._width > 1 else ())

    def _augmented(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # Swapping the channels of what is cropped, and not of all, is nearly free.
        pixels = self._augmentation.shape(pixels, self._reading.data_shape[1:], rng)
        return self._augmentation.colour(swapped(pixels), rng)

    def _put(
        self,
        data: np.ndarray,
        row: np.ndarray,
        pixels: np.ndarray,
        label: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        if label.size != self._width:
            raise MXNetError(f"it has {label.size} labels, label_width is {self._width}")
        row.reshape(-1)[:] = label
        self._values.write(self._augmented(pixels, rng), data, self._mean, rng)


class ImageRecordUInt8Iter(ImageRecordIter):
    """`ImageRecordIter` with data of dtype uint8."""

    dtype = "uint8"


class ImageRecordInt8Iter(ImageRecordIter):
    """`ImageRecordIter` with data of dtype int8; give means of about 128."""

    dtype = "int8"


ImageRecordIter_v1 = ImageRecordIter
ImageRecordUInt8Iter_v1 = ImageRecordUInt8Iter


def _dtype(name: str, own: str, wanted: str | None) -> str:
    """The dtype of an iterator that has its own, where another may be wanted."""
    allowed = ("float32", "uint8", "int8") if own == "float32" else (own,)
    if wanted is None:
        return own
    if wanted not in allowed:
        raise MXNetError(f"{name}: dtype must be one of {allowed}, got {wanted!r}")
    return wanted
