"""Eager calls of pointwise operators on a GPU as one prepared launch.

What a call finds out is kept for calls of the same operator, attributes, shapes and types: the
plan, the compiled kernel and its sizes. Everything unusual is left to `invoke`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import backend
from ..cuda.chain import ALIGNED, Prepared, prepared
from ..graph.tape import Plan
from ..ops.attrs import Attrs
from ..ops.op import Op, Spec
from ..ops.stored import Stored

_MOST = 16384  # calls kept before the memo starts afresh
_calls: dict[Any, _Call | None] = {}


class _Call(NamedTuple):
    """A launch, its result, and the plan for the tape, which holds the attributes of the key."""

    run: Prepared
    plan: Plan
    out: Spec
    empty: Callable[..., Any]
    device: Callable[[], int]  # the current one


def launched(
    key: tuple, attrs: Attrs, arrays: Sequence[Any], find_plan: Callable[..., Plan]
) -> tuple[Any, Plan] | None:
    """The result of a call and its plan; None where no kernel is prepared for such a call.

    key : operator, identity of `attrs`, device, then shape and dtype of each array.
    """
    call = _calls.get(key, False)
    if call is False:
        if len(_calls) >= _MOST:
            _calls.clear()
        call = _calls[key] = _made(key[0], attrs, arrays, find_plan)
    if call is None or call.device() != key[2]:
        return None
    for a in arrays:
        if a.data.ptr % ALIGNED or not a.flags.c_contiguous:
            return None
    out = call.empty(*call.out)
    call.run.launch((*arrays, out))
    return out, call.plan


def _made(
    op: Op, attrs: Attrs, arrays: Sequence[Any], find_plan: Callable[..., Plan]
) -> _Call | None:
    unusual = op.is_random or op.needs_mode or op.view or op.blocked is not None
    if unusual or op.mutated(attrs) or isinstance(arrays[0], Stored):
        return None
    xp, specs = backend.of_array(arrays[0]).xp, tuple([Spec(a.shape, a.dtype) for a in arrays])
    plan = find_plan(op, attrs, specs)
    if plan.outs is None or len(plan.outs) != 1:
        return None
    with arrays[0].device:
        run = prepared(xp, op, attrs, specs, plan.outs[0])
    device = xp.cuda.runtime.getDevice
    return None if run is None else _Call(run, plan, plan.outs[0], xp.empty, device)
