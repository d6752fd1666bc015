"""Arguments of iterators, given as values or as the strings of MXNet's configuration files."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import warnings
from collections.abc import Iterable, Mapping
from typing import Any


def build(name: str, arguments: Mapping[str, Any], *kinds: type) -> list[Any]:
    """Dataclasses of settings, each with those arguments that are its fields.

    Fields are int, float, bool, str, optional ones of these, or tuples of floats or ints. A warning
    for arguments that are no field of any, ValueError for values that do not fit.
    """
    types = [{f.name: str(f.type) for f in dataclasses.fields(kind)} for kind in kinds]
    known = {field for fields in types for field in fields}
    warn_of_unknown(name, set(arguments) - known)
    try:
        return [
            kind(**{k: convert(k, v, fields[k]) for k, v in arguments.items() if k in fields})
            for kind, fields in zip(kinds, types, strict=True)
        ]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def signature(*kinds: type) -> inspect.Signature:
    """The call signature of what takes the fields of these dataclasses as keywords."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter(f.name, keyword, default=f.default, annotation=f.type)
            for kind in kinds
            for f in dataclasses.fields(kind)
        ]
    )


def warn_of_unknown(name: str, arguments: Iterable[str]) -> None:
    """Warn of arguments that an iterator does not have, which MXNet lets pass and programs give."""
    for argument in sorted(arguments):
        warnings.warn(f"{name} has no argument {argument!r}: it is ignored", stacklevel=4)


def convert(field: str, value: Any, kind: str) -> Any:
    """A value as a field of that type takes it."""
    kind, _, optional = kind.partition(" | ")
    if optional and value in (None, "None"):
        return None
    try:
        if isinstance(value, str) and kind != "str":
            value = ast.literal_eval(value)
        if kind == "bool":
            if value not in (0, 1):
                raise ValueError
            return bool(value)
        if kind == "int":
            return value.__index__() if not isinstance(value, float) else _whole(value)
        if kind == "float":
            return float(value)
        if kind.startswith("tuple"):
            number = int if "int" in kind else float
            many = value if isinstance(value, list | tuple) else (value,)
            return tuple(number(v) for v in many)
        return str(value)
    except (ValueError, TypeError, SyntaxError, AttributeError):
        raise ValueError(f"{field} must be {kind}, got {value!r}") from None


def _whole(value: float) -> int:
    if not value.is_integer():
        raise ValueError
    return int(value)
