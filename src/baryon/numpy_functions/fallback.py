"""Functions that NumPy itself computes, on arrays copied to the host.

No gradient flows through them: with a recorded array as argument they raise. Results that are
arrays come back as ``mx.np.ndarray``, unless their type (complex, say) does not exist there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import state
from ..base import MXNetError
from ..dtypes import as_dtype
from ..ops.operators import Arithmetic

# fmt: off
_NAMES = [
    "allclose", "apply_along_axis", "apply_over_axes", "argpartition", "argwhere", "array_equal",
    "array_equiv", "choose", "compress", "correlate", "count_nonzero", "cov", "digitize",
    "divmod", "extract", "flatnonzero", "float_power", "frexp", "heaviside",
    "histogram_bin_edges", "i0", "interp", "intersect1d", "isclose", "isin", "ix_", "lexsort",
    "min_scalar_type", "modf", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax",
    "nanmedian", "nanmin", "nanprod", "ndim", "packbits", "partition", "piecewise", "poly",
    "polyadd", "polydiv", "polyfit", "polyint", "polymul", "polysub", "positive", "promote_types",
    "ptp", "real", "result_type", "rollaxis", "roots", "searchsorted", "select", "setdiff1d",
    "setxor1d", "signbit", "size", "spacing", "take_along_axis", "tril_indices_from",
    "trim_zeros", "triu_indices_from", "union1d", "unpackbits", "unwrap", "vander",
]
# fmt: on
_LINALG = ("cond", "lstsq", "matrix_power", "matrix_rank", "multi_dot", "qr")
_FINANCIAL = ("mirr", "npv", "ppmt", "pv", "rate")

__all__ = [*_NAMES, *_FINANCIAL]


def on_host(value: Any) -> Any:
    """A value with every array in it copied to the host."""
    if isinstance(value, Arithmetic):
        if not hasattr(value, "asnumpy") or not hasattr(value, "_data"):
            raise TypeError("NumPy computes this function: it takes arrays and no symbols")
        if state.is_recording() and value._node is not None:
            raise MXNetError(
                "NumPy computes this function, and no gradient can flow through it: call it on "
                "x.detach(), or outside autograd.record()"
            )
        return value.asnumpy()
    if isinstance(value, (list, tuple)):
        made = [on_host(v) for v in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    if isinstance(value, Mapping):
        return {k: on_host(v) for k, v in value.items()}
    return value


def from_host(value: Any) -> Any:
    """A result with every NumPy array in it as an ``mx.np.ndarray``."""
    if isinstance(value, np.ndarray):
        from ..ndarray.np_ndarray import ndarray

        try:
            as_dtype(value.dtype)
        except MXNetError:
            return value
        return ndarray(np.array(value, order="C"))
    if isinstance(value, (list, tuple)):
        made = [from_host(v) for v in value]
        return made if isinstance(value, list) else tuple(made)
    return value


def through_numpy(plain: Callable, name: str | None = None, module: str = "numpy") -> Callable:
    """`plain`, a function of NumPy, for arrays of the NumPy interface."""
    name = name or plain.__name__

    def function(*args: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        found = from_host(plain(*on_host(args), **on_host(kwargs)))
        if out is None:
            return found
        out[...] = found
        return out

    functools.update_wrapper(function, plain)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"What ``{module}.{name}`` computes, on the host; no gradient flows through it.\n\n"
        "Arrays are copied to the host and the result back; a recorded array is an MXNetError."
    )
    return function


def _not_there(name: str) -> Callable:
    def function(*args: Any, **kwds: Any) -> Any:
        raise NotImplementedError(
            f"{name}: NumPy has given its financial functions to the package numpy-financial"
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Raises NotImplementedError: numpy-financial has this function."
    return function


for _name in _NAMES:
    globals()[_name] = through_numpy(getattr(np, _name))
for _name in _FINANCIAL:
    globals()[_name] = _not_there(_name)
LINALG = {n: through_numpy(getattr(np.linalg, n), module="numpy.linalg") for n in _LINALG}


# Functions and keywords that NumPy 2 has dropped.


def _alltrue(*args: Any, **kwargs: Any) -> Any:
    return np.all(*args, **kwargs)


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    return np.isin(np.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert)


def _msort(a: Any) -> Any:
    return np.sort(a, axis=0)


def _trapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    return np.trapezoid(y, x, dx, axis)


def _corrcoef(
    x: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: Any = None,
    ddof: Any = None,
    dtype: Any = None,
) -> Any:  # bias and ddof cancel out: NumPy, too, took them without effect
    return np.corrcoef(x, y, rowvar, dtype=dtype)


def _histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    normed: Any = None,
    weights: Any = None,
    density: Any = None,
) -> Any:
    return np.histogram2d(x, y, bins, range, normed if density is None else density, weights)


def _histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    normed: Any = None,
    weights: Any = None,
    density: Any = None,
) -> Any:
    return np.histogramdd(sample, bins, range, normed if density is None else density, weights)


def _with_interpolation(name: str) -> Callable:
    def function(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        interpolation: str | None = None,
    ) -> Any:
        how = {"method": interpolation or method, "keepdims": keepdims}
        return getattr(np, name)(a, q, axis, out, overwrite_input, **how)

    function.__name__ = f"_{name}"
    return function


_OLD = (_alltrue, _in1d, _msort, _trapz, _corrcoef, _histogram2d, _histogramdd,
        _with_interpolation("nanpercentile"), _with_interpolation("nanquantile"))  # fmt: skip
for _function in _OLD:
    _name = _function.__name__[1:]
    globals()[_name] = through_numpy(_function, _name)
__all__ += [f.__name__[1:] for f in _OLD]
