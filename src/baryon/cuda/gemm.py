"""Matrix products by cuBLAS; of 16-bit arrays with tensor cores and sums in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import bfloat16
from .blas import gemm

_HALVES = frozenset((np.dtype(np.float16), np.dtype(bfloat16)))
_FLOATS = _HALVES | {np.dtype(np.float32), np.dtype(np.float64)}


def halves(*arrays: Any) -> bool:
    """Whether all arrays (None: absent) are of one 16-bit type."""
    return floats(*arrays) and next(a for a in arrays if a is not None).dtype in _HALVES


def floats(*arrays: Any) -> bool:
    """Whether all arrays (None: absent) are of one float type: what `product` serves."""
    kinds = {np.dtype(a.dtype) for a in arrays if a is not None}
    return len(kinds) == 1 and kinds <= _FLOATS


def _stored(array: Any) -> tuple[Any, bool, int]:
    """An array that BLAS can read, whether it lies transposed there, and its leading dimension."""
    rows, columns = array.shape[-2:]
    item = array.dtype.itemsize
    row, column = (s // item for s in array.strides[-2:])
    if column == 1 and (row >= columns or rows == 1):
        return array, False, max(row, columns)
    if row == 1 and (column >= rows or columns == 1):
        return array, True, max(column, rows)
    return None, False, 0


def product(xp: Any, a: Any, b: Any, out: Any = None, alpha: float = 1.0) -> Any:
    """``alpha a @ b`` of matrices, or of stacks (count, rows, columns); transposes are not copied.

    `out`: where the result goes, of any float type (float64 for factors of that type alone), its
    rows in one piece.
    """
    shape = (*a.shape[:-1], b.shape[-1])
    out = xp.empty(shape, a.dtype) if out is None else out
    jump_out, row_out, _ = (s // out.dtype.itemsize for s in (0, *out.strides)[-3:])
    if 0 in (out.size, a.size):
        out.fill(0)
        return out
    (a, a_turned, a_row), (b, b_turned, b_row) = (
        _stored(x) if _stored(x)[0] is not None else _stored(xp.ascontiguousarray(x))
        for x in (a, b)
    )
    count = a.shape[0] if a.ndim == 3 else 1
    jump_a, jump_b = (x.strides[0] // x.dtype.itemsize if x.ndim == 3 else 0 for x in (a, b))
    m, k, n = *a.shape[-2:], b.shape[-1]
    blas, runtime = xp.cuda.cublas, xp.cuda.runtime
    kinds = {
        np.dtype(np.float16): runtime.CUDA_R_16F,
        np.dtype(bfloat16): runtime.CUDA_R_16BF,
        np.dtype(np.float32): runtime.CUDA_R_32F,
        np.dtype(np.float64): runtime.CUDA_R_64F,
    }
    double = np.dtype(a.dtype) == np.float64
    # Read by the host before the call returns.
    numbers = np.array([alpha, 0.0], np.float64 if double else np.float32)
    one, zero = numbers.ctypes.data, numbers.ctypes.data + numbers.itemsize
    turns = [blas.CUBLAS_OP_T if t else blas.CUBLAS_OP_N for t in (b_turned, a_turned)]
    # BLAS counts in columns: it computes the transpose of the result, b^T a^T.
    gemm(
        xp,
        *(*turns, n, m, k, one),
        *(b.data.ptr, kinds[np.dtype(b.dtype)], b_row, jump_b),
        *(a.data.ptr, kinds[np.dtype(a.dtype)], a_row, jump_a),
        *(zero, out.data.ptr, kinds[np.dtype(out.dtype)], max(row_out, n), jump_out, count),
        *(blas.CUBLAS_COMPUTE_64F if double else blas.CUBLAS_COMPUTE_32F,),
        *(blas.CUBLAS_GEMM_DEFAULT,),
    )
    return out


def times(xp: Any, a: Any, b: Any) -> Any:
    """``a @ b`` of matrices."""
    return product(xp, a, b) if floats(a, b) else a @ b


def column_sums(xp: Any, matrix: Any) -> Any:
    """Sums down the columns of a matrix, in its type; of 16-bit ones as a product with ones."""
    if not halves(matrix):
        return matrix.sum(axis=0)
    return product(xp, xp.ones((1, matrix.shape[0]), matrix.dtype), matrix)[0]
