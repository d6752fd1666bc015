"""The functions of the NumPy interface, once for arrays and symbols.

``mx.np``, ``mx.nd.np`` and ``mx.sym.np`` (and ``npx``, ``linalg``, ``random``) offer the same
functions. Most look at their arguments and apply an operator; those that may have no tensor among
them are told by their front end what to make (`call.drawn`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import (
    creation,
    elementwise,
    fallback,
    indexing,
    joining,
    linalg,
    products,
    random,
    random_extension,
    reduction,
    shaping,
)
from .call import Draw, bound

# Namespace -> modules with its functions in ``__all__``.
_SPACES = {
    "": (creation, elementwise, indexing, joining, products, reduction, shaping),
    "linalg": (linalg,),
    "random": (random,),
    "npx.random": (random_extension,),
}


def functions(space: str, draw: Draw, module: str) -> dict[str, Callable[..., Any]]:
    """The functions of ``np`` (space ``""``), ``np.linalg``, ``np.random`` or ``npx.random``."""
    return {
        name: bound(getattr(source, name), draw, module)
        for source in _SPACES[space]
        for name in source.__all__
    }


def host_functions(space: str) -> dict[str, Callable[..., Any]]:
    """The functions that NumPy computes, of ``np`` (space ``""``) or ``np.linalg``."""
    if space == "linalg":
        return fallback.LINALG
    return {name: getattr(fallback, name) for name in fallback.__all__}
