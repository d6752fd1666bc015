"""cuBLAS for the stand-in: products of matrices in memory, as the real one reads and writes it."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import ml_dtypes
import numpy as np

from .calls import call

KINDS = {
    0: np.dtype(np.float32),
    1: np.dtype(np.float64),
    2: np.dtype(np.float16),
    14: np.dtype(ml_dtypes.bfloat16),
}


def _matrix(address: int, kind: int, rows: int, columns: int, leading: int) -> np.ndarray:
    """A matrix whose columns lie `leading` elements apart."""
    if leading < rows:
        raise ValueError(f"a leading dimension of {leading} for {rows} rows")
    dtype = KINDS[kind]
    bytes_of = ctypes.c_char * ((leading * (columns - 1) + rows) * dtype.itemsize)
    flat = np.frombuffer(bytes_of.from_address(address), dtype)
    strides = dtype.itemsize, leading * dtype.itemsize
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), strides)


def _gemm(handle, turn_a, turn_b, m, n, k, alpha, a, a_kind, lda, step_a, b, b_kind, ldb, step_b,
          beta, c, c_kind, ldc, step_c, count, compute, algorithm):  # fmt: skip
    """``c = alpha op(a) op(b) + beta c`` for a stack of matrices, sums in float32 or float64."""
    wide, number = {68: (np.float32, ctypes.c_float), 70: (np.float64, ctypes.c_double)}[compute]
    factor, kept = (number.from_address(p).value for p in (alpha, beta))

    def run() -> None:
        for i in range(count):
            one(i)

    def one(i: int) -> None:
        at = [p + i * s * KINDS[t].itemsize for p, s, t in
              ((a, step_a, a_kind), (b, step_b, b_kind), (c, step_c, c_kind))]  # fmt: skip
        left = _matrix(at[0], a_kind, *((k, m) if turn_a else (m, k)), lda)
        right = _matrix(at[1], b_kind, *((n, k) if turn_b else (k, n)), ldb)
        to = _matrix(at[2], c_kind, m, n, ldc)
        left, right = (x.astype(wide) for x in (left, right))
        found = factor * ((left.T if turn_a else left) @ (right.T if turn_b else right))
        to[...] = found + kept * to.astype(wide) if kept else found

    call(run, inplace=True)


def refuses_capture(what: str = "cuBLAS") -> None:
    """CuPy calls no library of matrices while a stream is captured."""
    from .cuda import capturing

    if capturing() is not None:
        raise NotImplementedError(
            f"calling {what} API during stream capture is currently unsupported"
        )


def _by_cupy(*args) -> None:
    refuses_capture()
    _gemm(*args)


class Library:
    """cuBLAS itself, as ctypes finds it: it can be captured, with a workspace that is given."""

    def __init__(self) -> None:
        self._workspace = 0

    def cublasSetStream_v2(self, handle, stream) -> int:  # noqa: N802
        """It also forgets the workspace."""
        self._workspace = 0
        return 0

    def cublasSetWorkspace_v2(self, handle, address, size) -> int:  # noqa: N802
        """Memory for the next products."""
        self._workspace = size
        return 0

    def cublasGemmStridedBatchedEx(self, *args) -> int:  # noqa: N802
        """A stack of products."""
        from .cuda import capturing

        if capturing() is not None and not self._workspace:
            raise AssertionError("a captured product without a workspace of its graph")
        _gemm(*args)
        return 0


library = Library()

cublas = SimpleNamespace(
    CUBLAS_OP_N=0,
    CUBLAS_OP_T=1,
    CUBLAS_COMPUTE_32F=68,
    CUBLAS_COMPUTE_64F=70,
    CUBLAS_GEMM_DEFAULT=-1,
    gemmStridedBatchedEx=_by_cupy,
    setStream=lambda handle, stream: refuses_capture(),
)
