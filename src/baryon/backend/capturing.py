"""Which thread captures a graph, and what must live until it has done so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_thread = threading.local()


def is_capturing() -> bool:
    """Whether this thread captures a graph."""
    return getattr(_thread, "kept", None) is not None


@contextmanager
def capturing() -> Iterator[None]:
    """Mark a block in which the thread captures a graph."""
    outer, _thread.kept = getattr(_thread, "kept", None), {}
    try:
        yield
    finally:
        _thread.kept = outer


def kept_until_captured(name: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, made once for a capture and kept to its end; None outside of one."""
    kept = getattr(_thread, "kept", None)
    if kept is None:
        return None
    if name not in kept:
        kept[name] = make()
    return kept[name]
