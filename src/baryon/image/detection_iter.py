"""`ImageDetIter`: batches of images with the objects in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from ..io.base import DataDesc
from ..ndarray import NDArray
from ..pixels import draw_boxes, show
from ..pixels.colour import MEAN, STD
from .augmenters import statistics
from .detection_augmenters import CreateDetAugmenter, DetAugmenter
from .iterator import ImageIter, _numbers


class ImageDetIter(ImageIter):
    """Batches of images and labels (n, objects, 5 or more), filled up with -1.

    An image's label is flat: the length A of its head (2 or more), the length B of an object (5 or
    more), the rest of the head, then B numbers an object: class, left, top, right, bottom (shares
    of width and height), and whatever more. The arguments are those of `ImageIter`; ``kwargs`` go
    to `CreateDetAugmenter`. All labels are read once, to learn how many objects there are at most.

    >>> images = mx.image.ImageDetIter(
    ...     8, (3, 300, 300), path_imgrec="train.rec", path_imgidx="train.idx", shuffle=True,
    ...     rand_crop=0.5, rand_pad=0.5, rand_mirror=True)  # doctest: +SKIP
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        path_imgrec: str | os.PathLike | None = None,
        path_imglist: str | os.PathLike | None = None,
        path_root: str | os.PathLike | None = None,
        path_imgidx: str | os.PathLike | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[DetAugmenter] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "label",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        if aug_list is None:
            aug_list = CreateDetAugmenter(data_shape, **kwargs)
        elif kwargs:
            raise TypeError(f"ImageDetIter: {sorted(kwargs)} have no effect with aug_list")
        super().__init__(
            batch_size,
            data_shape,
            path_imgrec=path_imgrec,
            path_imglist=path_imglist,
            path_root=path_root,
            path_imgidx=path_imgidx,
            shuffle=shuffle,
            part_index=part_index,
            num_parts=num_parts,
            aug_list=aug_list,
            imglist=imglist,
            data_name=data_name,
            label_name=label_name,
            last_batch_handle=last_batch_handle,
        )
        self.label_shape = self._estimate_label_shape()
        self._describe()

    def _describe(self) -> None:
        data, label = self.provide_data[0].name, self.provide_label[0].name
        self.provide_data = [DataDesc(data, (self.batch_size, *self.data_shape))]
        self.provide_label = [DataDesc(label, (self.batch_size, *self.label_shape))]

    def _estimate_label_shape(self) -> tuple[int, int]:
        """The most objects of an image, and numbers an object."""
        most, width = 0, 5
        while True:
            try:
                label, _ = self.next_sample()
            except StopIteration:
                break
            objects = self._parse_label(label)
            most, width = max(most, len(objects)), max(width, objects.shape[1])
        self.reset()
        return most, width

    def _parse_label(self, label: Any) -> np.ndarray:
        """The valid objects (n, numbers an object) of a flat label; MXNetError for other labels."""
        raw = _numbers(label)
        if raw.size < 7:
            raise MXNetError(f"Label shape is invalid: {raw.shape}")
        head, width = int(raw[0]), int(raw[1])
        if head < 2 or width < 5 or (raw.size - head) % width:
            raise MXNetError(
                f"Label shape {raw.shape} inconsistent with annotation width {width} "
                f"after a head of {head}"
            )
        objects = raw[head:].reshape(-1, width)
        valid = (objects[:, 3] > objects[:, 1]) & (objects[:, 4] > objects[:, 2])
        if not valid.any():
            raise MXNetError("Encounter sample with no valid label.")
        return objects[valid]

    def _check_valid_label(self, label: np.ndarray) -> None:
        """MXNetError unless there is an object with a class and a rectangle."""
        if label.ndim != 2 or label.shape[1] < 5:
            raise MXNetError(f"Label with shape (1+, 5+) required, {label.shape} received.")
        valid = (label[:, 0] >= 0) & (label[:, 3] > label[:, 1]) & (label[:, 4] > label[:, 2])
        if not valid.any():
            raise MXNetError("Invalid label occurs.")

    def _sample(self, label: Any, content: bytes) -> tuple[np.ndarray, Any] | None:
        image = self.imdecode(content)
        self.check_valid_image([image])
        image, objects = self.augmentation_transform(image, self._parse_label(label))
        try:
            self._check_valid_label(objects)
        except MXNetError:  # augmentation may leave no object: such an image teaches nothing
            return None
        return self._finished(image), objects

    def _labels(self, labels: list[np.ndarray]) -> np.ndarray:
        made = np.full((len(labels), *self.label_shape), -1, np.float32)
        for row, objects in zip(made, labels, strict=True):
            if objects.shape[1] != row.shape[1]:
                raise MXNetError(
                    f"ImageDetIter: an image has {objects.shape[1]} numbers an object, others "
                    f"{row.shape[1]}"
                )
            count = min(len(objects), len(row))
            row[:count] = objects[:count]
        return made

    def augmentation_transform(  # type: ignore[override]
        self, data: NDArray, label: np.ndarray
    ) -> tuple[NDArray, np.ndarray]:
        """An image and its objects after all augmenters."""
        for augmenter in self.auglist:
            data, label = augmenter(data, label)
        return data, label

    def reshape(
        self,
        data_shape: Sequence[int] | None = None,
        label_shape: Sequence[int] | None = None,
    ) -> None:
        """Give images, or labels, another shape; augmenters stay as they are."""
        if data_shape is not None:
            self.check_data_shape(data_shape)
            self.data_shape = tuple(data_shape)
        if label_shape is not None:
            self.check_label_shape(label_shape)
            self.label_shape = tuple(label_shape)
        self._describe()

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """ValueError unless all labels fit into that shape."""
        if len(label_shape) != 2:
            raise ValueError(f"label_shape should have length 2, got {label_shape}")
        count, width = self.label_shape
        if label_shape[0] < count:
            raise ValueError(
                f"Attempts to reduce label count from {count} to {label_shape[0]}, not allowed."
            )
        if label_shape[1] != width:
            raise ValueError(f"label_shape object width inconsistent: {width} vs {label_shape[1]}.")

    def sync_label_shape(self, it: ImageDetIter, verbose: bool = False) -> ImageDetIter:
        """Give this iterator and another the same label shape; the other one."""
        if not isinstance(it, ImageDetIter):
            raise TypeError(f"Synchronize with invalid iterator {it!r}")
        (count, width), (other, its_width) = self.label_shape, it.label_shape
        if width != its_width:
            raise ValueError(f"object width inconsistent: {width} vs {its_width}")
        shape = (max(count, other), width)
        for each in (self, it):
            if shape != each.label_shape:
                each.reshape(label_shape=shape)
        if verbose and count != other:
            print(f"Resized label_shape to {shape}.")
        return it

    def draw_next(
        self,
        color: Sequence[int] | None = None,
        thickness: int = 2,
        mean: Any = None,
        std: Any = None,
        clip: bool = True,
        waitKey: int | None = None,
        window_name: str = "draw_next",
        id2labels: Mapping[int, str] | None = None,
    ) -> Iterator[np.ndarray]:
        """Augmented images, uint8 (h, w, 3), blue first, with their objects drawn in (by OpenCV).

        color : of the lines, blue first; by default drawn at random.
        mean, std : undo a normalisation; True for ImageNet's.    clip : to 0..255.
        waitKey : show each in a window for so many milliseconds.    id2labels : names to write.
        """
        mean, std = statistics(mean, MEAN, "mean"), statistics(std, STD, "std")
        while True:
            try:
                label, content = self.next_sample()
            except StopIteration:
                return
            image, objects = self.augmentation_transform(
                self.imdecode(content), self._parse_label(label)
            )
            shown = image.asnumpy().astype(np.float32)
            shown = shown * std.asnumpy() if std is not None else shown
            shown = shown + mean.asnumpy() if mean is not None else shown
            shown = np.clip(shown, 0, 255) if clip else shown
            drawn = np.ascontiguousarray(shown.astype(np.uint8)[:, :, ::-1])
            names = id2labels or {}
            boxes = [(*row[1:5], names.get(int(row[0]), "")) for row in objects]
            draw_boxes(drawn, boxes, color, thickness)
            if waitKey:
                show(drawn, window_name, waitKey)
            yield drawn
