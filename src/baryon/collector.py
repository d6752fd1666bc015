"""Python's garbage collector, which waits while something large is built.

A graph of many thousand nodes is made of objects that all stay: looking through them again and
again, as the collector does while their number grows, takes a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting() -> Iterator[None]:
    """Nothing is collected inside; also a decorator."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
