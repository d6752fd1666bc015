"""Which type an operator is computed in, by the lists, and casts that see to it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ...base import MXNetError
from ...dtypes import as_dtype, dtype_name
from ...ops.op import REGISTRY, Op, get
from .lists import symbol_bf16, symbol_fp16

LOW, HIGH, WIDEST = "low", "high", "widest"
Conditions = Sequence[tuple[str, str, Sequence[str]]]
_CASTS = ("amp_cast", "amp_multicast")


def low_type(dtype: Any) -> np.dtype:
    """float16 or bfloat16, by name or type; ValueError for another."""
    found = as_dtype(dtype)
    if dtype_name(found) not in ("float16", "bfloat16"):
        raise ValueError(f"target_dtype must be float16 or bfloat16, got {dtype_name(found)}")
    return found


def lists_of(dtype: np.dtype) -> tuple[ModuleType, str]:
    """MXNet's lists for a type, and how their names begin."""
    return (symbol_bf16, "BF16") if dtype_name(dtype) == "bfloat16" else (symbol_fp16, "FP16")


def _ops(names: Iterable[str]) -> set[Op]:
    """The operators of these names; names that the catalogue does not have are passed over."""
    return {REGISTRY[n] for n in names if n in REGISTRY}


class Rules:
    """For each operator the type in which it is computed.

    low, high, conditions : names that replace those of MXNet's lists for `dtype`.
    """

    def __init__(
        self,
        dtype: np.dtype,
        low: Sequence[str] | None = None,
        high: Sequence[str] | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        lists, prefix = lists_of(dtype)
        low = getattr(lists, f"{prefix}_FUNCS") if low is None else low
        high = lists.FP32_FUNCS if high is None else high
        conditions = lists.CONDITIONAL_FP32_FUNCS if conditions is None else conditions
        for name in (*low, *high, *(c[0] for c in conditions)):
            if name not in _known(lists, prefix):
                raise ValueError(f"{name!r} is in none of MXNet's lists of operators for {dtype}")
        both = set(low) & set(high)
        if both:
            raise ValueError(f"operators {sorted(both)} are to be of both types")
        self.dtype = dtype
        self.losses = _ops(lists.LOSS_OUTPUT_FUNCTIONS)
        self._kinds: dict[Op, str] = dict.fromkeys(_ops(high), HIGH)
        self._kinds |= dict.fromkeys(_ops(lists.WIDEST_TYPE_CASTS) - _ops(low), WIDEST)
        self._kinds |= dict.fromkeys(_ops(low), LOW)
        for name in _CASTS:
            self._kinds.pop(get(name), None)
        self._conditions: dict[Op, list[tuple[str, Sequence[str]]]] = {}
        for name, attr, values in conditions:
            if name in REGISTRY:
                self._conditions.setdefault(REGISTRY[name], []).append((attr, values))

    def kind(self, op: Op, attrs: Any) -> str | None:
        """LOW, HIGH, WIDEST, or None: as its inputs are."""
        for attr, values in self._conditions.get(op, ()):
            if str(attrs.get(attr)) in values:
                return HIGH
        return self._kinds.get(op)


def _known(lists: ModuleType, prefix: str) -> set[str]:
    names = {c[0] for c in lists.CONDITIONAL_FP32_FUNCS}
    for key in (f"{prefix}_FUNCS", f"{prefix}_FP32_FUNCS", "FP32_FUNCS", "WIDEST_TYPE_CASTS"):
        names |= set(getattr(lists, key))
    return names | set(lists.LOSS_OUTPUT_FUNCTIONS)


class Caster:
    """Casts the inputs of calls on arrays and symbols; see `state.set_precision`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._warned: set[Op] = set()

    def __call__(self, op: Op, inputs: list, attrs: Any) -> list:
        """The inputs that the call shall have."""
        kind = self._rules.kind(op, attrs)
        if kind is None or (op.mutates and not op.aux):  # an optimizer's update knows its types
            return inputs
        if op in self._rules.losses:
            self._warn(op)
        if kind == WIDEST:
            return _widest(inputs)
        dtype = self._rules.dtype if kind == LOW else np.dtype("float32")
        kept = op.mutated(attrs)
        return [x if i in kept else _cast(x, dtype) for i, x in enumerate(inputs)]

    def _warn(self, op: Op) -> None:
        if op not in self._warned:
            self._warned.add(op)
            logging.warning("%s does not support dynamic loss scaling", op.name)


def _cast(x: Any, dtype: np.dtype) -> Any:
    """An array or symbol as `dtype` where it is of another of the types that are mixed."""
    known = getattr(x, "_data", None)
    if known is not None and (known.dtype == dtype or not _is_mixed(known.dtype)):
        return x
    return get("amp_cast")(x, dtype=dtype_name(dtype))


def _is_mixed(dtype: Any) -> bool:
    return dtype_name(dtype) in ("float16", "bfloat16", "float32")


def _widest(inputs: list) -> list:
    """All inputs in the widest type among them."""
    if len(inputs) < 2:
        return inputs
    known = [getattr(x, "_data", None) for x in inputs]
    if all(k is not None for k in known) and len({k.dtype for k in known}) == 1:
        return inputs
    made = get("amp_multicast")(*inputs, num_outputs=len(inputs))
    return [made[i] for i in range(len(inputs))]


def check_initialized(trainer: Any) -> Any:
    """The loss scaler of a Trainer; MXNetError unless `init_trainer` gave it one."""
    scaler = getattr(trainer, "_amp_loss_scaler", None)
    if scaler is None:
        raise MXNetError("the Trainer has no loss scaler; call amp.init_trainer first")
    return scaler
