"""NVIDIA GPUs: CuPy arrays. Imported only once a GPU is used; needs CuPy and a driver.

All work goes to CuPy's current stream, and all memory comes from its current allocator; so a user's
``with cupy.cuda.Stream()`` and ``cupy.cuda.set_allocator`` hold here, too.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from ..base import MXNetError
from ..context import load_cupy, no_such_gpu, num_gpus
from . import faults
from .capturing import capturing, is_capturing

xp = load_cupy()
_pinned: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
_in_flight: deque[tuple[Any, np.ndarray]] = deque()  # uploads that may still be read, by event


def active(device_id: int) -> Any:
    """A ``with`` block in which a GPU is the current one."""
    if not 0 <= device_id < _count():
        raise no_such_gpu(device_id)
    return xp.cuda.Device(device_id)


@cache
def _count() -> int:
    return num_gpus()


def empty(shape: tuple[int, ...], dtype: Any, device_id: int = 0) -> Any:
    """Uninitialised memory on a GPU."""
    with active(device_id):
        return xp.empty(shape, dtype)


def full(shape: tuple[int, ...], value: Any, dtype: Any, device_id: int = 0) -> Any:
    """An array filled with one value."""
    with active(device_id):
        return xp.full(shape, value, dtype)


def asarray(data: Any, device_id: int = 0) -> Any:
    """A C-contiguous copy of host or device `data` on a GPU."""
    if isinstance(data, np.ndarray):
        with active(device_id):
            return _upload(data) if is_pinned(data) else xp.array(data, order="C")
    if data.device.id == device_id:
        with active(device_id):
            return data.copy(order="C")
    return _across(data, device_id)


def _across(data: Any, device_id: int) -> Any:
    """A copy from another GPU: after what computes it, and before its memory is used again."""
    with data.device:
        source = xp.ascontiguousarray(data)
        sending, computed = xp.cuda.get_current_stream(), _event()
        computed.record(sending)
    with active(device_id):
        receiving, copied = xp.cuda.get_current_stream(), _event()
        receiving.wait_event(computed)
        made = source.copy()
        copied.record(receiving)
    with data.device:
        sending.wait_event(copied)
    return made


def _event() -> Any:
    return xp.cuda.Event(disable_timing=True)


# ---- captured graphs ----------------------------------------------------------------------------


@contextmanager
def capture(stream: Any, pool: Any) -> Iterator[None]:
    """Capture the work of a block on `stream`, with memory from `pool`.

    A copy from the host raises MXNetError: the graph would read page-locked memory that CuPy uses
    again. (The guard takes the place of an allocator of page-locked memory that a user has set.)
    """
    xp.cuda.set_pinned_memory_allocator(_page_locked)
    with capturing(), xp.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        yield


def _page_locked(size: int) -> Any:
    if is_capturing():
        raise MXNetError("values are copied from the host, which a graph cannot do")
    return xp.get_default_pinned_memory_pool().malloc(size)


# ---- page-locked host memory ---------------------------------------------------------------------


def empty_pinned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A host array in page-locked memory, from which copies to a GPU do not wait."""
    import cupyx

    made = _owner(cupyx.empty_pinned(shape, dtype))
    _pinned[id(made)] = made
    return made.view()


def is_pinned(data: np.ndarray) -> bool:
    """Whether an array lies in memory that `empty_pinned` made."""
    owner = _owner(data)
    return _pinned.get(id(owner)) is owner


def _owner(data: np.ndarray) -> np.ndarray:
    while isinstance(data.base, np.ndarray):
        data = data.base
    return data


def _upload(data: np.ndarray) -> Any:
    """A copy of a page-locked array, which is kept until the GPU has read it."""
    while _in_flight and _in_flight[0][0].done:
        _in_flight.popleft()
    stream, read = xp.cuda.get_current_stream(), _event()
    made = xp.empty(data.shape, data.dtype)
    made.set(data, stream=stream)
    read.record(stream)
    _in_flight.append((read, data))
    return made


# ---- reading and waiting -------------------------------------------------------------------------


def to_numpy(data: Any) -> np.ndarray:
    """A copy in host memory; waits for the work that computes `data`, and raises its faults."""
    with data.device:
        host = xp.asnumpy(data, order="C")
    faults.raise_found()
    return host


def context_of(data: Any) -> tuple[str, int]:
    """Kind and number of the device that holds an array."""
    return "gpu", data.device.id


def wait(data: Any) -> None:
    """Wait for the work of the current stream, which computes `data`."""
    with data.device:
        xp.cuda.get_current_stream().synchronize()
    faults.raise_found()


def shares(a: Any, b: Any) -> bool:
    """Whether two arrays may share memory: whether it comes from one allocation."""
    return not isinstance(b, np.ndarray) and a.data.mem is b.data.mem


def synchronize() -> None:
    """Wait until all work queued on every GPU is done."""
    for device_id in range(num_gpus()):
        xp.cuda.Device(device_id).synchronize()
    faults.raise_found()
