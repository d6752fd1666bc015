"""The calls of a step as instructions of a program, whose numbers change from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..base import MXNetError
from ..graph.lower import Instruction, Ref, make_instruction
from ..native import native
from ..ops.op import Op, Spec, get
from .by_operator import Call, Calls
from .on_gpu import DeviceUpdates


class HostUpdates:
    """Kernels of the CPU, one a call; the numbers of a run take the place of their own."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self.instructions = instructions

    @classmethod
    def of(cls, calls: Sequence[Call], refs: Sequence[Sequence[Ref]]) -> HostUpdates | None:
        """Those of calls on arrays in these places; None where one has no kernel."""
        made = [instruction_of(call, its) for call, its in zip(calls, refs, strict=True)]
        return None if None in made else cls(made)

    def given(self, calls: Calls) -> tuple[list[Any], list[float]]:
        """What a run takes besides the calls' arrays: more arrays, and numbers."""
        if calls.numbers is None:
            calls.numbers = numbers_of(self.instructions, calls)
        return [], calls.numbers


def updates_of(
    calls: Sequence[Call], refs: Sequence[Sequence[Ref]], externals: list[Spec], like: Any
) -> HostUpdates | DeviceUpdates | None:
    """Calls on arrays in these places, on the device of `like`; None where one has no kernel.

    refs      : weight, gradient and states of each call.
    externals : specs of all arrays of the program; takes those that the updates add.
    """
    if isinstance(like, np.ndarray):
        return HostUpdates.of(calls, refs) if native is not None else None
    return DeviceUpdates.of(calls, refs, externals, like)


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
    found: dict[Any, Sequence[float]] = {}  # most calls share their attributes
    for known, call in zip(instructions, calls, strict=True):
        key = (known.op, id(call.attrs))
        if key not in found:
            found[key] = known.op.params({**_defaults(known.op), **call.attrs}, (), ())
        numbers += found[key]
    return numbers


@lru_cache
def _defaults(op: Op) -> dict[str, Any]:
    """Attributes of a call that says nothing: the program may be that of a call that said more."""
    return {name: attr.default for name, attr in op.attrs.items()}
