"""``cupyx``: atomic updates, pinned memory and the special functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from .calls import call, counts
from .functions import FACTS, scatter


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except ValueError:
        return math.nan if x else math.copysign(math.inf, x)
    except OverflowError:
        return math.inf


def _gammaln(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


_SCALAR: dict[str, Callable[[float], float]] = {
    "erf": math.erf, "erfc": math.erfc, "gamma": _gamma, "gammaln": _gammaln,
}  # fmt: skip


def functions() -> dict[str, Callable[..., Any]]:
    """``cupyx.scipy.special``, as far as the standard library can stand for it."""
    return {n: _special(n, f) for n, f in _SCALAR.items() if _known(n)}


def _known(name: str) -> bool:
    facts = FACTS["cupyx.scipy.special"]
    return name in facts["ufuncs"] or name in facts["functions"]


def _special(name: str, function: Callable[[float], float]) -> Callable[..., Any]:
    def compute(x: np.ndarray) -> np.ndarray:
        kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        values = np.frompyfunc(function, 1, 1)(x.astype(np.float64))
        return np.asarray(values, np.float64).astype(kind)

    return lambda x, out=None: call(compute, (x,))


def empty_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """A host array in page-locked memory."""
    counts["pinned"] += 1
    return np.empty(shape, dtype, order)


@contextmanager
def errstate(**how: Any) -> Any:
    """What to do where linear algebra finds no result."""
    yield


def cupyx() -> dict[str, Any]:
    """The members of ``cupyx`` that are used."""
    made = {f"scatter_{op}": _scatter(op) for op in ("add", "max", "min")}
    return {**made, "empty_pinned": empty_pinned, "errstate": errstate}


def _scatter(op: str) -> Callable[..., None]:
    return lambda a, slices, value: scatter(op, a, slices, value)
