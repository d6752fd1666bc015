"""Sparse arrays (`mx.nd.sparse`) made from numbers, dense arrays and scipy matrices.

Operators treat them as MXNet does: some keep a storage type, the others compute on dense copies.
The operator's declaration says which (see `baryon.ops.storage`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..base import MXNetError, NotSupportedForSparseNDArray
from ..context import Context, as_context
from ..dtypes import as_dtype
from ..operands import same_shape_functions
from ..ops.stored import INDEX, Csr, RowSparse, blank, converted, write
from .invoke import invoke
from .ndarray import NDArray
from .sparse_arrays import BaseSparseNDArray, CSRNDArray, RowSparseNDArray, on_device

__all__ = [
    "BaseSparseNDArray",
    "CSRNDArray",
    "NotSupportedForSparseNDArray",
    "RowSparseNDArray",
    "add",
    "array",
    "csr_matrix",
    "divide",
    "empty",
    "multiply",
    "row_sparse_array",
    "subtract",
    "zeros",
]

_BINARY = same_shape_functions(invoke, NDArray)
add, subtract = _BINARY["add"], _BINARY["subtract"]
multiply, divide = _BINARY["multiply"], _BINARY["divide"]


def _host(x: Any, dtype: Any = None) -> np.ndarray:
    """A numpy copy of an array or list; lists become float32."""
    if isinstance(x, NDArray):
        x = x.asnumpy()
    default = getattr(x, "dtype", np.float32)
    return np.array(x, dtype=as_dtype(default if dtype is None else dtype), order="C")


def _index(x: Any) -> np.ndarray:
    return _host(x, INDEX).reshape(-1)


def _wrap(raw: Any, shape: Any, ctx: Any, dtype: Any) -> NDArray:
    """A sparse array over raw parts, checked against the shape that was asked for."""
    if shape is not None and tuple(shape) != raw.shape:
        raise ValueError(f"Shape mismatch detected. {raw.shape} v.s. {tuple(shape)}")
    ctx = as_context(ctx)
    if dtype is not None:
        raw = raw.astype(as_dtype(dtype))
    raw.check(full=False)
    return NDArray._wrap(on_device(raw, ctx), ctx)


def _is_shape(x: tuple) -> bool:
    return all(isinstance(d, (int, np.integer)) for d in x)


def _scipy_csr(source: Any) -> Csr:
    """The parts of a scipy matrix; of any format, duplicates summed and columns sorted."""
    matrix = source.tocsr(copy=True)
    matrix.sum_duplicates()
    return Csr(matrix.data, _index(matrix.indices), _index(matrix.indptr), matrix.shape)


def csr_matrix(
    arg1: Any, shape: Any = None, ctx: Context | None = None, dtype: Any = None
) -> CSRNDArray:
    """A csr array from one of several descriptions.

    arg1 : a dense matrix (numpy, NDArray, lists); a CSRNDArray or scipy matrix; ``(rows, columns)``
           for an empty one; ``(data, indices, indptr)``; or ``(data, (row, column))``, whose
           duplicates add up.
    shape : its shape; by default what `arg1` says or the indices need.
    dtype : by default that of the source, float32 for lists.

    >>> mx.nd.sparse.csr_matrix(([1, 2], ([0, 1], [2, 0])), shape=(2, 3)).asnumpy()
    array([[0., 0., 1.],
           [2., 0., 0.]], dtype=float32)
    """
    if hasattr(arg1, "tocsr"):
        return _wrap(_scipy_csr(arg1), shape, ctx, dtype)
    if isinstance(arg1, CSRNDArray):
        return _wrap(arg1._data.copy(), shape, ctx, dtype)
    if isinstance(arg1, RowSparseNDArray):
        raise ValueError("Unexpected input type: RowSparseNDArray")
    if isinstance(arg1, tuple):
        if len(arg1) == 2 and _is_shape(arg1):
            return _wrap(blank(np, "csr", arg1, np.float32), shape, ctx, dtype)
        if len(arg1) == 2:
            return _wrap(_from_coordinates(*arg1, shape), None, ctx, dtype)
        if len(arg1) != 3:
            raise ValueError(f"Unexpected length of input tuple: {len(arg1)}")
        return _wrap(_from_parts(*arg1, shape), None, ctx, dtype)
    values = _host(arg1)
    if values.ndim != 2:
        raise ValueError(
            f"To convert to a CSR, the NDArray should be 2 Dimensional. Current shape is "
            f"{values.shape}"
        )
    return _wrap(converted(values, "csr"), shape, ctx, dtype)


def _from_parts(data: Any, indices: Any, indptr: Any, shape: Any) -> Csr:
    data, indices, indptr = _host(data).reshape(-1), _index(indices), _index(indptr)
    if shape is None:
        if not indices.size:
            raise ValueError("invalid shape: a csr array that stores nothing needs one")
        shape = (len(indptr) - 1, int(indices.max()) + 1)
    if len(shape) != 2:
        raise ValueError(f"invalid shape: a csr array has 2 axes, got {tuple(shape)}")
    if indptr.size == 0 or indptr[0] < 0 or indptr[-1] > len(indices):
        raise MXNetError(f"csr_matrix: indptr does not fit {len(indices)} indices")
    return Csr(data, indices, indptr, tuple(shape))


def _from_coordinates(data: Any, place: Any, shape: Any) -> Csr:
    data, (rows, columns) = _host(data).reshape(-1), map(_index, place)
    if not len(data) == len(rows) == len(columns):
        raise ValueError(
            f"csr_matrix: {len(data)} values, {len(rows)} rows and {len(columns)} columns differ"
        )
    if shape is None:
        if not rows.size:
            raise ValueError("invalid shape: a csr array that stores nothing needs one")
        shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.all():
        raise ValueError(f"csr_matrix: a coordinate lies outside the shape {tuple(shape)}")
    places, at = np.unique(rows * shape[1] + columns, return_inverse=True)
    values = np.zeros(places.shape, data.dtype)
    np.add.at(values, at.reshape(-1), data)
    indptr = np.searchsorted(places // shape[1], np.arange(shape[0] + 1)).astype(INDEX)
    return Csr(values, places % shape[1], indptr, tuple(shape))


def row_sparse_array(
    arg1: Any, shape: Any = None, ctx: Context | None = None, dtype: Any = None
) -> RowSparseNDArray:
    """A row_sparse array from one of several descriptions.

    arg1 : a dense array (numpy, NDArray, lists); a RowSparseNDArray; a shape of two or more sizes
           for an empty one; or ``(data, indices)``: rows and their numbers, which ascend.
    shape, dtype : as in `csr_matrix`.

    >>> mx.nd.sparse.row_sparse_array(np.array([[0, 0], [3, 4]])).indices.asnumpy()
    array([1])
    """
    if isinstance(arg1, RowSparseNDArray):
        return _wrap(arg1._data.copy(), shape, ctx, dtype)
    if isinstance(arg1, CSRNDArray) or hasattr(arg1, "tocsr"):
        raise ValueError(f"Unexpected input type: {type(arg1).__name__}")
    if isinstance(arg1, tuple):
        if len(arg1) > 1 and _is_shape(arg1):
            return _wrap(blank(np, "row_sparse", arg1, np.float32), shape, ctx, dtype)
        if len(arg1) != 2:
            raise ValueError(f"Unexpected length of input tuple: {len(arg1)}")
        data, indices = _host(arg1[0]), _index(arg1[1])
        if shape is None:
            if not indices.size:
                raise ValueError("invalid shape: an array that stores no rows needs one")
            shape = (int(indices.max()) + 1, *data.shape[1:])
        return _wrap(RowSparse(data, indices, tuple(shape)), None, ctx, dtype)
    return _wrap(converted(_host(arg1), "row_sparse"), shape, ctx, dtype)


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> BaseSparseNDArray:
    """A sparse array from a sparse NDArray or a scipy matrix (`mx.nd.array` takes dense ones).

    >>> mx.nd.sparse.array(mx.nd.eye(2).tostype("csr")).stype
    'csr'
    """
    if isinstance(source_array, RowSparseNDArray):
        return row_sparse_array(source_array, None, ctx, dtype)
    if isinstance(source_array, CSRNDArray) or hasattr(source_array, "tocsr"):
        return csr_matrix(source_array, None, ctx, dtype)
    if isinstance(source_array, NDArray):
        raise AssertionError("Please use `tostype` to make a dense NDArray sparse")
    raise ValueError(
        "Please use mx.nd.array to create an NDArray with source_array of type "
        f"{type(source_array).__name__}"
    )


def zeros(
    stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None, **kwargs: Any
) -> NDArray:
    """Zeros in a storage type; a sparse array then stores nothing.

    >>> mx.nd.sparse.zeros("row_sparse", (3, 2)).indices.shape
    (0,)
    """
    out = kwargs.pop("out", None)
    if kwargs:
        raise TypeError(f"zeros got an unexpected keyword argument {next(iter(kwargs))!r}")
    ctx, shape = as_context(ctx), tuple(int(d) for d in shape)
    raw = blank(backend.array_module(ctx), stype, shape, as_dtype(dtype or np.float32))
    if out is None:
        return NDArray._wrap(raw, ctx)
    write(out._data, raw)
    return out


def empty(
    stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None
) -> BaseSparseNDArray:
    """A sparse array to be written; it stores nothing yet.

    >>> mx.nd.sparse.empty("row_sparse", (3, 2)).stype
    'row_sparse'
    """
    if stype not in ("csr", "row_sparse"):
        raise ValueError(f"unknown stype : {stype}")
    return zeros(stype, shape, ctx, dtype)
