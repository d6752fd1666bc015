"""NDArrays in other hands: numpy's array protocol, DLPack and pickles."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .. import backend
from ..base import MXNetError
from ..context import load_cupy, num_gpus
from ..dtypes import as_dtype, bfloat16


def to_array(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """The values as a numpy array; shares CPU memory unless `dtype` or `copy` asks for more."""
    data = self._data
    if not isinstance(data, np.ndarray):
        if copy is False:
            raise ValueError("the values of a GPU array cannot be read without a copy")
        data, copy = backend.of_array(data).to_numpy(data), False
    if dtype is not None and np.dtype(dtype) != data.dtype:
        if copy is False:
            raise ValueError(f"a copy is needed to read {data.dtype} values as {dtype}")
        return data.astype(dtype)
    return data.copy() if copy else data


def to_dlpack(self: Any, **kwargs: Any) -> Any:
    """A DLPack capsule that shares the memory (bool and bfloat16 as numpy and CuPy allow).

    stream : of a GPU array, the stream on which the receiver reads it, as DLPack numbers streams.
    """
    if self._data.dtype == bfloat16 and isinstance(self._data, np.ndarray):
        raise BufferError("numpy cannot export bfloat16 through DLPack; use astype first")
    return self._data.__dlpack__(**kwargs)


def dlpack_device(self: Any) -> tuple[int, int]:
    """DLPack's device: (1, 0) for the CPU, (2, number) for a GPU."""
    kind, number = self._data.__dlpack_device__()
    return int(kind), int(number)


def cuda_array_interface(self: Any) -> dict:
    """What Numba, PyTorch and CuPy read a GPU array through; AttributeError of a CPU array."""
    if isinstance(self._data, np.ndarray):
        raise AttributeError("an array on the CPU has no __cuda_array_interface__")
    return self._data.__cuda_array_interface__


def to_dlpack_for_read(self: Any) -> Any:
    """A DLPack capsule of the array, to be read only. Waits until the values are computed.

    >>> x = mx.nd.array([1, 2])
    >>> mx.nd.from_dlpack(mx.nd.to_dlpack_for_read(x)).asnumpy()
    array([1., 2.], dtype=float32)
    """
    self.wait_to_read()
    return self.__dlpack__()


def to_dlpack_for_write(self: Any) -> Any:
    """A DLPack capsule of the array, whose memory the receiver may change.

    >>> x = mx.nd.array([1, 2])
    >>> mx.nd.from_dlpack(mx.nd.to_dlpack_for_write(x))[:] = 5
    >>> x.asnumpy()
    array([5., 5.], dtype=float32)
    """
    self.wait_to_read()
    return self.__dlpack__()


class _Capsule:
    """A bare DLPack capsule in the dress that ``numpy.from_dlpack`` asks for."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def _writable(data: np.ndarray) -> np.ndarray:
    """The same memory, writable: numpy takes all bare capsules, which cannot tell, for constant."""
    if data.flags.writeable or not data.flags.c_contiguous or not data.size:
        return data
    memory = (ctypes.c_char * data.nbytes).from_address(data.ctypes.data)
    memory.owner = data  # the capsule lives as long as the memory is used
    return np.frombuffer(memory, data.dtype).reshape(data.shape)


def _from_capsule(capsule: Any) -> Any:
    """An array over a bare capsule, which only its reader knows to be of the CPU or of a GPU."""
    try:
        return _writable(np.from_dlpack(_Capsule(capsule)))
    except (RuntimeError, BufferError):
        if "dltensor" not in repr(capsule) or not num_gpus():
            raise
        return load_cupy().from_dlpack(capsule)


def from_dlpack(dlpack: Any) -> Any:
    """An NDArray over the memory of another library's array, or of a DLPack capsule.

    dlpack : an object with ``__dlpack__`` (preferred), or a capsule. On a GPU the producer's work
             is waited for by CuPy's current stream where it has ``__dlpack__``.

    >>> x = mx.nd.from_dlpack(np.ones(2, "float32"))
    >>> x.asnumpy()
    array([1., 1.], dtype=float32)
    """
    from .ndarray import NDArray

    bare = not hasattr(dlpack, "__dlpack__")
    try:
        if bare:
            data = _from_capsule(dlpack)
        elif dlpack.__dlpack_device__()[0] == 1:
            data = np.from_dlpack(dlpack)
        else:
            data = load_cupy().from_dlpack(dlpack)
    except (TypeError, ValueError, AttributeError, RuntimeError, BufferError) as error:
        raise MXNetError(f"from_dlpack: cannot take {type(dlpack).__name__}: {error}") from None
    as_dtype(data.dtype)
    return NDArray(data if data.flags.c_contiguous else data.copy())


def from_numpy(ndarray: np.ndarray, zero_copy: bool = True, array_cls: type | None = None) -> Any:
    """An NDArray, or an array of class `array_cls`, of a numpy array's values and type.

    zero_copy : share its memory (it must be C-contiguous and becomes read-only through numpy);
                else copy.

    >>> mx.nd.from_numpy(np.ones((2, 3))).dtype
    <class 'numpy.float64'>
    """
    from .ndarray import NDArray

    as_dtype(ndarray.dtype)
    wrap = array_cls or NDArray
    if not zero_copy:
        return wrap(np.array(ndarray, order="C"))
    if not ndarray.flags.c_contiguous:
        raise ValueError("Only c-contiguous arrays are supported for zero-copy")
    shared = ndarray.view()
    ndarray.flags.writeable = False
    return wrap(shared)


def get_state(self: Any) -> dict:
    """MXNet's pickled state: ``{"handle": bytes}``, one array as in ``.params`` files.

    The tape and the gradient stay behind.
    """
    from .serialization import array_bytes

    return {"handle": array_bytes(self)}


def set_state(self: Any, state: dict) -> None:
    """Take the state that `get_state`, or MXNet, wrote."""
    from .serialization import read_array

    handle = state["handle"]
    restored = None if handle is None else read_array(bytes(handle))
    if restored is None:
        type(self).__init__(self, None)
    elif (type(restored) is not type(self)) and restored.stype != "default":
        raise MXNetError(f"a pickled {type(self).__name__} holds a {restored.stype} array")
    else:
        type(self).__init__(self, restored._data, ctx=restored.context)


def deep_copy(self: Any, memo: dict) -> Any:
    """A copy that is not recorded."""
    return self._like(self._data.copy())
