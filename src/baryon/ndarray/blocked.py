"""Images that stay channel-blocked between eager calls, until somebody looks at them.

A convolution computes on blocked images; what it gives is an array like any other, but its memory
is reordered only when its values are asked for in another way than by operators that have a form on
blocked images. The tape records such calls as the plain ones, and notes which buffers are blocked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import settings, state
from ..graph.layout import blocked_call
from ..graph.tape import BlockedPlan
from ..native import native
from ..ops.attrs import Attrs
from ..ops.blocked import BLOCK, blocked_shape, plain_shape
from ..ops.op import Op
from . import invoke as eager
from .ndarray import NDArray
from .pending import Pending, begin, note, waiting

_memory = NDArray.__dict__["_data"]  # where an array keeps its memory, blocked or not
_lock = threading.Lock()
_PLANS: dict[Any, BlockedPlan | None] = {}
_PLAN_LIMIT = 16384


class BlockedNDArray(NDArray):
    """An array whose memory is channel-blocked; it becomes an ordinary one when that is read."""

    __slots__ = ()
    _dense_class = NDArray

    @property
    def _data(self) -> np.ndarray:
        with _lock:
            if type(self) is BlockedNDArray:
                held = _blocked_memory(self)
                plain = np.empty(plain_shape(held.shape), held.dtype)
                native.run_kernel("_from_blocked", [held], [plain], ())
                self._settle(plain)
                return plain
            return _memory.__get__(self)

    @_data.setter
    def _data(self, value: Any) -> None:
        self._settle(value)

    def _settle(self, value: Any) -> None:
        _memory.__set__(self, value)
        self.__class__ = NDArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        with _lock:
            shape = _memory.__get__(self).shape
            return plain_shape(shape) if type(self) is BlockedNDArray else shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return _memory.__get__(self).size

    @property
    def dtype(self) -> type:
        """The element type as numpy's scalar class."""
        return _memory.__get__(self).dtype.type

    def __reduce_ex__(self, protocol: Any) -> Any:
        """What pickle stores: an ordinary array."""
        self._settle(self._data)
        return self.__reduce_ex__(protocol)


BlockedNDArray.__name__ = BlockedNDArray.__qualname__ = "NDArray"  # what users see


def _blocked_memory(x: BlockedNDArray) -> np.ndarray:
    """The blocked image under an array, computed now if it waited."""
    held = _memory.__get__(x)
    if isinstance(held, Pending):
        held = held.value()
        _memory.__set__(x, held)
    return held


def settle() -> None:
    """Compute what waits: recording begins or ends, or a backward pass begins."""
    for x in waiting():
        with _lock:
            if type(x) is BlockedNDArray:
                _blocked_memory(x)


def _call(op: Op, inputs: Sequence[Any], attrs: Attrs, cls: type | None) -> list[Any] | None:
    """All outputs of a call that runs on blocked images; None if this one does not."""
    kinds = [type(x) for x in inputs]
    some = BlockedNDArray in kinds
    if not some and not (op.blocked is not None and op.blocked.heavy):
        return None
    if any(k is not NDArray and k is not BlockedNDArray for k in kinds) or cls not in (
        None,
        NDArray,
    ):
        return None
    plan = _plan(op, inputs, attrs, [k is BlockedNDArray for k in kinds])
    if plan is None:
        return None
    recorded = (
        state.is_recording() and plan.differentiable and any(x._node is not None for x in inputs)
    )
    if recorded and settings.get("BARYON_FUSE"):
        made = _wait(plan, inputs)
        if made is not None:
            return made
    arrays = [_as(x, b) for x, b in zip(inputs, plan.blocked, strict=False)]
    results = eager.execute(plan.inner, np, arrays)
    device = inputs[0].context
    made = [
        wrap(data, device) if is_blocked else eager._new(NDArray, data, device)
        for data, is_blocked in zip(results, plan.blocked[len(inputs) :], strict=True)
    ]
    if recorded:
        eager._record(plan, inputs, arrays, results, made)
    return made


def _wait(plan: BlockedPlan, inputs: Sequence[Any]) -> list[Any] | None:
    """A call that waits, or that goes on from or ends one that does; None for others."""
    fusion, device, blocked = plan.op.fusion, inputs[0].context, plan.blocked
    held = [_memory.__get__(x) if type(x) is BlockedNDArray else None for x in inputs]
    if fusion.begins is not None:
        fixed = not any(x._node is None for x in inputs[:3])  # others might be written to
        if plan.op.blocked.heavy or not blocked[0] or not fixed:
            return None
        arrays = [_as(x, b) for x, b in zip(inputs, blocked, strict=False)]
        begun = begin(plan, arrays)
        if begun is None:
            return None
        made = [wrap(begun[0], device), *(eager._new(NDArray, r, device) for r in begun[1])]
        eager._record(plan, inputs, arrays, [None, *begun[1]], made)
        note(made[0])
        return made
    if any(plan.saves[: len(inputs)]) or not all(blocked):
        return None
    if fusion.adds and not plan.saves[-1]:
        for i in (1, 0):
            pending = held[i]
            if isinstance(pending, Pending) and not pending.raw.get("adds"):
                result: Any = pending.plus(_as(inputs[1 - i], True))
                break
        else:
            return None
    elif fusion.bounds is not None and isinstance(held[0], Pending):
        bounds = fusion.bounds(plan.attrs)
        if bounds is None:
            return None
        result = held[0].value(low=bounds[0], high=bounds[1])
    else:
        return None
    made = [wrap(result, device)]
    eager._record(plan, inputs, [None] * len(inputs), [result], made)
    if isinstance(result, Pending):
        note(made[0])
    return made


def _plan(
    op: Op, inputs: Sequence[Any], attrs: Attrs, are_blocked: Sequence[bool]
) -> BlockedPlan | None:
    held = [_memory.__get__(x) for x in inputs]
    if any(type(a) not in (np.ndarray, Pending) for a in held) or not settings.get("BARYON_LAYOUT"):
        return None
    key = (op, attrs, *[(a.shape, a.dtype, b) for a, b in zip(held, are_blocked, strict=True)])
    if key not in _PLANS:
        if len(_PLANS) >= _PLAN_LIMIT:
            _PLANS.clear()
        plain = eager.find_plan(op, attrs, tuple((x.shape, np.dtype(x.dtype)) for x in inputs))
        drawn = blocked_call(op, attrs, plain.ins, plain.outs, are_blocked)
        _PLANS[key] = None if drawn is None else BlockedPlan(plain, drawn)
    return _PLANS[key]


def _as(x: Any, is_blocked: bool) -> np.ndarray:
    """The memory of an array in the wanted layout."""
    if type(x) is BlockedNDArray:
        return _blocked_memory(x) if is_blocked else x._data
    return to_blocked(x._data) if is_blocked else x._data


def to_blocked(plain: np.ndarray) -> np.ndarray:
    """A plain image as a blocked one."""
    blocked = np.empty(blocked_shape(plain.shape, BLOCK), plain.dtype)
    native.run_kernel("_to_blocked", [plain], [blocked], ())
    return blocked


def wrap(data: np.ndarray, device: Any) -> NDArray:
    """An array over a blocked image, not on the tape."""
    made = BlockedNDArray.__new__(BlockedNDArray)
    _memory.__set__(made, data)
    made._node, made._index, made._ctx = None, 0, device
    return made


if native is not None:
    eager.blocked_call = _call
