"""How functions of the NumPy interface reach the operators, for arrays and symbols alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..namespaces import plain
from ..ops.op import get
from ..ops.operators import Arithmetic, is_number

Draw = Callable[..., Any]  # like `call`, of one front end: it also serves operators without inputs


def is_tensor(value: Any) -> bool:
    """Whether a value is an array or a symbol."""
    return isinstance(value, Arithmetic)


def attributes(attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes that were given, spelt as the catalogue reads them."""
    return {k: plain(k, v) for k, v in attrs.items() if v is not None}


def call(name: str, *inputs: Any, out: Any = None, **attrs: Any) -> Any:
    """Apply an operator to arrays or symbols of the NumPy interface; None attributes are absent."""
    for x in inputs:
        if is_tensor(x):
            return x._apply_numpy(get(name), inputs, attributes(attrs), out, public_name(name))
    kinds = ", ".join(sorted({type(x).__name__ for x in inputs}))
    raise TypeError(f"{public_name(name)}: expected an mx.np.ndarray or a Symbol, got {kinds}")


def public_name(name: str) -> str:
    """An operator's name without the prefix that says whose it is."""
    for prefix in ("_npi_", "_npx__image_", "_npx_", "_np_"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def require_tensors(name: str, *values: Any) -> None:
    """TypeError unless every value is an array or a symbol."""
    for value in values:
        if not is_tensor(value):
            raise TypeError(f"{name}: type {type(value)} not supported")


def drawn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function whose first parameter is a `Draw`: without inputs, the front end decides."""
    function.drawn = True  # type: ignore[attr-defined]
    return function


def bound(function: Callable[..., Any], draw: Draw, module: str) -> Callable[..., Any]:
    """A function as a front end has it: itself, or with the front end's `draw` filled in."""
    if not getattr(function, "drawn", False):
        return function

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        return function(draw, *args, **kwargs)

    signature = inspect.signature(function)
    without = list(signature.parameters.values())[1:]
    made.__signature__ = signature.replace(parameters=without)  # type: ignore[attr-defined]
    made.__module__ = module
    return made


def two(op: str, scalar: str | None, reverse: str | None, plain: Callable, x1: Any, x2: Any,
        out: Any = None) -> Any:  # fmt: skip
    """An operator of two operands, either of which may be a number; `plain` serves two numbers."""
    name = public_name(op)
    if is_tensor(x1):
        if is_tensor(x2):
            return call(op, x1, x2, out=out)
        if scalar and is_number(x2):
            return call(scalar, x1, out=out, **x1._number(x2))
    elif is_tensor(x2) and reverse and is_number(x1):
        return call(reverse, x2, out=out, **x2._number(x1))
    elif is_number(x1) and is_number(x2):
        return plain(x1, x2)
    wrong = x2 if is_tensor(x1) or is_number(x1) else x1
    raise TypeError(f"{name}: type {type(wrong)} not supported")
