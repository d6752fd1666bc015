"""What an adapter hands back, and the table of adapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

PACKAGES = {"ort": "onnxruntime"}  # of peers that are named otherwise


@dataclass
class Prepared:
    """A workload ready to run.

    loop    : does n steps.    finish : waits until they are computed.
    check   : values that all contestants must agree on.
    figures : what else was found out, such as planned bytes.
    """

    check: list[float]
    loop: Callable[[int], None] | None = None
    finish: Callable[[], None] = lambda: None
    figures: dict[str, float] = field(default_factory=dict)


ADAPTERS: dict[tuple[str, str], Callable[..., Prepared]] = {}


def prepares(workload: str, way: str) -> Callable:
    """Register a function (module of the peer, arrays) -> Prepared."""

    def register(function: Callable) -> Callable:
        ADAPTERS[workload, way] = function
        return function

    return register


def repeat(step: Callable[[], object]) -> Callable[[int], None]:
    """A loop over a step that costs much more than a Python call."""

    def loop(n: int) -> None:
        for _ in range(n):
            step()

    return loop


def digest(*values: object) -> list[float]:
    """A few numbers that tell whether arrays are equal: mean size, and values along the way."""
    found = []
    for value in values:
        flat = np.asarray(value, np.float64).ravel()
        places = np.linspace(0, flat.size - 1, 7).astype(int)
        found += [float(np.abs(flat).mean()), *map(float, flat[places])]
    return found
