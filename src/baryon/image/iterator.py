"""`ImageIter`: batches of images from record files, lists of files, or both."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..base import MXNetError
from ..io.base import DataBatch, DataDesc, DataIter
from ..ndarray import NDArray
from ..recordio import MXIndexedRecordIO, MXRecordIO, unpack
from ..util import in_mode
from .augmenters import Augmenter, CreateAugmenter
from .geometry import imdecode

_ENDINGS = ("pad", "discard", "roll_over")
_LABEL_DTYPES = ("float32", "float64", "int32", "int64")

Entry = tuple[NDArray, str]
"""A label and the path of its image."""


class ImageIter(DataIter):
    """Batches of images (n, channels, height, width), decoded and augmented as they are read.

    Parameters
    ----------
    data_shape : (3, height, width) of an image after augmentation.
    label_width : labels an image.
    path_imgrec, path_imgidx : a record file, and its index; the index allows to shuffle and part.
    path_imglist : a file of lines ``key TAB label... TAB path``, paths relative to ``path_root``;
        beside a record file with an index, labels by key.
    imglist : the same as a list of ``[label..., path]``.
    shuffle : shuffle at each reset (Python's `random`).
    num_parts, part_index : take one of equal parts.
    aug_list : augmenters; by default those of `CreateAugmenter`, which gets ``kwargs``.
    dtype : of the listed labels.
    last_batch_handle : what becomes of an incomplete last batch. ``"pad"``: filled from the
        beginning, ``pad`` tells how many; ``"discard"``: left out; ``"roll_over"``: its images
        begin the next epoch.

    >>> images = mx.image.ImageIter(
    ...     32, (3, 224, 224), path_imgrec="train.rec", path_imgidx="train.idx", shuffle=True,
    ...     resize=256, rand_crop=True, rand_mirror=True)  # doctest: +SKIP
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        label_width: int = 1,
        path_imgrec: str | os.PathLike | None = None,
        path_imglist: str | os.PathLike | None = None,
        path_root: str | os.PathLike | None = None,
        path_imgidx: str | os.PathLike | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[Augmenter] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size)
        if not (path_imgrec or path_imglist or isinstance(imglist, list)):
            raise ValueError("ImageIter needs path_imgrec, path_imglist or imglist")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if dtype not in _LABEL_DTYPES:
            raise ValueError(f"dtype of labels must be one of {_LABEL_DTYPES}, got {dtype!r}")
        if last_batch_handle not in _ENDINGS:
            raise ValueError(
                f"last_batch_handle must be one of {_ENDINGS}, got {last_batch_handle!r}"
            )
        self.check_data_shape(data_shape)
        self.data_shape = tuple(data_shape)
        self.label_width = label_width
        self.path_root = path_root
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.imgrec, self.imgidx = _open(path_imgrec, path_imgidx)
        self.imglist: dict[Any, Entry] | None = None
        if path_imglist:
            self.imglist = dict(_read_list(path_imglist, dtype))
        elif isinstance(imglist, list):
            self.imglist = dict(_listed(imglist, dtype))
        self.seq = self._sequence(num_parts, part_index)
        self.num_image = None if self.seq is None else len(self.seq)
        self.auglist = CreateAugmenter(data_shape, **kwargs) if aug_list is None else aug_list
        if aug_list is not None and kwargs:
            raise TypeError(f"ImageIter: arguments {sorted(kwargs)} have no effect with aug_list")
        labels = (batch_size, label_width) if label_width > 1 else (batch_size,)
        self.provide_data = [DataDesc(data_name, (batch_size, *self.data_shape))]
        self.provide_label = [DataDesc(label_name, labels)]
        self.cur = 0
        self._kept: list[tuple[np.ndarray, Any]] = []  # images that roll over
        self._ended = False
        self.reset()

    def _sequence(self, num_parts: int, part_index: int) -> list | None:
        """The keys to read, in order; None for whatever comes in the record file."""
        if self.imgrec is None:
            seq = list(self.imglist)
        elif self.imgidx is not None:
            seq = list(self.imgidx)
        elif self.shuffle or num_parts > 1 or self.imglist is not None:
            raise ValueError(
                "ImageIter: with path_imgrec, shuffle, num_parts and labels by key need path_imgidx"
            )
        else:
            return None
        if not 0 <= part_index < num_parts:
            raise ValueError(f"part_index {part_index} is outside the {num_parts} parts")
        size = len(seq) // num_parts
        return seq if num_parts == 1 else seq[part_index * size : (part_index + 1) * size]

    # ---- samples ---------------------------------------------------------------------------------

    def _restart(self) -> None:
        if self.imgrec is not None:
            self.imgrec.reset()
        self.cur = 0

    def reset(self) -> None:
        """Begin an epoch, first with what rolled over from the last one."""
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        self._restart()
        self._ended = False

    def hard_reset(self) -> None:
        """Begin again and forget images that would roll over."""
        self._kept = []
        self.reset()

    def next_sample(self) -> tuple[Any, bytes]:
        """The next label and compressed image; StopIteration at the end."""
        if self.seq is None:
            record = self.imgrec.read()
            if record is None:
                raise StopIteration
            header, content = unpack(record)
            return header.label, content
        if self.cur >= len(self.seq):
            raise StopIteration
        key = self.seq[self.cur]
        self.cur += 1
        if self.imgrec is None:
            label, path = self.imglist[key]
            return label, self.read_image(path)
        header, content = unpack(self.imgrec.read_idx(key))
        if self.imglist is None:
            return header.label, content
        if key not in self.imglist:
            raise MXNetError(f"ImageIter: no label for key {key} in the image list")
        return self.imglist[key][0], content

    def _sample(self, label: Any, content: bytes) -> tuple[np.ndarray, Any] | None:
        """A sample of a batch; None where it is to be left out."""
        image = self.imdecode(content)
        self.check_valid_image([image])
        return self._finished(self.augmentation_transform(image)), _numbers(label)

    def _finished(self, image: NDArray) -> np.ndarray:
        made = self.postprocess_data(image).asnumpy()
        if made.shape != self.data_shape:
            raise MXNetError(
                f"{type(self).__name__}: after augmentation an image has shape {made.shape}, "
                f"data_shape is {self.data_shape}"
            )
        return made

    def _samples(self) -> Iterator[tuple[np.ndarray, Any]]:
        while True:
            try:
                label, content = self.next_sample()
            except StopIteration:
                return
            sample = self._sample(label, content)
            if sample is not None:
                yield sample

    # ---- batches ---------------------------------------------------------------------------------

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end."""
        if self._ended:
            raise StopIteration
        samples, self._kept = self._kept, []
        pad = (self.batch_size - len(samples)) % self.batch_size if samples else 0
        for sample in self._samples():
            samples.append(sample)
            if len(samples) == self.batch_size:
                return self._batch(samples, pad)
        self._ended = True
        if self.last_batch_handle == "roll_over":
            self._kept = samples
        if not samples or self.last_batch_handle != "pad":
            raise StopIteration
        return self._batch(*self._padded(samples))

    def _padded(self, samples: list) -> tuple[list, int]:
        """Samples filled up from the beginning, and how many were missing."""
        pad = self.batch_size - len(samples)
        while len(samples) < self.batch_size:
            self._restart()
            before = len(samples)
            for sample in self._samples():
                samples.append(sample)
                if len(samples) == self.batch_size:
                    break
            if len(samples) == before:
                raise MXNetError(f"{type(self).__name__}: no valid image to fill a batch with")
        return samples, pad

    def _batch(self, samples: list[tuple[np.ndarray, Any]], pad: int) -> DataBatch:
        images = np.stack([image for image, _ in samples]).astype(np.float32, copy=False)
        labels = self._labels([label for _, label in samples])
        return DataBatch([in_mode(nd.array(images))], [in_mode(nd.array(labels))], pad)

    def _labels(self, labels: list[np.ndarray]) -> np.ndarray:
        for label in labels:
            if label.size != self.label_width:
                raise ValueError(
                    f"ImageIter: an image has {label.size} labels, label_width is "
                    f"{self.label_width}"
                )
        return np.stack(labels).reshape(self.provide_label[0].shape)

    # ---- what subclasses may change --------------------------------------------------------------

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """ValueError unless images can have that shape."""
        if len(data_shape) != 3:
            raise ValueError(
                f"data_shape should have length 3, with dimensions CxHxW, got {data_shape}"
            )
        if data_shape[0] != 3:
            raise ValueError(
                f"This iterator expects inputs to have 3 channels, got {data_shape[0]}."
            )

    def check_valid_image(self, data: Sequence[NDArray]) -> None:
        """RuntimeError where the first of ``data`` is no image."""
        if len(data[0].shape) == 0 or data[0].size == 0:
            raise RuntimeError("Data shape is wrong")

    def imdecode(self, s: bytes) -> NDArray:
        """The image in bytes; MXNetError, naming the file if there is one, where it is none."""
        try:
            return imdecode(s)
        except MXNetError as error:
            name = f"key {self.seq[self.cur - 1]}" if self.seq is not None else "a record"
            if self.seq is not None and self.imglist is not None:
                name = self.imglist[self.seq[self.cur - 1]][1]
            raise MXNetError(f"Broken image filename: {name}, {error}") from error

    def read_image(self, fname: str) -> bytes:
        """The content of an image file below ``path_root``."""
        with open(os.path.join(self.path_root or "", fname), "rb") as file:
            return file.read()

    def augmentation_transform(self, data: NDArray) -> NDArray:
        """An image after all augmenters."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """An image (h, w, c) as a batch holds it, (c, h, w)."""
        return nd.transpose(datum, axes=(2, 0, 1))


def _open(
    record: str | os.PathLike | None, index: str | os.PathLike | None
) -> tuple[MXRecordIO | None, list | None]:
    """A record file and its keys."""
    if not record:
        return None, None
    logging.info("ImageIter: reads %s", record)
    if not index:
        return MXRecordIO(record, "r"), None
    opened = MXIndexedRecordIO(index, record, "r")
    return opened, list(opened.keys)


def _numbers(label: Any) -> np.ndarray:
    value = label.asnumpy() if isinstance(label, NDArray) else label
    return np.asarray(value, np.float32).reshape(-1)


def _read_list(path: str | os.PathLike, dtype: str) -> Iterator[tuple[int, Entry]]:
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\n").split("\t")
            try:
                key, label = int(fields[0]), np.array(fields[1:-1], dtype=np.float64)
            except ValueError:
                label = np.zeros(0)
            if len(fields) < 3 or not label.size:
                raise MXNetError(
                    f"{path}, line {number}: expected 'key TAB label... TAB path', got "
                    f"{line[:80]!r}"
                )
            yield key, (nd.array(label, dtype=dtype), fields[-1])


def _listed(entries: Sequence[Sequence[Any]], dtype: str) -> Iterator[tuple[str, Entry]]:
    for number, entry in enumerate(entries, 1):
        *label, path = entry
        if not label or not isinstance(path, str):
            raise ValueError(f"imglist: expected [label..., path], got {entry!r}")
        values = label[0] if len(label) == 1 else label
        yield str(number), (nd.array(_numbers(values), dtype=dtype), path)
