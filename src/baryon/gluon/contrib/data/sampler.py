"""A sampler that strides through the data."""

from __future__ import annotations

from collections.abc import Iterator

from ...data import sampler
from ...utils import ArgumentError

__all__ = ["IntervalSampler"]


class IntervalSampler(sampler.Sampler):
    """Every `interval`-th index below `length`.

    rollover : whether, at the end, it goes on from the next index after the first, until all
               indices have come.

    >>> list(mx.gluon.contrib.data.IntervalSampler(5, 2))
    [0, 2, 4, 1, 3]
    >>> list(mx.gluon.contrib.data.IntervalSampler(5, 2, rollover=False))
    [0, 2, 4]
    """

    def __init__(self, length: int, interval: int, rollover: bool = True) -> None:
        if interval > length:
            raise ArgumentError(
                f"Interval {interval} must be smaller than or equal to length {length}"
            )
        self._length, self._interval, self._rollover = length, interval, rollover

    def __iter__(self) -> Iterator[int]:
        for start in range(self._interval if self._rollover else 1):
            yield from range(start, self._length, self._interval)

    def __len__(self) -> int:
        return self._length
