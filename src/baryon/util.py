"""Process-wide modes and small helpers, as in ``mxnet.util``."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

__all__ = [
    "get_cuda_compute_capability",
    "get_gpu_count",
    "get_gpu_memory",
    "getenv",
    "is_np_array",
    "is_np_shape",
    "makedirs",
    "np_array",
    "np_shape",
    "np_ufunc_legal_option",
    "reset_np",
    "set_module",
    "set_np",
    "set_np_shape",
    "setenv",
    "use_np",
    "use_np_array",
    "use_np_shape",
    "wrap_np_binary_func",
    "wrap_np_unary_func",
]

_local = threading.local()


def is_np_shape() -> bool:
    """Whether zero-dimensional and zero-size arrays are allowed (off, as in MXNet).

    >>> mx.util.is_np_shape()
    False
    """
    return getattr(_local, "np_shape", False)


def set_np_shape(active: bool) -> bool:
    """Allow or forbid zero-dimensional and zero-size arrays in this thread; the mode before.

    ValueError when NumPy's arrays are on: `reset_np` switches both off.
    """
    if not active and is_np_array():
        raise ValueError(
            "Deactivating NumPy shape semantics while NumPy array semantics is still active is "
            "not allowed. Please consider calling `npx.reset_np()` to deactivate both of them."
        )
    before = is_np_shape()
    _local.np_shape = bool(active)
    return before


class np_shape(ContextDecorator):
    """Scope in which zero-dimensional and zero-size arrays are allowed (or not).

    >>> with mx.util.np_shape(True):
    ...     mx.nd.zeros(()).shape
    ()
    """

    def __init__(self, active: bool = True) -> None:
        self._active = active
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(is_np_shape())
        _local.np_shape = bool(self._active)

    def __exit__(self, *error: Any) -> None:
        _local.np_shape = self._before.pop()


def _decorated(target: Any, scope: Callable[[], Any]) -> Any:
    """A function, or a class with all its methods and properties, that runs in a scope."""
    if isinstance(target, type):
        for name, member in list(vars(target).items()):
            if isinstance(member, property):
                parts = (member.fget, member.fset, member.fdel)
                inside = [part and _decorated(part, scope) for part in parts]
                setattr(target, name, property(*inside, member.__doc__))
            elif callable(member) and not isinstance(member, type):
                setattr(target, name, _decorated(member, scope))
        return target

    @functools.wraps(target)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return target(*args, **kwargs)

    return wrapper


def use_np_shape(func: Any) -> Any:
    """A function, or a class, that runs under ``np_shape(True)``."""
    return _decorated(func, np_shape)


def is_np_array() -> bool:
    """Whether Gluon works with ``mx.np.ndarray`` rather than NDArray (off, as in MXNet).

    >>> mx.util.is_np_array()
    False
    """
    return getattr(_local, "np_array", False)


def in_mode(tensor: Any) -> Any:
    """An array or symbol as Gluon works with now: of the NumPy interface under `set_np`."""
    return tensor.as_np_ndarray() if is_np_array() else tensor


class np_array(ContextDecorator):
    """Scope in which Gluon makes arrays of the NumPy interface (or not).

    >>> with mx.util.np_array(True):
    ...     mx.util.is_np_array()
    True
    """

    def __init__(self, active: bool = True) -> None:
        self._active = active
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(is_np_array())
        _local.np_array = bool(self._active)

    def __exit__(self, *error: Any) -> None:
        _local.np_array = self._before.pop()


def use_np_array(func: Any) -> Any:
    """A function, or a class, that runs under ``np_array(True)``."""
    return _decorated(func, np_array)


def use_np(func: Any) -> Any:
    """A function, or a class, that runs under ``np_shape(True)`` and ``np_array(True)``."""
    return use_np_shape(use_np_array(func))


def set_np(shape: bool = True, array: bool = True) -> None:
    """Switch NumPy's shapes and arrays on or off in this thread; arrays need the shapes.

    With them Gluon's Parameters, layers and data are ``mx.np.ndarray`` and unknown sizes are -1.

    >>> mx.util.set_np()
    >>> mx.util.is_np_shape(), mx.util.is_np_array()
    (True, True)
    >>> mx.util.reset_np()
    """
    if array and not shape:
        raise ValueError("NumPy Shape semantics is required in using NumPy array semantics.")
    _local.np_array = bool(array)
    _local.np_shape = bool(shape)


def reset_np() -> None:
    """Switch NumPy's shapes and arrays off."""
    set_np(shape=False, array=False)


# What NumPy's element-wise functions accept beside arrays, and the values that change nothing.
_UFUNC_OPTIONS: dict[str, tuple] = {
    "where": (True,),
    "casting": ("same_kind",),
    "order": ("K", "C"),
    "dtype": (None, "int8", "uint8", "int32", "int64", "float16", "float32", "float64"),
    "subok": (True, False),
}


def np_ufunc_legal_option(key: str, value: Any) -> bool:
    """Whether a keyword of NumPy's element-wise functions may have a value here.

    >>> mx.util.np_ufunc_legal_option("where", True), mx.util.np_ufunc_legal_option("x", 1)
    (True, False)
    """
    if key not in _UFUNC_OPTIONS or hasattr(value, "shape"):  # a mask, say, has no one truth
        return False
    return any(value is v or value == v for v in _UFUNC_OPTIONS[key])


def _check_ufunc_options(func: Callable, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if key not in _UFUNC_OPTIONS:
            raise TypeError(f"{key} is an invalid keyword to function '{func.__name__}'")
        if not np_ufunc_legal_option(key, value):
            raise NotImplementedError(
                f"{key}={value} is not implemented yet for operator {func.__name__}"
            )


def wrap_np_unary_func(func: Callable) -> Callable:
    """A function ``f(x, out=None)`` that also takes NumPy's keywords, at values without effect."""

    @functools.wraps(func)
    def wrapper(x: Any, out: Any = None, **kwargs: Any) -> Any:
        _check_ufunc_options(func, kwargs)
        return func(x, out=out)

    return wrapper


def wrap_np_binary_func(func: Callable) -> Callable:
    """A function ``f(x1, x2, out=None)`` that also takes NumPy's keywords."""

    @functools.wraps(func)
    def wrapper(x1: Any, x2: Any, out: Any = None, **kwargs: Any) -> Any:
        _check_ufunc_options(func, kwargs)
        return func(x1, x2, out=out)

    return wrapper


def set_module(module: str) -> Callable:
    """Decorator that sets the module that a function or class says it is from."""

    def decorate(target: Any) -> Any:
        if module is not None:
            target.__module__ = module
        return target

    return decorate


def get_gpu_count() -> int:
    """Number of GPUs there are."""
    from .context import num_gpus

    return num_gpus()


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Free and total bytes of a GPU's memory; MXNetError without one."""
    from .context import gpu_memory_info

    return gpu_memory_info(gpu_dev_id)


def get_cuda_compute_capability(ctx: Any) -> int:
    """Compute capability of a GPU as a number: 90 for 9.0; ValueError for another device."""
    from .context import Context, load_cupy

    if not isinstance(ctx, Context) or ctx.device_type != "gpu":
        raise ValueError(
            f"Expecting a gpu context to get cuda compute capability, while received ctx {ctx}"
        )
    return int(load_cupy().cuda.Device(ctx.device_id).compute_capability)


def getenv(name: str) -> str | None:
    """An environment variable, or None."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable, or remove it with None."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def makedirs(d: str) -> None:
    """Make a folder and its parents unless they exist."""
    os.makedirs(os.path.expanduser(d), exist_ok=True)
