"""Batches from files: the iterators that MXNet writes in C++, here over numpy."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..base import MXNetError
from ..dtypes import as_dtype
from ..ndarray import NDArray
from ..ops.csr import pick
from ..ops.stored import Csr
from .base import DataBatch, DataDesc, DataIter
from .fields import warn_of_unknown
from .idx import read_digits


class MXDataIter(DataIter):
    """Base of the file iterators, which MXNet writes in C++."""

    def debug_skip_load(self) -> None:
        """MXNet's switch for timing the rest of a program; every batch is loaded here."""
        logging.info("debug_skip_load has no effect")

    def next(self) -> Any:
        """The next batch; StopIteration at the end."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch([self.getdata()], [self.getlabel()], self.getpad(), self.getindex())


class _RowIter(MXDataIter):
    """Rows of arrays, batch by batch; subclasses give the rows of each batch."""

    def __init__(
        self,
        data: np.ndarray | Csr,
        label: np.ndarray | Csr,
        batch_size: int,
        data_name: str = "data",
        label_name: str = "softmax_label",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(batch_size)
        self._data = data
        self._label = label
        self._cursor = -batch_size
        self._rows = np.arange(0)
        self._pad = 0
        shapes = [(batch_size, *x.shape[1:]) for x in (data, label)]
        self.provide_data = [DataDesc(data_name, shapes[0], data.dtype.type)]
        self.provide_label = [DataDesc(label_name, shapes[1], label.dtype.type)]

    def reset(self) -> None:
        """Begin again."""
        self._cursor = -self.batch_size

    def getdata(self) -> NDArray:
        """The data of the current batch."""
        return _rows_of(self._data, self._rows)

    def getlabel(self) -> NDArray:
        """The labels of the current batch."""
        return _rows_of(self._label, self._rows)

    def getindex(self) -> np.ndarray:
        """The indices of the samples in the current batch."""
        return self._rows.astype("uint64")

    def getpad(self) -> int:
        """How many samples of the current batch are padding."""
        return self._pad


def _rows_of(data: np.ndarray | Csr, rows: np.ndarray) -> NDArray:
    if isinstance(data, Csr):
        return NDArray._wrap(pick(np, data, rows))
    return nd.array(data[rows], dtype=data.dtype)


class MNISTIter(_RowIter):
    """Batches of a pair of MNIST files (IDX, gzipped or not), values from 0 to 255/256.

    An incomplete last batch is left out. ``num_parts`` and ``part_index`` read one of equal parts.
    ``seed`` decides the shuffle, which is done once. ``prefetch_buffer`` and ``ctx`` have no effect
    on results.

    Parameters
    ----------
    image, label : the files; ``flat`` gives (n, 784) in place of (n, 1, 28, 28).
    dtype : of the data, default float32.

    >>> folder = mx.io.EMBEDDED_MNIST
    >>> image, label = folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"
    >>> next(mx.io.MNISTIter(image, label, batch_size=8, silent=True)).data[0].shape
    (8, 1, 28, 28)
    """

    def __init__(
        self,
        image: str | os.PathLike = "./train-images-idx3-ubyte",
        label: str | os.PathLike = "./train-labels-idx1-ubyte",
        batch_size: int = 128,
        shuffle: bool = True,
        flat: bool = False,
        seed: int = 0,
        silent: bool = False,
        num_parts: int = 1,
        part_index: int = 0,
        prefetch_buffer: int = 4,
        ctx: str = "cpu",
        dtype: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        **unknown: Any,
    ) -> None:
        warn_of_unknown("MNISTIter", unknown)
        if not 0 <= part_index < num_parts:
            raise ValueError(f"part_index {part_index} is outside the {num_parts} parts")
        pictures, digits = _digits(image, label)
        begin, end = (len(pictures) * i // num_parts for i in (part_index, part_index + 1))
        part, size = slice(begin, end), end - begin
        shape = (size, -1) if flat else (size, 1, *pictures.shape[1:])
        data = pictures[part].reshape(shape).astype("float32") / 256
        data = data.astype(as_dtype(dtype or "float32"), copy=False)
        super().__init__(data, digits[part].astype("float32"), batch_size, data_name, label_name)
        self._order = np.arange(size)
        if shuffle:
            np.random.RandomState(seed).shuffle(self._order)
        if not silent:
            logging.info("MNISTIter: load %d images, shuffle=%d", size, shuffle)

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        self._cursor += self.batch_size
        if self._cursor + self.batch_size > len(self._order):
            return False
        self._rows = self._order[self._cursor : self._cursor + self.batch_size]
        return True


def _digits(image: str | os.PathLike, label: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    try:
        return read_digits(image, label)
    except OSError as error:
        raise MXNetError(f"MNISTIter: cannot read {error.filename}: {error.strerror}") from error


class RoundIter(_RowIter):
    """Rows in order; with `round_batch` an incomplete last batch goes on at the beginning."""

    round_batch = True
    _begin = 0

    def reset(self) -> None:
        """Begin again."""
        self._cursor = self._begin - self.batch_size
        self._begin = 0

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        self._cursor += self.batch_size
        stop, size = self._cursor + self.batch_size, self._data.shape[0]
        if self._cursor >= size:
            return False
        self._pad = max(stop - size, 0)
        rows = np.arange(self._cursor, min(stop, size))
        if self._pad and self.round_batch:
            rows = np.concatenate([rows, np.arange(self._pad) % size])
            self._begin = self._pad % size
        elif self._pad:
            before = np.resize(self._rows if len(self._rows) else rows, self.batch_size)
            rows = np.concatenate([rows, before[len(rows) :]])
        self._rows = rows
        return True


class CSVIter(RoundIter):
    """Batches of the rows of a CSV file; each row is reshaped to ``data_shape``.

    Parameters
    ----------
    data_csv, label_csv : files, or folders of which all files are read; labels are 0 without one.
    data_shape, label_shape : shape of a sample; a scalar label is (1,).
    round_batch : fill an incomplete last batch with rows from the beginning, which the next epoch
        then does not repeat; else it keeps rows of the batch before. ``pad`` counts these.
    dtype : "float32", "int32" or "int64".
    ``prefetch_buffer`` and ``ctx`` have no effect on results.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = path.write_text("1,2,3,4")
    >>> next(mx.io.CSVIter(path, (2, 2))).data[0].asnumpy()
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """

    def __init__(
        self,
        data_csv: str | os.PathLike,
        data_shape: Sequence[int],
        label_csv: str | os.PathLike = "NULL",
        label_shape: Sequence[int] = (1,),
        batch_size: int = 1,
        round_batch: bool = True,
        prefetch_buffer: int = 4,
        ctx: str = "cpu",
        dtype: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        **unknown: Any,
    ) -> None:
        warn_of_unknown("CSVIter", unknown)
        kind = as_dtype(dtype or "float32")
        data = _read_csv(data_csv, data_shape, kind)
        if label_csv in (None, "NULL"):
            label = np.zeros((len(data), *label_shape), kind)
        else:
            label = _read_csv(label_csv, label_shape, kind)
        if len(label) != len(data):
            raise MXNetError(f"{label_csv} has {len(label)} rows, {data_csv} has {len(data)}")
        if tuple(label_shape) == (1,):
            label = label.reshape(-1)
        super().__init__(data, label, batch_size, data_name, label_name)
        self.round_batch = round_batch


def _read_csv(path: str | os.PathLike, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Rows of a CSV file, or of all files in a folder, as samples of a shape."""
    path = Path(path)
    width = int(np.prod(shape))
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    parts = []
    for file in files:
        try:
            rows = np.loadtxt(file, delimiter=",", ndmin=2, dtype="float64", comments=None)
        except OSError as error:
            raise MXNetError(f"CSVIter: cannot read {file}: {error}") from error
        except ValueError as error:
            raise MXNetError(f"CSVIter: {file}: {error}") from error
        if rows.size and rows.shape[1] != width:
            raise MXNetError(
                f"CSVIter: {file} has {rows.shape[1]} columns, shape {tuple(shape)} needs {width}"
            )
        parts.append(rows.reshape(-1, *shape).astype(dtype))
    if not parts or not sum(map(len, parts)):
        raise MXNetError(f"CSVIter: no rows in {path}")
    return np.concatenate(parts)
