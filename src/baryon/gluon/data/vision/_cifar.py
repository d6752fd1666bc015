"""CIFAR-10 and CIFAR-100 in their binary format."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .... import ndarray as nd
from ....base import MXNetError
from ....util import in_mode
from ..dataset import _LabelledDataset
from ._home import home

_PIXELS = 3 * 32 * 32


class CIFAR10(_LabelledDataset):
    """Photographs in 10 classes: pairs of an image, uint8 NDArray (32, 32, 3), and a label, int32.

    Read from the binary files of CIFAR-10 (``data_batch_1.bin`` to ``5``, ``test_batch.bin``) in
    ``root`` or its folder ``cifar-10-batches-bin``, or from ``cifar-10-binary.tar.gz`` there.

    Parameters
    ----------
    root : folder of the files, by default ``$MXNET_HOME/datasets/cifar10``; MXNetError if they are
        not there (nothing is downloaded).
    train : the training images, else the test images.
    transform : called with (image, label) at each access.

    >>> image, label = mx.gluon.data.vision.CIFAR10("cifar10")[0]  # doctest: +SKIP
    """

    _folder, _inside, _archive = "cifar10", "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
    _train_files = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
    _test_files = ("test_batch.bin",)
    _label_bytes, _label_at = 1, 0

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        train: bool = True,
        transform: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(transform)
        self._train = train
        folder = (home() / self._folder) if root is None else Path(root).expanduser()
        names = self._train_files if train else self._test_files
        rows = np.concatenate([self._rows(folder, name) for name in names])
        pixels = rows[:, self._label_bytes :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self._data = in_mode(nd.array(pixels, dtype="uint8"))
        self._label = rows[:, self._label_at].astype(np.int32)

    def _rows(self, folder: Path, name: str) -> np.ndarray:
        """The samples of a file, a row each."""
        values = np.frombuffer(self._content(folder, name), np.uint8)
        width = self._label_bytes + _PIXELS
        if not values.size or values.size % width:
            raise MXNetError(
                f"{type(self).__name__}: {name} in {folder} has {values.size} bytes, expected a "
                f"multiple of {width}"
            )
        return values.reshape(-1, width)

    def _content(self, folder: Path, name: str) -> bytes:
        for path in (folder / name, folder / self._inside / name):
            if path.is_file():
                return path.read_bytes()
        archive = folder / self._archive
        if archive.is_file():
            try:
                with tarfile.open(archive) as tar:
                    member = tar.extractfile(f"{self._inside}/{name}")
                    if member is not None:
                        return member.read()
            except (tarfile.TarError, KeyError, EOFError, OSError) as error:
                raise MXNetError(f"{type(self).__name__}: {archive}: {error}") from error
        raise MXNetError(
            f"{type(self).__name__}: no {name} and no {self._archive} in {folder}; "
            "put the files of the dataset there"
        )


class CIFAR100(CIFAR10):
    """Photographs in 100 classes, or in the 20 groups of these, in the form of `CIFAR10`.

    Read from ``train.bin`` and ``test.bin``, the folder ``cifar-100-binary`` or
    ``cifar-100-binary.tar.gz``; ``root`` is by default ``$MXNET_HOME/datasets/cifar100``.

    Parameters
    ----------
    root, train, transform : as `CIFAR10` has them.
    fine_label : the label is one of the 100 classes, else one of the 20 groups.
    """

    _folder, _inside, _archive = "cifar100", "cifar-100-binary", "cifar-100-binary.tar.gz"
    _train_files, _test_files = ("train.bin",), ("test.bin",)
    _label_bytes = 2

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        fine_label: bool = False,
        train: bool = True,
        transform: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._label_at = int(fine_label)
        super().__init__(root, train, transform)
