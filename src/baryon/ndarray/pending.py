"""Batch norms that wait for what follows: a sum and bounds are computed in the same pass.

While recording, the inputs of such a call cannot change, so that nobody can tell when it runs; it
runs when its values are read, when a relu ends it, or when the recording does.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import invoke as eager


class _Waiting(threading.local):
    arrays: Any = ()


_waiting = _Waiting()


class Pending(NamedTuple):
    """A call of a fused batch norm: its twin on blocked images, inputs, attributes, statistics.

    rest : the arrays that take its outputs but the first.
    """

    twin: Any
    arrays: list[np.ndarray]
    raw: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype
    rest: list[np.ndarray]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def plus(self, addend: np.ndarray) -> Pending:
        """The call with a sum at its end."""
        raw = {**self.raw, "adds": True}
        return self._replace(arrays=[*self.arrays, addend], raw=raw)

    def value(self, **bounds: float) -> np.ndarray:
        """Run the call; the blocked image that it gives."""
        attrs = self.twin.attributes({**self.raw, **bounds}, True)
        plan = eager.find_plan(self.twin, attrs, tuple((a.shape, a.dtype) for a in self.arrays))
        out = np.empty(self.shape, self.dtype)
        return eager.execute(plan, np, self.arrays, [out, *self.rest])[0]


def begin(plan: Any, arrays: Sequence[np.ndarray]) -> tuple[Pending, list[np.ndarray]] | None:
    """A norm's call as one that waits, and its outputs but the first; None if it may not wait."""
    fusion, attrs = plan.op.fusion, plan.attrs
    waits = attrs.get("train") and not attrs.use_global_stats
    if not waits or plan.visible > 1 or plan.saves[len(plan.ins)]:
        return None
    begun = fusion.begins(list(arrays), attrs)
    twin = begun.op.blocked.op
    kept = {k: plan.inner.attrs[k] for k in ("block", "plain")}
    rest = [np.empty(s.shape, s.dtype) for s in plan.inner.outs[1:]]
    out = plan.inner.outs[0]
    return Pending(twin, begun.inputs, {**begun.raw, **kept}, out.shape, out.dtype, rest), rest


def note(array: Any) -> None:
    """Remember an array that waits."""
    if not _waiting.arrays:
        _waiting.arrays = []
    _waiting.arrays.append(weakref.ref(array))


def waiting() -> Sequence[Any]:
    """The arrays of this thread that may still wait, forgotten from now on."""
    found = _waiting.arrays
    if not found:
        return ()
    _waiting.arrays = ()
    return [x for x in (ref() for ref in found) if x is not None]
