"""Arrays sent between processes, and the loops of MXNet's first data loader.

`DataLoader` needs none of this; programs with loaders of their own do. `Queue` and `SimpleQueue`
copy arrays into their messages; a `ConnectionWrapper` sends the memory itself, which both ends then
share, and wants the sender to live until it arrives.
"""

from __future__ import annotations

import io
import mmap
import multiprocessing
import multiprocessing.queues
import os
import pickle
from collections.abc import Callable, MutableMapping
from contextlib import nullcontext
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import numpy as np

from ...context import cpu_pinned
from ...ndarray import NDArray

__all__ = [
    "ConnectionWrapper",
    "Queue",
    "SimpleQueue",
    "fetcher_loop_v1",
    "rebuild_ndarray",
    "rebuild_np_ndarray",
    "reduce_ndarray",
    "reduce_np_ndarray",
    "worker_loop_v1",
]


def reduce_ndarray(data: NDArray) -> tuple[Callable, tuple]:
    """How a pickle rebuilds an array in another process: from a copy in shared memory."""
    return _reduced(data, rebuild_ndarray)


def reduce_np_ndarray(data: NDArray) -> tuple[Callable, tuple]:
    """`reduce_ndarray` of an array of `mx.np`."""
    return _reduced(data, rebuild_np_ndarray)


def _reduced(data: NDArray, rebuild: Callable) -> tuple[Callable, tuple]:
    values = np.ascontiguousarray(data.asnumpy())
    descriptor = os.memfd_create("baryon-array")
    try:
        os.ftruncate(descriptor, max(values.nbytes, 1))
        if values.nbytes:
            with mmap.mmap(descriptor, values.nbytes) as memory:
                memory[:] = values.tobytes()
        sent = DupFd(descriptor)
    finally:
        os.close(descriptor)
    return rebuild, (os.getpid(), sent, values.shape, values.dtype)


def rebuild_ndarray(pid: int, fd: Any, shape: tuple[int, ...], dtype: Any) -> NDArray:
    """The array that process ``pid`` sent: a view of the shared memory ``fd``."""
    descriptor = fd.detach()
    try:
        memory = mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)
    count = int(np.prod(shape))
    return NDArray(np.frombuffer(memory, dtype, count).reshape(shape))


def rebuild_np_ndarray(pid: int, fd: Any, shape: tuple[int, ...], dtype: Any) -> NDArray:
    """`rebuild_ndarray` as an array of `mx.np`."""
    return rebuild_ndarray(pid, fd, shape, dtype).as_np_ndarray()


class _SharingPickler(ForkingPickler):
    """Pickles arrays as their memory."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, NDArray):
            return NotImplemented
        return reduce_ndarray(obj) if type(obj) is NDArray else reduce_np_ndarray(obj)


class ConnectionWrapper:
    """A connection of `multiprocessing` that sends arrays as shared memory."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def send(self, obj: Any) -> None:
        """Send an object."""
        stream = io.BytesIO()
        _SharingPickler(stream, pickle.HIGHEST_PROTOCOL).dump(obj)
        self._conn.send_bytes(stream.getvalue())

    def recv(self) -> Any:
        """The next object."""
        return pickle.loads(self._conn.recv_bytes())

    def __getattr__(self, name: str) -> Any:
        if name == "_conn":  # not there yet while it is unpickled
            raise AttributeError(name)
        return getattr(self._conn, name)


class Queue(multiprocessing.queues.Queue):
    """A queue between processes, made without naming a context."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, ctx=multiprocessing.get_context(), **kwargs)


class SimpleQueue(multiprocessing.queues.SimpleQueue):
    """A queue between processes without a thread of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, ctx=multiprocessing.get_context(), **kwargs)


def worker_loop_v1(
    dataset: Any, key_queue: Any, data_queue: Any, batchify_fn: Callable[[list], Any]
) -> None:
    """Answer each ``(key, indices)`` of a queue by ``(key, batch)`` in another, until key None."""
    while True:
        key, samples = key_queue.get()
        if key is None:
            return
        data_queue.put((key, batchify_fn([dataset[i] for i in samples])))


def fetcher_loop_v1(
    data_queue: Any,
    data_buffer: MutableMapping[Any, Any],
    pin_memory: bool = False,
    pin_device_id: int = 0,
    data_buffer_lock: Any = None,
) -> None:
    """Move each ``(key, batch)`` of a queue into a dict, until key None.

    pin_memory, pin_device_id : copy batches to page-locked memory for transfers to a GPU.
    """
    while True:
        key, batch = data_queue.get()
        if key is None:
            return
        if pin_memory:
            batch = as_in_context(batch, cpu_pinned(pin_device_id))
        with data_buffer_lock or nullcontext():
            data_buffer[key] = batch


def as_in_context(data: Any, ctx: Any) -> Any:
    """A batch with its arrays copied to a device."""
    if isinstance(data, NDArray):
        return data.as_in_context(ctx)
    if isinstance(data, list | tuple):
        return type(data)(as_in_context(x, ctx) for x in data)
    return data
