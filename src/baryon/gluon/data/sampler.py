"""Samplers: in which order, and in which batches, samples are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np

__all__ = ["BatchSampler", "FilterSampler", "RandomSampler", "Sampler", "SequentialSampler"]


class Sampler:
    """Base of the samplers: iterates over indices (or batches of them), anew each time.

    >>> class Reversed(mx.gluon.data.Sampler):
    ...     def __iter__(self):
    ...         return iter(range(4, -1, -1))
    ...     def __len__(self):
    ...         return 5
    >>> list(mx.gluon.data.BatchSampler(Reversed(), 2))
    [[4, 3], [2, 1], [0]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")


class SequentialSampler(Sampler):
    """``start, start + 1, …``: ``length`` indices in order.

    >>> list(mx.gluon.data.SequentialSampler(3, start=2))
    [2, 3, 4]
    """

    def __init__(self, length: int, start: int = 0) -> None:
        self._length = length
        self._start = start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._start, self._start + self._length))

    def __len__(self) -> int:
        return self._length


class RandomSampler(Sampler):
    """The indices below ``length``, shuffled anew each time by NumPy's global random state.

    >>> sorted(mx.gluon.data.RandomSampler(3))
    [0, 1, 2]
    """

    def __init__(self, length: int) -> None:
        self._length = length

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.permutation(self._length).tolist())

    def __len__(self) -> int:
        return self._length


class FilterSampler(Sampler):
    """The indices of the samples for which ``fn(sample)`` is true.

    >>> list(mx.gluon.data.FilterSampler(lambda x: x > 5, [3, 8, 7]))
    [1, 2]
    """

    def __init__(self, fn: Callable[[Any], bool], dataset: Any) -> None:
        self._indices = [i for i in range(len(dataset)) if fn(dataset[i])]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class BatchSampler(Sampler):
    """Batches of a sampler's indices.

    ``last_batch`` says what becomes of an incomplete one: ``"keep"`` it, ``"discard"`` it, or
    ``"rollover"``: its indices begin the next pass.

    >>> batches = mx.gluon.data.BatchSampler(mx.gluon.data.SequentialSampler(5), 2)
    >>> list(batches)
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, batch_size: int, last_batch: str = "keep") -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if last_batch not in ("keep", "discard", "rollover"):
            raise ValueError(
                f"last_batch must be one of 'keep', 'discard', or 'rollover', but got {last_batch}"
            )
        self._sampler: Sized = sampler
        self._batch_size = batch_size
        self._last_batch = last_batch
        self._kept: list[int] = []

    def __iter__(self) -> Iterator[list[int]]:
        batch, self._kept = self._kept, []
        for index in self._sampler:
            batch.append(index)
            if len(batch) == self._batch_size:
                yield batch
                batch = []
        if batch and self._last_batch == "keep":
            yield batch
        elif self._last_batch == "rollover":
            self._kept = batch

    def __len__(self) -> int:
        count = len(self._sampler)
        if self._last_batch == "keep":
            return -(-count // self._batch_size)
        if self._last_batch == "discard":
            return count // self._batch_size
        return (count + len(self._kept)) // self._batch_size
