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

from ..base import MXNetError
from ..graph.lower import EXTERNAL, Instruction, Lowered, Ref, make_instruction
from ..graph.plan import plan_memory
from ..graph.program import Program
from ..native import native
from ..ndarray import NDArray
from ..ops.op import Op, Spec, get
from .base import Optimizer, is_low_precision
from .by_operator import ByOperator, Call

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
    """Make a step of all these parameters, if the optimizer works by operators on the CPU.

    False: nothing was done.
    """
    if native is None or not works_by_operators(optimizer, weights):
        return False
    if not all(type(x._data) is np.ndarray for x in (*weights, *grads)):
        return False
    calls = optimizer.calls(indices, weights, states)
    groups = [[w, g, *c.arrays] for w, g, c in zip(weights, grads, calls, strict=True)]
    if not _run_recent(calls, groups):
        updates = _find(calls, [[x._data for x in group] for group in groups])
        if updates is not None:
            updates.run(calls, [x._data for group in groups for x in group])
        else:
            for (weight, grad, *_), call in zip(groups, calls, strict=True):
                call.run(weight, grad)
    return True


def works_by_operators(optimizer: Optimizer, weights: list[NDArray]) -> bool:
    """Whether an optimizer's step of these weights is what its `ByOperator.calls` say."""
    if not isinstance(optimizer, ByOperator) or not _composes(type(optimizer)):
        return False
    copies = optimizer.multi_precision and not optimizer._mixes
    return not (copies and any(map(is_low_precision, weights)))


def _run_recent(calls: Sequence[Call], groups: Sequence[Sequence[NDArray]]) -> bool:
    """Run the program that ran last for such calls, if the arrays are what it takes."""
    updates = _RECENT.get(tuple([call.name for call in calls]))
    arrays = updates and updates.program.take([x for group in groups for x in group])
    if not arrays:
        return False
    updates.run(calls, arrays)
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
    key = tuple(
        (call.name, *[(a.shape, a.dtype) for a in its])
        for call, its in zip(calls, arrays, strict=True)
    )
    if key not in _PROGRAMS:
        if len(_PROGRAMS) >= _PROGRAM_LIMIT:
            _PROGRAMS.clear()
            _RECENT.clear()
        dense = all(type(a) is np.ndarray for its in arrays for a in its)
        _PROGRAMS[key] = _Updates.of(calls, arrays) if dense else None
    return _PROGRAMS[key]


class _Updates:
    """A program of update kernels, one a parameter, each on arrays of its own."""

    def __init__(self, instructions: list[Instruction], externals: list[Spec]) -> None:
        self._instructions = instructions
        lowered = Lowered(instructions, externals, [], plan_memory([]), [len(instructions)])
        self.program = Program(lowered)
        self._arena = self.program.new_arena()

    @classmethod
    def of(cls, calls: Sequence[Call], arrays: Sequence[Sequence[Any]]) -> _Updates | None:
        """The program of these calls; None where one has no kernel (or does not fit at all)."""
        made, externals = [], []
        for call, its in zip(calls, arrays, strict=True):
            first, specs = len(externals), [Spec(a.shape, a.dtype) for a in its]
            refs = [Ref(EXTERNAL, first + i, s) for i, s in enumerate(specs)]
            externals += specs
            instruction = instruction_of(call, refs)
            if instruction is None:
                return None
            made.append(instruction)
        return cls(made, externals)

    def run(self, calls: Sequence[Call], arrays: list[np.ndarray]) -> None:
        """One step with the calls' own numbers."""
        _RECENT[tuple([call.name for call in calls])] = self
        self.program.run(0, self._arena, arrays, numbers=numbers_of(self._instructions, calls))


def instruction_of(call: Call, refs: Sequence[Ref]) -> Instruction | None:
    """The kernel of a call on weight, gradient and states; None where there is none for it."""
    op, specs = get(call.name), tuple(r.spec for r in refs)
    try:
        params = op.attributes(call.attrs)
        if op.infer(params, specs) != (specs[0],):
            return None
    except MXNetError:  # the call itself says so better
        return None
    outs = (refs[0], *(refs[i] for i in op.mutated(params)))
    made = make_instruction(call.name, op, params, tuple(refs), outs)
    return None if made.numbers is None else made


def numbers_of(instructions: Sequence[Instruction], calls: Sequence[Call]) -> list[float]:
    """The kernels' parameters with the calls' own attributes."""
    numbers: list[float] = []
    for known, call in zip(instructions, calls, strict=True):
        numbers += known.op.params({**_defaults(known.op), **call.attrs}, (), ())
    return numbers


@lru_cache
def _defaults(op: Op) -> dict[str, Any]:
    """Attributes of a call that says nothing: the program may be that of a call that said more."""
    return {name: attr.default for name, attr in op.attrs.items()}
