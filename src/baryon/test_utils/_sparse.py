"""Random sparse arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ndarray
from ..context import Context
from ..ndarray import NDArray

Shape = tuple[int, ...]


def rand_sparse_ndarray(
    shape: Shape,
    stype: str,
    density: float | None = None,
    dtype: Any = None,
    distribution: str | None = None,
    data_init: float | None = None,
    rsp_indices: Any = None,
    modifier_func: Callable | None = None,
    shuffle_csr_indices: bool = False,
    ctx: Context | None = None,
) -> tuple[NDArray, tuple]:
    """A random sparse array and its parts: (values, indices), or (indptr, indices, values).

    stype         : "row_sparse" or "csr".
    density       : fraction of rows, or of elements, that are stored; default: random.
    distribution  : "uniform", or "powerlaw" (csr: each row twice as full as the one before).
    data_init     : value of all stored elements.
    rsp_indices   : the rows that are stored.
    modifier_func : applied to each stored element.
    """
    density = np.random.rand() if density is None else density
    dtype = np.float32 if dtype is None else dtype
    if distribution not in (None, "uniform", "powerlaw"):
        raise AssertionError(f"Distribution not supported: {distribution}")
    if stype == "row_sparse":
        return _row_sparse(shape, density, dtype, data_init, rsp_indices, modifier_func, ctx)
    if stype != "csr":
        raise AssertionError(f"unknown storage type {stype}")
    if len(shape) != 2:
        raise AssertionError(f"csr arrays have two axes, got shape {shape}")
    stored = _stored_elements(shape, density, distribution == "powerlaw")
    values = _values(int(stored.sum()), dtype, data_init, modifier_func)
    indptr = np.concatenate([[0], np.cumsum(stored.sum(axis=1))]).astype(np.int64)
    indices = np.nonzero(stored)[1].astype(np.int64)
    if shuffle_csr_indices:
        _shuffle(indptr, indices)
    csr = ndarray.sparse.csr_matrix((values, indices, indptr), shape=shape, dtype=dtype, ctx=ctx)
    return csr, (csr.indptr, csr.indices, csr.data)


def _row_sparse(
    shape: Shape,
    density: float,
    dtype: Any,
    data_init: float | None,
    rsp_indices: Any,
    modifier_func: Callable | None,
    ctx: Context | None,
) -> tuple[NDArray, tuple]:
    if rsp_indices is None:
        indices = np.nonzero(np.random.rand(shape[0]) < density)[0]
    else:
        indices = np.asarray(rsp_indices)
        if len(indices) > shape[0]:
            raise AssertionError(f"{len(indices)} indices for {shape[0]} rows")
    values = _values((len(indices), *shape[1:]), dtype, data_init, modifier_func)
    made = ndarray.sparse.row_sparse_array((values, indices), shape=shape, dtype=dtype, ctx=ctx)
    return made, (values, indices)


def _values(
    shape: Any, dtype: Any, data_init: float | None, modifier_func: Callable | None
) -> np.ndarray:
    """Stored elements, never zero by chance."""
    values = np.random.uniform(0.01, 1, size=shape).astype(dtype)
    if data_init is not None:
        values.fill(data_init)
    if modifier_func is not None:
        values.flat = [modifier_func(x) for x in values.flat]
    return values


def _stored_elements(shape: Shape, density: float, powerlaw: bool) -> np.ndarray:
    """Mask of the elements that a csr array stores."""
    if not powerlaw:
        return np.random.rand(*shape) < density
    mask = np.zeros(shape, bool)
    left, width = int(shape[0] * shape[1] * density), 1
    for row in mask:
        count = min(width, shape[1], left)
        row[:count] = True
        left, width = left - count, width * 2
    return mask


def create_sparse_array(
    shape: Shape,
    stype: str,
    data_init: float | None = None,
    rsp_indices: Any = None,
    dtype: Any = None,
    modifier_func: Callable | None = None,
    density: float = 0.5,
    shuffle_csr_indices: bool = False,
) -> NDArray:
    """A random sparse array; arguments as in `rand_sparse_ndarray`."""
    return rand_sparse_ndarray(
        shape,
        stype,
        density,
        dtype,
        data_init=data_init,
        rsp_indices=rsp_indices,
        modifier_func=modifier_func,
        shuffle_csr_indices=shuffle_csr_indices,
    )[0]


def create_sparse_array_zd(
    shape: Shape,
    stype: str,
    density: float,
    data_init: float | None = None,
    rsp_indices: Any = None,
    dtype: Any = None,
    modifier_func: Callable | None = None,
    shuffle_csr_indices: bool = False,
) -> NDArray:
    """A random sparse array that may be empty: at density 0 nothing is stored."""
    if stype == "row_sparse" and density == 0 and rsp_indices is None:
        rsp_indices = []
    return create_sparse_array(
        shape, stype, data_init, rsp_indices, dtype, modifier_func, density, shuffle_csr_indices
    )


def shuffle_csr_column_indices(csr: Any) -> None:
    """Put the column numbers of each row of a csr array, or scipy matrix, into random order."""
    parts = csr._data if isinstance(csr, NDArray) else csr
    indices = np.array(parts.indices)
    _shuffle(np.asarray(parts.indptr), indices)
    parts.indices = indices


def _shuffle(indptr: np.ndarray, indices: np.ndarray) -> None:
    for begin, end in zip(indptr, indptr[1:], strict=False):
        np.random.shuffle(indices[begin:end])
