"""Samples: small inputs declared beside an operator, which feed every contract test and the docs.

A generator such as ``normal(2, 3)`` is a recipe, not an array: tests draw from it with their own
seed and dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Draw:
    """A recipe for one input array: ``make(rng)`` gives float64 or integer values."""

    shape: tuple[int, ...]
    make: Callable[[np.random.Generator], np.ndarray]
    integral: bool = False
    dtype: str | None = None  # always of this type, whatever the test's

    def __call__(self, rng: np.random.Generator, dtype: Any = "float32") -> np.ndarray:
        """Draw the array, in `dtype` unless the recipe fixes its own."""
        return self.make(rng).reshape(self.shape).astype(self.dtype or dtype)


def normal(*shape: int, scale: float = 1.0, loc: float = 0.0) -> Draw:
    """Gaussian values."""
    return Draw(shape, lambda rng: rng.normal(loc, scale, shape))


def uniform(*shape: int, low: float = -1.0, high: float = 1.0) -> Draw:
    """Values evenly spread over [low, high)."""
    return Draw(shape, lambda rng: rng.uniform(low, high, shape))


def distinct(*shape: int) -> Draw:
    """A shuffled ramp: no two values closer than 0.1, so maxima and sorts have no ties."""
    size = int(np.prod(shape))
    return Draw(shape, lambda rng: (rng.permutation(size) - size / 2 + 0.25) * 0.1)


def integers(*shape: int, low: int = 0, high: int = 10) -> Draw:
    """Integers in [low, high), e.g. indices and labels."""
    return Draw(shape, lambda rng: rng.integers(low, high, shape), integral=True)


def constant(values: Any, integral: bool = False) -> Draw:
    """Exactly these values."""
    array = np.asarray(values)
    return Draw(array.shape, lambda rng: array, integral)


def typed(draw: Draw, dtype: str) -> Draw:
    """The same values in a type of their own, e.g. float32 states of float16 weights."""
    return replace(draw, dtype=dtype)


@dataclass(frozen=True)
class Sample:
    """One call of an operator: recipes for its inputs, its attributes, and what to check.

    `grad`: names of inputs whose gradient is checked numerically (None: every input with a rule).
    """

    inputs: dict[str, Any]
    attrs: dict[str, Any]
    grad: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] = ("float32", "float64")
    train: bool = True
    rtol: float = 1e-4
    atol: float = 1e-5
    second_order: bool = True
    notes: dict[str, Any] = field(default_factory=dict)
