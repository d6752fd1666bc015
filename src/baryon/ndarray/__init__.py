"""Arrays and the functions that compute with them at once (`mx.nd`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import namespaces
from ..ops.op import Op
from . import (
    _internal,
    accelerate,
    blocked,
    contrib,
    creation,
    ndarray,
    operations,
    random,
    sparse,
    utils,
)
from .creation import arange, array, empty, eye, full, linspace, ones, zeros
from .interchange import from_dlpack, from_numpy
from .invoke import invoke
from .ndarray import NDArray
from .operations import *  # noqa: F403
from .serialization import load, load_frombuffer, save


def _make(op: Op) -> Callable[..., Any]:
    """The eager function of an operator."""

    def function(*args: Any, out: Any = None, name: str | None = None, **kwargs: Any) -> Any:
        if not kwargs and accelerate.are_inputs(op, args) and op.instantiate is None:
            return invoke(op, args, {}, out)
        actual = namespaces.meant(op, kwargs, None)
        inputs, raw = namespaces.split(actual, args, kwargs)
        given = [x for x in inputs if x is not None]
        return invoke(actual, given, raw, out, None if given else NDArray)

    return function


FRONT = namespaces.Front("baryon.ndarray", _make, "NDArray", ("out", "name"), accelerate.function)
__getattr__, __dir__ = namespaces.install(FRONT)
namespaces.add_methods(NDArray, FRONT)
accelerate.install()
sparse.gs_retain = sparse.retain  # type: ignore[attr-defined]
NDArray.split_v2 = operations.split_v2  # type: ignore[attr-defined]
for _name in (*creation.__all__, *operations.__all__, "from_dlpack", "from_numpy"):
    setattr(ndarray, _name, globals()[_name])  # MXNet has these functions there too

from . import numpy, numpy_extension  # noqa: E402  (they need the fast path)

np, npx = numpy, numpy_extension
