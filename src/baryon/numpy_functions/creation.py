"""Functions of the NumPy interface that make arrays, or symbols of constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.operators import is_number
from .call import Draw, call, drawn, is_tensor
from .shaping import broadcast_to

__all__ = [
    "arange", "blackman", "empty_like", "eye", "full", "full_like", "hamming", "hanning",
    "identity", "indices", "linspace", "logspace", "ones", "ones_like", "tril", "zeros",
    "zeros_like",
]  # fmt: skip

_Shape = int | tuple[int, ...]


def c_order(name: str, order: str) -> None:
    """NotImplementedError for an order of memory other than rows first."""
    if order != "C":
        raise NotImplementedError(f"{name}: order must be 'C', got {order!r}")


def _dims(shape: Any) -> tuple[int, ...]:
    return (shape,) if np.ndim(shape) == 0 else tuple(shape)


@drawn
def zeros(draw: Draw, shape: _Shape, dtype: Any = None, order: str = "C", ctx: Any = None) -> Any:
    """Zeros of a shape, float32 unless `dtype` says otherwise.

    >>> mx.np.zeros((1, 2))
    array([[0., 0.]])
    """
    c_order("zeros", order)
    return draw("_npi_zeros", shape=_dims(shape), dtype=dtype or "float32", ctx=ctx)


@drawn
def ones(
    draw: Draw, shape: _Shape, dtype: Any = "float32", order: str = "C", ctx: Any = None
) -> Any:
    """Ones of a shape, float32 unless `dtype` says otherwise.

    >>> mx.np.ones(2, dtype="int32")
    array([1, 1], dtype=int32)
    """
    c_order("ones", order)
    return draw("_npi_ones", shape=_dims(shape), dtype=dtype or "float32", ctx=ctx)


@drawn
def full(
    draw: Draw,
    shape: _Shape,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """One value throughout a shape: a number, or an array or symbol that broadcasts to it.

    dtype : by default that of an array, bool for a bool, and float32 otherwise.

    >>> mx.np.full((2,), 7), mx.np.full((2,), True)
    (array([7., 7.]), array([ True,  True]))
    """
    c_order("full", order)
    if is_tensor(fill_value):
        found = broadcast_to(fill_value, _dims(shape))
        found = found if dtype is None else call("_npi_cast", found, dtype=dtype)
        return found if out is None else call("_np_copy", found, out=out)
    if dtype is None:
        dtype = "bool" if isinstance(fill_value, (bool, np.bool_)) else "float32"
    attrs = {"shape": _dims(shape), "value": float(fill_value), "dtype": dtype, "ctx": ctx}
    return draw("_npi_full", out=out, **attrs)


def full_like(
    a: Any, fill_value: float, dtype: Any = None, order: str = "C", ctx: Any = None, out: Any = None
) -> Any:
    """One value throughout the shape, and in the dtype, of `a`.

    >>> mx.np.full_like(mx.np.ones(2), 3.5)
    array([3.5, 3.5])
    """
    c_order("full_like", order)
    return call("_npi_full_like", a, out=out, fill_value=float(fill_value), dtype=dtype, ctx=ctx)


def zeros_like(
    a: Any, dtype: Any = None, order: str = "C", ctx: Any = None, out: Any = None
) -> Any:
    """Zeros of the shape, and in the dtype, of `a`.

    >>> mx.np.zeros_like(mx.np.ones(2, dtype="int32"))
    array([0, 0], dtype=int32)
    """
    return full_like(a, 0, dtype, order, ctx, out)


def ones_like(a: Any, dtype: Any = None, order: str = "C", ctx: Any = None, out: Any = None) -> Any:
    """Ones of the shape, and in the dtype, of `a`.

    >>> mx.np.ones_like(mx.np.zeros(2))
    array([1., 1.])
    """
    return full_like(a, 1, dtype, order, ctx, out)


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "C", subok: bool = False, shape: Any = None
) -> Any:
    """An array of the shape, and in the dtype, of `prototype`, to be written; it holds zeros.

    >>> mx.np.empty_like(mx.np.ones((2, 3))).shape
    (2, 3)
    """
    if subok or shape is not None:
        raise NotImplementedError("empty_like: subok and shape are not supported")
    return full_like(prototype, 0, dtype, order)


@drawn
def eye(
    draw: Draw, N: int, M: int | None = None, k: int = 0, dtype: Any = "float32", **kwargs: Any
) -> Any:
    """Ones on the `k`-th diagonal of an N x M (default: square) matrix of zeros.

    >>> mx.np.eye(2, 3, k=1)
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    ctx = kwargs.pop("ctx", None)
    if kwargs:
        raise TypeError(f"eye got an unexpected keyword argument {next(iter(kwargs))!r}")
    return draw("_npi_eye", N=N, M=M, k=k, dtype=dtype or "float32", ctx=ctx)


@drawn
def identity(draw: Draw, n: int, dtype: Any = None, ctx: Any = None) -> Any:
    """The n x n identity matrix.

    >>> mx.np.identity(2)
    array([[1., 0.],
           [0., 1.]])
    """
    if not isinstance(n, int):
        raise TypeError("Input 'n' should be an integer")
    return draw("_npi_identity", shape=(n, n), dtype=dtype or "float32", ctx=ctx)


@drawn
def arange(
    draw: Draw,
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: Any = None,
    ctx: Any = None,
) -> Any:
    """Evenly spaced numbers from `start` (with one argument: 0) up to but without `stop`.

    >>> mx.np.arange(3), mx.np.arange(2, 6, 2, dtype="int32")
    (array([0., 1., 2.]), array([2, 4], dtype=int32))
    """
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if step == 0:
        raise ZeroDivisionError("step cannot be 0")
    return draw("_npi_arange", start=start, stop=stop, step=step, dtype=dtype or "float32", ctx=ctx)


@drawn
def linspace(
    draw: Draw,
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    ctx: Any = None,
) -> Any:
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`.

    retstep : also return their distance.

    >>> mx.np.linspace(0, 1, 3)
    array([0. , 0.5, 1. ])
    """
    _require_numbers("linspace", start, stop, axis)
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else math.nan
    dtype = dtype or "float32"
    if num:
        made = draw("_npi_linspace", start=start, stop=stop, num=num, endpoint=endpoint,
                    dtype=dtype, ctx=ctx)  # fmt: skip
    else:
        made = draw("_npi_zeros", shape=(0,), dtype=dtype, ctx=ctx)
    return (made, step) if retstep else made


@drawn
def logspace(
    draw: Draw,
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10.0,
    dtype: Any = None,
    axis: int = 0,
    ctx: Any = None,
) -> Any:
    """`base` to the power of evenly spaced numbers from `start` to `stop`.

    >>> mx.np.logspace(0, 2, 3)
    array([  1.,  10., 100.])
    """
    _require_numbers("logspace", start, stop, axis)
    return draw("_npi_logspace", start=start, stop=stop, num=num, endpoint=endpoint, base=base,
                dtype=dtype or "float32", ctx=ctx)  # fmt: skip


def _require_numbers(name: str, start: Any, stop: Any, axis: int) -> None:
    if not is_number(start) or not is_number(stop):
        raise NotImplementedError(f"{name}: start and stop must be numbers")
    if axis != 0:
        raise NotImplementedError(f"{name}: only axis 0 is supported, got {axis}")


@drawn
def indices(draw: Draw, dimensions: tuple[int, ...], dtype: Any = "int32", ctx: Any = None) -> Any:
    """For each axis of a grid, the position of every cell along it.

    >>> mx.np.indices((2, 2))[1]
    array([[0, 1],
           [0, 1]], dtype=int32)
    """
    if not isinstance(dimensions, (tuple, list)):
        raise ValueError("The dimensions must be sequence of ints")
    return draw("_npi_indices", dimensions=tuple(dimensions), dtype=dtype or "int32", ctx=ctx)


def _window(name: str, what: str) -> Any:
    @drawn
    def function(draw: Draw, M: int, dtype: Any = "float32", ctx: Any = None) -> Any:
        return draw(f"_npi_{name}", M=M, dtype=dtype or "float32", ctx=ctx)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The {what} window of M points: a taper for spectra, largest in the middle."
    return function


blackman = _window("blackman", "Blackman")
hamming = _window("hamming", "Hamming")
hanning = _window("hanning", "Hann")


def tril(m: Any, k: int = 0) -> Any:
    """The last two axes with zeros above the `k`-th diagonal.

    >>> mx.np.tril(mx.np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return call("_npi_tril", m, k=k)
