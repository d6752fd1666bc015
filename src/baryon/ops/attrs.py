"""Attribute types: what an operator's keyword arguments accept and how symbol JSON spells them.

An operator annotates its attributes with ordinary Python types; `attr_type` turns an annotation
into an `AttrType`, which parses both Python values and MXNet's strings and prints the latter.

    int  float  bool  str  Literal["a", "b"]  Shape  Shapes  Floats  DType   and any of them | None
"""

from __future__ import annotations

import ast
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype, dtype_name


class Shape(tuple):
    """Annotation: a tuple of integers; entries may be ``None`` where an operator says so."""


class Shapes(tuple):
    """Annotation: a tuple of tuples of integers."""


class Floats(tuple):
    """Annotation: a tuple of floats."""


class DType:
    """Annotation: an element type such as ``"float32"``."""


@dataclass(frozen=True)
class AttrType:
    """How one kind of attribute is named, read and written."""

    name: str
    parse: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    optional: bool = False  # None is a value, and stands for an attribute that is not given


def _literal(value: Any) -> Any:
    """A string as the Python literal it spells; anything else unchanged (NumPy scalars unboxed)."""
    if isinstance(value, str):
        try:
            return ast.literal_eval(re.sub(r"(\d)L\b", r"\1", value.strip()))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise ValueError(value) from None
    return value.item() if isinstance(value, np.generic) else value


def _int(value: Any) -> int:
    value = _literal(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int):
        raise ValueError(value)
    return int(value)


def _float(value: Any) -> float:
    return float(value) if isinstance(value, (str, int, float, np.generic)) else _reject(value)


_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        return _BOOLS[value.strip().lower()]
    if isinstance(value, (bool, int, np.bool_)) and value in (0, 1):
        return bool(value)
    return _reject(value)


def _str(value: Any) -> str:
    return value if isinstance(value, str) else _reject(value)


def _tuple_of(item: Callable[[Any], Any]) -> Callable[[Any], tuple]:
    def parse(value: Any) -> tuple:
        value = _literal(value)
        if value is None or isinstance(value, (bool, dict)):
            raise ValueError(value)
        values = value if np.iterable(value) else (value,)
        return tuple(None if v is None else item(v) for v in values)

    return parse


def _reject(value: Any) -> Any:
    raise ValueError(value)


_SIMPLE = {
    int: AttrType("int", _int),
    float: AttrType("float", _float),
    bool: AttrType("boolean", _bool),
    str: AttrType("string", _str),
    Shape: AttrType("Shape(tuple)", _tuple_of(_int)),
    Shapes: AttrType("tuple of <Shape(tuple)>", _tuple_of(_tuple_of(_int))),
    Floats: AttrType("tuple of <float>", _tuple_of(_float)),
    DType: AttrType("dtype", as_dtype, dtype_name),
}


def _enum(choices: tuple) -> AttrType:
    def parse(value: Any) -> Any:
        if value in choices:
            return value
        if value in ("None", None) and None in choices:
            return None
        return _reject(value)

    return AttrType("{" + ", ".join(repr(c) for c in choices) + "}", parse)


def _optional(inner: AttrType) -> AttrType:
    def parse(value: Any) -> Any:
        return None if value is None or value in ("None", "") else inner.parse(value)

    def show(value: Any) -> str:
        return "None" if value is None else inner.show(value)

    return AttrType(f"{inner.name} or None", parse, show, optional=True)


def attr_type(annotation: Any) -> AttrType:
    """The `AttrType` of an annotation; TypeError for one outside the small set."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _enum(args)
    if origin in (typing.Union, types.UnionType) and type(None) in args and len(args) == 2:
        inner = args[0] if args[1] is type(None) else args[1]
        return _optional(attr_type(inner))
    raise TypeError(f"no attribute type for the annotation {annotation!r}")


@dataclass(frozen=True)
class Attr:
    """One declared attribute of an operator; `required` when it has no default."""

    name: str
    type: AttrType
    default: Any
    required: bool

    def parse(self, op: str, value: Any) -> Any:
        """`value` as the body takes it; MXNetError naming operator and attribute if it is none."""
        try:
            return self.type.parse(value)
        except (ValueError, TypeError, KeyError, MXNetError, OverflowError, SyntaxError):
            raise MXNetError(
                f"operator {op}: attribute {self.name} expects {self.type.name}, got {value!r}"
            ) from None


def negative_zeros(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Names whose value is -0.0, which Python holds equal to 0.0 though operators do not."""
    if not values:
        return ()
    zeros = [k for k, v in values.items() if type(v) is float and v == 0]
    return tuple([k for k in zeros if math.copysign(1, values[k]) < 0])


class Attrs(dict):
    """Parsed attributes of one call: hashable, never changed, read as ``attrs.axis``.

    `Op.attributes` interns them, so equal attributes of one operator are one object.
    """

    __slots__ = ("_hash", "_negative")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative = negative_zeros(self)
        self._hash = hash((self._negative, *self.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return dict.__eq__(self, other) and self._negative == negative_zeros(other)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
