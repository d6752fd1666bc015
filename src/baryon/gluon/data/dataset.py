"""Datasets: things with a length and items (``mxnet.gluon.data.dataset``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ...ndarray import NDArray
from ...recordio import MXIndexedRecordIO
from .sampler import FilterSampler, Sampler, SequentialSampler

__all__ = ["ArrayDataset", "Dataset", "RecordFileDataset", "SimpleDataset"]


class Dataset:
    """Base of the datasets: subclasses define ``__getitem__(idx)`` and ``__len__()``.

    >>> class Squares(mx.gluon.data.Dataset):
    ...     def __getitem__(self, idx):
    ...         return idx * idx
    ...     def __len__(self):
    ...         return 5
    >>> list(Squares().filter(lambda x: x % 2 == 0))
    [0, 4, 16]
    """

    def __getitem__(self, idx: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def filter(self, fn: Callable[[Any], bool]) -> Dataset:
        """The samples for which ``fn(sample)`` is true; it looks at each once, now."""
        return _SampledDataset(self, FilterSampler(fn, self))

    def shard(self, num_shards: int, index: int) -> Dataset:
        """The ``index``-th of ``num_shards`` runs of nearly equal length."""
        if not 0 <= index < num_shards:
            raise AssertionError(f"Shard index of out bound: {index} out of {num_shards}")
        length, rest = divmod(len(self), num_shards)
        start = length * index + min(index, rest)
        return _SampledDataset(self, SequentialSampler(length + (index < rest), start))

    def take(self, count: int | None) -> Dataset:
        """The first ``count`` samples; all for None or too many."""
        count = len(self) if count is None else min(count, len(self))
        if count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        return _SampledDataset(self, SequentialSampler(count))

    def sample(self, sampler: Sampler) -> Dataset:
        """The samples at the indices that a sampler gives, in that order, drawn once."""
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"Invalid sampler type: {type(sampler)}. Expected gluon.data.Sampler instead."
            )
        return _SampledDataset(self, sampler)

    def transform(self, fn: Callable[..., Any], lazy: bool = True) -> Dataset:
        """Samples passed through ``fn`` (a tuple as several arguments), at each access if lazy.

        >>> data = mx.gluon.data.SimpleDataset([1, 2, 3]).transform(lambda x: 10 * x)
        >>> list(data)
        [10, 20, 30]
        """
        transformed = _LazyTransformDataset(self, fn)
        return transformed if lazy else SimpleDataset(list(transformed))

    def transform_first(self, fn: Callable[[Any], Any], lazy: bool = True) -> Dataset:
        """`transform` of the first element of each sample, such as the image of a pair."""
        return self.transform(_First(fn), lazy)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))


class SimpleDataset(Dataset):
    """A dataset over anything with a length and items, such as a list.

    >>> data = mx.gluon.data.SimpleDataset([1, 2, 3])
    >>> len(data), data[1]
    (3, 2)
    """

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, idx: int) -> Any:
        return self._data[idx]


class _LazyTransformDataset(Dataset):
    """A dataset whose samples go through a function when asked for."""

    def __init__(self, data: Dataset, fn: Callable[..., Any]) -> None:
        self._data = data
        self._fn = fn

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, idx: int) -> Any:
        item = self._data[idx]
        return self._fn(*item) if isinstance(item, tuple) else self._fn(item)


class _First:
    """A function of the first element (a class, so that it can be pickled for workers)."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def __call__(self, first: Any, *rest: Any) -> Any:
        return (self._fn(first), *rest) if rest else self._fn(first)


class _SampledDataset(Dataset):
    """A dataset at the indices of a sampler."""

    def __init__(self, dataset: Dataset, sampler: Sampler) -> None:
        self._dataset = dataset
        self._indices = list(sampler)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, idx: int) -> Any:
        return self._dataset[self._indices[idx]]


class ArrayDataset(Dataset):
    """Tuples of the items of several arrays, lists or datasets of one length.

    A single array gives its bare items; one-dimensional NDArrays give numpy scalars.

    >>> data = mx.gluon.data.ArrayDataset(np.array([[1, 2], [3, 4]]), [7, 8])
    >>> data[1]
    (array([3, 4]), 8)
    """

    def __init__(self, *args: Any) -> None:
        if not args:
            raise AssertionError("Needs at least 1 arrays")
        self._length = len(args[0])
        self._data = []
        for i, data in enumerate(args):
            if len(data) != self._length:
                raise AssertionError(
                    "All arrays must have the same length; array[0] has length "
                    f"{self._length} while array[{i}] has {len(data)}."
                )
            scalars = isinstance(data, NDArray) and data.ndim == 1
            self._data.append(data.asnumpy() if scalars else data)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, idx: int) -> Any:
        if len(self._data) == 1:
            return self._data[0][idx]
        return tuple(data[idx] for data in self._data)


class _LabelledDataset(Dataset):
    """Samples ``_data`` and labels ``_label``, and a transform of both or None."""

    _data: Any
    _label: Any

    def __init__(self, transform: Callable[[Any, Any], Any] | None) -> None:
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        sample, label = self._data[idx], self._label[idx]
        return (sample, label) if self._transform is None else self._transform(sample, label)

    def __len__(self) -> int:
        return len(self._label)


class _DownloadedDataset(_LabelledDataset):
    """Base of programs' own datasets: `_get_data` fills ``_data`` and ``_label`` from ``_root``."""

    def __init__(
        self, root: str | os.PathLike, transform: Callable[[Any, Any], Any] | None
    ) -> None:
        super().__init__(transform)
        self._root = os.path.expanduser(os.fspath(root))
        os.makedirs(self._root, exist_ok=True)
        self._get_data()

    def _get_data(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _get_data")


class RecordFileDataset(Dataset):
    """The records of a file and its index, as bytes; processes and threads may share it.

    filename : the record file; its index has the same name and the ending ``.idx``.

    >>> data = mx.gluon.data.RecordFileDataset("train.rec")  # doctest: +SKIP
    """

    def __init__(self, filename: str | os.PathLike) -> None:
        self.filename = os.fspath(filename)
        self.idx_file = os.path.splitext(self.filename)[0] + ".idx"
        self._record = MXIndexedRecordIO(self.idx_file, self.filename, "r")

    def __getitem__(self, idx: int) -> bytes:
        return self._record.read_idx(self._record.keys[idx])

    def __len__(self) -> int:
        return len(self._record.keys)
