"""Reading and writing NDArrays at keys.

A key is numpy's: integers, slices, ``...``, ``None`` and arrays of integers or booleans (lists,
numpy arrays, NDArrays). As in MXNet, an NDArray or list of floats means the integers it holds, so
a mask must have dtype bool. Unlike MXNet's legacy mode, boolean masks select.

Arrays off the tape are indexed by numpy or cupy themselves. For an array on the tape the key is
drawn with ordinary operators, so it differentiates and exports: `slice` and `Reshape` for basic
keys, `take` for the others (along axis 0, or from the flattened array by flat positions).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend, state
from ..base import MXNetError
from ..dtypes import CODES
from ..native import native
from ..ops.op import get
from ..ops.stored import dense
from ..util import is_np_shape
from .invoke import adopt, invoke

_LARGE = 64 << 10  # bytes that are worth a kernel's call
_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def take(x: Any, key: Any) -> Any:
    """``x[key]``"""
    key, basic = normalise(x, key)
    if state.is_recording() and x._node is not None:
        return _take_recorded(x, key, basic)
    if basic:
        found = _view(x._data, key)
        found = found if found.ndim else found.reshape(single(x))
        return x._like(found if found.flags.c_contiguous else found.copy())
    found = _xp(x).asarray(x._data[key])
    return x._like(_contiguous(found.reshape(found.shape or single(x))))


def _view(data: Any, key: tuple) -> Any:
    """The part at a basic key, over the same memory, also where it is one element."""
    return data[key if Ellipsis in key else (*key, Ellipsis)]


def single(x: Any) -> tuple[int, ...]:
    """The shape of one element of `x`."""
    return () if is_np_shape() else x._scalar_shape


def assign(x: Any, key: Any, value: Any) -> None:
    """``x[key] = value``"""
    if not x.ndim and isinstance(key, slice) and key == slice(None):
        key = ...  # all of an array without axes, which initializers and updates write as x[:]
    key, _ = normalise(x, key)
    recorded = value is not x and getattr(value, "_node", None) is not None
    if state.is_recording() and (recorded or x._node is not None):
        if x._node is None and _is_all(key) and value.shape == x.shape and value.dtype == x.dtype:
            invoke(get("_copy"), (value,), {}, out=x)
            return
        check_writable(x, value)
    raw = _raw(value, x)
    if len(key) == x.ndim and getattr(raw, "ndim", 0) and raw.size == 1:
        raw = raw.reshape(())  # one element has shape (1,) here, () in numpy
    if _is_all(key) and _copied(x._data, raw):
        return
    try:
        x._data[key] = raw
    except TypeError as error:
        raise TypeError(f"cannot assign {type(value).__name__} to an NDArray: {error}") from None


def _copied(target: Any, source: Any) -> bool:
    """Whether one large array was copied over another like it, by all threads."""
    if native is None or type(target) is not np.ndarray or type(source) is not np.ndarray:
        return False
    alike = target.shape == source.shape and target.dtype == source.dtype
    if not alike or target.nbytes < _LARGE or target.dtype.name not in CODES:
        return False
    ready = target.flags.carray and source.flags.c_contiguous and source.flags.aligned
    if not ready or np.may_share_memory(target, source):
        return False
    native.run_kernel("_copy", [source], [target], ())
    return True


def check_writable(x: Any, value: Any) -> None:
    """MXNetError when, while recording, writing `value` into `x` in place would break the tape."""
    if x._node is not None:
        raise MXNetError(
            "assigning to an NDArray that is already in a computational graph would make its "
            "gradients wrong; call backward first, or write outside autograd.record()"
        )
    if getattr(value, "_node", None) is not None:
        raise MXNetError(
            "in-place operations (+=, -=, x[:]=, etc) are not supported when recording with "
            "autograd, except x[:] = y for a y of x's shape and dtype"
        )


def normalise(x: Any, key: Any) -> tuple[Any, bool]:
    """The key as raw numpy or cupy takes it, and whether it is basic (no arrays)."""
    parts = key if isinstance(key, tuple) else (key,)
    if all(isinstance(p, _BASIC) and not _masks(x, p) for p in parts):
        plain = tuple(int(p) if isinstance(p, (bool, np.integer)) else p for p in parts)
        _check_count(x, plain)
        return plain, True
    found = tuple(_part(x, p) for p in parts)
    _check_count(x, found)
    return found, False


def _part(x: Any, part: Any) -> Any:
    if isinstance(part, bool):
        return _xp(x).asarray(part) if _masks(x, part) else int(part)
    if isinstance(part, _BASIC):
        return part
    if isinstance(part, (list, tuple, range, np.ndarray)) or hasattr(part, "_data"):
        return _index_array(x, part)
    raise ValueError(f"NDArray does not support slicing with key {part!r} of type {type(part)}.")


def _masks(x: Any, part: Any) -> bool:
    """Whether a bool is a mask, as in NumPy, rather than a number, as in MXNet's legacy arrays."""
    return isinstance(part, bool) and not x._scalar_shape


def _index_array(x: Any, part: Any) -> Any:
    raw = part._data if hasattr(part, "_data") else part
    on_gpu = not isinstance(x._data, np.ndarray)
    if not on_gpu and not isinstance(raw, (np.ndarray, list, tuple, range)):
        raw = raw.get()
    array = _xp(x).asarray(raw)
    if array.dtype.kind in "biu":
        return array
    if array.size and array.dtype.kind in "OSU":
        raise ValueError(f"NDArray does not support slicing with key {part!r}.")
    return array.astype(np.int64)


def _check_count(x: Any, parts: tuple) -> None:
    used = sum(
        getattr(p, "ndim", 1) if getattr(p, "dtype", None) == np.bool_ else 1
        for p in parts
        if p is not None and p is not Ellipsis
    )
    if used > x.ndim:
        raise IndexError(f"too many indices ({used}) for array with {x.ndim} dimensions")


def _is_all(key: tuple) -> bool:
    if len(key) != 1:
        return False
    return key[0] is Ellipsis or (isinstance(key[0], slice) and key[0] == slice(None))


def _raw(value: Any, x: Any) -> Any:
    """A value as the array module of `x` can write it."""
    raw = dense(getattr(value, "_data", value))
    if isinstance(raw, int):
        raw = np.asarray(raw).astype(x._data.dtype)  # wraps around, where numpy would refuse
    if isinstance(x._data, np.ndarray):
        return raw if isinstance(raw, (np.ndarray, list, tuple)) or np.isscalar(raw) else _host(raw)
    if getattr(raw, "device", None) not in (None, x._data.device, "cpu"):
        return backend.move(raw, x.context)
    return raw if np.isscalar(raw) else _xp(x).asarray(raw)


def _host(raw: Any) -> Any:
    if raw is None or isinstance(raw, (str, bytes, dict)):
        raise TypeError(f"not a number or an array: {raw!r}")
    return raw.get() if hasattr(raw, "get") else np.asarray(raw)


def _xp(x: Any) -> Any:
    return backend.of_array(x._data).xp


def _contiguous(data: Any) -> Any:
    return data if data.flags.c_contiguous else data.copy()


# ---- on the tape ---------------------------------------------------------------------------------


def _take_recorded(x: Any, key: tuple, basic: bool) -> Any:
    if basic:
        return _slice_recorded(x, key)
    if len(key) == 1 and key[0].dtype.kind != "b":
        rows = _xp(x).asarray(_wrapped(key[0], x.shape[0]))
        return invoke(get("take"), (x, x._like(rows)), {"axis": 0, "mode": "clip"})
    positions = _xp(x).arange(x.size, dtype=np.int64).reshape(x.shape)[key]
    positions = _contiguous(positions.reshape(positions.shape or single(x)))
    flat = x._viewed("_np_reshape", newshape=(-1,))
    return invoke(get("take"), (flat, x._like(positions)), {"axis": 0, "mode": "clip"})


def _wrapped(index: Any, size: int) -> Any:
    """Indices counted from the start; IndexError for one out of range."""
    if index.size and not (-size <= int(index.min()) and int(index.max()) < size):
        bad = next(int(i) for i in index.reshape(-1) if not -size <= int(i) < size)
        raise IndexError(f"index {bad} is out of bounds for axis 0 with size {size}")
    return (index + (index < 0) * np.int64(size)).astype(np.int64, order="C")


def _slice_recorded(x: Any, key: tuple) -> Any:
    found = _contiguous(_view(x._data, key))  # memory is shared as off the tape
    made, bounds = x, _bounds(key, x.shape)
    if any(bound != (None, None, None) for bound in bounds):
        begin, end, step = zip(*bounds, strict=True)
        made = adopt(get("slice"), x, {"begin": begin, "end": end, "step": step}, found)
    shape = found.shape or single(x)
    if made is x or made.shape != shape:
        made = adopt(get("_np_reshape"), made, {"newshape": shape}, found)
    return made


def _bounds(key: tuple, shape: tuple[int, ...]) -> list[tuple]:
    """Begin, end and step of each axis for the operator `slice`, None where open."""
    parts = [p for p in key if p is not None]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    return [_bound(p, n) for p, n in zip(parts, shape, strict=True)]


def _bound(part: Any, size: int) -> tuple:
    if isinstance(part, int):
        first = part % size
        return first, first + 1, None
    begin, end, step = part.indices(size)
    if (begin, end, step) == (0, size, 1):
        return None, None, None
    return begin, end if end >= 0 else None, None if step == 1 else step
