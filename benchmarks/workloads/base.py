"""What a workload is: data from one seed, what a step does, who competes, and the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

BARYON, MIB = "baryon", 2**20
LEARNING_RATE, MOMENTUM, CHECKED_STEPS = 0.01, 0.9, 3  # of training
BEST = "best"  # in a bar, stands for whichever contestant of another package does best


@dataclass(frozen=True)
class Bar:
    """``ours <= at_most * against``, or ``ours <= at_most`` (seconds, bytes) against nobody.

    ours, against : contestants, such as ``"baryon/eager"``, or ``"best"`` of all peers; a part
                    after ``#`` names a figure of one, such as ``"baryon/symbol#planned"``.
    """

    ours: str
    at_most: float
    against: str | None = None


@dataclass(frozen=True)
class Workload:
    """One comparison.

    step        : what is measured, for the reader.
    arrays      : the values everybody starts from, by name.
    contestants : ``peer/way`` each; all of them must agree on the check values.
    timed       : whether steps are timed; else only the figures that preparing gives are compared.
    unit        : of the figures, ``B`` or ``s``.
    """

    name: str
    step: str
    arrays: Callable[[], dict[str, np.ndarray]]
    contestants: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    timed: bool = True
    unit: str = "B"


def floats(rng: np.random.RandomState, *shape: int, low: float = -1, high: float = 1) -> np.ndarray:
    """Uniform float32 values."""
    return rng.uniform(low, high, shape).astype(np.float32)


def times(at_most: float, ours: str, against: str) -> Bar:
    """A bar on a ratio."""
    return Bar(ours, at_most, against)


def best(at_most: float, ours: str, figure: str = "") -> Bar:
    """A bar on the ratio of times, or of a figure, to the best of all peers."""
    suffix = f"#{figure}" if figure else ""
    return Bar(ours + suffix, at_most, BEST + suffix)
