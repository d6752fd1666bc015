"""Symbols and the functions that declare graphs of operators with them (`mx.sym`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import namespaces
from ..ops.op import Op
from . import contrib, random, symbol
from ._symbol import Symbol, compose
from .creation import (
    Group,
    Variable,
    arange,
    eye,
    full,
    histogram,
    linspace,
    load,
    load_json,
    ones,
    split_v2,
    var,
    zeros,
)
from .operands import hypot, maximum, minimum, pow, power


def _make(op: Op) -> Callable[..., Any]:
    """The declaring function of an operator."""

    def function(
        *args: Any,
        name: str | None = None,
        attr: Mapping[str, str] | None = None,
        out: None = None,
        **kwargs: Any,
    ) -> Symbol:
        if out is not None:
            raise ValueError(f"{function.__name__}: a Symbol has no array to write to; out is None")
        actual = namespaces.meant(op, kwargs, ())
        inputs, raw = namespaces.split(actual, args, kwargs)
        return compose(actual, inputs, raw, name, attr, function.__name__.lower())

    return function


FRONT = namespaces.Front("baryon.symbol", _make, "Symbol", ("name", "attr", "out"), completes=True)
__getattr__, __dir__ = namespaces.install(FRONT)
namespaces.add_methods(Symbol, FRONT)

from . import numpy, numpy_extension  # noqa: E402  (they are made by this package's functions)

np, npx = numpy, numpy_extension
