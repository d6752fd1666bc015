"""Automatic names of symbols and blocks: a counter for each hint, optionally under a prefix."""

from __future__ import annotations

import threading

__all__ = ["NameManager", "Prefix"]

_local = threading.local()


class _Current:
    """Makes ``NameManager.current`` read the calling thread's manager."""

    def __get__(self, instance: object, owner: type) -> NameManager:
        return current()


class NameManager:
    """Gives unnamed symbols a name: the hint plus a count, ``relu0``, ``relu1``, …

    As a ``with`` block it serves the symbols made inside, in this thread.

    >>> manager = mx.name.NameManager()
    >>> manager.get(None, "relu"), manager.get(None, "relu"), manager.get("mine", "relu")
    ('relu0', 'relu1', 'mine')
    """

    current = _Current()

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}
        self._outer: list[NameManager | None] = []

    def get(self, name: str | None, hint: str) -> str:
        """`name` if there is one, else the next name for `hint`."""
        if name:
            return name
        count = self._counter.get(hint, 0)
        self._counter[hint] = count + 1
        return f"{hint}{count}"

    def __enter__(self) -> NameManager:
        self._outer.append(getattr(_local, "current", None))
        _local.current = self
        return self

    def __exit__(self, *exc: object) -> None:
        _local.current = self._outer.pop()


class Prefix(NameManager):
    """Puts a prefix before every name, given ones included.

    >>> with mx.name.Prefix("encoder_"):
    ...     mx.name.NameManager.current.get(None, "fc")
    'encoder_fc0'
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        """The prefixed name."""
        return self._prefix + super().get(name, hint)


def current() -> NameManager:
    """The manager of the calling thread."""
    found = getattr(_local, "current", None)
    if found is None:
        found = _local.current = NameManager()
    return found
