"""How asynchronous work is grouped (``mxnet.engine``).

MXNet's engine takes operators one by one and may be told to take several at once. Here eager
calls compute at once and compiled graphs run as a whole, so the size changes nothing but what
these functions say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["bulk", "set_bulk_size"]

_local = threading.local()
_DEFAULT = 0  # as MXNet starts


def set_bulk_size(size: int) -> int:
    """Set how many operators are grouped; returns the size before. It affects no result.

    >>> before = mx.engine.set_bulk_size(10)
    >>> mx.engine.set_bulk_size(before)
    10
    """
    before = getattr(_local, "size", _DEFAULT)
    _local.size = int(size)
    return before


@contextmanager
def bulk(size: int) -> Iterator[None]:
    """Scope in which `size` operators are grouped. It affects no result.

    >>> with mx.engine.bulk(10):
    ...     x = mx.nd.ones(2) + 1
    """
    before = set_bulk_size(size)
    try:
        yield
    finally:
        set_bulk_size(before)
