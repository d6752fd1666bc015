"""Namespaces of the NumPy interface whose functions are made from operators when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .. import namespaces
from ..namespaces import Front
from ..ops.op import REGISTRY, get


def prefer_operators(front: Front, module: str, prefix: str) -> tuple[Callable, Callable]:
    """``__getattr__`` and ``__dir__`` that offer the operators ``prefix + name`` under ``name``.

    Where the module has a function of that name already, the operator's own takes its place.
    """
    own = vars(sys.modules[module])
    for name in [n for n in own if prefix + n in REGISTRY]:
        del own[name]

    def lookup(name: str) -> Any:
        if name.startswith("_") or prefix + name not in REGISTRY:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        made = own[name] = namespaces.function(front, get(prefix + name), name, module)
        return made

    def listing() -> list[str]:
        return sorted({*own, *names(prefix)})

    return lookup, listing


def names(prefix: str) -> list[str]:
    """Public names of the operators with a prefix."""
    found = (n[len(prefix) :] for n in REGISTRY if n.startswith(prefix))
    return [n for n in found if not n.startswith("_")]


def operators(front: Front, name: str, prefix: str) -> ModuleType:
    """A module of functions made from the operators with a prefix."""
    module = sys.modules[name] = ModuleType(name, f"Operators whose names begin with {prefix}.")
    module.__getattr__, module.__dir__ = prefer_operators(front, name, prefix)  # type: ignore
    return module
