"""NumPy's own functions called on arrays of the NumPy interface: they compute here.

A function that ``mx.np`` has is that one; any other is computed by NumPy on the host, and no
gradient flows through it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import fallback, functions


@functools.cache
def _ours(name: str, space: str = "") -> Callable | None:
    """The function of this interface with the name of one of NumPy's, or None."""
    from ..ndarray.np_ndarray import draw

    return functions(space, draw, "baryon.numpy").get(name)


def array_function(self: Any, func: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """What ``numpy.func(...)`` does with an array of the NumPy interface among its arguments."""
    space = "linalg" if func.__module__ == "numpy.linalg" else ""
    ours = _ours(func.__name__, space)
    if ours is not None:
        return ours(*args, **kwargs)
    return fallback.from_host(func(*fallback.on_host(args), **fallback.on_host(kwargs)))


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What a NumPy ufunc does with an array of the NumPy interface among its operands."""
    if method != "__call__":
        return NotImplemented
    for x in inputs:
        if isinstance(x, np.ndarray):
            raise TypeError(f"{ufunc.__name__}: type {type(x)} not supported; use mx.np.array")
    out = kwargs.pop("out", None)
    out = out[0] if out is not None and len(out) == 1 else out
    ours = _ours(ufunc.__name__)
    if ours is not None:
        return ours(*inputs, out=out, **kwargs)
    found = fallback.from_host(ufunc(*fallback.on_host(inputs), **fallback.on_host(kwargs)))
    if out is None:
        return found
    out[...] = found
    return out
