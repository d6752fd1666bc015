"""Python's operators as operator names: one table for arrays, symbols and graph entries."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .op import Op, get


class Names(NamedTuple):
    """What one Python operator means for two tensors, and with a number on either side."""

    elemwise: str
    broadcast: str
    scalar: str
    reverse: str


TABLE: dict[str, Names] = {
    "add": Names("elemwise_add", "broadcast_add", "_plus_scalar", "_plus_scalar"),
    "sub": Names("elemwise_sub", "broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    "mul": Names("elemwise_mul", "broadcast_mul", "_mul_scalar", "_mul_scalar"),
    "truediv": Names("elemwise_div", "broadcast_div", "_div_scalar", "_rdiv_scalar"),
    "mod": Names("_mod", "broadcast_mod", "_mod_scalar", "_rmod_scalar"),
    "pow": Names("_power", "broadcast_power", "_power_scalar", "_rpower_scalar"),
    "eq": Names("_equal", "broadcast_equal", "_equal_scalar", "_equal_scalar"),
    "ne": Names("_not_equal", "broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar"),
    "gt": Names("_greater", "broadcast_greater", "_greater_scalar", "_lesser_scalar"),
    "ge": Names(
        "_greater_equal", "broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"
    ),
    "lt": Names("_lesser", "broadcast_lesser", "_lesser_scalar", "_greater_scalar"),
    "le": Names(
        "_lesser_equal", "broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"
    ),
}
_REFLECTED = ("add", "sub", "mul", "truediv", "mod", "pow")


def _numpy_names(stem: str, reverse: str | None = None) -> Names:
    own = f"_npi_{stem}"
    return Names(own, own, f"{own}_scalar", f"_npi_{reverse or stem}_scalar")


NUMPY_TABLE: dict[str, Names] = {
    "add": _numpy_names("add"),
    "sub": _numpy_names("subtract", "rsubtract"),
    "mul": _numpy_names("multiply"),
    "truediv": _numpy_names("true_divide", "rtrue_divide"),
    "mod": _numpy_names("mod", "rmod"),
    "pow": _numpy_names("power", "rpower"),
    "eq": _numpy_names("equal"),
    "ne": _numpy_names("not_equal"),
    "gt": _numpy_names("greater", "less"),
    "ge": _numpy_names("greater_equal", "less_equal"),
    "lt": _numpy_names("less", "greater"),
    "le": _numpy_names("less_equal", "greater_equal"),
    "and": _numpy_names("bitwise_and"),
    "or": _numpy_names("bitwise_or"),
    "xor": _numpy_names("bitwise_xor"),
}


def is_number(value: Any) -> bool:
    """Whether a value acts as a scalar operand."""
    return isinstance(value, (numbers.Number, np.number, np.bool_))


def choose(kind: str, lhs: Any, rhs: Any, broadcasting: bool) -> tuple[Op, tuple, dict] | None:
    """Operator, inputs and attributes for ``lhs <kind> rhs``, or None if `rhs` is no operand."""
    names = lhs._operators[kind]
    if lhs._meets(rhs):
        return get(names.broadcast if broadcasting else names.elemwise), (lhs, rhs), {}
    if is_number(rhs):
        return get(names.scalar), (lhs,), lhs._number(rhs)
    return None


def forward(kind: str) -> Callable:
    """The method of ``self <kind> other``."""

    def method(self: Arithmetic, other: Any) -> Any:
        chosen = choose(kind, self, other, self._broadcasts(other))
        return NotImplemented if chosen is None else self._apply(*chosen)

    method.__name__ = f"__{kind}__"
    method.__doc__ = f"Element-wise ``{kind}`` with broadcasting; `other` may be a number."
    return method


def _reflected(kind: str) -> Callable:
    def method(self: Arithmetic, other: Any) -> Any:
        if not is_number(other):
            return NotImplemented
        return self._apply(get(self._operators[kind].reverse), (self,), self._number(other))

    method.__name__ = f"__r{kind}__"
    method.__doc__ = f"``other {kind} self`` for a number `other`."
    return method


class Arithmetic:
    """Python's operators for a type whose ``_apply(op, inputs, attrs)`` applies an operator."""

    __slots__ = ()
    __hash__ = object.__hash__
    _operators = TABLE

    def _meets(self, other: Any) -> bool:
        """Whether `other` is a tensor that may stand beside this one."""
        return isinstance(other, Arithmetic)

    @staticmethod
    def _number(value: Any) -> dict[str, Any]:
        """Attributes of an operator on a tensor and this number."""
        return {"scalar": value}

    def _broadcasts(self, other: Any) -> bool:
        """Whether two tensors meet under the broadcasting operator rather than the plain one."""
        return True

    @staticmethod
    def _apply(op: Op, inputs: tuple, attrs: dict) -> Any:
        raise TypeError(f"operator {op.name} cannot be applied here")

    @staticmethod
    def _apply_numpy(
        op: Op, inputs: tuple, attrs: dict, out: Any = None, hint: str | None = None
    ) -> Any:
        """What a function of the NumPy interface, named `hint`, does with tensors of this class."""
        raise TypeError(
            f"{op.name}: functions of mx.np and mx.npx take arrays and symbols of the NumPy "
            "interface; `as_np_ndarray()` makes one of a legacy one"
        )

    def __neg__(self) -> Any:
        """Numerical negative, element by element."""
        return self._apply(get(self._operators["mul"].scalar), (self,), self._number(-1.0))

    def __abs__(self) -> Any:
        """Absolute value, element by element."""
        return self._apply(get("abs"), (self,), {})


for _kind in TABLE:
    setattr(Arithmetic, f"__{_kind}__", forward(_kind))
for _kind in _REFLECTED:
    setattr(Arithmetic, f"__r{_kind}__", _reflected(_kind))
