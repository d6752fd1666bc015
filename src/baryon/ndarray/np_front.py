"""How operators become functions of arrays of the NumPy interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import namespaces
from ..ops.op import Op
from . import accelerate
from .np_ndarray import ndarray

__all__ = ["FRONT"]


def _make(op: Op) -> Callable[..., Any]:
    def function(*args: Any, out: Any = None, name: str | None = None, **kwargs: Any) -> Any:
        actual = namespaces.meant(op, kwargs, None)
        inputs, raw = namespaces.split(actual, args, kwargs)
        return ndarray._apply_numpy(actual, [x for x in inputs if x is not None], raw, out)

    return function


FRONT = namespaces.Front(
    "baryon.ndarray.numpy", _make, "ndarray", ("out", "name"), accelerate.numpy_function
)
