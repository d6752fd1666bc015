"""How MXNet spells the names and attributes of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graph.graph import Entry
from ..graph.upgrade import HIDDEN_KEYS
from ..ops.op import Op


def listed(attrs: Mapping[str, str]) -> dict[str, str]:
    """Attributes as MXNet lists them: its own keys both with and without the underscores."""
    return {**attrs, **{k[2:-2]: v for k, v in attrs.items() if k[2:-2] in HIDDEN_KEYS}}


def is_users(key: str) -> bool:
    """Whether an attribute of an operator's node is the user's rather than the operator's."""
    return key.startswith("__") or key in HIDDEN_KEYS


def stored(attrs: Mapping[str, str]) -> dict[str, str]:
    """Attributes as nodes keep them: MXNet's own keys with underscores."""
    return {f"__{k}__" if k in HIDDEN_KEYS else k: v for k, v in attrs.items()}


def output_name(entry: Entry) -> str:
    """An output's name: the node's, and which output it is."""
    node = entry.node
    if node.op is None:
        return node.name
    return f"{node.name}_{node.op.output_names(node.params)[entry.index]}"


def old_name(op: Op) -> str:
    """The automatic name after the oldest name of an operator: ``_plus``, ``_mulscalar``, …"""
    for alias in (*op.aliases, op.name):
        if alias[0] == "_" and alias[1:2].isupper():
            return alias.lower()
    return op.name.lower()


_OF_LATER_YEARS = ("equal", "greater", "lesser", "rpower")


def operator_hint(op: Op) -> str:
    """The automatic name of what a Python operator made.

    MXNet calls the oldest names there, except for comparisons with a number and powers of one.
    """
    if op.name.endswith("_scalar") and any(word in op.name for word in _OF_LATER_YEARS):
        return op.name
    return old_name(op)


def text(op: Op, key: str, given: Any, parsed: Any) -> str:
    """An attribute as MXNet writes it: as the caller spelled it, NumPy scalars as plain numbers."""
    items = given if isinstance(given, (tuple, list)) else (given,)
    if all(i is None or isinstance(i, (str, bool, int, tuple)) for i in items):
        return str(given)
    return op.attrs[key].type.show(parsed)
