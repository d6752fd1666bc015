"""Process-wide modes and small helpers, as in ``mxnet.util``."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

__all__ = [
    "getenv",
    "is_np_array",
    "is_np_shape",
    "makedirs",
    "np_shape",
    "set_np_shape",
    "setenv",
    "use_np_shape",
]

_local = threading.local()


def is_np_shape() -> bool:
    """Whether zero-dimensional and zero-size arrays are allowed (off, as in MXNet).

    >>> mx.util.is_np_shape()
    False
    """
    return getattr(_local, "np_shape", False)


def set_np_shape(active: bool) -> bool:
    """Allow or forbid zero-dimensional and zero-size arrays in this thread; the mode before."""
    before = is_np_shape()
    _local.np_shape = bool(active)
    return before


class np_shape(ContextDecorator):
    """Scope in which zero-dimensional and zero-size arrays are allowed (or not).

    >>> with mx.util.np_shape(True):
    ...     mx.nd.zeros(()).shape
    ()
    """

    def __init__(self, active: bool = True) -> None:
        self._active = active
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(set_np_shape(self._active))

    def __exit__(self, *error: Any) -> None:
        set_np_shape(self._before.pop())


def use_np_shape(func: Callable) -> Callable:
    """A function that runs under ``np_shape(True)``."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with np_shape(True):
            return func(*args, **kwargs)

    return wrapper


def is_np_array() -> bool:
    """Whether functions make numpy-style arrays (``mx.np.ndarray``): they make NDArrays."""
    return False


def getenv(name: str) -> str | None:
    """An environment variable, or None."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable, or remove it with None."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def makedirs(d: str) -> None:
    """Make a folder and its parents unless they exist."""
    os.makedirs(os.path.expanduser(d), exist_ok=True)
