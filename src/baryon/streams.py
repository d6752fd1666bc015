"""The random stream: one seed, and a counter that numbers the draws.

A random operator computes its values from (seed, stream number, position) alone, so the numbers
do not depend on the device, on threads, or on eager against compiled execution; only on the
seed and on how many draws came before.
"""

from __future__ import annotations

import os
import threading

_SEEDS = 2**64
_lock = threading.Lock()
_seed = int.from_bytes(os.urandom(8), "little")
_next = 0


def seed(value: int) -> None:
    """Start the stream afresh from an integer seed (taken modulo 2^64)."""
    global _seed, _next
    with _lock:
        _seed, _next = int(value) % _SEEDS, 0


def reserve(count: int = 1) -> tuple[int, int]:
    """Take `count` consecutive stream numbers: ``(seed, first number)``."""
    global _next
    with _lock:
        first = _next
        _next += count
        return _seed, first


def state() -> tuple[int, int]:
    """Seed and next stream number, for `restore`."""
    return _seed, _next


def restore(saved: tuple[int, int]) -> None:
    """Go back to a `state`."""
    global _seed, _next
    with _lock:
        _seed, _next = saved
