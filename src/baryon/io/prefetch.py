"""Batches of records, decoded by threads while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Data, labels and ids of the samples of a batch."""


class Order:
    """Which samples stand in which batch, epoch after epoch.

    round_batch : fill the last batch from the beginning, where the next epoch then does not begin;
        else it stays short.    shuffle : anew for each epoch, by ``seed``.
    """

    def __init__(
        self, count: int, batch_size: int, round_batch: bool, shuffle: bool, seed: Sequence[int]
    ) -> None:
        self.count, self.batch_size = count, batch_size
        self._round, self._shuffle = round_batch, shuffle
        self._rng = np.random.default_rng(seed)
        self._begin = 0

    def epoch(self) -> Iterator[tuple[np.ndarray, int]]:
        """The samples of each batch, and how many are repeated (or missing, without rounding)."""
        order = np.arange(self.count)
        if self._shuffle:
            self._rng.shuffle(order)
        start, self._begin = self._begin, 0
        for first in range(start, self.count, self.batch_size):
            last = first + self.batch_size
            if self._round:
                self._begin = max(last - self.count, 0) % self.count
                yield order[np.arange(first, last) % self.count], max(last - self.count, 0)
            else:
                yield order[first:last], max(last - self.count, 0)


class Prefetcher:
    """Batches filled by a pool of threads, some batches ahead.

    new : an empty batch.    fill : ``(batch, position in it, sample, draw)``, which any thread may
        call; ``draw`` counts the samples of all epochs.
    """

    def __init__(
        self,
        new: Callable[[], Batch],
        fill: Callable[[Batch, int, int, int], None],
        threads: int,
        ahead: int,
    ) -> None:
        self._new, self._fill = new, fill
        self._threads, self._ahead = threads, max(ahead, 1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ImageRecordIter")
        self._pending: deque[tuple[Batch, int, list[Future]]] = deque()
        self._batches: Iterator[tuple[np.ndarray, int]] = iter(())
        self._draws = 0

    def start(self, batches: Iterator[tuple[np.ndarray, int]]) -> None:
        """Begin an epoch; what is still pending of the last one is dropped."""
        for _, _, tasks in self._pending:
            for task in tasks:
                task.cancel()
        self._pending.clear()
        self._batches = batches
        self._more()

    def _more(self) -> None:
        while len(self._pending) < self._ahead:
            chosen = next(self._batches, None)
            if chosen is None:
                return
            batch, (samples, pad) = self._new(), chosen
            tasks = [
                self._pool.submit(self._work, batch, samples, first, self._draws)
                for first in range(min(self._threads, len(samples)))
            ]
            self._draws += len(samples)
            self._pending.append((batch, pad, tasks))

    def _work(self, batch: Batch, samples: np.ndarray, first: int, draws: int) -> None:
        for i in range(first, len(samples), self._threads):
            self._fill(batch, i, int(samples[i]), draws + i)

    def take(self) -> tuple[Batch, int] | None:
        """The next batch and its padding; None at the end of the epoch."""
        if not self._pending:
            return None
        batch, pad, tasks = self._pending.popleft()
        self._more()
        for task in tasks:
            task.result()
        return batch, pad

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
