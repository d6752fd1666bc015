"""Arithmetic of the NumPy interface on two arrays, which broadcast.

Sums, products and powers promote types as NumPy does; differences and remainders likewise, but not
of two bools; the rest wants one type (MXNet 1.9.1 is no more generous).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from . import rules
from .cast import cast
from .linalg_triangle import floating
from .op import Gradient, Op, get
from .samples import integers, normal, typed, uniform
from .twins import twin

Choose = Callable[[np.dtype, np.dtype], np.dtype]

# ---- types ---------------------------------------------------------------------------------------


def promoted(a: np.dtype, b: np.dtype) -> np.dtype:
    """The type in which two meet: the wider float, else the float, else the wider integer."""
    a, b = np.dtype(a), np.dtype(b)
    if a == b:
        return a
    if is_float(a) != is_float(b):
        return a if is_float(a) else b
    if is_float(a) and a.itemsize == b.itemsize:
        return np.dtype("float32")  # float16 and bfloat16
    if not is_float(a) and a.itemsize == b.itemsize and np.bool_ not in (a, b):
        raise MXNetError(f"data types {a} and {b} do not mix")
    return max(a, b, key=lambda d: (d != np.bool_, d.itemsize))


def _no_bool(a: np.dtype, b: np.dtype) -> np.dtype:
    if a == b == np.bool_:
        raise MXNetError("data type bool is not supported; cast it first")
    return promoted(a, b)


def _quotient(a: np.dtype, b: np.dtype) -> np.dtype:
    if is_float(a) and is_float(b) and a != b:
        raise MXNetError(f"data types {a} and {b} do not mix; cast one of them")
    if is_float(a) or is_float(b):
        return promoted(a, b)
    if a != b:
        raise MXNetError(f"data types {a} and {b} do not mix; cast one of them")
    return np.dtype("float32")


def meeting(choose: Choose) -> rules.Rule:
    """Dtype rule: the output is ``choose(a, b)``; an unknown input is taken to be like its pair."""

    def rule(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        a, b = (ins[i] if ins[i] is not None else ins[1 - i] for i in (0, 1))
        return [a, b], outs if a is None else [choose(a, b)]

    return rule


# ---- arithmetic ----------------------------------------------------------------------------------


def _alike(gradient: Gradient) -> Gradient:
    """A rule that reads its arrays in the type of the result."""

    def rule(dy: Any, **values: Any) -> Any:
        for name in ("lhs", "rhs"):
            if name in values and values[name].dtype != dy.dtype:
                values[name] = cast(values[name], dtype=dy.dtype)
        return gradient.rule(**({"dy": dy} if "dy" in gradient.reads else {}), **values)

    reads = gradient.reads if "dy" in gradient.reads else ("dy", *gradient.reads)
    return Gradient(gradient.inputs, rule, reads)


def arithmetic(source: str, name: str, choose: Choose) -> Op:
    """Declare `name` as the twin of the broadcasting operator `source` that also mixes types."""
    legacy = get(source)

    def run(xp: Any, lhs: Any, rhs: Any) -> Any:
        dtype = choose(np.dtype(lhs.dtype), np.dtype(rhs.dtype))
        return legacy.body(xp, lhs.astype(dtype, copy=False), rhs.astype(dtype, copy=False))

    made = twin(legacy, name, dtype=meeting(choose), body=run)
    made.gradients = [_alike(g) for g in made.gradients]
    made.__doc__ = (made.__doc__ or "").replace("both have one dtype", _TYPES[choose])
    mixed = dict(lhs=uniform(2, 3, low=0.5, high=2.0), rhs=typed(integers(3, low=1), "int32"))
    made.sample(**mixed)
    made.sample(lhs=mixed["rhs"], rhs=mixed["lhs"])
    made.sample(lhs=uniform(low=0.5, high=2.0), rhs=uniform(2, 3, low=0.5, high=2.0))
    made.sample(lhs=normal(2, 0), rhs=normal(2, 1), _grad=())
    made.sample(lhs=integers(2, 3, low=1), rhs=integers(3, low=1), _grad=(), _dtypes=("int32",))
    return made


_TYPES: dict[Choose, str] = {
    promoted: "types mix: the result has the wider type, a float rather than an integer",
    _no_bool: "types mix, but not both may be bool",
    _quotient: "integers give float32, and an integer meets a float in its type",
}
add = arithmetic("broadcast_add", "_npi_add", promoted)
subtract = arithmetic("broadcast_sub", "_npi_subtract", _no_bool)
multiply = arithmetic("broadcast_mul", "_npi_multiply", promoted)
arithmetic("broadcast_div", "_npi_true_divide", _quotient)
arithmetic("broadcast_mod", "_npi_mod", _no_bool)
arithmetic("broadcast_power", "_npi_power", promoted)
for _made in (add, multiply):
    _made.sample(
        lhs=integers(2, 3, low=0, high=2), rhs=integers(3, low=0, high=2),
        _grad=(), _dtypes=("bool",),
    )  # fmt: skip
twin(get("broadcast_hypot"), "_npi_hypot", inputs=("x1", "x2"), dtype=floating)
