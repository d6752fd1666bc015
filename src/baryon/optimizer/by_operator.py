"""Optimizers whose step of a parameter is one call of an update operator."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import Optimizer, as_lists, is_low_precision


class Call(NamedTuple):
    """An operator on a weight, its gradient and `arrays`, that writes the weight and the arrays."""

    name: str
    arrays: tuple[NDArray, ...]
    attrs: dict[str, float]

    def run(self, weight: NDArray, grad: NDArray) -> None:
        """One step, in place."""
        getattr(nd, self.name)(weight, grad, *self.arrays, out=weight, **self.attrs)


class Calls(list[Call]):
    """The calls of one step.

    numbers : their kernels' parameters, once somebody needed them.
    """

    numbers: list[float] | None = None


class ByOperator(Optimizer):
    """An optimizer that says which operator makes a step, and with which numbers.

    Subclasses define ``_call(index, weight, state, mixed)``, which counts the step. Those with an
    operator for float16 and bfloat16 weights (`mixed`), too, set ``_mixes``.
    """

    _mixes = False

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        raise NotImplementedError(f"{type(self).__name__} must define _call")

    def _is_mixed(self, weight: NDArray) -> bool:
        return self.multi_precision and is_low_precision(weight)

    def calls(self, indices: list, weights: list[NDArray], states: list) -> Calls:
        """The calls that make a step of these parameters, counted already."""
        each = zip(indices, weights, states, strict=True)
        return Calls(self._call(i, w, s, self._is_mixed(w)) for i, w, s in each)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """One step of the rule, in place."""
        self._call(index, weight, state, False).run(weight, grad)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, through float32 copies of low-precision weights."""
        if not self._mixes:
            super().update_multi_precision(index, weight, grad, state)
            return
        for i, w, g, s in zip(*as_lists(index, weight, grad, state), strict=True):
            self._call(i, w, s, self._is_mixed(w)).run(w, g)
