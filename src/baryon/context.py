"""Devices: where arrays live, and the device that new arrays get."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from .base import MXNetError

__all__ = [
    "Context",
    "cpu",
    "cpu_pinned",
    "cpu_shared",
    "current_context",
    "gpu",
    "gpu_memory_info",
    "num_gpus",
]

_local = threading.local()


class _CurrentContext:
    """Makes ``Context.default_ctx`` read the calling thread's device."""

    def __get__(self, instance: Any, owner: type) -> Context:
        return current_context()


class Context:
    """A device: a kind (``"cpu"``, ``"gpu"``, ``"cpu_pinned"``, ``"cpu_shared"``) and a number.

    As a ``with`` block it becomes the device of arrays created inside, in this thread.

    >>> mx.Context("gpu", 1), mx.cpu() == mx.cpu(0)
    (gpu(1), True)
    >>> with mx.cpu(1):
    ...     mx.nd.zeros(2).context
    cpu(1)
    """

    __slots__ = ("device_id", "device_typeid", "_outer")

    devtype2str: ClassVar[dict[int, str]] = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared"}
    devstr2type: ClassVar[dict[str, int]] = {name: code for code, name in devtype2str.items()}
    default_ctx = _CurrentContext()

    def __init__(self, device_type: str | Context, device_id: int = 0) -> None:
        if isinstance(device_type, Context):
            self.device_typeid, self.device_id = device_type.device_typeid, device_type.device_id
        elif device_type in self.devstr2type:
            self.device_typeid, self.device_id = self.devstr2type[device_type], int(device_id)
        else:
            raise MXNetError(
                f"unknown device type {device_type!r}; "
                f"expected one of {', '.join(self.devstr2type)}"
            )
        self._outer: list[Context | None] = []

    @classmethod
    def from_string(cls, text: str) -> Context:
        """The context that a text spells, e.g. ``"gpu(1)"``; a bare ``"cpu"`` is number 0."""
        kind, paren, number = str(text if "(" in str(text) else f"{text}(0)").partition("(")
        if paren and number.endswith(")") and number[:-1].isdigit() and kind in cls.devstr2type:
            return cls(kind, int(number[:-1]))
        raise MXNetError(f"invalid context {text!r}; expected e.g. cpu(0) or gpu(0)")

    @property
    def device_type(self) -> str:
        """The kind of device, e.g. ``"cpu"``."""
        return self.devtype2str[self.device_typeid]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Context)
            and self.device_typeid == other.device_typeid
            and self.device_id == other.device_id
        )

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    __str__ = __repr__

    def __reduce__(self) -> tuple:
        return Context, (self.device_type, self.device_id)

    def __enter__(self) -> Context:
        self._outer.append(getattr(_local, "current", None))
        _local.current = self
        return self

    def __exit__(self, *exc: object) -> None:
        _local.current = self._outer.pop()

    def empty_cache(self) -> None:
        """Give the cached, unused memory of the device back to the system."""
        if self.device_type == "gpu":
            with load_cupy().cuda.Device(self.device_id):
                load_cupy().get_default_memory_pool().free_all_blocks()


_CPU = Context("cpu")


def cpu(device_id: int = 0) -> Context:
    """The CPU. `device_id` only names it; all of them are the same memory and cores.

    >>> mx.nd.ones((2,), ctx=mx.cpu()).context
    cpu(0)
    """
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """CPU memory meant for transfers to a GPU; computes as ``cpu()`` does."""
    return Context("cpu_pinned", device_id)


def cpu_shared(device_id: int = 0) -> Context:
    """CPU memory meant for sharing between processes; computes as ``cpu()`` does."""
    return Context("cpu_shared", device_id)


def gpu(device_id: int = 0) -> Context:
    """A GPU by its number. Naming one needs no hardware; placing data there does.

    >>> mx.gpu(1).device_id
    1
    """
    return Context("gpu", device_id)


def current_context() -> Context:
    """The device of new arrays: that of the innermost ``with ctx:`` block, else ``cpu(0)``.

    >>> with mx.cpu(1):
    ...     mx.current_context()
    cpu(1)
    """
    return getattr(_local, "current", None) or _CPU


def as_context(value: Context | str | None) -> Context:
    """A context from itself, its text (``"gpu(1)"``) or None (the current one)."""
    if value is None or value == "":
        return current_context()
    return value if isinstance(value, Context) else Context.from_string(value)


def load_cupy() -> Any:
    """The module cupy; MXNetError that says how to install it when it is absent."""
    try:
        import cupy
    except ImportError as error:
        raise MXNetError(
            f"GPU arrays need CuPy, which cannot be imported here ({error}); {_WHEELS}"
        ) from None
    return cupy


_WHEELS = (
    "install the wheel of your CUDA version: `pip install cupy-cuda13x` (drivers from 580 on) "
    "or `pip install cupy-cuda12x`"
)


def no_such_gpu(device_id: int) -> MXNetError:
    """The error that says why a GPU cannot be used."""
    why = ""
    try:
        count = int(load_cupy().cuda.runtime.getDeviceCount())
    except MXNetError as error:
        return error
    except Exception as error:  # CuPy's errors have no public base
        count, why = 0, f": {error}; {_WHEELS}"
    return MXNetError(f"gpu({device_id}) does not exist; {count} GPUs are usable{why}")


def num_gpus() -> int:
    """Number of usable GPUs; 0 without CuPy, a driver or a device.

    >>> mx.context.num_gpus() >= 0
    True
    """
    try:
        return int(load_cupy().cuda.runtime.getDeviceCount())
    except Exception:  # whatever a missing driver raises: CuPy's errors have no public base
        return 0


def gpu_memory_info(device_id: int = 0) -> tuple[int, int]:
    """Free and total bytes of a GPU."""
    if num_gpus() <= device_id:
        raise no_such_gpu(device_id)
    with load_cupy().cuda.Device(device_id):
        free, total = load_cupy().cuda.runtime.memGetInfo()
    return int(free), int(total)
