"""How functions of the NumPy interface reach the operators, for arrays and symbols alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..namespaces import plain
from ..native import native
from ..ops.attrs import Attr
from ..ops.op import Op, get
from ..ops.operators import Arithmetic, is_number

Draw = Callable[..., Any]  # like `call`, of one front end: it also serves operators without inputs


def is_tensor(value: Any) -> bool:
    """Whether a value is an array or a symbol."""
    return isinstance(value, Arithmetic)


def attributes(op: Op, attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes other than the operator's defaults, spelt as the catalogue reads them.

    None stands for an absent one, unless the operator requires it or has another default: then it
    is said. Calls that mean
    the same thus have the same attributes, under which the native path knows them.
    """
    found = {}
    for key, value in attrs.items():
        declared = op.attrs.get(key)
        if value is None:
            if declared is not None and _none_is_said(declared):
                found[key] = "None"
        elif not _is_default(value, declared):
            found[key] = plain(key, value)
    return found


def _none_is_said(attr: Attr) -> bool:
    return attr.required or (attr.type.optional and attr.default is not None)


def _is_default(value: Any, attr: Attr | None) -> bool:
    """Whether an attribute need not be said (-0.0 must, for it equals 0.0)."""
    if attr is None or type(value) is not type(attr.default):
        return False
    return value == attr.default and (type(value) is not float or value != 0)


def accelerated(name: str) -> Callable[[Callable], Callable]:
    """Decorator: a function whose leading arguments are the operator's inputs, run natively
    on arrays where that is possible.
    """

    def decorate(function: Callable) -> Callable:
        return function if native is None else native.function(get(name), function, True)

    return decorate


def call(name: str, *inputs: Any, out: Any = None, **attrs: Any) -> Any:
    """Apply an operator to arrays or symbols of the NumPy interface; None attributes are absent."""
    for x in inputs:
        if is_tensor(x):
            op = get(name)
            return x._apply_numpy(op, inputs, attributes(op, attrs), out, public_name(name))
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
