"""Sums and copies over several GPUs by NCCL, all keys of a call in one group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..context import load_cupy
from ..dtypes import bfloat16
from ..ndarray import NDArray

_TYPES = {
    np.dtype(np.float16): "NCCL_FLOAT16",
    np.dtype(bfloat16): "NCCL_BFLOAT16",
    np.dtype(np.float32): "NCCL_FLOAT32",
    np.dtype(np.float64): "NCCL_FLOAT64",
    np.dtype(np.int8): "NCCL_INT8",
    np.dtype(np.uint8): "NCCL_UINT8",
    np.dtype(np.int32): "NCCL_INT32",
    np.dtype(np.int64): "NCCL_INT64",
}

Arrays = Sequence[NDArray]  # one a GPU, alike but for that


@cache
def library() -> Any:
    """``cupy.cuda.nccl``, or None where CuPy finds no NCCL."""
    try:
        from cupy.cuda import nccl
    except ImportError:
        return None
    return nccl if nccl.available else None


@cache
def _communicators(devices: tuple[int, ...]) -> list[Any]:
    return library().NcclCommunicator.initAll(list(devices))


def _devices(arrays: Arrays) -> tuple[int, ...]:
    return tuple(a.context.device_id for a in arrays)


def serves(arrays: Arrays) -> bool:
    """Whether arrays are dense, alike, in C order, and on GPUs of their own, more than one."""
    if len(arrays) < 2 or any(a.context.device_type != "gpu" for a in arrays):
        return False
    if any(a.stype != "default" for a in arrays) or len({*_devices(arrays)}) < len(arrays):
        return False
    alike = len({(a.shape, np.dtype(a.dtype)) for a in arrays}) == 1
    known = alike and np.dtype(arrays[0].dtype) in _TYPES and arrays[0].size > 0
    return known and all(a._data.flags.c_contiguous for a in arrays) and library() is not None


def _grouped(calls: Sequence[tuple[Arrays, Callable[..., None]]]) -> None:
    """For each array of each call ``run(communicator, place, count, type, stream)``, as a group."""
    if not calls:
        return
    cuda, nccl = load_cupy().cuda, library()
    nccl.groupStart()
    try:
        for arrays, run in calls:
            for i, communicator in enumerate(_communicators(_devices(arrays))):
                raw = arrays[i]._data
                with cuda.Device(arrays[i].context.device_id):
                    kind = getattr(nccl, _TYPES[np.dtype(raw.dtype)])
                    run(communicator, i, raw.size, kind, cuda.get_current_stream().ptr)
    finally:
        nccl.groupEnd()


def all_reduce(groups: Sequence[Arrays]) -> None:
    """Replace each array by the sum over its group, on every GPU."""

    def one(arrays: Arrays) -> Callable[..., None]:
        def run(communicator: Any, i: int, count: int, kind: int, stream: int) -> None:
            place = arrays[i]._data.data.ptr
            communicator.allReduce(place, place, count, kind, library().NCCL_SUM, stream)

        return run

    _grouped([(arrays, one(arrays)) for arrays in groups])


def reduce(groups: Sequence[Arrays]) -> list[NDArray]:
    """The sum of each group, a new array on its first GPU."""
    sums = [arrays[0].copy() for arrays in groups]

    def one(arrays: Arrays, total: NDArray) -> Callable[..., None]:
        def run(communicator: Any, i: int, count: int, kind: int, stream: int) -> None:
            to = total if i == 0 else arrays[i]  # where only the first one's result is written
            sent = arrays[i]._data.data.ptr
            communicator.reduce(sent, to._data.data.ptr, count, kind, library().NCCL_SUM, 0, stream)

        return run

    _grouped([(arrays, one(arrays, total)) for arrays, total in zip(groups, sums, strict=True)])
    return sums


def broadcast(groups: Sequence[Arrays]) -> None:
    """Copy the first array of each group to the others."""

    def one(arrays: Arrays) -> Callable[..., None]:
        def run(communicator: Any, i: int, count: int, kind: int, stream: int) -> None:
            place = arrays[i]._data.data.ptr
            communicator.broadcast(arrays[0]._data.data.ptr, place, count, kind, 0, stream)

        return run

    _grouped([(arrays, one(arrays)) for arrays in groups])
