"""Sparse matrices by rows: products, slices, joins, selections and sums of `Csr` arrays."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..native import native
from .broadcast import reduced_shape, total_dtype
from .stored import INDEX, Csr, RowSparse, module_of, rows_of, starts
from .windows import widened


def _segment_sums(xp: Any, terms: Any, bounds: Any) -> Any:
    """Sums of ``terms[bounds[i]:bounds[i + 1]]``; 0 of none."""
    sums = xp.zeros((len(bounds) - 1, *terms.shape[1:]), terms.dtype)
    filled = bounds[:-1] < bounds[1:]
    if xp is np:
        if filled.any():
            sums[filled] = np.add.reduceat(terms, bounds[:-1][filled], axis=0)
    else:
        import cupyx

        owner = xp.searchsorted(bounds, xp.arange(len(terms)), side="right") - 1
        cupyx.scatter_add(sums, owner, terms)
    return sums


def _matrix(x: Any) -> Any:
    """A dense operand with two axes, wide enough to add up in."""
    return widened(x).reshape(len(x), prod(x.shape[1:]))


def _run_native(name: str, matrix: Csr, columns: Any, dense: Any, rows: int) -> np.ndarray | None:
    """The product by a kernel, where one serves these arrays."""
    if native is None or not isinstance(dense, np.ndarray):
        return None
    values, dense = widened(matrix.values), np.ascontiguousarray(_matrix(dense))
    if values.dtype not in (np.float32, np.float64) or values.dtype != dense.dtype:
        return None
    out = np.empty((rows, dense.shape[1]), values.dtype)
    native.run_kernel(name, [values, columns, matrix.indptr, dense], [out])
    return out


def product(xp: Any, matrix: Csr, dense: Any) -> Any:
    """``matrix`` times a dense or row_sparse array."""
    rows = matrix.shape[0]
    sums = _run_native("_csr_product", matrix, matrix.indices, dense, rows)
    if sums is None:
        met = _matrix(rows_of(xp, dense, matrix.indices))
        sums = _segment_sums(xp, met * widened(matrix.values)[:, None], matrix.indptr)
    return sums.reshape(rows, *dense.shape[1:])


def transposed_product(xp: Any, matrix: Csr, dense: Any) -> RowSparse:
    """The transpose of ``matrix`` times an array: a row for each column that stores something."""
    columns, slot = _compact(xp, matrix.indices, matrix.shape[1])
    sums = _run_native("_csr_transposed_product", matrix, slot, dense, len(columns))
    if sums is None:
        order = xp.argsort(slot, kind="stable") if xp is np else slot.argsort()
        met = _matrix(rows_of(xp, dense, matrix.rows(xp)[order]))
        terms = met * widened(matrix.values)[order][:, None]
        sums = _segment_sums(xp, terms, starts(xp, slot[order], len(columns)))
    rest = dense.shape[1:]
    return RowSparse(sums.reshape(len(columns), *rest), columns, (matrix.shape[1], *rest))


def _compact(xp: Any, columns: Any, width: int) -> tuple[Any, Any]:
    """The distinct ones of column numbers, ascending, and which of them each number is."""
    if width > 16 * len(columns) + 65536:  # marking all columns would cost more than sorting
        distinct, slot = xp.unique(columns, return_inverse=True)
        return distinct, slot.reshape(-1)
    used = xp.zeros(width, bool)
    used[columns] = True
    return xp.flatnonzero(used).astype(INDEX), (xp.cumsum(used) - 1).astype(INDEX)[columns]


def stored_product(found: RowSparse) -> Csr:
    """The transpose of a product by rows, as csr without its zeros."""
    xp = module_of(found)
    values = found.values.T
    rows, at = xp.nonzero(values)
    columns = found.indices[at]
    shape = found.shape[::-1]
    return Csr(values[rows, at], columns, starts(xp, rows, shape[0]), shape)


def cut(xp: Any, matrix: Csr, rows: slice, columns: slice) -> Csr:
    """A block of consecutive rows and columns."""
    first, last, _ = rows.indices(matrix.shape[0])
    left, right, _ = columns.indices(matrix.shape[1])
    last, right = max(first, last), max(left, right)
    indptr = matrix.indptr[first : last + 1]
    begin, end = (int(indptr[i]) for i in (0, -1))
    found, values = matrix.indices[begin:end], matrix.values[begin:end]
    indptr = indptr - begin
    if (left, right) != (0, matrix.shape[1]):
        kept = (found >= left) & (found < right)
        before = xp.concatenate([xp.zeros(1, INDEX), xp.cumsum(kept).astype(INDEX)])
        indptr, found, values = before[indptr], found[kept] - left, values[kept]
    return Csr(values.copy(), found, indptr, (last - first, right - left))


def stack(xp: Any, parts: Sequence[Csr]) -> Csr:
    """Matrices below each other."""
    ends, total = [parts[0].indptr[:1]], 0
    for part in parts:
        ends.append(part.indptr[1:] + total)
        total += len(part.indices)
    return Csr(
        xp.concatenate([p.values for p in parts]),
        xp.concatenate([p.indices for p in parts]),
        xp.concatenate(ends),
        (sum(p.shape[0] for p in parts), parts[0].shape[1]),
    )


def pick(xp: Any, matrix: Csr, rows: Any) -> Csr:
    """The rows of these numbers, in their order."""
    counts = (matrix.indptr[1:] - matrix.indptr[:-1])[rows]
    indptr = xp.concatenate([xp.zeros(1, INDEX), xp.cumsum(counts).astype(INDEX)])
    owner = xp.searchsorted(indptr, xp.arange(int(indptr[-1])), side="right") - 1
    at = xp.arange(int(indptr[-1])) - indptr[owner] + matrix.indptr[rows][owner]
    return Csr(matrix.values[at], matrix.indices[at], indptr, (len(rows), matrix.shape[1]))


def summed(xp: Any, matrix: Csr, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Sums over rows, columns or both."""
    shape = reduced_shape(matrix.shape, axes, keepdims)
    dtype = total_dtype(matrix.dtype)
    if len(axes) == 2:
        return matrix.values.sum(dtype=dtype).reshape(shape)
    if axes == (1,):
        return _segment_sums(xp, matrix.values.astype(dtype), matrix.indptr).reshape(shape)
    found = transposed_product(xp, matrix, xp.ones((matrix.shape[0], 1), dtype))
    sums = xp.zeros(matrix.shape[1], dtype)
    sums[found.indices] = found.values[:, 0].astype(dtype)
    return sums.reshape(shape)
