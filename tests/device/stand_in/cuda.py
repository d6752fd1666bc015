"""``cupy.cuda``: two devices, streams in order, a counting memory pool, and graphs that replay."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import cuda_emulator
import numpy as np

from .calls import CUDARuntimeError, call, counts, synchronizes
from .cublas import cublas

DEVICES = 2
MEMORY = 1 << 36
_state: dict[str, Any] = {"device": 0, "stream": None, "allocator": None}
_numbers = itertools.count(1)


def current_device() -> int:
    """The number of the current device."""
    return _state["device"]


class Device:
    """A device; as a ``with`` block the current one."""

    def __init__(self, device: Any = None) -> None:
        self.id = current_device() if device is None else int(device)
        if not 0 <= self.id < DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self._outer: list[int] = []

    compute_capability = "90"

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        self._outer.append(_state["device"])
        _state["device"] = self.id
        return self

    def __exit__(self, *exc: Any) -> None:
        _state["device"] = self._outer.pop()

    def use(self) -> None:
        """Make it the current device."""
        _state["device"] = self.id

    def synchronize(self) -> None:
        """Wait for all its streams."""
        synchronizes("Device.synchronize")

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        return MEMORY, MEMORY


# ---- memory --------------------------------------------------------------------------------------


class Memory:
    """Bytes on a device, made when somebody looks at them."""

    def __init__(self, size: int) -> None:
        self.size, self.device_id = size, current_device()
        self._buffer: np.ndarray | None = None

    @property
    def buffer(self) -> np.ndarray:
        """The bytes."""
        if self._buffer is None:
            self._buffer = np.empty(self.size, np.uint8)
        return self._buffer

    ptr = property(lambda self: self.buffer.__array_interface__["data"][0])


class MemoryPointer:
    """A place in memory."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.offset, self.device_id = mem, offset, mem.device_id

    ptr = property(lambda self: self.mem.ptr + self.offset)

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.offset + offset)


class MemoryPool:
    """Counts what is in use; freed memory stays in the pool."""

    def __init__(self, allocator: Any = None) -> None:
        self._used = self._total = self.allocations = 0

    def malloc(self, size: int) -> MemoryPointer:
        """Memory of this pool, given back when nothing refers to it."""
        memory = Memory(size)
        counts["allocations"] += 1
        self.allocations += 1
        self._used += size
        self._total = max(self._total, self._used)
        weakref.finalize(memory, self._free, size)
        return MemoryPointer(memory, 0)

    def _free(self, size: int) -> None:
        self._used -= size

    def used_bytes(self) -> int:
        """Bytes in use."""
        return self._used

    def total_bytes(self) -> int:
        """Bytes that the pool holds."""
        return self._total

    def free_bytes(self) -> int:
        """Bytes held and unused."""
        return self._total - self._used

    def free_all_blocks(self, stream: Any = None) -> None:
        """Give unused memory back."""
        self._total = self._used


class PinnedMemoryPool:
    """Page-locked host memory."""

    def malloc(self, size: int) -> Any:
        """Some of it, as a buffer."""
        return memoryview(bytearray(size))

    def n_free_blocks(self) -> int:
        """Blocks held and unused."""
        return 0

    def free_all_blocks(self) -> None:
        """Give unused memory back."""


_pool, _pinned = MemoryPool(), PinnedMemoryPool()
_state["page_locked"] = _pinned.malloc


def get_default_memory_pool() -> MemoryPool:
    """The pool that arrays come from."""
    return _pool


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    """The pool of page-locked memory."""
    return _pinned


def get_allocator() -> Callable[[int], MemoryPointer]:
    """What makes memory now."""
    return _state["allocator"] or _pool.malloc


def set_allocator(allocator: Any = None) -> None:
    """Set what makes memory."""
    _state["allocator"] = allocator


@contextmanager
def using_allocator(allocator: Any = None) -> Any:
    """Another allocator inside a block."""
    outer = _state["allocator"]
    _state["allocator"] = allocator
    try:
        yield
    finally:
        _state["allocator"] = outer


def allocate(size: int) -> Any:
    """Memory for an array."""
    return get_allocator()(size).mem


def alloc_pinned_memory(size: int) -> Any:
    """Page-locked host memory, as a buffer."""
    counts["pinned"] += 1
    return _state["page_locked"](size)


def set_pinned_memory_allocator(allocator: Any = None) -> None:
    """Set what makes page-locked memory."""
    _state["page_locked"] = allocator or _pinned.malloc


# ---- streams and graphs --------------------------------------------------------------------------


class Stream:
    """Work in order. The stand-in does it at once, except while a graph is captured."""

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False,
                 priority: Any = None) -> None:  # fmt: skip
        self.ptr = 0 if null else next(_numbers)
        self.device_id = current_device()
        self._graph: Graph | None = None
        self._outer: list[Stream | None] = []

    def __enter__(self) -> Stream:
        self._outer.append(_state["stream"])
        _state["stream"] = self
        return self

    def __exit__(self, *exc: Any) -> None:
        _state["stream"] = self._outer.pop()

    def use(self) -> Stream:
        """Make it the current stream."""
        _state["stream"] = self
        return self

    def synchronize(self) -> None:
        """Wait for its work."""
        synchronizes("Stream.synchronize")

    def record(self, event: Any = None) -> Any:
        """An event at this point."""
        return event or Event()

    def wait_event(self, event: Any) -> None:
        """Wait on the device for an event."""

    def begin_capture(self, mode: Any = None) -> None:
        """Collect work in a graph instead of doing it."""
        if self.ptr == 0:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: the default stream")
        self._graph = Graph()

    def end_capture(self) -> Graph:
        """The graph; an error where something broke it."""
        graph, self._graph = self._graph, None
        if graph is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        if graph.broken is not None:
            raise CUDARuntimeError(f"cudaErrorStreamCaptureInvalidated: {graph.broken}")
        counts["captures"] += 1
        return graph

    def is_capturing(self) -> bool:
        """Whether it collects work."""
        return self._graph is not None


class Graph:
    """Captured work; it reads and writes the memory that it was captured with."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], None]] = []
        self.broken: str | None = None

    def launch(self, stream: Any = None) -> None:
        """Do the work."""
        counts["replays"] += 1
        for step in self.steps:
            step()

    def upload(self, stream: Any = None) -> None:
        """Prepare the first launch."""


def capturing() -> Graph | None:
    """The graph that work of the current stream goes to."""
    return None if _state["stream"] is None else _state["stream"]._graph


class ExternalStream(Stream):
    """A stream that somebody else made."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr = ptr


Stream.null = Stream(null=True)


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream that work goes to."""
    return _state["stream"] or Stream.null


class Event:
    """A point in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False,
                 interprocess: bool = False) -> None:  # fmt: skip
        self.done = True

    def record(self, stream: Any = None) -> None:
        """Put it at the end of a stream."""

    def synchronize(self) -> None:
        """Wait for it."""
        synchronizes("Event.synchronize")


def get_elapsed_time(start: Event, end: Event) -> float:
    """Milliseconds between two events."""
    return 0.0


# ---- kernels -------------------------------------------------------------------------------------


class _Place:
    """What the emulator takes for an array."""

    def __init__(self, a: np.ndarray) -> None:
        self.data = SimpleNamespace(ptr=a.__array_interface__["data"][0])


class _ByValue:
    """A host array among a kernel's arguments, whose bytes it gets as they are at the launch."""

    def __init__(self, a: np.ndarray) -> None:
        self.array = a.copy()


class RawKernel:
    """A CUDA kernel: its source compiled as C++ and run on the CPU."""

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple = (),
        backend: str = "nvrtc",
        **more: Any,
    ) -> None:
        self._emulated = cuda_emulator.RawKernel(code, name, options)

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        def run(*args: Any) -> None:
            places = [_Place(a) if isinstance(a, np.ndarray) else a for a in args]
            places = [a.array if isinstance(a, _ByValue) else a for a in places]
            self._emulated(grid, block, places, shared_mem)

        by_value = (_ByValue(a) if isinstance(a, np.ndarray) else a for a in args)
        call(run, tuple(by_value), inplace=True)


class RawModule:
    """CUDA source with many kernels."""

    def __init__(self, *, code: str | None = None, options: tuple = (), **more: Any) -> None:
        self.code, self.options = code, options

    def get_function(self, name: str) -> RawKernel:
        """One of its kernels."""
        return RawKernel(self.code or "", name, self.options)


class ElementwiseKernel:
    """Source of one element; nothing stands for it here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("nothing stands for elementwise kernels")


ReductionKernel = ElementwiseKernel


def module() -> ModuleType:
    """``cupy.cuda``."""
    made = ModuleType("cupy.cuda")
    names = (Device, MemoryPointer, MemoryPool, PinnedMemoryPool, get_allocator, set_allocator,
             using_allocator, alloc_pinned_memory, set_pinned_memory_allocator, Stream,
             ExternalStream, Graph, get_current_stream, Event, get_elapsed_time,
             Memory)  # fmt: skip
    for value in names:
        setattr(made, value.__name__, value)
    runtime = made.runtime = ModuleType("cupy.cuda.runtime")
    runtime.getDeviceCount = lambda: DEVICES
    runtime.getDevice = current_device
    runtime.setDevice = lambda i: Device(i).use()
    runtime.memGetInfo = lambda: (MEMORY, MEMORY)
    runtime.deviceSynchronize = lambda: synchronizes("deviceSynchronize")
    runtime.runtimeGetVersion = lambda: 13000
    runtime.driverGetVersion = lambda: 13000
    runtime.deviceCanAccessPeer = lambda a, b: 0
    runtime.CUDARuntimeError = CUDARuntimeError
    runtime.streamCaptureModeRelaxed, runtime.is_hip = 2, False
    runtime.CUDA_R_32F, runtime.CUDA_R_64F = 0, 1
    runtime.CUDA_R_16F, runtime.CUDA_R_16BF = 2, 14
    made.cublas, made.device = cublas, SimpleNamespace(get_cublas_handle=lambda: 1)
    return made
