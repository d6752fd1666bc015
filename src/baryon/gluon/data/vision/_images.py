"""Datasets of image files and of packed images, read when asked for."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ....base import MXNetError
from ....image import imdecode, imread
from ....recordio import unpack
from ..dataset import Dataset, RecordFileDataset

Transform = Callable[[Any, Any], Any]


class ImageRecordDataset(RecordFileDataset):
    """Packed images of a record file and its index: pairs of an image (h, w, c) and a label.

    A label is a number, or a NumPy array where several are packed.

    Parameters
    ----------
    filename : the record file; its index has the same name and the ending ``.idx``.
    flag : 1 for colour, 0 for grey.
    transform : called with (image, label) at each access.

    >>> data = mx.gluon.data.vision.ImageRecordDataset("train.rec")  # doctest: +SKIP
    """

    def __init__(
        self, filename: str | os.PathLike, flag: int = 1, transform: Transform | None = None
    ) -> None:
        super().__init__(filename)
        self._flag = flag
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        record = super().__getitem__(idx)
        try:
            header, content = unpack(record)
            image = imdecode(content, self._flag)
        except MXNetError as error:
            raise MXNetError(f"{self.filename}, record {idx}: {error}") from error
        if self._transform is None:
            return image, header.label
        return self._transform(image, header.label)


class _ImageFiles(Dataset):
    """Image files and their labels, in ``items``."""

    def __init__(self, flag: int, transform: Transform | None) -> None:
        self._flag = flag
        self._transform = transform
        self.items: list[tuple[str, Any]] = []

    def __getitem__(self, idx: int) -> Any:
        path, label = self.items[idx]
        image = imread(path, self._flag)
        return (image, label) if self._transform is None else self._transform(image, label)

    def __len__(self) -> int:
        return len(self.items)


class ImageFolderDataset(_ImageFiles):
    """Images in a folder for each class, such as ``root/cat/1.jpg``.

    ``synsets`` has the names of the folders, in whose order labels count; ``items`` pairs of a path
    and a label. Files other than .jpg, .jpeg and .png are left out with a warning.

    Parameters
    ----------
    root : the folder of folders.    flag : 1 for colour, 0 for grey.
    transform : called with (image, label) at each access.

    >>> data = mx.gluon.data.vision.ImageFolderDataset("photos")  # doctest: +SKIP
    """

    def __init__(
        self, root: str | os.PathLike, flag: int = 1, transform: Transform | None = None
    ) -> None:
        super().__init__(flag, transform)
        self._root = os.path.expanduser(os.fspath(root))
        self._exts = [".jpg", ".jpeg", ".png"]
        self.synsets: list[str] = []
        self._list_images(self._root)

    def _list_images(self, root: str) -> None:
        """Fill ``synsets`` and ``items``; subclasses may find images in another way."""
        for name in sorted(os.listdir(root)):
            folder = os.path.join(root, name)
            if not os.path.isdir(folder):
                _left_out(folder)
                continue
            label = len(self.synsets)
            self.synsets.append(name)
            for file in sorted(os.listdir(folder)):
                path = os.path.join(folder, file)
                if os.path.splitext(file)[1].lower() in self._exts:
                    self.items.append((path, label))
                else:
                    _left_out(path)


def _left_out(path: str) -> None:
    warnings.warn(f"ImageFolderDataset: {path} is left out: no image and no folder", stacklevel=4)


class ImageListDataset(_ImageFiles):
    """Images named in a list, or in a file of lines ``index TAB label... TAB path``.

    Parameters
    ----------
    root : folder of the paths.
    imglist : the file, or a list of ``[label..., path]``.
    flag : 1 for colour, 0 for grey.    transform : called with (image, label) at each access.

    >>> data = mx.gluon.data.vision.ImageListDataset("photos", [[0, "a.jpg"]])  # doctest: +SKIP
    """

    def __init__(
        self,
        root: str | os.PathLike = ".",
        imglist: str | os.PathLike | Iterable[Sequence[Any]] | None = None,
        flag: int = 1,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(flag, transform)
        if imglist is None:
            raise ValueError("ImageListDataset needs imglist, a file or a list")
        if isinstance(imglist, str | os.PathLike):
            with open(os.path.join(root, imglist)) as lines:
                imglist = [line.rstrip("\n").split("\t")[1:] for line in lines]
        for entry in imglist:
            *labels, path = entry
            try:
                values = np.array(labels, np.float32).reshape(-1)
            except ValueError:
                values = np.zeros(0)
            if not values.size:
                raise MXNetError(f"ImageListDataset: expected [label..., path], got {entry!r}")
            label = values[0] if values.size == 1 else values
            self.items.append((os.path.join(os.path.expanduser(root), path), label))
