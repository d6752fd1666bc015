"""What a case is: one operator on arrays of three sizes, as each peer spells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple  # noqa: UP035 (the peers run Python 3.8)

import numpy as np

from ..workloads.base import Workload

SIZES = ("L1", "L2", "large")  # where the data of a call fits
PEERS = ("baryon", "mxnet", "torch", "numpy")
Arrays = Dict[str, np.ndarray]  # noqa: UP006
Call = Optional[Callable]  # noqa: UP045


@dataclass(frozen=True)
class Case:
    """One operator.

    op     : the operator whose kernel this is, baryon's name.
    arrays : (rng, size) -> the values of a call, by name.
    mx     : the call in MXNet's API, ``(nd, **arrays)``; baryon and MXNet both run it.
    torch  : in PyTorch, ``(torch, **arrays)``, or None where it has none.
    numpy  : in NumPy, likewise.
    wrt    : names of the inputs to differentiate by; then a step goes forward and backward.
    equal  : whether results can be compared (random ones cannot).
    form   : what tells two cases of one operator apart.
    bound  : whether memory bandwidth should be all that limits it.
    traffic: how often memory must be read and written, in sizes of the first array; where None,
             the arrays are read and the result is written once.
    """

    op: str
    arrays: Callable[[np.random.RandomState, str], Arrays]
    mx: Callable
    torch: Call = None
    numpy: Call = None
    wrt: Tuple[str, ...] = ()  # noqa: UP006
    equal: bool = True
    form: str = ""
    bound: bool = False
    traffic: Optional[Tuple[float, float]] = None  # noqa: UP006, UP045

    @property
    def name(self) -> str:
        """Of the case: the operator, its form, and whether it goes backward."""
        return self.op + (f":{self.form}" if self.form else "") + ("+grad" if self.wrt else "")

    def workload(self, size: str) -> Workload:
        """The case at one size, as the runner takes it."""
        has = {"baryon": self.mx, "mxnet": self.mx, "torch": self.torch, "numpy": self.numpy}
        contestants = tuple(f"{peer}/call" for peer in PEERS if has[peer] is not None)

        def arrays() -> Arrays:
            return self.arrays(np.random.RandomState(7), size)

        return Workload(f"op.{self.name}.{size}", self.name, arrays, contestants)

    def moved(self, arrays: Arrays, result: np.ndarray) -> Tuple[float, float]:  # noqa: UP006
        """Bytes that a step must read and write."""
        if self.traffic is None:
            return sum(a.nbytes for a in arrays.values()), result.nbytes
        first = next(iter(arrays.values())).nbytes
        return first * self.traffic[0], first * self.traffic[1]


def uniform(rng: np.random.RandomState, *shape: int, low: float = 0.1, high: float = 0.9) -> object:
    """float32 values in an interval, which is inside most functions' domains."""
    return rng.uniform(low, high, shape).astype(np.float32)


# Forward: data in, result out; backward: its gradient and a kept array in, data's gradient out.
BOTH_WAYS = (3, 2)
LENGTHS = {"L1": 2048, "L2": 65536, "large": 1 << 23}
MATRICES = {"L1": (32, 64), "L2": (256, 256), "large": (8192, 1024)}
IMAGES = {"L1": (1, 8, 14, 14), "L2": (4, 16, 32, 32), "large": (16, 64, 112, 112)}
SQUARES = {"L1": 24, "L2": 128, "large": 1024}


def vectors(*names: str, low: float = 0.1, high: float = 0.9) -> Callable:
    """Arrays of one dimension."""
    return lambda rng, size: {n: uniform(rng, LENGTHS[size], low=low, high=high) for n in names}


def matrices(*names: str, **extra: Callable) -> Callable:
    """Arrays of two dimensions; extra arrays are functions of (rng, rows, columns)."""

    def make(rng: np.random.RandomState, size: str) -> Arrays:
        rows, columns = MATRICES[size]
        found = {n: uniform(rng, rows, columns, low=-1, high=1) for n in names}
        found.update((n, f(rng, rows, columns)) for n, f in extra.items())
        return found

    return make


def images(*names: str, **extra: Callable) -> Callable:
    """Arrays of (batch, channels, height, width); extra ones are functions of (rng, shape)."""

    def make(rng: np.random.RandomState, size: str) -> Arrays:
        found = {n: uniform(rng, *IMAGES[size], low=-1, high=1) for n in names}
        found.update((n, f(rng, IMAGES[size])) for n, f in extra.items())
        return found

    return make
