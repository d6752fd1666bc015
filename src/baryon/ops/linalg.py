"""Inverses, determinants and symmetric products of matrices, alone or in stacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .linalg_gemm import linalg_gemm2
from .linalg_triangle import (
    diagonal_heavy,
    extractdiag,
    floating,
    makediag,
    square,
    swapped,
    transposed,
)
from .numeric import widen
from .op import get, op
from .rules import forward, show
from .samples import normal


def one_each(attrs: Attrs, a: tuple) -> tuple:
    """One number a matrix; a single matrix gives shape (1,)."""
    return square(a)[:-2] or (1,)


def spread(dy: Any, a: Any) -> Any:
    """A graph entry with one number a matrix as a stack of 1 x 1 matrices."""
    return get("Reshape")(dy, shape=(*a.shape[:-2], 1, 1))


def _scaled(factor: Any, a: Any) -> Any:
    return get("broadcast_mul")(factor, a)


# ---- inverse -------------------------------------------------------------------------------------


@op(
    "_linalg_inverse",
    aliases=("_npi_inv", "linalg_inverse"),
    shape=forward(lambda a, A: square(A)),
    dtype=floating,
)
def inverse(xp: Any, A: Any) -> Any:
    """Inverse of each square matrix; a singular one raises.  Source: MXNet operator linalg.inverse.

    >>> mx.nd.linalg.inverse(mx.nd.array([[2, 0], [0, 4]])).asnumpy()
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    try:
        return xp.linalg.inv(widen(xp, A))
    except np.linalg.LinAlgError:
        raise MXNetError("operator _linalg_inverse: the matrix is singular") from None


def _inverse_gradient(dy: Any, out: Any) -> Any:
    """``-out^T dy out^T``."""
    return linalg_gemm2(linalg_gemm2(out, dy, transpose_a=True), out, transpose_b=True, alpha=-1.0)


inverse.gradient("A")(_inverse_gradient)
inverse.sample(A=diagonal_heavy(3), _rtol=1e-3)
inverse.sample(A=diagonal_heavy(2, 3), _rtol=1e-3)


@op("_backward_linalg_det", shape=forward(lambda a, A: square(A)), dtype=floating)
def finite_inverse(xp: Any, A: Any) -> Any:
    """Inverse of each square matrix, zeros for a singular one."""
    a = widen(xp, A)
    regular = xp.linalg.det(a) != 0
    result = xp.linalg.inv(
        xp.where(regular[..., None, None], a, xp.eye(a.shape[-1], dtype=a.dtype))
    )
    return xp.where(regular[..., None, None], result, 0)


finite_inverse.gradient("A")(_inverse_gradient)


# ---- determinants --------------------------------------------------------------------------------


@op(
    "_linalg_det",
    aliases=("linalg_det",),
    shape=forward(one_each),
    dtype=floating,
    counted=lambda a: 3,
)
def det(xp: Any, A: Any) -> Any:
    """Determinant of each square matrix; a single matrix gives shape (1,).

    The gradient of a singular matrix is zero, as in MXNet. Source: MXNet operator linalg.det.

    >>> mx.nd.linalg.det(mx.nd.array([[1, 2], [3, 4]])).asnumpy().round(3)
    array([-2.], dtype=float32)
    """
    return xp.linalg.det(widen(xp, A)).reshape(A.shape[:-2] or (1,))


@det.gradient("A")
def _(dy: Any, A: Any, out: Any) -> Any:
    return _scaled(spread(dy * out, A), transposed(finite_inverse(A)))


det.sample(A=diagonal_heavy(3), _rtol=1e-3)
det.sample(A=normal(2, 2, 2), _rtol=1e-3)


@op(
    "_linalg_slogdet",
    aliases=("linalg_slogdet",),
    outputs=("output0", "output1"),
    shape=forward(lambda a, A: [one_each(a, A)] * 2),
    dtype=floating,
    counted=lambda a: 4,
)
def slogdet(xp: Any, A: Any) -> Any:
    """Sign of the determinant of each square matrix, and the logarithm of its absolute value.

    Source: MXNet operator linalg.slogdet.

    >>> sign, log = mx.nd.linalg.slogdet(mx.nd.array([[-1, 0], [0, 1]]))
    >>> sign.asnumpy(), log.asnumpy()
    (array([-1.], dtype=float32), array([0.], dtype=float32))
    """
    sign, log = xp.linalg.slogdet(widen(xp, A))
    shape = A.shape[:-2] or (1,)
    return sign.reshape(shape), log.reshape(shape)


@slogdet.gradient("A")
def _(d_output1: Any, A: Any) -> Any:
    if d_output1 is None:
        return None
    return _scaled(spread(d_output1, A), transposed(finite_inverse(A)))


slogdet.sample(A=diagonal_heavy(3), _rtol=1e-3)
slogdet.sample(A=diagonal_heavy(2, 2), _rtol=1e-3)


@op(
    "_linalg_sumlogdiag",
    aliases=("linalg_sumlogdiag",),
    shape=forward(one_each),
    dtype=floating,
)
def sumlogdiag(xp: Any, A: Any) -> Any:
    """Sum of the logarithms of the diagonal of each square matrix; shape (1,) for a single one.

    Source: MXNet operator linalg.sumlogdiag.

    >>> mx.nd.linalg.sumlogdiag(mx.nd.array([[1, 5], [5, 1]])).asnumpy()
    array([0.], dtype=float32)
    """
    diagonal = xp.diagonal(widen(xp, A), 0, -2, -1)
    return xp.log(diagonal).sum(-1).reshape(A.shape[:-2] or (1,))


@sumlogdiag.gradient("A")
def _(dy: Any, A: Any) -> Any:
    column = get("Reshape")(dy, shape=(*A.shape[:-2], 1))
    return makediag(_scaled(column, get("reciprocal")(extractdiag(A))))


sumlogdiag.sample(A=diagonal_heavy(3))
sumlogdiag.sample(A=diagonal_heavy(2, 2))


# ---- syrk ----------------------------------------------------------------------------------------


def _syrk_shape(attrs: Attrs, a: tuple) -> tuple:
    if len(a) < 2:
        raise MXNetError(f"{show(a)} is not the shape of matrices")
    size = a[-1] if attrs.transpose else a[-2]
    return *a[:-2], size, size


@op("_linalg_syrk", aliases=("linalg_syrk",), shape=forward(_syrk_shape), dtype=floating)
def syrk(xp: Any, A: Any, *, transpose: bool = False, alpha: float = 1.0) -> Any:
    """``alpha * A A^T``, or ``alpha * A^T A`` with `transpose`.  Source: MXNet linalg.syrk.

    >>> mx.nd.linalg.syrk(mx.nd.array([[1, 2]])).asnumpy()
    array([[5.]], dtype=float32)
    """
    a = widen(xp, A)
    b = swapped(xp, a)
    return alpha * (xp.matmul(b, a) if transpose else xp.matmul(a, b))


@syrk.gradient("A")
def _(dy: Any, A: Any, transpose: bool, alpha: float) -> Any:
    both = dy + transposed(dy)
    pair = (A, both) if transpose else (both, A)
    return linalg_gemm2(*pair, alpha=alpha)


syrk.sample(A=normal(2, 3), alpha=1.5)
syrk.sample(A=normal(2, 3, 4), transpose=True)
