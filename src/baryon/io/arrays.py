"""Batches from arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import DataDesc, DataIter

_ENDINGS = ("pad", "discard", "roll_over")


def named_arrays(data: Any, allow_empty: bool, default_name: str) -> list[tuple[str, NDArray]]:
    """Arrays with names, from one array, a list or a dict of them; numpy becomes NDArray.

    Several unnamed arrays are called ``_0_name``, ``_1_name``, …; a dict is sorted by name.
    """
    if data is None:
        if not allow_empty:
            raise AssertionError(f"{default_name}: an array is needed, got None")
        return []
    if isinstance(data, np.ndarray | NDArray) or _lazy(data) or hasattr(data, "tocsr"):
        data = [data]
    if isinstance(data, list | tuple):
        if not (allow_empty or data):
            raise AssertionError(f"{default_name}: an array is needed, got an empty list")
        single = len(data) == 1
        data = {default_name if single else f"_{i}_{default_name}": d for i, d in enumerate(data)}
    if not isinstance(data, Mapping):
        raise TypeError(
            "Input must be NDArray, numpy.ndarray, h5py.Dataset a list of them or dict with them "
            f"as values, got {type(data).__name__}"
        )
    return [(name, _as_ndarray(name, data[name])) for name in sorted(data)]


def _lazy(data: Any) -> bool:
    """Whether something is an array on disk, such as h5py.Dataset."""
    return all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__", "chunks"))


def _as_ndarray(name: str, value: Any) -> NDArray:
    if isinstance(value, NDArray):
        return value.tostype("default") if value.stype == "row_sparse" else value
    if hasattr(value, "tocsr"):
        return nd.sparse.csr_matrix(value, dtype="float32")
    if isinstance(value, np.ndarray) or _lazy(value):
        return nd.array(np.asarray(value))
    raise TypeError(
        f"Invalid type '{type(value)}' for {name}, should be NDArray, numpy.ndarray or h5py.Dataset"
    )


class NDArrayIter(DataIter):
    """Batches of arrays, NDArray or numpy (which become float32), in order or shuffled.

    Of csr arrays, and matrices of scipy, the batches are csr.

    Parameters
    ----------
    data, label : an array, a list or a dict of them; the first axis counts samples.
    batch_size : samples a batch.
    shuffle : shuffle now and at each reset, by NumPy's global random state.
    last_batch_handle : what becomes of an incomplete last batch. ``"pad"``: filled with the first
        samples, ``pad`` says how many; ``"discard"``: left out; ``"roll_over"``: its samples begin
        the next epoch.
    data_name, label_name : names of unnamed arrays.
    layout : as `DataDesc` has it.

    >>> it = mx.io.NDArrayIter(np.arange(5), np.arange(5), batch_size=2)
    >>> [(batch.data[0].asnumpy().tolist(), batch.pad) for batch in it]
    [([0.0, 1.0], 0), ([2.0, 3.0], 0), ([4.0, 0.0], 1)]
    """

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = "NCHW",
    ) -> None:
        super().__init__(batch_size)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if last_batch_handle not in _ENDINGS:
            raise ValueError(
                f"last_batch_handle must be one of {', '.join(_ENDINGS)}, got {last_batch_handle!r}"
            )
        self.data = named_arrays(data, False, data_name)
        self.label = named_arrays(label, True, label_name)
        self.num_data = self.data[0][1].shape[0]
        for name, array in self.data + self.label:
            if array.shape[0] != self.num_data:
                raise ValueError(
                    f"{name} has {array.shape[0]} samples, {self.data[0][0]} has {self.num_data}"
                )
        self.idx = np.arange(self.num_data)
        self._order = self.idx.copy()
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.cursor = -batch_size
        self.layout = layout
        self.num_source = len(self.data)
        self.reset()

    def _descs(self, arrays: list[tuple[str, NDArray]]) -> list[DataDesc]:
        return [
            DataDesc(name, (self.batch_size, *array.shape[1:]), array.dtype, self.layout)
            for name, array in arrays
        ]

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the data arrays, batch axis first."""
        return self._descs(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the label arrays."""
        return self._descs(self.label)

    def hard_reset(self) -> None:
        """Reset and forget samples that would roll over."""
        self._kept = self.idx[:0]
        self._start()

    def reset(self) -> None:
        """Begin an epoch, first with what rolled over from the last one."""
        rest = self.num_data - self.cursor
        rolls = self.last_batch_handle == "roll_over" and 0 < rest < self.batch_size
        self._kept = self._order[self.cursor :].copy() if rolls else self.idx[:0]
        self._start()

    def _start(self) -> None:
        if self.shuffle:  # each epoch shuffles the order of the last: MXNet's orders, seed for seed
            np.random.shuffle(self.idx)
            self._order = self._order[self.idx]
        # Negative by the samples that rolled over: these come before the epoch's own.
        self.cursor = -self.batch_size - len(self._kept)

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        self.cursor += self.batch_size
        if self.last_batch_handle == "pad":
            return self.cursor < self.num_data
        return self.cursor + self.batch_size <= self.num_data

    def _chosen(self) -> np.ndarray | slice:
        """What the current batch consists of; a slice where that is one run of the arrays."""
        start, stop = self.cursor, self.cursor + self.batch_size
        if not self.shuffle and start >= 0 and stop <= self.num_data:
            return slice(start, stop)
        parts = [self._order[max(start, 0) : min(stop, self.num_data)]]
        if start < 0:
            parts.insert(0, self._kept[len(self._kept) + start :])
        if stop > self.num_data:
            parts.append(np.resize(self._order, stop - self.num_data))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _take(self, arrays: list[tuple[str, NDArray]]) -> list[NDArray]:
        chosen = self._chosen()
        if isinstance(chosen, slice):
            return [array[chosen] for _, array in arrays]
        index = nd.array(chosen, dtype="int64")
        return [nd.take(array, index) for _, array in arrays]

    def getdata(self) -> list[NDArray]:
        """The data of the current batch."""
        return self._take(self.data)

    def getlabel(self) -> list[NDArray]:
        """The labels of the current batch."""
        return self._take(self.label)

    def getpad(self) -> int:
        """How many samples of the current batch are padding."""
        end = self.cursor + self.batch_size
        if self.last_batch_handle == "pad" and end > self.num_data:
            return end - self.num_data
        if self.last_batch_handle == "roll_over" and self.cursor < 0:
            return -self.cursor
        return 0
