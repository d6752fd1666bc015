"""The one way in which the stand-in computes: checks, memory, counts, and what a graph records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

NO_WORK = {"empty", "empty_like"}
counts: Counter = Counter()  # launches, synchronizations, uploads, allocations and their bytes


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime raises."""


def synchronizes(what: str) -> None:
    """Tell that the host waits for the device; an error while a graph is captured."""
    counts["synchronizations"] += 1
    _refuse(f"{what} waits for the device")


def uploads(what: str) -> None:
    """Tell of a copy from host memory, which goes through page-locked memory of the allocator."""
    from .cuda import _state, capturing

    counts["uploads"] += 1
    _state["page_locked"](1)
    if capturing() is not None:
        raise AssertionError(f"{what}: a graph would read page-locked memory that is used again")


def _refuse(what: str) -> None:
    from .cuda import capturing

    graph = capturing()
    if graph is not None:
        graph.broken = what
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} in a captured stream")


def is_host_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def unwrapped(x: Any, seen: list) -> Any:
    """Arguments with the arrays of the stand-in replaced by the NumPy arrays behind them."""
    from .array import ndarray

    if isinstance(x, ndarray):
        seen.append(x)
        return x._a
    if is_host_array(x):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, (list, tuple)):
        return type(x)(unwrapped(v, seen) for v in x)
    if isinstance(x, dict):
        return {k: unwrapped(v, seen) for k, v in x.items()}
    return x


def wrapped(x: Any, seen: list) -> Any:
    """Results as arrays of the stand-in: NumPy's scalars too, as CuPy gives arrays without axes."""
    from .array import adopt

    if isinstance(x, (np.ndarray, np.generic)):
        return adopt(np.asarray(x), seen)
    if isinstance(x, (list, tuple)):
        made = [wrapped(v, seen) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return x


def check_devices(seen: list) -> None:
    """An array of another device than the current one cannot be an operand."""
    from .cuda import current_device

    for x in seen:
        if x._device != current_device():
            raise ValueError(
                "Array device must be same as the current device: array device = "
                f"{x._device} while current = {current_device()}"
            )


def call(function: Callable[..., Any], args: Any = (), kwargs: Any = None, inplace=False) -> Any:
    """Run a NumPy function on the arrays behind arguments; its results are arrays of a device.

    inplace : whether the function writes its first argument and gives nothing.
    """
    from .cuda import capturing

    seen: list = []
    args, kwargs = unwrapped(tuple(args), seen), unwrapped(dict(kwargs or {}), seen)
    check_devices(seen)
    graph, writes = capturing(), inplace or kwargs.get("out") is not None
    counts["launches"] += writes
    if graph is not None and writes:  # captured work does not run
        graph.steps.append(lambda: _quiet(function, args, kwargs))
        return None if inplace else wrapped(kwargs["out"], seen)
    result = arrays(_quiet(function, args, kwargs))
    if not writes and getattr(function, "__name__", "") not in NO_WORK:
        operands = _leaves((args, kwargs))
        counts["launches"] += not all(_is_view(r, operands) for r in _leaves(result))
    if graph is not None:
        graph.steps.append(_again(function, args, kwargs, result))
    return wrapped(result, seen)


def _quiet(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    with np.errstate(all="ignore"):
        return function(*args, **kwargs)


def arrays(result: Any) -> Any:
    """Results with arrays without axes where NumPy gives its scalars."""
    if isinstance(result, (list, tuple)):
        made = [arrays(r) for r in result]
        return type(result)(*made) if hasattr(result, "_fields") else type(result)(made)
    return np.asarray(result) if isinstance(result, np.generic) else result


def _again(function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> Callable:
    """A step of a graph: compute again, and write where the result of the capture lies."""

    def listed(x: Any) -> list:
        return list(x) if isinstance(x, (list, tuple)) else [x]

    fresh = [
        isinstance(r, np.ndarray)
        and r.flags.writeable
        and not any(_shares(r, a) for a in _leaves((args, kwargs)))
        for r in listed(result)
    ]
    for target, mine in zip(listed(result), fresh, strict=True):
        if mine and target.size:  # nothing has run yet: what is read now is no value
            target.reshape(-1).view(np.uint8)[...] = 0x7F

    def step() -> None:
        again = _quiet(function, args, kwargs)
        for target, value, mine in zip(listed(result), listed(again), fresh, strict=True):
            if mine:
                target[...] = value

    return step


def _is_view(result: Any, operands: list) -> bool:
    return not isinstance(result, np.ndarray) or any(_shares(result, x) for x in operands)


def _shares(a: np.ndarray, b: Any) -> bool:
    return isinstance(b, np.ndarray) and np.may_share_memory(a, b)


def _leaves(x: Any) -> list:
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        return [leaf for v in x for leaf in _leaves(v)]
    return [x]
