"""How many threads one operator may use."""

from __future__ import annotations

import os

from .base import MXNetError
from .native import native

__all__ = ["num_threads", "set_num_threads"]


def num_threads() -> int:
    """Threads that one operator may use.

    Set by `set_num_threads`, else by ``BARYON_NUM_THREADS``, MXNet's or OpenMP's variables, else
    by the processors that this process may use.

    >>> before = mx.num_threads()
    >>> mx.set_num_threads(1)
    >>> mx.set_num_threads(before)
    >>> mx.num_threads() == before
    True
    """
    return native.num_threads() if native is not None else len(os.sched_getaffinity(0))


def set_num_threads(count: int) -> None:
    """Set how many threads one operator may use (at least 1)."""
    if count < 1:
        raise MXNetError(f"set_num_threads: expected at least 1 thread, got {count}")
    if native is not None:
        native.set_num_threads(count)
