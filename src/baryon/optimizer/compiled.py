"""One step of many parameters as one program, whose numbers change from step to step.

What an optimizer that works by operators would call for each parameter (`ByOperator.calls`) is a
list of kernels on arrays of known shapes. The list is compiled once; rates, decays and counts are
given anew to each run, so that a scheduler costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..graph.lower import EXTERNAL, Lowered, Ref
from ..graph.plan import plan_memory
from ..graph.program import Program
from ..native import native
from ..ndarray import NDArray
from ..ops.op import Spec
from ..ops.stored import Stored
from .base import Optimizer, is_low_precision
from .by_operator import ByOperator, Call, Calls
from .instructions import HostUpdates, updates_of
from .on_gpu import DeviceUpdates, fixed

_PROGRAMS: dict[Any, _Updates | None] = {}  # None: some call has no kernel
_RECENT: dict[tuple[str, ...], _Updates] = {}  # by operators: the last program that ran
_PROGRAM_LIMIT = 256


def update_together(
    optimizer: Optimizer,
    indices: list,
    weights: list[NDArray],
    grads: list[NDArray],
    states: list,
) -> bool:
    """Make a step of all these parameters, if the optimizer works by operators on dense arrays.

    False: nothing was done.
    """
    if not works_by_operators(optimizer, weights):
        return False
    on_host = {type(x._data) for x in (*weights, *grads)} == {np.ndarray}
    if on_host and native is None or not (on_host or _on_one_gpu((*weights, *grads))):
        return False
    calls = optimizer.calls(indices, weights, states)
    groups = [[w, g, *c.arrays] for w, g, c in zip(weights, grads, calls, strict=True)]
    if not (on_host and _run_recent(calls, groups)):
        updates = _find(calls, [[x._data for x in group] for group in groups])
        if updates is not None:
            updates.run(calls, [x._data for group in groups for x in group])
        else:
            for (weight, grad, *_), call in zip(groups, calls, strict=True):
                call.run(weight, grad)
    return True


def _on_one_gpu(arrays: Sequence[NDArray]) -> bool:
    """Whether all arrays are dense ones of one GPU."""
    first = arrays[0]._data
    if isinstance(first, (np.ndarray, Stored)):
        return False
    return all(type(x._data) is type(first) and x._data.device == first.device for x in arrays)


def works_by_operators(optimizer: Optimizer, weights: list[NDArray]) -> bool:
    """Whether an optimizer's step of these weights is what its `ByOperator.calls` say."""
    if not isinstance(optimizer, ByOperator) or not _composes(type(optimizer)):
        return False
    copies = optimizer.multi_precision and not optimizer._mixes
    return not (copies and any(map(is_low_precision, weights)))


def _run_recent(calls: Sequence[Call], groups: Sequence[Sequence[NDArray]]) -> bool:
    """Run the program that ran last for such calls, if the arrays are what it takes."""
    updates = _RECENT.get(tuple([call.name for call in calls]))
    taken = updates and updates.program.take([x for group in groups for x in group])
    if not taken:
        return False
    updates.run(calls, taken[0])
    return True


@lru_cache
def _composes(kind: type) -> bool:
    """Whether a class's updates are what its ``_call`` says, and no subclass changed them."""
    for base in kind.__mro__:
        if "_call" in vars(base):
            return True
        if not vars(base).keys().isdisjoint(("update", "update_multi_precision", "_update")):
            return False
    return False


def _find(calls: Sequence[Call], arrays: Sequence[Sequence[Any]]) -> _Updates | None:
    key: tuple = tuple(
        (call.name, *[(a.shape, a.dtype) for a in its])
        for call, its in zip(calls, arrays, strict=True)
    )
    if not isinstance(arrays[0][0], np.ndarray):  # a graph of a GPU is bound to its arrays
        key = (key, *[(its[0].data.ptr, fixed(c)) for c, its in zip(calls, arrays, strict=True)])
    if key not in _PROGRAMS:
        if len(_PROGRAMS) >= _PROGRAM_LIMIT:
            _PROGRAMS.clear()
            _RECENT.clear()
        dense = not any(isinstance(a, Stored) for its in arrays for a in its)
        _PROGRAMS[key] = _Updates.of(calls, arrays) if dense else None
    return _PROGRAMS[key]


class _Updates:
    """A program of update kernels, each on arrays of its own."""

    def __init__(
        self, updates: HostUpdates | DeviceUpdates, externals: list[Spec], like: Any
    ) -> None:
        self._updates = updates
        made = list(updates.instructions)
        self.program = Program(Lowered(made, externals, [], plan_memory([]), [len(made)]))
        self._arena = self.program.new_arena(like)

    @classmethod
    def of(cls, calls: Sequence[Call], arrays: Sequence[Sequence[Any]]) -> _Updates | None:
        """The program of these calls; None where one has no kernel (or does not fit at all)."""
        refs, externals = [], []
        for its in arrays:
            refs.append([])
            for a in its:
                refs[-1].append(Ref(EXTERNAL, len(externals), Spec(a.shape, a.dtype)))
                externals.append(refs[-1][-1].spec)
        updates = updates_of(calls, refs, externals, arrays[0][0])
        return None if updates is None else cls(updates, externals, arrays[0][0])

    def run(self, calls: Calls, arrays: list[Any]) -> None:
        """One step with the calls' own numbers."""
        if isinstance(self._arena, np.ndarray):
            _RECENT[tuple([call.name for call in calls])] = self
        more, numbers = self._updates.given(calls)
        self.program.run(0, self._arena, [*arrays, *more], numbers=numbers)
