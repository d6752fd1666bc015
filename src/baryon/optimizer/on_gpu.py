"""The calls of a step as instructions of a program on a GPU, where launches take many calls.

Rates and decays lie in the GPU's memory: a captured graph reads what is there at each replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from .. import backend
from ..cuda import updates
from ..graph.function import dynamic_op
from ..graph.lower import EXTERNAL, Instruction, Ref
from ..ops.op import Spec, get
from .by_operator import Call

_FLOAT64 = np.dtype(np.float64)


def fixed(call: Call) -> tuple:
    """What a call must have in common with the one that it was compiled for."""
    return (call.name, *[(k, v) for k, v in call.attrs.items() if k not in updates.CHANGING])


class DeviceUpdates:
    """One launch for neighbouring calls that differ in arrays, rates and decays alone."""

    def __init__(self, instructions: Sequence[Instruction], rates: Any, dtype: np.dtype) -> None:
        self.instructions, self._rates, self._dtype = instructions, rates, dtype
        self._last = np.full(rates.shape, np.nan)

    @classmethod
    def of(
        cls, calls: Sequence[Call], refs: Sequence[Sequence[Ref]], externals: list[Spec], like: Any
    ) -> DeviceUpdates | None:
        """Those of calls on arrays in these places; None where one has no kernel.

        externals : takes the spec of the array that `given` gives.
        """
        if not all(updates.has_kernel(c.name, [r.spec for r in its]) for c, its in
                   zip(calls, refs, strict=True)):  # fmt: skip
            return None
        spec = Spec((len(updates.CHANGING), len(calls)), _FLOAT64)
        place = Ref(EXTERNAL, len(externals), spec)
        externals.append(spec)
        made, first = [], 0
        for its in _batches(calls, refs):
            made.append(_instruction(calls[first], its, place, first))
            first += len(its)
        with like.device:
            rates = backend.of_array(like).xp.empty(spec.shape, _FLOAT64)
        return cls(made, rates, like.dtype)

    def given(self, calls: Sequence[Call]) -> tuple[list[Any], list[float]]:
        """What a run takes besides the calls' arrays: more arrays, and numbers."""
        now = np.array([[call.attrs[name] for call in calls] for name in updates.CHANGING])
        if not np.array_equal(now, self._last):
            with self._rates.device:
                updates.write(backend.of_array(self._rates).xp, self._rates, now, self._dtype)
            self._last = now
        return [self._rates], []


def _batches(calls: Sequence[Call], refs: Sequence[Sequence[Ref]]) -> list[list[Sequence[Ref]]]:
    """The arrays of the calls that each launch makes."""

    def alike(pair: tuple[Call, Sequence[Ref]]) -> tuple:
        return fixed(pair[0]), [r.spec.dtype for r in pair[1]]

    made = []
    for _, pairs in groupby(zip(calls, refs, strict=True), alike):
        its = [found for _, found in pairs]
        made += [its[i : i + updates.MOST] for i in range(0, len(its), updates.MOST)]
    return made


def _instruction(call: Call, refs: Sequence[Sequence[Ref]], rates: Ref, first: int) -> Instruction:
    """Calls like one, on these arrays; their rates and decays begin at `first`."""
    ins = [r for its in refs for r in its]
    stride = len(refs[0])
    weights = list(range(0, len(ins), stride))
    states = [i + k for i in weights for k in range(2, stride)]
    written = weights + states
    given = get(call.name).attributes(call.attrs)
    attrs = {k: v for k, v in given.items() if k not in updates.CHANGING}

    def body(xp: Any, *data: Any) -> tuple:
        return updates.run(xp, call.name, attrs, data[:-1], data[-1], first)

    op = dynamic_op(
        f"{call.name}s",
        body,
        [ins[i].spec for i in weights],
        mutates=lambda attrs: states,
        inplace=lambda k: f"arg{written[k]}",
    )
    op._on_device = body
    outs = tuple(ins[i] for i in written)
    return Instruction(op.name, op, op.attributes({}), (*ins, rates), outs, None)
