"""``cupy.ndarray``: no subclass of NumPy's, converted to it only when asked."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .calls import call, counts, is_host_array, synchronizes, uploads, wrapped

REFUSED = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


def adopt(a: np.ndarray, seen: list = ()) -> ndarray:
    """An array over NumPy memory: a view of one of `seen` where it shares memory, else fresh."""
    from .cuda import allocate, current_device

    made = object.__new__(ndarray)
    made._a = a
    owner = next((x for x in seen if a.size and np.may_share_memory(a, x._a)), None)
    if owner is not None:
        made._device, made._memory, made.base = owner._device, owner._memory, owner
    else:
        made._device, made._memory, made.base = current_device(), allocate(a.nbytes), None
    return made


def check_dtype(dtype: Any) -> None:
    if np.dtype(dtype).kind in "OSUMmV" and np.dtype(dtype).name != "bfloat16":
        raise ValueError(f"Unsupported dtype {np.dtype(dtype)}")


class _Flags:
    def __init__(self, flags: Any, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous
        self.owndata = owndata

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class _Pointer:
    """Where an array lies: what ``ndarray.data`` gives."""

    def __init__(self, x: ndarray) -> None:
        self.ptr = x._a.__array_interface__["data"][0]
        self.mem = x._memory
        self.device_id = x._device


class ndarray:
    """An array on a device of the stand-in."""

    __array_priority__ = 100
    __slots__ = ("__weakref__", "_a", "_device", "_memory", "base")

    def __new__(cls, shape: Any = (), dtype: Any = float, memptr: Any = None, strides: Any = None,
                order: str = "C") -> ndarray:  # fmt: skip
        check_dtype(dtype)
        if memptr is None:
            return adopt(np.ndarray(shape, dtype, order=order))
        made = object.__new__(cls)
        made._a = np.ndarray(shape, dtype, memptr.mem.buffer, memptr.offset, strides, order)
        made._device, made._memory, made.base = memptr.device_id, memptr.mem, None
        return made

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: _Flags(self._a.flags, self.base is None))
    data = property(_Pointer)
    T = property(lambda self: adopt(self._a.T, [self]))
    mT = property(lambda self: adopt(self._a.mT, [self]))
    real = property(lambda self: adopt(self._a.real, [self]))
    imag = property(lambda self: wrapped(self._a.imag, [self]))

    @property
    def device(self) -> Any:
        from .cuda import Device

        return Device(self._device)

    @property
    def __cuda_array_interface__(self) -> dict:
        own = self._a.__array_interface__
        return {
            "shape": self.shape, "typestr": own["typestr"], "descr": own["descr"], "stream": 1,
            "version": 3, "strides": None if self._a.flags.c_contiguous else self.strides,
            "data": (own["data"][0], False),
        }  # fmt: skip

    # ---- what is refused, and what waits for the device ------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(REFUSED)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True):
        """A copy in host memory."""
        synchronizes("get")
        if out is None:
            return self._a.copy(order="K" if order == "A" else order)
        out[...] = self._a
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy a host array into this one, asynchronously where it is pinned."""
        if not is_host_array(arr):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError("Shape or dtype mismatch")
        uploads("set")
        self._a[...] = arr

    def item(self, *index: Any) -> Any:
        """A Python number."""
        synchronizes("item")
        return self._a.item(*index)

    def tolist(self) -> Any:
        """Python numbers in lists."""
        synchronizes("tolist")
        return self._a.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """The values as bytes."""
        synchronizes("tobytes")
        return self._a.tobytes(order)

    def __bool__(self) -> bool:
        synchronizes("bool")
        return bool(self._a)

    def __int__(self) -> int:
        synchronizes("int")
        return int(self._a)

    def __float__(self) -> float:
        synchronizes("float")
        return float(self._a)

    def __index__(self) -> int:
        synchronizes("index")
        return operator.index(self._a)

    def __complex__(self) -> complex:
        synchronizes("complex")
        return complex(self._a)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        synchronizes("repr")
        return repr(self._a)

    __hash__ = None

    # ---- indexing --------------------------------------------------------------------------------

    def _keys(self, key: Any, waits: bool) -> tuple:
        """The parts of a key, refused where CuPy would copy them from the host."""
        keys = key if isinstance(key, tuple) else (key,)
        for k in keys:
            if is_host_array(k) or isinstance(k, list):
                raise TypeError("an index in host memory would be copied to the device")
            if isinstance(k, ndarray) and k.dtype.kind not in "iub":
                raise IndexError("arrays used as indices must be of integer or boolean type.")
            if waits and isinstance(k, ndarray) and k.dtype == bool:
                synchronizes("a mask as an index")
        return keys

    def __getitem__(self, key: Any) -> ndarray:
        keys = self._keys(key, True)
        if any(isinstance(k, (ndarray, bool, np.bool_)) for k in keys):
            return call(lambda a, *k: np.asarray(a[in_range(a, k)]), (self, *keys))
        found = self._a[key]
        if not isinstance(found, np.ndarray):  # a view without axes, where NumPy gives a number
            found = self._a[(*keys, ...)]
        return adopt(found, [self])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            uploads("assigning a list")
        keys = self._keys(key, False)

        def put(a: np.ndarray, value: Any, *k: Any) -> None:
            k = in_range(a, k)
            if np.ndim(value) and any(isinstance(x, np.ndarray) for x in k):
                _refuse_repetitions(a, k)
            a[k] = value

        call(put, (self, value, *keys), inplace=True)

    # ---- methods that need care ------------------------------------------------------------------

    def astype(self, dtype: Any, order: str = "K", casting: str | None = None,
               subok: Any = None, copy: bool = True) -> ndarray:  # fmt: skip
        """A copy of another type; itself where `copy` is false and nothing changes."""
        check_dtype(dtype)
        if not copy and self.dtype == np.dtype(dtype) and _is_laid_out(self._a, order):
            return self
        return call(lambda a: a.astype(dtype, order, copy=True), (self,))

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:  # noqa: A002
        """The same bytes as another type."""
        return adopt(self._a.view() if dtype is None else self._a.view(dtype), [self])

    def copy(self, order: str = "C") -> ndarray:
        """A fresh array on the current device, wherever this one is."""
        with self.device:
            made = call(lambda a: a.copy(order), (self,))
        return adopt(made._a)

    def fill(self, value: Any) -> None:
        """Set every element."""
        self[...] = value

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        """The same elements in another shape: a view where that can be, else a copy."""
        return call(lambda a: a.reshape(*shape, order=order), (self,))

    def scatter_add(self, slices: Any, value: Any) -> None:
        """``a[slices] += value``, equal indices adding up."""
        from .functions import scatter

        scatter("add", self, slices, value)

    def dot(self, b: Any, out: Any = None) -> ndarray:
        """The product of matrices."""
        from .functions import FUNCTIONS

        return FUNCTIONS["dot"](self, b, out)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __reduce__(self) -> tuple:
        synchronizes("pickle")
        return _restored, (self._a,)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .functions import UFUNCS

        if method != "__call__" or ufunc.__name__ not in UFUNCS:
            return NotImplemented
        return UFUNCS[ufunc.__name__](*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .functions import FUNCTIONS

        if func.__module__ not in ("numpy", "numpy._core") or func.__name__ not in FUNCTIONS:
            return NotImplemented
        return FUNCTIONS[func.__name__](*args, **kwargs)

    # ---- exchange --------------------------------------------------------------------------------

    def __dlpack__(self, *, stream: Any = None, **kwargs: Any) -> Any:
        counts["dlpack"] += 1
        return self._a.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device


def _refuse_repetitions(a: np.ndarray, keys: tuple) -> None:
    """CuPy does not say which value stays of those that are written to one place."""
    numbers = np.arange(a.size).reshape(a.shape)[keys].ravel()
    if len(np.unique(numbers)) < numbers.size:
        raise AssertionError("which value stays of those written to one place is not defined")


def in_range(a: np.ndarray, keys: tuple) -> tuple:
    """A key for NumPy: numbers in index arrays wrap where they are out of range, as CuPy's do."""
    used = sum(k.ndim if _is_mask(k) else k is not None and k is not ... for k in keys)
    axis, found = 0, []
    for k in keys:
        if isinstance(k, np.ndarray) and not _is_mask(k):
            k = np.mod(k, a.shape[axis]) if axis < a.ndim and a.shape[axis] else k
        found.append(k)
        axis += k.ndim if _is_mask(k) else a.ndim - used if k is ... else k is not None
    return tuple(found)


def _is_mask(k: Any) -> bool:
    return isinstance(k, np.ndarray) and k.dtype == bool


def _is_laid_out(a: np.ndarray, order: str) -> bool:
    return order not in "CF" or a.flags.c_contiguous if order != "F" else a.flags.f_contiguous


def _restored(a: np.ndarray) -> ndarray:
    uploads("unpickling")
    return adopt(a.copy())


def add_methods(methods: dict[str, Callable[..., Any]]) -> None:
    """Operators and methods, once the functions that they call exist."""
    for name, method in methods.items():
        if name not in vars(ndarray):
            setattr(ndarray, name, method)
