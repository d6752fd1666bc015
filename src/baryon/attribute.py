"""Attributes that every symbol made in a scope carries, such as ``ctx_group`` and ``lr_mult``."""

from __future__ import annotations

import threading
from collections.abc import Mapping

__all__ = ["AttrScope"]

_local = threading.local()


class _Current:
    """Makes ``AttrScope.current`` read the calling thread's scope."""

    def __get__(self, instance: object, owner: type) -> AttrScope:
        return current()


class AttrScope:
    """Attributes, strings by name, of the symbols made inside a ``with`` block.

    Inner scopes add to outer ones and win over them.

    >>> with mx.AttrScope(ctx_group="dev1"):
    ...     mx.attribute.current().get({"lr_mult": "2"})
    {'ctx_group': 'dev1', 'lr_mult': '2'}
    """

    current = _Current()

    def __init__(self, **kwargs: str) -> None:
        for name, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {name} must be a string, got {value!r}")
        self._attr = dict(kwargs)
        self._merged: list[dict[str, str]] = []
        self._outer: list[AttrScope | None] = []

    def get(self, attr: Mapping[str, str] | None) -> dict[str, str]:
        """The scope's attributes updated with `attr`."""
        scope = self._merged[-1] if self._merged else self._attr
        return {**scope, **(attr or {})}

    def __enter__(self) -> AttrScope:
        self._merged.append({**current().get(None), **self._attr})
        self._outer.append(getattr(_local, "current", None))
        _local.current = self
        return self

    def __exit__(self, *exc: object) -> None:
        self._merged.pop()
        _local.current = self._outer.pop()


def current() -> AttrScope:
    """The scope of the calling thread."""
    found = getattr(_local, "current", None)
    if found is None:
        found = _local.current = AttrScope()
    return found
