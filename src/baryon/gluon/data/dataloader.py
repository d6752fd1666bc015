"""`DataLoader`: batches of a dataset, loaded ahead by processes or threads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from multiprocessing import TimeoutError as LoadTimeout
from multiprocessing.reduction import ForkingPickler  # noqa: F401  (programs find it here)
from typing import Any

import numpy as np

from ... import ndarray as nd
from ...context import cpu_pinned
from ...ndarray import NDArray
from ...util import in_mode, is_np_array, is_np_shape, set_np
from .queues import (
    ConnectionWrapper,
    Queue,
    SimpleQueue,
    as_in_context,
    fetcher_loop_v1,
    rebuild_ndarray,
    rebuild_np_ndarray,
    reduce_ndarray,
    reduce_np_ndarray,
    worker_loop_v1,
)
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from .workers import ProcessPool

_as_in_context = as_in_context  # the name that programs import

__all__ = [
    "ConnectionWrapper",
    "DataLoader",
    "DataLoaderV1",
    "Queue",
    "SimpleQueue",
    "default_batchify_fn",
    "default_mp_batchify_fn",
    "fetcher_loop_v1",
    "rebuild_ndarray",
    "rebuild_np_ndarray",
    "reduce_ndarray",
    "reduce_np_ndarray",
    "worker_loop_v1",
]


def default_batchify_fn(data: Sequence[Any]) -> Any:
    """Samples stacked to a batch: arrays along a new first axis, tuples element by element.

    NDArrays keep their dtype; everything else becomes what ``numpy.asarray`` makes of it.

    >>> from baryon.gluon.data.dataloader import default_batchify_fn
    >>> image, label = default_batchify_fn([(np.zeros(3), 1), (np.ones(3), 2)])
    >>> image.shape, label.asnumpy().tolist()
    ((2, 3), [1, 2])
    """
    first = data[0]
    if isinstance(first, NDArray):
        return nd.stack(*data, axis=0)
    if isinstance(first, tuple):
        return [default_batchify_fn(column) for column in zip(*data, strict=True)]
    try:
        batch = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"samples of different shapes make no batch: {error}") from None
    if batch.dtype.kind in "OSU":
        raise TypeError(f"samples of type {type(first).__name__} make no batch; pass a batchify_fn")
    return in_mode(nd.array(batch, dtype=batch.dtype))


def default_mp_batchify_fn(data: Sequence[Any]) -> Any:
    """`default_batchify_fn`: what it returns in a worker travels through shared memory."""
    return default_batchify_fn(data)


class _ThreadPool:
    """Threads that load batches; the counterpart of `ProcessPool`."""

    def __init__(self, workers: int, dataset: Any, batchify: Callable, timeout: float) -> None:
        modes = (is_np_shape(), is_np_array())  # those of this thread, for the others
        self._pool = ThreadPoolExecutor(workers, "DataLoader", set_np, modes)
        self._load = lambda samples: batchify([dataset[i] for i in samples])
        self._timeout = timeout
        self.alive = True

    def submit(self, samples: Sequence[int]) -> Future:
        return self._pool.submit(self._load, samples)

    def result(self, key: Future) -> Any:
        try:
            return key.result(self._timeout)
        except FutureTimeout:
            if key.done():  # raised by the dataset itself
                raise
            raise LoadTimeout(f"DataLoader: no batch within {self._timeout} seconds") from None

    def drop(self, keys: Sequence[Future]) -> None:
        for key in keys:
            key.cancel()

    def stop(self) -> None:
        self.alive = False
        self._pool.shutdown(wait=False, cancel_futures=True)


class DataLoader:
    """Batches of a dataset.

    Parameters
    ----------
    dataset : anything with a length and items.
    batch_size, shuffle, sampler, last_batch : how indices are batched (see `BatchSampler`);
        ``batch_sampler`` gives whole batches of indices instead.
    batchify_fn : makes a batch of a list of samples; default `default_batchify_fn`.
    num_workers : processes that load ahead; 0 loads when asked. Each batch is loaded from
        random states of its own, derived from NumPy's global one.
    thread_pool : load by threads instead of processes.
    prefetch : batches loaded ahead, default twice ``num_workers``.
    timeout : seconds to wait for a batch of a worker.
    pin_memory, pin_device_id : copy batches to page-locked memory for transfers to a GPU.
    auto_reload : begin the next epoch's first batches when one ends.

    What a dataset raises in a worker is raised here with the worker's traceback; a worker that dies
    raises MXNetError; a late batch ``multiprocessing.TimeoutError``.

    >>> data = mx.gluon.data.ArrayDataset(np.arange(5), np.arange(5))
    >>> [label.asnumpy().tolist() for _, label in mx.gluon.data.DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        sampler: Sampler | None = None,
        last_batch: str | None = None,
        batch_sampler: Any = None,
        batchify_fn: Callable[[list], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        pin_device_id: int = 0,
        prefetch: int | None = None,
        thread_pool: bool = False,
        timeout: float = 120,
        auto_reload: bool = False,
    ) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be positive, got {timeout}")
        self._dataset = dataset
        self._batch_sampler = batch_sampler or _batches(
            dataset, batch_size, shuffle, sampler, last_batch
        )
        if batch_sampler is not None and (batch_size or shuffle or sampler or last_batch):
            raise ValueError(
                "batch_size, shuffle, sampler and last_batch must not be specified if "
                "batch_sampler is specified."
            )
        self._num_workers = max(num_workers, 0)
        default = default_mp_batchify_fn if self._num_workers else default_batchify_fn
        self._batchify_fn = batchify_fn or default
        self._pin_memory = pin_memory
        self._pin_device_id = pin_device_id
        self._prefetch = max(0, 2 * self._num_workers if prefetch is None else prefetch)
        self._thread_pool = thread_pool
        self._timeout = timeout
        self._auto_reload = auto_reload
        self._pool: ProcessPool | _ThreadPool | None = None
        self._begun: tuple[Iterator, deque] | None = None

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self._num_workers == 0:
            for samples in self._batch_sampler:
                yield self._finish(self._batchify_fn([self._dataset[i] for i in samples]))
            return
        yield from self._load_ahead()

    def _load_ahead(self) -> Iterator[Any]:
        """Batches in order, each replaced by a new task as it is taken."""
        batches, pending = self._begun or self._begin()
        self._begun = None
        pool = self._pool
        try:
            while pending:
                batch = pool.result(pending.popleft())
                pending.extend(pool.submit(samples) for samples in itertools.islice(batches, 1))
                yield self._finish(batch)
        finally:
            if pending and pool.alive:
                pool.drop(pending)
        if self._auto_reload:
            self._begun = self._begin()

    def _begin(self) -> tuple[Iterator, deque]:
        """Start an epoch: its batches of indices and the first tasks."""
        if self._pool is None or not self._pool.alive:
            kind = _ThreadPool if self._thread_pool else ProcessPool
            self._pool = kind(self._num_workers, self._dataset, self._batchify_fn, self._timeout)
        batches = iter(self._batch_sampler)
        first = itertools.islice(batches, max(self._prefetch, 1))
        return batches, deque(self._pool.submit(samples) for samples in first)

    def _finish(self, batch: Any) -> Any:
        """A batch's arrays as Gluon works with them (workers know no modes), pinned if asked."""
        if isinstance(batch, list | tuple):
            return type(batch)(self._finish(x) for x in batch)
        batch = in_mode(batch) if isinstance(batch, NDArray) else batch
        return as_in_context(batch, cpu_pinned(self._pin_device_id)) if self._pin_memory else batch

    def refresh(self) -> None:
        """Let new workers see the dataset as it is now."""
        self.clean()

    def clean(self) -> None:
        """End the workers; the next pass starts new ones."""
        self._begun = None
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def __del__(self) -> None:
        if getattr(self, "_pool", None) is not None:
            self._pool.stop()


class DataLoaderV1(DataLoader):
    """`DataLoader` with the arguments that MXNet's first one had."""

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        sampler: Sampler | None = None,
        last_batch: str | None = None,
        batch_sampler: Any = None,
        batchify_fn: Callable[[list], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        pin_device_id: int = 0,
    ) -> None:
        super().__init__(
            dataset,
            batch_size,
            shuffle,
            sampler,
            last_batch,
            batch_sampler,
            batchify_fn,
            num_workers,
            pin_memory,
            pin_device_id,
        )


def _batches(
    dataset: Any,
    batch_size: int | None,
    shuffle: bool,
    sampler: Sampler | None,
    last_batch: str | None,
) -> BatchSampler:
    """The batch sampler that the arguments of `DataLoader` describe."""
    if batch_size is None:
        raise ValueError("batch_size must be specified unless batch_sampler is specified")
    if sampler is None:
        sampler = (RandomSampler if shuffle else SequentialSampler)(len(dataset))
    elif shuffle:
        raise ValueError("shuffle must not be specified if sampler is specified")
    return BatchSampler(sampler, batch_size, last_batch or "keep")
