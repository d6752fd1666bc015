"""Processes that load batches, and how batches come back from them.

A worker pickles its batch with the arrays' memory out of band (pickle protocol 5) into one
anonymous shared-memory file and sends the file descriptor; the loader's arrays are views of that
memory. The file has no name, so nothing is left behind however a process ends.
"""

from __future__ import annotations

import io
import itertools
import mmap
import multiprocessing
import os
import pickle
import random
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

import numpy as np

from ... import random as mx_random
from ...base import MXNetError
from ...native import native
from ...ndarray import NDArray
from ...pixels import use_one_thread

_ALIGN = 64
_INLINE = 4096  # bytes below which a batch travels in the message itself
_QUEUED = 4  # tasks in one worker's pipe; few, so that neither side ever blocks on a full pipe
_ORPHAN_CHECK = 5.0  # seconds after which an idle worker looks whether its parent lives


class WorkerTraceback(Exception):
    """Shows the traceback of a worker below the exception raised in the main process."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


# ---- batches between processes -------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Pickles NDArrays as their numpy arrays, whose memory goes out of band."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, NDArray) and obj.stype == "default":
            return (type(obj)._wrap, (obj.asnumpy(),))
        return NotImplemented


def _pack(batch: Any) -> tuple[bytes, list[memoryview]]:
    """A batch as a pickle and the buffers it refers to."""
    stream, buffers = io.BytesIO(), []
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(batch)
    return stream.getvalue(), [buffer.raw() for buffer in buffers]


def _send(conn: Connection, key: int, batch: Any) -> None:
    data, buffers = _pack(batch)
    sizes = [buffer.nbytes for buffer in buffers]
    total = len(data) + sum(sizes)
    if total < _INLINE or not hasattr(os, "memfd_create"):
        conn.send((key, "inline", data, [bytes(buffer) for buffer in buffers]))
        return
    offsets = list(itertools.accumulate((-(-n // _ALIGN) * _ALIGN for n in sizes), initial=0))
    fd = os.memfd_create("baryon-batch")
    try:
        os.ftruncate(fd, offsets[-1] + len(data))
        with mmap.mmap(fd, offsets[-1] + len(data)) as memory:
            for offset, buffer in zip(offsets, buffers, strict=False):
                memory[offset : offset + buffer.nbytes] = buffer
            memory[offsets[-1] :] = data
        conn.send((key, "shared", offsets, sizes))
        send_handle(conn, fd, os.getppid())
    finally:
        os.close(fd)


def _receive(conn: Connection) -> tuple[int, Any, BaseException | None]:
    """A worker's answer: its key, and the batch or what was raised."""
    key, kind, first, second = conn.recv()
    if kind == "error":
        return key, None, _remote_error(first, second)
    if kind == "inline":
        # bytearrays, because arrays over bytes would be read-only
        return key, pickle.loads(first, buffers=[bytearray(b) for b in second]), None
    fd = recv_handle(conn)
    try:
        memory = memoryview(mmap.mmap(fd, 0))
    finally:
        os.close(fd)
    buffers = [memory[o : o + n] for o, n in zip(first, second, strict=False)]
    return key, pickle.loads(memory[first[-1] :], buffers=buffers), None


def _remote_error(pickled: bytes | None, text: str) -> BaseException:
    error: Any = None
    if pickled is not None:
        try:
            error = pickle.loads(pickled)
        except Exception:  # an exception class that cannot be rebuilt here
            error = None
    if not isinstance(error, BaseException):
        last = text.strip().splitlines()[-1]
        error = MXNetError(f"a DataLoader worker failed: {last}")
    error.__cause__ = WorkerTraceback(text)
    return error


# ---- the worker ----------------------------------------------------------------------------------


def _work(conn: Connection, parent: int, dataset: Any, batchify: Callable) -> None:
    """The worker's loop: load the samples of each task until the pipe closes."""
    use_one_thread()  # workers are many already
    if native is not None:
        native.set_num_threads(1)
    while True:
        try:
            while not conn.poll(_ORPHAN_CHECK):
                if os.getppid() != parent:
                    return
            task = conn.recv()
            if task is None:
                return
            _do(conn, *task, dataset, batchify)
        except (EOFError, OSError, KeyboardInterrupt):  # the loader is gone
            return


def _do(
    conn: Connection, key: int, seed: int, samples: Any, dataset: Any, batchify: Callable
) -> None:
    # One seed a batch: the same numbers, whichever worker gets it.
    random.seed(seed)
    np.random.seed(seed)
    mx_random.seed(seed)
    try:
        batch = batchify([dataset[i] for i in samples])
        _send(conn, key, batch)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the dataset raises is the user's to see
        try:
            pickled = pickle.dumps(error)
        except Exception:
            pickled = None
        conn.send((key, "error", pickled, traceback.format_exc()))


# ---- the loader's side ---------------------------------------------------------------------------


class _Worker:
    """One process, its pipe, and the tasks it has not answered."""

    def __init__(self, context: Any, dataset: Any, batchify: Callable) -> None:
        self.conn, theirs = context.Pipe(duplex=True)
        self.process = context.Process(
            target=_work, args=(theirs, os.getpid(), dataset, batchify), daemon=True
        )
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; the engine's threads are made for them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        theirs.close()
        self.tasks: dict[int, Any] = {}

    def give(self, key: int, seed: int, samples: Any) -> None:
        self.tasks[key] = samples
        self.conn.send((key, seed, samples))

    def stop(self) -> None:
        self.conn.close()
        if self.process.is_alive():
            self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class ProcessPool:
    """Workers that load batches; `submit` gives a key, `result` waits for that batch.

    What a dataset raises in a worker is raised by `result`, with the worker's traceback. A worker
    that dies, or a batch that takes longer than ``timeout`` seconds, ends the pool with an error.
    """

    def __init__(self, workers: int, dataset: Any, batchify: Callable, timeout: float) -> None:
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
        self._owner = os.getpid()
        self._timeout = timeout
        self._keys = itertools.count()
        self._waiting: deque[tuple[int, Any]] = deque()
        self._dropped: set[int] = set()
        self._done: dict[int, tuple[Any, BaseException | None]] = {}
        self._seed = int(np.random.randint(2**31 - 1))
        self._workers = [_Worker(context, dataset, batchify) for _ in range(workers)]

    def submit(self, samples: Sequence[int]) -> int:
        """Queue the loading of some samples."""
        key = next(self._keys)
        self._waiting.append((key, samples))
        self._feed()
        return key

    def result(self, key: int) -> Any:
        """The batch of a key, or the exception that loading it raised."""
        deadline = time.monotonic() + self._timeout
        while key not in self._done:
            try:
                self._take(deadline, key)
            except BaseException:
                self.stop()
                raise
        batch, error = self._done.pop(key)
        if error is not None:
            raise error
        return batch

    def drop(self, keys: Sequence[int]) -> None:
        """Forget batches that nobody will ask for."""
        gone = set(keys)
        self._waiting = deque(task for task in self._waiting if task[0] not in gone)
        for key in gone:
            self._done.pop(key, None)
        self._dropped |= {k for k in gone if any(k in worker.tasks for worker in self._workers)}

    def stop(self) -> None:
        """End the workers."""
        if os.getpid() != self._owner:  # a forked copy of the pool owns no workers
            return
        for worker in self._workers:
            worker.stop()
        self._workers = []

    @property
    def alive(self) -> bool:
        """Whether the pool can be used, by this process."""
        return bool(self._workers) and os.getpid() == self._owner

    def _feed(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=lambda w: len(w.tasks))
            if len(worker.tasks) >= _QUEUED:
                return
            key, samples = self._waiting.popleft()
            try:
                worker.give(key, (self._seed + key) % 2**31, samples)
            except OSError:  # it died: `_take` tells how
                return

    def _take(self, deadline: float, key: int) -> None:
        """Wait for any answer, up to the deadline, and keep it."""
        busy = {worker.conn: worker for worker in self._workers}
        ends = {worker.process.sentinel: worker for worker in self._workers}
        ready = wait([*busy, *ends], max(deadline - time.monotonic(), 0))
        if not ready:
            raise multiprocessing.TimeoutError(
                f"DataLoader: no batch within {self._timeout} seconds (samples "
                f"{self._samples(key)}); a worker may be stuck, or the timeout too short"
            )
        for item in ready:
            if item in busy:
                self._answer(busy[item])
        for item in ready:
            if item in ends and not ends[item].conn.poll():
                raise self._death(ends[item])
        self._feed()

    def _answer(self, worker: _Worker) -> None:
        try:
            key, batch, error = _receive(worker.conn)
        except (EOFError, OSError) as broken:
            worker.process.join(5)
            raise self._death(worker) from broken
        worker.tasks.pop(key)
        if key in self._dropped:
            self._dropped.discard(key)
        else:
            self._done[key] = (batch, error)

    def _samples(self, key: int) -> Any:
        tasks = {k: v for worker in self._workers for k, v in worker.tasks.items()}
        return tasks.get(key, "not begun")

    @staticmethod
    def _death(worker: _Worker) -> MXNetError:
        task = next(iter(worker.tasks.values()), None)
        worker.process.join(5)  # its exit code is known only then
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        doing = "idle" if task is None else f"loading samples {task}"
        return MXNetError(
            f"DataLoader worker (pid {worker.process.pid}) died by {how} while {doing}"
        )
