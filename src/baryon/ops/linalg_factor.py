"""Factorisations of matrices, alone or in stacks: Cholesky, LQ, symmetric eigenvalues.

Gradients with respect to a symmetric matrix are those of a perturbation that keeps it symmetric.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .linalg_gemm import linalg_gemm2
from .linalg_triangle import (
    diagonal_heavy,
    floating,
    makediag,
    mirrored,
    square,
    swapped,
    transposed,
    triangle,
    trsm,
)
from .numeric import widen
from .op import get, op
from .rules import forward, show
from .samples import normal

_TINY_GAP = 1e-30  # eigenvalues closer than this count as this far apart, as in MXNet


# ---- Cholesky ------------------------------------------------------------------------------------


@op(
    "_linalg_potrf",
    aliases=("linalg_potrf",),
    shape=forward(lambda a, A: square(A)),
    dtype=floating,
)
def potrf(xp: Any, A: Any) -> Any:
    """Lower triangular L with ``L L^T = A`` for symmetric, positive definite A; others raise.

    Only A's lower triangle is read. Source: MXNet operator linalg.potrf.

    >>> mx.nd.linalg.potrf(mx.nd.array([[4, 2], [2, 5]])).asnumpy()
    array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    try:
        return xp.linalg.cholesky(widen(xp, A))
    except np.linalg.LinAlgError:
        raise MXNetError("operator _linalg_potrf: the matrix is not positive definite") from None


@potrf.gradient("A")
def _(dy: Any, out: Any) -> Any:
    """Source: Murray 2016, Differentiation of the Cholesky decomposition."""
    middle = mirrored(linalg_gemm2(out, dy, transpose_a=True))
    left = trsm(out, middle, transpose=True)
    return trsm(out, left, rightside=True, alpha=0.5)


@op(
    "_linalg_potri",
    aliases=("linalg_potri",),
    shape=forward(lambda a, A: square(A)),
    dtype=floating,
)
def potri(xp: Any, A: Any) -> Any:
    """``(L L^T)^-1`` of a lower triangular L, the factor that `potrf` gives.

    Source: MXNet operator linalg.potri.

    >>> mx.nd.linalg.potri(mx.nd.array([[2, 0], [0, 1]])).asnumpy()
    array([[0.25, 0.  ],
           [0.  , 1.  ]], dtype=float32)
    """
    try:
        inverse = xp.linalg.inv(xp.tril(widen(xp, A)))
    except np.linalg.LinAlgError:
        raise MXNetError("operator _linalg_potri: the matrix is singular") from None
    return xp.matmul(swapped(xp, inverse), inverse)


@potri.gradient("A")
def _(dy: Any, A: Any, out: Any) -> Any:
    left = linalg_gemm2(out, dy + transposed(dy), alpha=-1.0)
    return triangle(trsm(A, left, rightside=True, transpose=True))


potrf.sample(A=diagonal_heavy(3), _grad=())
potrf.sample(A=diagonal_heavy(2, 3), _grad=())
potri.sample(A=diagonal_heavy(3), _rtol=1e-3)
potri.sample(A=diagonal_heavy(2, 2), _rtol=1e-3)


# ---- LQ ------------------------------------------------------------------------------------------


def _gelqf_shapes(attrs: Attrs, a: tuple) -> list:
    if len(a) < 2 or a[-2] > a[-1]:
        raise MXNetError(f"{show(a)} is not the shape of matrices with no more rows than columns")
    return [a, (*a[:-1], a[-2])]


@op(
    "_linalg_gelqf",
    aliases=("linalg_gelqf",),
    outputs=("output0", "output1"),
    shape=forward(_gelqf_shapes),
    dtype=floating,
)
def gelqf(xp: Any, A: Any) -> Any:
    """Q with orthonormal rows and lower triangular L with ``L Q = A``; A has full row rank.

    Signs are LAPACK's. Source: MXNet operator linalg.gelqf.

    >>> q, l = mx.nd.linalg.gelqf(mx.nd.array([[3, 4]]))
    >>> mx.nd.dot(l, q).asnumpy().round(3)
    array([[3., 4.]], dtype=float32)
    """
    q, r = xp.linalg.qr(swapped(xp, widen(xp, A)))
    return swapped(xp, q), swapped(xp, r)


@gelqf.gradient("A")
def _(dys: Any, outs: Any) -> Any:
    """Source: Seeger et al. 2017, Auto-differentiating linear algebra."""
    (d_q, d_l), (q, low) = dys, outs
    difference = linalg_gemm2(low, d_l, transpose_a=True) - linalg_gemm2(d_q, q, transpose_b=True)
    return trsm(low, d_q + linalg_gemm2(mirrored(difference), q), transpose=True)


gelqf.sample(A=normal(2, 4), _rtol=1e-3)
gelqf.sample(A=normal(2, 3, 3), _rtol=1e-3)


# ---- symmetric eigenvalues -----------------------------------------------------------------------


@op(
    "_linalg_syevd",
    outputs=("output0", "output1"),
    shape=forward(lambda a, A: [square(A), A[:-1]]),
    dtype=floating,
)
def syevd(xp: Any, A: Any) -> Any:
    """Eigenvectors U, one a row, and ascending eigenvalues L of symmetric A: ``A = U^T L U``.

    Only A's lower triangle is read. The component of each eigenvector that is largest in absolute
    value is positive. Source: MXNet operator linalg.syevd.

    >>> vectors, values = mx.nd.linalg.syevd(mx.nd.array([[2, 0], [0, 1]]))
    >>> values.asnumpy()
    array([1., 2.], dtype=float32)
    """
    values, vectors = xp.linalg.eigh(widen(xp, A))
    rows = swapped(xp, vectors)
    largest = xp.take_along_axis(rows, xp.abs(rows).argmax(-1)[..., None], -1)
    return xp.where(largest < 0, -rows, rows), values


@op("_backward_linalg_syevd", shape=forward(lambda a, values: (*values, values[-1])))
def inverse_gaps(xp: Any, values: Any) -> Any:
    """``1 / (values[j] - values[i])`` at [i, j] and 0 on the diagonal, for ascending values."""
    values = widen(xp, values)
    gaps = values[..., None, :] - values[..., :, None]
    size = values.shape[-1]
    below = xp.tril(xp.ones((size, size), bool))
    wide = xp.where(below, xp.minimum(gaps, -_TINY_GAP), xp.maximum(gaps, _TINY_GAP))
    return xp.where(xp.eye(size, dtype=bool), 0, 1 / wide)


@inverse_gaps.gradient("values")
def _(dy: Any, out: Any) -> Any:
    slope = dy * out * out
    total = get("sum")
    return total(slope, axis=slope.ndim - 1) - total(slope, axis=slope.ndim - 2)


@syevd.gradient("A")
def _(dys: Any, outs: Any) -> Any:
    """Source: Seeger et al. 2017, Auto-differentiating linear algebra."""
    (d_u, d_l), (u, values) = dys, outs
    turned = linalg_gemm2(d_u, u, transpose_b=True) * transposed(inverse_gaps(values))
    middle = (turned + transposed(turned)) * 0.5 + makediag(d_l)
    return linalg_gemm2(linalg_gemm2(u, middle, transpose_a=True), u)


inverse_gaps.sample(values=normal(2, 1), _second_order=False)
syevd.sample(A=diagonal_heavy(3), _grad=(), _rtol=1e-3)
syevd.sample(A=diagonal_heavy(2, 3), _grad=(), _rtol=1e-3)
