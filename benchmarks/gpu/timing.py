"""Seconds a step, of work that runs on behind the calls that queue it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

REPEATS = 7


def measure(
    step: Callable[[], object], finish: Callable[[], object], seconds: float
) -> dict[str, float]:
    """Median and spread of the time of a step, over `REPEATS` turns of about `seconds` in all."""
    begun = time.perf_counter()
    for _ in range(3):  # compiles and captures
        step()
    finish()
    warm = time.perf_counter() - begun
    begun = time.perf_counter()
    step()
    finish()
    count = max(1, int(seconds / REPEATS / max(time.perf_counter() - begun, 1e-6)))
    for _ in range(min(count, 20)):
        step()
    finish()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        for _ in range(count):
            step()
        finish()
        times.append((time.perf_counter() - begun) / count)
    middle = statistics.median(times)
    return {"seconds": middle, "spread": (max(times) - min(times)) / middle, "warm-up": warm}
