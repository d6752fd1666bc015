"""What a device can do: memory, transfers, and the array module that operator bodies run on."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from ..context import Context, num_gpus
from . import cpu


def of_context(ctx: Context) -> ModuleType:
    """The backend module that serves a device."""
    if ctx.device_typeid != 2:
        return cpu
    from . import cuda

    return cuda


def array_module(ctx: Context) -> Any:
    """The module, numpy or cupy, that makes the arrays of a device."""
    return of_context(ctx).xp


def of_array(data: Any) -> ModuleType:
    """The backend module that made an array; a sparse one lies where its values lie."""
    if isinstance(getattr(data, "values", data), np.ndarray):
        return cpu
    from . import cuda

    return cuda


def active(ctx: Context) -> Any:
    """A ``with`` block in which arrays of a device can be computed with."""
    return of_context(ctx).active(ctx.device_id)


def blanks(like: Any, specs: Iterable[tuple[tuple[int, ...], Any]]) -> list[Any]:
    """Uninitialised arrays of (shape, dtype), where the array `like` lies (None: on the CPU)."""
    if like is None or isinstance(like, np.ndarray):
        return [np.empty(shape, dtype) for shape, dtype in specs]
    source = of_array(like)
    with like.device:
        return [source.xp.empty(shape, dtype) for shape, dtype in specs]


def move(data: Any, ctx: Context) -> Any:
    """A fresh copy of an array on a device."""
    target = of_context(ctx)
    if target is cpu:
        made = of_array(data).to_numpy(data)
        return _pinned(made) if ctx.device_type == "cpu_pinned" and num_gpus() else made
    return target.asarray(data, ctx.device_id)


def _pinned(data: Any) -> np.ndarray:
    """A copy in page-locked memory."""
    from . import cuda

    made = cuda.empty_pinned(data.shape, data.dtype)
    made[...] = data
    return made
