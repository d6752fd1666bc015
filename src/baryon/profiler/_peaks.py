"""What the machine can do at most, measured once: operations and bytes a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..ndarray import NDArray, dot, ones
from ._recorder import profiler

_SIDE = 1024  # of the matrices whose product is timed
_NUMBERS = 1 << 24  # of the array that is read, and of that which is written: 64 MiB each
_TRIES = 5


class Peaks(NamedTuple):
    """Operations and bytes a nanosecond."""

    flops: float
    bytes: float

    def share(self, flops: float, moved: float, took: float) -> float:
        """The time that work would take at the peaks as a share of the time that it took.

        Above 1 where memory is left out, for what is read lies in the caches.
        """
        return max(flops / self.flops, moved / self.bytes) / max(took, 1)


@cache
def peaks() -> Peaks:
    """Of this machine with its threads: of a large product of matrices, and of a large copy.

    Measured at the first call, in some 0.1 s; nothing is recorded meanwhile.

    >>> mx.profiler.peaks().flops > 0
    True
    """
    paused, profiler.paused = profiler.paused, True
    profiler.listen()
    try:
        matrix, numbers = ones((_SIDE, _SIDE)), ones((_NUMBERS,))
        product = _least(lambda: dot(matrix, matrix))
        copy = _least(lambda: numbers + 1)
    finally:
        profiler.paused = paused
        profiler.listen()
    return Peaks(2 * _SIDE**3 / product, 2 * numbers._data.nbytes / copy)


def _least(work: Callable[[], NDArray]) -> float:
    """Nanoseconds of the quickest of a few calls."""
    times: list[float] = []
    kept: Any = None
    for _ in range(_TRIES):
        began = time.perf_counter_ns()
        kept = work()
        kept.wait_to_read()
        times.append(time.perf_counter_ns() - began)
    return max(min(times), 1)
