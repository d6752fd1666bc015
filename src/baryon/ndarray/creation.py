"""Functions that make NDArrays from numbers or from other data."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..base import MXNetError
from ..context import Context, as_context
from ..dtypes import as_dtype
from ..ops.op import get
from ..ops.stored import blank
from ..util import is_np_shape
from .invoke import invoke
from .ndarray import NDArray

__all__ = ["arange", "array", "empty", "eye", "full", "linspace", "ones", "zeros"]


def _shape(shape: Any, name: str) -> tuple[int, ...]:
    """A shape as a tuple; MXNetError unless every size is a positive integer (numpy mode: or 0)."""
    try:
        dims = (shape,) if np.ndim(shape) == 0 else tuple(shape)
        dims = tuple(d.__index__() for d in dims)
    except (TypeError, AttributeError, ValueError):
        raise MXNetError(f"{name}: shape must be integers, got {shape!r}") from None
    least = 0 if is_np_shape() else 1
    if any(d < least for d in dims) or not (dims or is_np_shape()):
        raise MXNetError(f"{name}: shape {shape!r} is not allowed; sizes must be positive")
    return dims


def _filled(name: str, shape: Any, value: Any, ctx: Any, dtype: Any, options: dict) -> NDArray:
    stype, out = options.pop("stype", None), options.pop("out", None)
    options.pop("name", None)
    options.pop("__layout__", None)  # what recurrent cells tell of their states; symbols keep it
    if options:
        raise TypeError(f"{name} got an unexpected keyword argument {next(iter(options))!r}")
    if stype not in (None, "default") and value:
        raise MXNetError(f"{name}: storage type {stype!r} has no meaning; use 'default'")
    if out is not None:
        out[:] = value
        return out
    ctx, dims = as_context(ctx), _shape(shape, name)
    dtype = as_dtype(np.float32 if dtype is None else dtype)
    if stype not in (None, "default"):
        return NDArray._wrap(blank(backend.array_module(ctx), stype, dims, dtype), ctx)
    value = np.asarray(value).astype(dtype)[()]
    return NDArray._wrap(backend.of_context(ctx).full(dims, value, dtype, ctx.device_id), ctx)


def zeros(shape: Any, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """Zeros of a shape; float32 unless `dtype` says otherwise.

    >>> mx.nd.zeros((1, 2)).asnumpy()
    array([[0., 0.]], dtype=float32)
    """
    return _filled("zeros", shape, 0, ctx, dtype, kwargs)


def ones(shape: Any, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """Ones of a shape; float32 unless `dtype` says otherwise.

    >>> mx.nd.ones(2, dtype="int32").asnumpy()
    array([1, 1], dtype=int32)
    """
    return _filled("ones", shape, 1, ctx, dtype, kwargs)


def full(
    shape: Any, val: float, ctx: Context | None = None, dtype: Any = None, out: Any = None
) -> NDArray:
    """An array filled with one value; float32 unless `dtype` says otherwise.

    >>> mx.nd.full(2, 7).asnumpy()
    array([7., 7.], dtype=float32)
    """
    return _filled("full", shape, val, ctx, dtype, {"out": out})


def empty(
    shape: Any, ctx: Context | None = None, dtype: Any = None, stype: str | None = None
) -> NDArray:
    """An array with arbitrary content, to be written.

    >>> mx.nd.empty((2, 3)).shape
    (2, 3)
    """
    if stype not in (None, "default"):
        return zeros(shape, ctx, dtype, stype=stype)
    dims = () if np.ndim(shape) and not len(shape) else (shape,) if np.ndim(shape) == 0 else shape
    ctx, dims = as_context(ctx), tuple(int(d) for d in dims)
    if any(d < 0 for d in dims):
        raise MXNetError(f"empty: shape {shape!r} is not allowed; sizes must not be negative")
    dtype = as_dtype(np.float32 if dtype is None else dtype)
    return NDArray._wrap(backend.of_context(ctx).empty(dims, dtype, ctx.device_id), ctx)


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """An NDArray with the values of another array, or of nested lists.

    dtype : element type; by default that of an NDArray source, and float32 for all others.

    >>> mx.nd.array(np.arange(3)).asnumpy()
    array([0., 1., 2.], dtype=float32)
    """
    ctx = as_context(ctx)
    if getattr(source_array, "stype", "default") != "default" or hasattr(source_array, "tocsr"):
        from .sparse import array as sparse_array

        return sparse_array(source_array, ctx, dtype)
    if isinstance(source_array, NDArray):
        data = source_array._data if dtype is None else source_array.astype(dtype)._data
        return NDArray._wrap(backend.move(data, ctx), ctx)
    wanted = as_dtype(np.float32 if dtype is None else dtype)
    try:
        data = _host_array(source_array, wanted)
    except (TypeError, ValueError) as error:
        raise TypeError(f"source_array must be an array-like object: {error}") from None
    if ctx.device_type in ("gpu", "cpu_pinned"):
        data = backend.move(data, ctx)
    return NDArray._wrap(data, ctx)


def _host_array(source: Any, dtype: np.dtype) -> np.ndarray:
    """A numpy copy; integers that do not fit wrap around, where numpy would refuse."""
    try:
        return np.array(source, dtype=dtype, order="C")
    except OverflowError:
        return np.array(source, order="C").astype(dtype)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: Context | None = None,
    dtype: Any = np.float32,
) -> NDArray:
    """Evenly spaced numbers from `start` up to but without `stop`, each `repeat` times.

    With one argument the range starts at 0. `infer_range` has no effect here.

    >>> mx.nd.arange(2, 6, step=2, repeat=2).asnumpy()
    array([2., 2., 4., 4.], dtype=float32)
    """
    begin, end = (0, start) if stop is None else (start, stop)
    if step == 0 or repeat < 1:
        raise MXNetError(f"arange: step must not be 0 and repeat at least 1, got {step}, {repeat}")
    if not (end - begin) * step > 0 and not is_np_shape():
        raise MXNetError(f"arange: no number lies between {begin} and {end} in steps of {step}")
    dtype = as_dtype(np.float32 if dtype is None else dtype)
    raw = {"start": begin, "stop": end, "step": step, "repeat": repeat, "dtype": dtype}
    return invoke(get("_arange"), [], {**raw, "ctx": str(as_context(ctx))}, cls=NDArray)


def linspace(
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    ctx: Context | None = None,
    dtype: Any = np.float32,
) -> NDArray:
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`.

    >>> mx.nd.linspace(0, 1, 3).asnumpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return array(np.linspace(start, stop, num, endpoint), ctx, dtype)


def eye(
    N: int, M: int = 0, k: int = 0, ctx: Context | None = None, dtype: Any = None, **kwargs: Any
) -> NDArray:
    """Ones on the `k`-th diagonal of an N x M matrix (M = 0: square), zeros elsewhere.

    >>> mx.nd.eye(2, 3, k=1).asnumpy()
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    out = kwargs.pop("out", None)
    made = array(np.eye(N, M or N, k), ctx, np.float32 if dtype is None else dtype)
    if out is None:
        return made
    out[:] = made
    return out
