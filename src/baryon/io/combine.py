"""Iterators over other iterators."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray
from .base import DataBatch, DataDesc, DataIter, renamed


class ResizeIter(DataIter):
    """Another iterator with an epoch of ``size`` batches, beginning again where it ends.

    With ``reset_internal`` False, a reset leaves the inner iterator where it is.

    >>> batches = mx.io.NDArrayIter(np.zeros((6, 2)), batch_size=2)
    >>> len(list(mx.io.ResizeIter(batches, 5)))
    5
    """

    def __init__(self, data_iter: DataIter, size: int, reset_internal: bool = True) -> None:
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = size
        self.reset_internal = reset_internal
        self.cur = 0
        self.current_batch: DataBatch | None = None
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        """Begin again."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True

    def getdata(self) -> Sequence[NDArray]:
        """The data of the current batch."""
        return self.current_batch.data

    def getlabel(self) -> Sequence[NDArray] | None:
        """The labels of the current batch."""
        return self.current_batch.label

    def getindex(self) -> np.ndarray | None:
        """The indices of the samples in the current batch."""
        return self.current_batch.index

    def getpad(self) -> int | None:
        """How many samples of the current batch are padding."""
        return self.current_batch.pad


class _Ahead:
    """A thread that keeps the next batch of one iterator ready."""

    def __init__(self, source: DataIter) -> None:
        self._source = source
        self._wanted = threading.Semaphore(1)
        self._ready = threading.Semaphore(0)
        self._stop = False
        self._result: tuple[Any, BaseException | None] = (None, None)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._wanted.acquire()
            if self._stop:
                return
            try:
                self._result = (self._source.next(), None)
            except BaseException as error:  # handed to the caller's thread, which raises it
                self._result = (None, error)
            self._ready.release()

    def take(self) -> tuple[Any, BaseException | None]:
        """The next batch, or what was raised instead; work goes on only after a batch."""
        self._ready.acquire()
        result = self._result
        self._result = (None, result[1])
        if result[1] is None:
            self._wanted.release()
        else:
            self._ready.release()  # the end stays the end until a reset
        return result

    def reset(self) -> None:
        """Begin the source again, once the thread rests."""
        self._ready.acquire()
        self._source.reset()
        self._wanted.release()

    def close(self) -> None:
        """End the thread."""
        self._stop = True
        self._wanted.release()


class PrefetchingIter(DataIter):
    """One or several iterators read ahead, each in its thread, and joined batch by batch.

    ``rename_data`` and ``rename_label`` hold, for each iterator, a dict of new names. What an
    iterator raises is raised by `next`.

    >>> batches = mx.io.NDArrayIter(np.zeros((6, 2)), batch_size=2)
    >>> len(list(mx.io.PrefetchingIter(batches)))
    3
    """

    def __init__(
        self,
        iters: DataIter | Sequence[DataIter],
        rename_data: Sequence[Mapping[str, str]] | None = None,
        rename_label: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__()
        self.iters = list(iters) if isinstance(iters, list | tuple) else [iters]
        if not self.iters:
            raise AssertionError("PrefetchingIter needs at least one iterator")
        self.n_iter = len(self.iters)
        self.rename_data = rename_data
        self.rename_label = rename_label
        self.batch_size = self.provide_data[0].shape[0]
        self.current_batch: DataBatch | None = None
        self._ahead = [_Ahead(source) for source in self.iters]

    def __del__(self) -> None:
        for ahead in getattr(self, "_ahead", ()):
            ahead.close()

    def _descs(self, kind: str, names: Sequence[Mapping[str, str]] | None) -> list[DataDesc]:
        each = names or [None] * self.n_iter
        pairs = zip(self.iters, each, strict=True)
        return [d for it, new in pairs for d in renamed(getattr(it, kind), new)]

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of all data arrays."""
        return self._descs("provide_data", self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of all label arrays."""
        return self._descs("provide_label", self.rename_label)

    def reset(self) -> None:
        """Begin again."""
        for ahead in self._ahead:
            ahead.reset()

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        taken = [ahead.take() for ahead in self._ahead]
        errors = [error for _, error in taken if error is not None]
        for error in errors:
            if not isinstance(error, StopIteration):
                raise error
        if errors:
            if len(errors) != self.n_iter:
                raise AssertionError("Number of entry mismatches between iterators")
            return False
        batches = [batch for batch, _ in taken]
        if any(batch.pad != batches[0].pad for batch in batches):
            raise AssertionError("Number of entry mismatches between iterators")
        self.current_batch = DataBatch(
            [x for batch in batches for x in batch.data],
            [x for batch in batches for x in batch.label or ()],
            batches[0].pad,
            batches[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        return True

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end."""
        if not self.iter_next():
            raise StopIteration
        return self.current_batch

    def getdata(self) -> Sequence[NDArray]:
        """The data of the current batch."""
        return self.current_batch.data

    def getlabel(self) -> Sequence[NDArray]:
        """The labels of the current batch."""
        return self.current_batch.label

    def getindex(self) -> np.ndarray | None:
        """The indices of the samples in the current batch."""
        return self.current_batch.index

    def getpad(self) -> int | None:
        """How many samples of the current batch are padding."""
        return self.current_batch.pad
