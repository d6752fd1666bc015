"""Functions of the NumPy interface that summarize arrays, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.operators import is_number
from .call import accelerated, call, is_tensor, require_tensors

__all__ = [
    "all", "any", "argmax", "argmin", "average", "bincount", "cumsum", "diff", "ediff1d",
    "histogram", "max", "mean", "min", "amax", "amin", "percentile", "prod", "product",
    "quantile", "sometrue", "std", "sum", "var",
]  # fmt: skip

_Axis = int | tuple[int, ...] | None


@accelerated("_np_all")
def all(a: Any, axis: _Axis = None, keepdims: bool = False, out: Any = None) -> Any:
    """Whether all elements along some axes (None: all) are not 0.

    >>> mx.np.all(mx.np.array([1, 0]))
    array(False)
    """
    return call("_np_all", a, out=out, axis=axis, keepdims=keepdims)


@accelerated("_np_any")
def any(a: Any, axis: _Axis = None, keepdims: bool = False, out: Any = None) -> Any:
    """Whether some element along some axes (None: all) is not 0.

    >>> mx.np.any(mx.np.array([1, 0]))
    array(True)
    """
    return call("_np_any", a, out=out, axis=axis, keepdims=keepdims)


sometrue = any


@accelerated("_np_sum")
def sum(
    a: Any,
    axis: _Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: float | None = None,
    out: Any = None,
) -> Any:
    """Sum along some axes (None: all).

    dtype : of the result.    initial : what the sum starts with.

    >>> mx.np.sum(mx.np.ones((2, 3)), axis=1)
    array([3., 3.])
    """
    return call("_np_sum", a, out=out, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial)


@accelerated("_np_prod")
def prod(
    a: Any,
    axis: _Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: float | None = None,
) -> Any:
    """Product along some axes (None: all).

    >>> mx.np.prod(mx.np.array([2, 3]))
    array(6.)
    """
    return call("_np_prod", a, out=out, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial)


product = prod


@accelerated("_np_max")
def max(
    a: Any, axis: _Axis = None, keepdims: bool = False, out: Any = None, initial: Any = None
) -> Any:
    """Largest element along some axes (None: all).

    >>> mx.np.max(mx.np.array([2, 3]))
    array(3.)
    """
    return call("_np_max", a, out=out, axis=axis, keepdims=keepdims, initial=initial)


@accelerated("_np_min")
def min(
    a: Any, axis: _Axis = None, keepdims: bool = False, out: Any = None, initial: Any = None
) -> Any:
    """Smallest element along some axes (None: all).

    >>> mx.np.min(mx.np.array([2, 3]))
    array(2.)
    """
    return call("_np_min", a, out=out, axis=axis, keepdims=keepdims, initial=initial)


amax, amin = max, min


@accelerated("_npi_mean")
def mean(
    a: Any, axis: _Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Any:
    """Mean along some axes (None: all); of integers, float32.

    >>> mx.np.mean(mx.np.array([1, 2], dtype="int32"))
    array(1.5)
    """
    return call("_npi_mean", a, out=out, axis=axis, dtype=dtype, keepdims=keepdims)


@accelerated("_npi_std")
def std(
    a: Any,
    axis: _Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> Any:
    """Standard deviation along some axes (None: all), of `n - ddof` degrees of freedom.

    >>> mx.np.std(mx.np.array([1, 3]))
    array(1.)
    """
    return call("_npi_std", a, out=out, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)


@accelerated("_npi_var")
def var(
    a: Any,
    axis: _Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> Any:
    """Variance along some axes (None: all), of `n - ddof` degrees of freedom.

    >>> mx.np.var(mx.np.array([1, 5]))
    array(4.)
    """
    return call("_npi_var", a, out=out, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)


def average(
    a: Any, axis: _Axis = None, weights: Any = None, returned: bool = False, out: Any = None
) -> Any:
    """Mean along some axes (None: all) under weights; `returned` adds the sums of the weights.

    >>> mx.np.average(mx.np.array([1, 5]), weights=mx.np.array([3, 1]))
    array(2.)
    """
    if weights is None:
        return call("_npi_average", a, out=out, axis=axis, returned=returned, weighted=False)
    return call("_npi_average", a, weights, out=out, axis=axis, returned=returned, weighted=True)


@accelerated("_npi_argmax")
def argmax(a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Position (int64) of the first largest element along an axis (None: of the flattened array).

    >>> mx.np.argmax(mx.np.array([1, 3, 3]))
    array(1, dtype=int64)
    """
    return call("_npi_argmax", a, out=out, axis=axis, keepdims=False)


@accelerated("_npi_argmin")
def argmin(a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Position (int64) of the first smallest element along an axis (None: of the flattened array).

    >>> mx.np.argmin(mx.np.array([1, 3, 1]))
    array(0, dtype=int64)
    """
    return call("_npi_argmin", a, out=out, axis=axis, keepdims=False)


@accelerated("_np_cumsum")
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """Running sums along an axis (None: of the flattened array).

    >>> mx.np.cumsum(mx.np.ones(3))
    array([1., 2., 3.])
    """
    return call("_np_cumsum", a, out=out, axis=axis, dtype=dtype)


def percentile(
    a: Any,
    q: Any,
    axis: _Axis = None,
    out: Any = None,
    overwrite_input: bool | None = None,
    interpolation: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Values below which `q` percent of the elements along some axes (None: all) lie.

    q             : number or array of numbers from 0 to 100.
    interpolation : between two elements: "linear", "lower", "higher", "midpoint", "nearest".

    >>> mx.np.percentile(mx.np.array([1, 3]), 50)
    array(2.)
    """
    if overwrite_input is not None:
        raise NotImplementedError("overwrite_input is not supported yet")
    attrs = {"axis": axis, "interpolation": interpolation, "keepdims": keepdims}
    if is_number(q):
        return call("_npi_percentile", a, out=out, q_scalar=float(q), **attrs)
    return call("_npi_percentile", a, q, out=out, **attrs)


def quantile(
    a: Any,
    q: Any,
    axis: _Axis = None,
    out: Any = None,
    overwrite_input: bool | None = None,
    interpolation: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Like `percentile`, with `q` from 0 to 1.

    >>> mx.np.quantile(mx.np.array([1, 3]), 0.5)
    array(2.)
    """
    return percentile(a, q * 100, axis, out, overwrite_input, interpolation, keepdims)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 on stands in a vector of integers, or the sums of its weights.

    >>> mx.np.bincount(mx.np.array([0, 2, 2], dtype="int32"))
    array([1, 0, 2], dtype=int32)
    """
    require_tensors("bincount", x)
    if minlength < 0:
        raise ValueError("Minlength value should greater than 0")
    if weights is None:
        return call("_npi_bincount", x, minlength=minlength, has_weights=False)
    return call("_npi_bincount", x, weights, minlength=minlength, has_weights=True)


def histogram(
    a: Any,
    bins: Any = 10,
    range: tuple[float, float] | None = None,
    normed: Any = None,
    weights: Any = None,
    density: Any = None,
) -> list:
    """Counts of the elements in bins, and the edges of the bins.

    bins : their number, over `range`, which it then needs; or an array of edges.

    >>> counts, edges = mx.np.histogram(mx.np.array([0, 1, 1]), bins=2, range=(0, 2))
    >>> counts.tolist(), edges.tolist()
    ([1, 2], [0.0, 1.0, 2.0])
    """
    if normed or weights is not None or density:
        raise NotImplementedError("histogram: normed, weights and density are not supported yet")
    if isinstance(bins, (int, np.integer)):
        if range is None:
            raise NotImplementedError("automatic range is not supported yet...")
        return call("_npi_histogram", a, bin_cnt=int(bins), range=tuple(range))
    if isinstance(bins, (list, tuple)):
        raise NotImplementedError("array_like bins is not supported yet...")
    if isinstance(bins, str):
        raise NotImplementedError("string bins is not supported yet...")
    return call("_npi_histogram", a, bins)


# ---- differences ---------------------------------------------------------------------------------


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis, taken `n` times.

    >>> mx.np.diff(mx.np.array([1, 4, 9]))
    array([3., 5.])
    """
    if prepend is not None or append is not None:
        raise NotImplementedError("prepend and append options are not supported yet")
    return call("_npi_diff", a, n=n, axis=axis)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours of the flattened array, numbers or arrays put around them.

    >>> mx.np.ediff1d(mx.np.array([1, 4, 9]), to_begin=0)
    array([0., 3., 5.])
    """
    inputs, attrs = [ary], {}
    for name, value in (("to_begin", to_begin), ("to_end", to_end)):
        attrs[f"{name}_arr_given"] = is_tensor(value)
        if is_tensor(value):
            inputs.append(value)
        else:
            attrs[f"{name}_scalar"] = value
    return call("_npi_ediff1d", *inputs, **attrs)
