"""Image datasets read from files (``mxnet.gluon.data.vision``)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .... import ndarray as nd
from ....base import MXNetError
from ....io.idx import EMBEDDED_MNIST, read_digits
from ....util import in_mode
from ...utils import check_sha1, download  # noqa: F401  (programs find them here)
from ..dataset import _LabelledDataset
from ._cifar import CIFAR10, CIFAR100
from ._home import home
from ._images import ImageFolderDataset, ImageListDataset, ImageRecordDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "FashionMNIST",
    "ImageFolderDataset",
    "ImageListDataset",
    "ImageRecordDataset",
]


class MNIST(_LabelledDataset):
    """Handwritten digits: pairs of an image, uint8 NDArray (28, 28, 1), and a label, int32.

    Read from the four IDX files of MNIST in ``root``, gzipped or not. Without ``root`` they are
    sought in ``$MXNET_HOME/datasets/mnist`` (default ``~/.mxnet``); if that folder has none, the
    images that travel with baryon are taken: 4,000 to train on, 1,000 to test on.

    Parameters
    ----------
    root : folder of the files; MXNetError if they are not there (nothing is downloaded).
    train : the training images, else the test images.
    transform : called with (image, label) at each access.

    >>> image, label = mx.gluon.data.vision.MNIST(mx.io.EMBEDDED_MNIST, train=False)[0]
    >>> image.shape, int(label)
    ((28, 28, 1), 6)
    """

    _folder = "mnist"
    _embedded: Path | None = EMBEDDED_MNIST

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        train: bool = True,
        transform: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(transform)
        self._train = train
        stem = "train" if train else "t10k"
        names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        images, labels = read_digits(*self._files(root, names))
        self._data = in_mode(nd.array(images[..., None], dtype="uint8"))
        self._label = labels.astype(np.int32)

    @classmethod
    def _files(cls, root: str | os.PathLike | None, names: tuple[str, str]) -> list[Path]:
        folder = Path(root if root is not None else home() / cls._folder)
        for place in (folder.expanduser(), cls._embedded if root is None else None):
            found = [_present(place, name) for name in names] if place else [None]
            if all(found):
                return found
        raise MXNetError(
            f"{cls.__name__}: no {names[0]} and {names[1]} (or their .gz) in {folder}; "
            "put the files of the dataset there"
        )


class FashionMNIST(MNIST):
    """Pictures of clothes in the format of MNIST (Xiao, Rasul and Vollgraf 2017).

    ``root`` defaults to ``$MXNET_HOME/datasets/fashion-mnist``; no images travel with baryon.
    """

    _folder = "fashion-mnist"
    _embedded = None


def _present(folder: Path, name: str) -> Path | None:
    """The file of a name, or its gzipped form."""
    return next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
