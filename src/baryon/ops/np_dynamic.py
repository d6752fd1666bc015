"""Operators of the NumPy interface whose results are as large as the values say."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .op import op
from .rules import output_dtype


def _unknown(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Shape rule: nothing follows from shapes."""
    return ins, outs


@op("_npx_nonzero", aliases=("_npi_nonzero",), shape=_unknown, dtype="int64", dynamic=True)
def nonzero(xp: Any, x: Any) -> Any:
    """Indices of the elements that are not 0, one row an element, in row-major order.

    (MXNet ``mx.npx.nonzero``; ``mx.np.nonzero`` gives one array an axis.)

    >>> mx.npx.nonzero(mx.np.array([[0.0, 2.0], [3.0, 0.0]])).tolist()
    [[0, 1], [1, 0]]
    """
    return xp.argwhere(x)


# ---- unique --------------------------------------------------------------------------------------

_WANTED = ("return_index", "return_inverse", "return_counts")


def _answers(attrs: Attrs) -> tuple[str, ...]:
    count = 1 + sum(attrs[name] for name in _WANTED)
    return ("output",) if count == 1 else tuple(f"output{i}" for i in range(count))


def _unique_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if ins[0] == np.bool_:
        raise MXNetError("data type bool is not supported; cast it first")
    return ins, [ins[0], *[np.dtype("int64")] * (len(outs) - 1)]


@op("_npi_unique", shape=_unknown, dtype=_unique_dtypes, outputs=_answers, dynamic=True)
def unique(
    xp: Any,
    data: Any,
    *,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The distinct elements of `data` in ascending order, or distinct slices along `axis`.

    On request also, as int64: where each occurs first (`return_index`), which of them each element
    is (`return_inverse`), and how often each occurs (`return_counts`).  (MXNet ``mx.np.unique``.)

    >>> values, counts = mx.np.unique(mx.np.array([3.0, 1.0, 3.0]), return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1.0, 3.0], [1, 2])
    """
    wanted = (return_index, return_inverse, return_counts)
    if axis is not None and not -data.ndim <= axis < data.ndim:
        raise MXNetError(f"operator _npi_unique: axis {axis} is out of range for {data.ndim} axes")
    found = xp.unique(data, *wanted, axis=axis)
    if not any(wanted):
        return found
    return tuple(f if i == 0 else f.reshape(-1) for i, f in enumerate(found))


# ---- bincount ------------------------------------------------------------------------------------


def _count_dtype(attrs: Attrs, data: Any, *weights: Any) -> Any:
    if data is not None and np.dtype(data).kind not in "iu":
        raise MXNetError(f"data type {data} is not that of integers")
    return weights[0] if weights else data


@op(
    "_npi_bincount",
    present={"weights": lambda a: a.has_weights},
    shape=_unknown,
    dtype=output_dtype(_count_dtype),
    dynamic=True,
)
def bincount(
    xp: Any, data: Any, weights: Any = None, *, minlength: int = 0, has_weights: bool = False
) -> Any:
    """How often each of the numbers 0, 1, 2... occurs in `data`, a vector of such.

    weights: what each occurrence counts; `has_weights` says that they are given. minlength: least
    length of the result, whose type is that of the weights or of `data`.
    (MXNet ``mx.np.bincount``.)

    >>> mx.np.bincount(mx.np.array([1, 1, 3], dtype="int32")).tolist()
    [0, 2, 0, 1]
    """
    if data.ndim != 1 or (weights is not None and weights.shape != data.shape):
        raise MXNetError("operator _npi_bincount: data and weights must be vectors of one length")
    if minlength < 0 or (data.size and int(data.min()) < 0):
        raise MXNetError("operator _npi_bincount: data and minlength must not be negative")
    return xp.bincount(data, weights, minlength)
