"""Diagonals and triangles in the NumPy interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .blocks import undiag
from .numeric import numeric
from .op import get, op
from .reshape import normalize_all, reshape_exactly
from .rules import forward
from .samples import normal


def _diagonal_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    one, two = normalize_all((attrs.axis1, attrs.axis2), len(data))
    rows, columns = data[one] + min(attrs.offset, 0), data[two] - max(attrs.offset, 0)
    others = (n for i, n in enumerate(data) if i not in (one, two))
    return (*others, max(min(rows, columns), 0))


def _placed(dy: Any, data: Any, offset: int, axis1: int, axis2: int) -> Any:
    """Zeros like `data` with `dy` on a diagonal; None where the diagonal is empty."""
    if 0 in dy.shape:
        return None
    return undiag(dy, shape=data.shape, k=offset, axis1=axis1, axis2=axis2)


@op("_np_diagonal", shape=forward(_diagonal_shape), dtype=numeric)
def diagonal(xp: Any, data: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Diagonal `offset` of the matrices in `axis1` and `axis2`, along a new last axis.

    (MXNet ``mx.np.diagonal``.)

    >>> mx.np.diagonal(mx.np.array([[1.0, 2.0], [3.0, 4.0]]), 1).tolist()
    [2.0]
    """
    return xp.diagonal(data, offset, axis1, axis2)


diagonal.gradient("data")(_placed)


def _trace_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    return _diagonal_shape(attrs, data)[:-1]


@op("_np_trace", shape=forward(_trace_shape), dtype=numeric)
def trace(xp: Any, data: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum along diagonal `offset` of the matrices in `axis1` and `axis2`.

    (MXNet ``mx.np.trace``.)

    >>> mx.np.trace(mx.np.array([[1.0, 2.0], [3.0, 4.0]])).item()
    5.0
    """
    return xp.trace(data, offset, axis1, axis2)


@trace.gradient("data")
def _(dy: Any, data: Any, offset: int, axis1: int, axis2: int, attrs: Attrs) -> Any:
    shape = _diagonal_shape(attrs, data.shape)
    along = reshape_exactly(dy, shape=(*dy.shape, 1))
    return _placed(get("_npi_broadcast_to")(along, shape=shape), data, offset, axis1, axis2)


for _made in (diagonal, trace):
    _made.sample(data=normal(3, 4), offset=1)
    _made.sample(data=normal(2, 3, 4), axis1=1, axis2=-1)
    _made.sample(data=normal(2, 3, 4), offset=-1, axis1=2, axis2=0)
    _made.sample(data=normal(2, 2), offset=5, _grad=())


def _matrix_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    """Of a vector the matrix with that diagonal, of a matrix its diagonal."""
    if len(data) == 1:
        return (data[0] + abs(attrs.k),) * 2
    if len(data) != 2:
        raise MXNetError(f"data has {len(data)} dimensions, expected 1 or 2")
    return _diagonal_shape(Attrs(offset=attrs.k, axis1=0, axis2=1), data)


@op("_np_diag", shape=forward(_matrix_shape), dtype=numeric)
def np_diag(xp: Any, data: Any, *, k: int = 0) -> Any:
    """Diagonal `k` of a matrix; of a vector, the matrix that has it.  (MXNet ``mx.np.diag``.)

    >>> mx.np.diag(mx.np.array([1.0, 2.0])).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    return xp.diag(data, k)


@np_diag.gradient("data")
def _(dy: Any, data: Any, k: int) -> Any:
    return np_diag(dy, k=k) if len(data.shape) == 1 else _placed(dy, data, k, 0, 1)


np_diag.sample(data=normal(3), k=1)
np_diag.sample(data=normal(3, 4), k=-1)
np_diag.sample(data=normal(0), k=2, _grad=())
np_diag.sample(data=normal(3, 4), k=4, _grad=())


def _flat_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    return (int(np.prod(data, dtype=np.int64)) + abs(attrs.k),) * 2


@op("_np_diagflat", shape=forward(_flat_shape), dtype=numeric)
def diagflat(xp: Any, data: Any, *, k: int = 0) -> Any:
    """The matrix whose diagonal `k` is the flattened `data`.  (MXNet ``mx.np.diagflat``.)

    >>> mx.np.diagflat(mx.np.array([[1.0, 2.0]])).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    return xp.diagflat(data, k)


@diagflat.gradient("data")
def _(dy: Any, data: Any, k: int) -> Any:
    return reshape_exactly(np_diag(dy, k=k), shape=data.shape)


diagflat.sample(data=normal(2, 2))
diagflat.sample(data=normal(3), k=-2)
diagflat.sample(data=normal())


def _lower_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if not data:
        raise MXNetError("data has no dimension")
    return (data[0], data[0]) if len(data) == 1 else tuple(data)


@op("_npi_tril", shape=forward(_lower_shape), dtype=numeric)
def tril(xp: Any, data: Any, *, k: int = 0) -> Any:
    """Matrices with zeros above diagonal `k`; a vector stands for a matrix of equal rows.

    (MXNet ``mx.np.tril``.)

    >>> mx.np.tril(mx.np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 0.0], [3.0, 4.0]]
    """
    return xp.tril(data, k)


@tril.gradient("data")
def _(dy: Any, data: Any, k: int) -> Any:
    return tril(dy, k=k)


tril.sample(data=normal(3, 4), k=-1)
tril.sample(data=normal(2, 3, 3))
tril.sample(data=normal(3), k=1)
tril.sample(data=normal(2, 0, 3))


def _cube(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if len(data) < 2 or len(set(data)) != 1:
        raise MXNetError(f"data has shape {tuple(data)}, expected at least 2 equal dimensions")
    return len(data), data[0]


@op("_npi_diag_indices_from", shape=forward(_cube), dtype="int64")
def diag_indices_from(xp: Any, data: Any) -> Any:
    """Indices of the main diagonal of an array of equal dimensions: one row an axis.

    (MXNet ``mx.np.diag_indices_from``, which gives the rows as a tuple.)

    >>> [row.tolist() for row in mx.np.diag_indices_from(mx.np.ones((2, 2)))]
    [[0, 1], [0, 1]]
    """
    return xp.broadcast_to(xp.arange(data.shape[0]), (data.ndim, data.shape[0]))


diag_indices_from.sample(data=normal(3, 3, 3), _grad=())
