"""Symbols and the functions that declare graphs of operators with them (`mx.sym`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import namespaces
from ..operands import binary_functions
from ..ops.op import Op
from . import contrib, creation, random
from .creation import (
    Group,
    Variable,
    arange,
    eye,
    full,
    linspace,
    load,
    load_json,
    ones,
    var,
    zeros,
)
from .symbol import Symbol, compose, old_name


def _make(op: Op) -> Callable[..., Any]:
    """The declaring function of an operator."""

    def function(
        *args: Any,
        name: str | None = None,
        attr: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Symbol:
        actual = namespaces.meant(op, kwargs, ())
        inputs, raw = namespaces.split(actual, args, kwargs)
        return compose(actual, inputs, raw, name, attr, function.__name__.lower())

    return function


def _apply(op: Op, inputs: Sequence[Symbol], raw: Mapping[str, Any]) -> Symbol:
    return compose(op, inputs, raw, hint=old_name(op))


FRONT = namespaces.Front("baryon.symbol", _make, "Symbol", ("name", "attr"), completes=True)
__getattr__, __dir__ = namespaces.install(FRONT)
namespaces.add_methods(Symbol, FRONT)
_two = binary_functions(_apply, Symbol, broadcasting=False)
split_v2 = Symbol.split_v2
maximum, minimum, power, hypot = (_two[n] for n in ("maximum", "minimum", "power", "hypot"))
pow = power
