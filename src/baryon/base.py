"""Errors and the small helpers that MXNet keeps in ``mxnet.base``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from . import settings
from .foreign import (  # noqa: F401 - MXNet has them here
    CachedOpHandle,
    DataIterHandle,
    ExecutorHandle,
    FunctionHandle,
    KVStoreHandle,
    MXCallbackList,
    NDArrayHandle,
    OpHandle,
    RecordIOHandle,
    SymbolHandle,
    add_fileline_to_docstring,
    c_array,
    c_array_buf,
    c_handle_array,
    c_str,
    c_str_array,
    ctypes2buffer,
    ctypes2numpy_shared,
    mx_float,
    mx_float_p,
)

__all__ = [
    "MXNetError",
    "NotImplementedForSymbol",
    "NotSupportedForSparseNDArray",
    "build_param_doc",
    "classproperty",
    "data_dir",
    "data_dir_default",
    "integer_types",
    "mx_real_t",
    "mx_uint",
    "numeric_types",
    "py_str",
    "register_error",
    "string_types",
    "with_metaclass",
]

string_types = (str,)
numeric_types = (float, int, np.generic)
integer_types = (int, np.int32, np.int64)
mx_real_t = np.float32
mx_uint = int


class MXNetError(RuntimeError):
    """Every error that baryon raises about operators, graphs, files and devices."""


class _Unsupported(MXNetError):
    """A function that does not exist for some kind of tensor was called on one.

    function : it, or its name.    alias : what users call it.    args : what it was given.
    """

    where = ""

    def __init__(self, function: Any, alias: str | None, *args: Any) -> None:
        name = function if isinstance(function, str) else function.__name__
        text = f"Function {name}"
        if alias:
            text += f' (namely operator "{alias}")'
        if args:
            text += f" with arguments ({', '.join(type(a).__name__ for a in args)})"
        super().__init__(f"{text} is not {self.where} and only available in NDArray.")


class NotImplementedForSymbol(_Unsupported):
    """A method that only arrays have was called on a Symbol."""

    where = "implemented for Symbol"


class NotSupportedForSparseNDArray(_Unsupported):
    """A dense-only function was called with a sparse array."""

    where = "supported for SparseNDArray"


class classproperty:  # noqa: N801 - MXNet's name
    """A property of a class rather than of its instances.

    >>> class Box:
    ...     @mx.base.classproperty
    ...     def label(cls):
    ...         return cls.__name__.lower()
    >>> Box.label
    'box'
    """

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.func(owner)


def with_metaclass(meta: type, *bases: type) -> Any:
    """A base class that gives its subclasses a metaclass, in Python 2's and 3's syntax alike."""
    return meta("with_metaclass", bases, {})


def py_str(x: bytes) -> str:
    """The text of bytes in UTF-8."""
    return x.decode("utf-8")


def data_dir_default() -> str:
    """The folder for downloaded data unless ``MXNET_HOME`` names another."""
    return os.path.join(os.path.expanduser("~"), ".mxnet")


def data_dir() -> str:
    """The folder for downloaded data."""
    return os.path.expanduser(settings.get("MXNET_HOME"))


_ERRORS: dict[str, type[BaseException]] = {}


def register_error(func_name: Any = None, cls: type | None = None) -> Any:
    """Make an error class known by a name; also a decorator. Returns the class."""
    if callable(func_name):
        func_name, cls = func_name.__name__, func_name

    def register(found: type) -> type:
        _ERRORS[found.__name__ if func_name is None else func_name] = found
        return found

    return register if cls is None else register(cls)


def build_param_doc(
    arg_names: list[str], arg_types: list[str], arg_descs: list[str], remove_dup: bool = True
) -> str:
    """A docstring's list of parameters from their names, types and descriptions.

    >>> mx.base.build_param_doc(["p"], ["float"], ["A probability."]).splitlines()[2:]
    ['p : float', '    A probability.']
    """
    lines, seen = ["Parameters", "----------"], set()
    for name, kind, text in zip(arg_names, arg_types, arg_descs, strict=True):
        if name in seen and remove_dup:
            continue
        seen.add(name)
        lines.append(f"{name} : {kind}")
        lines += [f"    {text}"] if text else []
    return "\n".join(lines)


class _NoLibrary:
    """Stands for MXNet's C library, so that programs which import it can be imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own questions
            raise AttributeError(name)
        raise MXNetError(f"there is no C library of MXNet here, and so no {name}")


_LIB = _NoLibrary()


def c2pyerror(err_msg: str) -> tuple[str, str | None]:
    """An error's message, and the name of the Python error that it begins with, if any."""
    head = err_msg.partition(":")[0]
    return err_msg, head if head.endswith("Error") and head.isidentifier() else None


def get_last_ffi_error() -> MXNetError:
    """The error of the last call of MXNet's C library: that there is none."""
    return MXNetError("there is no C library of MXNet here")


def check_call(ret: int) -> None:
    """MXNetError unless a call of MXNet's C library returned 0."""
    if ret != 0:
        raise get_last_ffi_error()


def _as_list(obj: Any) -> list:
    """``obj`` itself if it is a list or tuple, else a list that holds it."""
    return obj if isinstance(obj, (list, tuple)) else [obj]
