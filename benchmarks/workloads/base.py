"""What a workload is: data from one seed, what a step does, who competes, and the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

BARYON, TORCH, MXNET = "baryon", "torch", "mxnet"


@dataclass(frozen=True)
class Bar:
    """``ours <= at_most * against``, or ``ours <= at_most`` (seconds, bytes) against nobody.

    ours, against : contestants, such as ``"baryon/eager"``; a part after ``#`` names a figure of
                    one, such as ``"baryon/symbol#planned"``.
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
    """

    name: str
    step: str
    arrays: Callable[[], dict[str, np.ndarray]]
    contestants: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    timed: bool = True


def floats(rng: np.random.RandomState, *shape: int, low: float = -1, high: float = 1) -> np.ndarray:
    """Uniform float32 values."""
    return rng.uniform(low, high, shape).astype(np.float32)


def times(at_most: float, ours: str, against: str) -> Bar:
    """A bar on a ratio."""
    return Bar(ours, at_most, against)
