"""Nested lists of tensors, as control flow takes and returns them: flat, and back again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Form = Any  # 0: a tensor; a list of forms: a list of what they describe


def flatten(value: Any, kind: type, what: str) -> tuple[list, Form]:
    """The tensors of class `kind` in a nested list, and its form; AssertionError for others."""
    if isinstance(value, kind):
        return [value], 0
    if value is None:
        return [], []
    if not isinstance(value, (list, tuple)):
        raise AssertionError(
            f"{what} must be a (nested) list of {kind.__name__}, got {value!r} of {type(value)}"
        )
    flat, forms = [], []
    for item in value:
        found, form = flatten(item, kind, what)
        flat += found
        forms.append(form)
    return flat, forms


def regroup(flat: Sequence[Any], form: Form) -> Any:
    """The nested list of that form that holds `flat`."""
    return _take(iter(flat), form)


def _take(items: Iterator, form: Form) -> Any:
    return (
        next(items) if form == 0 and not isinstance(form, list) else [_take(items, f) for f in form]
    )
