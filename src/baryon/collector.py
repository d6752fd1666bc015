"""Python's garbage collector, which waits while something large is built.

A graph of many thousand nodes is made of objects that all stay: looking through them again and
again, as the collector does while their number grows, takes a third of the time. When Python ends
it would look through the catalogue of operators twice, for 60 ms, and find that all of it goes.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

atexit.register(gc.freeze)


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
