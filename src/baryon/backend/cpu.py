"""The CPU: numpy arrays. Every backend module has the names defined here."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from ..native import native

xp = np


def empty(shape: tuple[int, ...], dtype: Any, device_id: int = 0) -> np.ndarray:
    """Uninitialised memory."""
    return np.empty(shape, dtype)


def waiting_zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that take no memory until somebody writes them, where the system can do that."""
    made = np.zeros(shape, dtype)
    if native is not None:
        native.forget_zeros(made)
    return made


def full(shape: tuple[int, ...], value: Any, dtype: Any, device_id: int = 0) -> np.ndarray:
    """An array filled with one value."""
    return np.full(shape, value, dtype)


def asarray(data: Any, device_id: int = 0) -> np.ndarray:
    """A C-contiguous copy of `data` on the device."""
    return np.array(data, order="C")


def to_numpy(data: np.ndarray) -> np.ndarray:
    """A copy in host memory."""
    return data.copy()


def context_of(data: np.ndarray) -> tuple[str, int]:
    """Kind and number of the device that holds an array."""
    return "cpu", 0


def active(device_id: int) -> Any:
    """A ``with`` block in which a device is the current one (all CPUs are one)."""
    return nullcontext()


def wait(data: np.ndarray) -> None:
    """Wait for the work that computes `data` (the CPU queues none)."""


def shares(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays may share memory."""
    return np.may_share_memory(a, b)


def synchronize() -> None:
    """Wait until all work queued on the device is done (the CPU queues none)."""
