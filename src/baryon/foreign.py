"""What programs import from ``mxnet.base`` to call MXNet's C library, which does not exist here.

The conversions to and from ``ctypes`` work; a call of the library raises MXNetError.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_float as mx_float
from types import ModuleType
from typing import Any

import numpy as np

mx_float_p = ctypes.POINTER(mx_float)
CachedOpHandle = DataIterHandle = ExecutorHandle = FunctionHandle = ctypes.c_void_p
KVStoreHandle = NDArrayHandle = OpHandle = RecordIOHandle = SymbolHandle = ctypes.c_void_p


class MXCallbackList(ctypes.Structure):
    """Callbacks and the contexts that each is called with."""

    _fields_ = (
        ("num_callbacks", ctypes.c_int),
        ("callbacks", ctypes.POINTER(ctypes.CFUNCTYPE(ctypes.c_int))),
        ("contexts", ctypes.POINTER(ctypes.c_void_p)),
    )


def c_str(string: str) -> ctypes.c_char_p:
    """A C string."""
    return ctypes.c_char_p(string.encode("utf-8"))


def c_str_array(strings: Sequence[str]) -> ctypes.Array:
    """An array of C strings."""
    return (ctypes.c_char_p * len(strings))(*(s.encode("utf-8") for s in strings))


def c_array(ctype: Any, values: Sequence[Any]) -> ctypes.Array:
    """An array of a C type with these values.

    >>> mx.base.c_array(mx.base.mx_float, [1, 2])[:]
    [1.0, 2.0]
    """
    return (ctype * len(values))(*values)


def c_array_buf(ctype: Any, buf: Any) -> ctypes.Array:
    """An array of a C type over a writable buffer, such as an ``array.array``."""
    return (ctype * len(buf)).from_buffer(buf)


def c_handle_array(objs: Sequence[Any]) -> ctypes.Array:
    """An array of the objects' handles, which are null pointers here."""
    return (ctypes.c_void_p * len(objs))()


def ctypes2buffer(cptr: Any, length: int) -> bytearray:
    """A copy of `length` bytes from a char pointer."""
    if not isinstance(cptr, ctypes.POINTER(ctypes.c_char)):
        raise TypeError("expected char pointer")
    return bytearray(ctypes.string_at(cptr, length))


def ctypes2numpy_shared(cptr: Any, shape: Sequence[int]) -> np.ndarray:
    """A NumPy array over the memory that a float pointer points to."""
    if not isinstance(cptr, mx_float_p):
        raise RuntimeError("expected float pointer")
    return np.ctypeslib.as_array(cptr, tuple(shape))


def add_fileline_to_docstring(module: ModuleType | str, incursive: bool = True) -> None:
    """Nothing: documentation says by itself where it stands."""
