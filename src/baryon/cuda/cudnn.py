"""cuDNN through its Python front end: graphs built once for each case, kept, and run.

The front end (the package ``nvidia-cudnn-frontend``) is optional: without it, or where cuDNN has no
engine for a graph, callers compute by other means.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cache
from threading import get_ident
from typing import Any, NamedTuple

import numpy as np

from .. import settings
from ..dtypes import bfloat16

_MOST_PLANS = 4096
_TYPES = {
    np.dtype(np.float16): "HALF",
    np.dtype(bfloat16): "BFLOAT16",
    np.dtype(np.float32): "FLOAT",
    np.dtype(np.float64): "DOUBLE",
    np.dtype(np.int64): "INT64",
}


class Plan(NamedTuple):
    """A graph ready to run, its tensors in the order of arguments, and its scratch bytes."""

    graph: Any
    tensors: Sequence[Any]
    workspace: int


_plans: dict[Hashable, Plan | None] = {}
_handles: dict[tuple[int, int], Any] = {}


@cache
def library() -> Any:
    """The module ``cudnn``, or None where it is not installed, does not load or is not wanted."""
    if not settings.get("BARYON_CUDNN"):
        return None
    try:
        import cudnn
    except (ImportError, OSError, RuntimeError):
        return None
    return cudnn


def data_type(dtype: Any) -> Any:
    """CuDNN's name of a type."""
    return getattr(library().data_type, _TYPES[np.dtype(dtype)])


def _handle(xp: Any) -> Any:
    """The handle of this thread and the current device, set to the current stream."""
    key = get_ident(), xp.cuda.runtime.getDevice()
    if key not in _handles:
        _handles[key] = library().create_handle()
    library().set_stream(handle=_handles[key], stream=xp.cuda.get_current_stream().ptr)
    return _handles[key]


def _build(xp: Any, dtype: Any, draw: Callable[[Any], Sequence[Any]]) -> Plan | None:
    """Draw a graph and plan it; None if cuDNN does not support it."""
    lib = library()
    wide = lib.data_type.DOUBLE if dtype == np.float64 else lib.data_type.FLOAT
    kinds = {"intermediate_data_type": wide, "compute_data_type": wide}
    graph = lib.pygraph(io_data_type=data_type(dtype), handle=_handle(xp), **kinds)
    tensors = draw(graph)
    try:
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([lib.heur_mode.A, lib.heur_mode.FALLBACK])
        graph.check_support()
        graph.build_plans()
    except (lib.cudnnGraphNotSupportedError, RuntimeError):
        return None
    return Plan(graph, tensors, graph.get_workspace_size())


def run(
    xp: Any, key: Hashable, dtype: Any, draw: Callable[[Any], Sequence[Any]], arrays: Sequence[Any]
) -> bool:
    """Run the graph of a case on arrays; False if there is no cuDNN or it has no engine for it.

    key    : names the case, with everything that `draw` depends on.
    draw   : adds the operations to a graph and returns its tensors, inputs and outputs, in the
             order of `arrays`.
    """
    if library() is None:
        return False
    key = xp.cuda.runtime.getDevice(), np.dtype(dtype), key
    if key not in _plans:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[key] = _build(xp, dtype, draw)
    plan = _plans[key]
    if plan is None:
        return False
    places = {t: a.data.ptr for t, a in zip(plan.tensors, arrays, strict=True)}
    scratch = xp.empty((max(plan.workspace, 1),), np.uint8)
    plan.graph.execute(places, scratch.data.ptr, handle=_handle(xp))
    return True


def described(graph: Any, array: Any, axes: Sequence[int] = (), rank: int = 4) -> Any:
    """A tensor of a graph that lies as an array does, its axes in another order (default: as is).

    Axes of size 1 are added at the end until there are `rank`: four, as convolutions want.
    """
    axes = tuple(axes) or tuple(range(array.ndim))
    shape = [array.shape[i] for i in axes]
    strides = [array.strides[i] // array.dtype.itemsize for i in axes]
    while len(shape) < rank:
        shape.append(1)
        strides.append(1)
    return graph.tensor(dim=shape, stride=strides, data_type=data_type(array.dtype))


def finish(tensor: Any, like: Any) -> Any:
    """Make a tensor of a graph an output that lies as another tensor of it does."""
    tensor.set_output(True).set_data_type(like.get_data_type())
    tensor.set_dim(like.get_dim()).set_stride(like.get_stride())
    return tensor
