"""Triangles and diagonals of matrices: taking them out, putting them in, multiplying, solving.

All take one matrix or a stack of them; only the triangle that an operator names is read.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs
from .linalg_gemm import linalg_gemm2
from .numeric import widen
from .op import get, op
from .rules import forward, show, uniform
from .samples import Draw, normal


def floating(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: all alike and of a floating-point type."""
    ins, outs = uniform(attrs, ins, outs)
    for dtype in (*ins, *outs):
        if dtype is not None and not is_float(dtype):
            raise MXNetError(f"data type {dtype} is not supported; cast to a float type first")
    return ins, outs


def square(a: tuple) -> tuple:
    """The shape itself; MXNetError unless it is that of square matrices."""
    if len(a) < 2 or a[-1] != a[-2]:
        raise MXNetError(f"{show(a)} is not the shape of square matrices")
    return a


def transposed(x: Any) -> Any:
    """A graph entry with its last two axes swapped."""
    return get("SwapAxis")(x, dim1=x.ndim - 2, dim2=x.ndim - 1)


def swapped(xp: Any, a: Any) -> Any:
    """An array with its last two axes swapped."""
    return xp.swapaxes(a, -1, -2)


def diagonal_heavy(*shape: int) -> Draw:
    """Sample of symmetric, positive definite matrices: `shape` ends with their size."""
    size = shape[-1]

    def make(rng: np.random.Generator) -> np.ndarray:
        a = rng.normal(0, 0.5, (*shape, size))
        return a @ np.swapaxes(a, -1, -2) + np.diag(np.arange(2.0, size + 2))

    return Draw((*shape, size), make)


# ---- diagonals -----------------------------------------------------------------------------------


def _diagonal_shape(attrs: Attrs, a: tuple) -> tuple:
    size = square(a)[-1] - abs(attrs.offset)
    if size < 1:
        raise MXNetError(f"offset {attrs.offset} is outside of the matrix")
    return *a[:-2], size


def _with_diagonal_shape(attrs: Attrs, a: tuple) -> tuple:
    if not a:
        raise MXNetError("expected at least 1 axis")
    return *a[:-1], a[-1] + abs(attrs.offset), a[-1] + abs(attrs.offset)


@op(
    "_linalg_extractdiag",
    aliases=("linalg_extractdiag",),
    shape=forward(_diagonal_shape),
)
def extractdiag(xp: Any, A: Any, *, offset: int = 0) -> Any:
    """The diagonal of each square matrix, `offset` places above (or below) the main one.

    Source: MXNet operator linalg.extractdiag.

    >>> mx.nd.linalg.extractdiag(mx.nd.array([[1, 2], [3, 4]])).asnumpy()
    array([1., 4.], dtype=float32)
    """
    return xp.diagonal(A, offset, -2, -1)


@op(
    "_linalg_makediag",
    aliases=("linalg_makediag",),
    shape=forward(_with_diagonal_shape),
)
def makediag(xp: Any, A: Any, *, offset: int = 0) -> Any:
    """Square matrices with the vectors along the last axis on a diagonal, zeros elsewhere.

    The reverse of `extractdiag`. `offset` as there. Source: MXNet operator linalg.makediag.

    >>> mx.nd.linalg.makediag(mx.nd.array([1, 2])).asnumpy()
    array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    size = A.shape[-1] + abs(offset)
    result = xp.zeros((*A.shape[:-1], size, size), A.dtype)
    place = xp.arange(A.shape[-1])
    result[..., place + max(-offset, 0), place + max(offset, 0)] = A
    return result


@extractdiag.gradient("A")
def _(dy: Any, offset: int) -> Any:
    return makediag(dy, offset=offset)


@makediag.gradient("A")
def _(dy: Any, offset: int) -> Any:
    return extractdiag(dy, offset=offset)


# ---- triangles as vectors ------------------------------------------------------------------------


def _places(xp: Any, size: int, offset: int, lower: bool) -> Any:
    """Rows and columns of a triangle; the sign of `offset` decides which one unless it is 0."""
    lower = lower if offset == 0 else offset < 0
    first, second = xp.tril_indices(size, -abs(offset))
    return (first, second) if lower else (second, first)


def _packed_shape(attrs: Attrs, a: tuple) -> tuple:
    side = square(a)[-1] - abs(attrs.offset)
    if side < 1:
        raise MXNetError(f"offset {attrs.offset} is outside of the matrix")
    return *a[:-2], side * (side + 1) // 2


def _unpacked_shape(attrs: Attrs, a: tuple) -> tuple:
    count = a[-1] if a else 0
    side = (isqrt(8 * count + 1) - 1) // 2
    if side < 1 or side * (side + 1) // 2 != count:
        raise MXNetError(f"{count} elements do not fill a triangle")
    side += abs(attrs.offset)
    return *a[:-1], side, side


@op(
    "_linalg_extracttrian",
    aliases=("linalg_extracttrian",),
    shape=forward(_packed_shape),
)
def extracttrian(xp: Any, A: Any, *, offset: int = 0, lower: bool = True) -> Any:
    """A triangle of each square matrix as a vector: a lower one by rows, an upper one by columns.

    `offset` moves the triangle's edge off the diagonal: above it for the upper triangle, below it
    (negative) for the lower one. `lower` chooses the triangle where `offset` is 0.
    Source: MXNet operator linalg.extracttrian.

    >>> mx.nd.linalg.extracttrian(mx.nd.array([[1, 2], [3, 4]])).asnumpy()
    array([1., 3., 4.], dtype=float32)
    """
    rows, columns = _places(xp, A.shape[-1], offset, lower)
    return A[..., rows, columns]


@op(
    "_linalg_maketrian",
    aliases=("linalg_maketrian",),
    shape=forward(_unpacked_shape),
)
def maketrian(xp: Any, A: Any, *, offset: int = 0, lower: bool = True) -> Any:
    """Square matrices with a triangle from the vectors along the last axis, zeros elsewhere.

    The reverse of `extracttrian`. `offset` and `lower` as there. Source: MXNet operator
    linalg.maketrian.

    >>> mx.nd.linalg.maketrian(mx.nd.array([1, 2, 3])).asnumpy()
    array([[1., 0.],
           [2., 3.]], dtype=float32)
    """
    side = (isqrt(8 * A.shape[-1] + 1) - 1) // 2 + abs(offset)
    result = xp.zeros((*A.shape[:-1], side, side), A.dtype)
    rows, columns = _places(xp, side, offset, lower)
    result[..., rows, columns] = A
    return result


@extracttrian.gradient("A")
def _(dy: Any, offset: int, lower: bool) -> Any:
    return maketrian(dy, offset=offset, lower=lower)


@maketrian.gradient("A")
def _(dy: Any, offset: int, lower: bool) -> Any:
    return extracttrian(dy, offset=offset, lower=lower)


def triangle(x: Any, lower: bool = True) -> Any:
    """A graph entry with the other triangle set to zero."""
    return maketrian(extracttrian(x, lower=lower), lower=lower)


def mirrored(x: Any) -> Any:
    """The symmetric matrices that have the lower triangles of a graph entry."""
    low = triangle(x)
    return low + transposed(low) - makediag(extractdiag(x))


# ---- products with and by triangular matrices ----------------------------------------------------


def _pair_shape(attrs: Attrs, a: tuple, b: tuple) -> tuple:
    size = square(a)[-1]
    if len(b) != len(a) or b[:-2] != a[:-2] or b[-1 if attrs.rightside else -2] != size:
        raise MXNetError(f"matrices {show(a)} and {show(b)} do not fit")
    return b


def _chosen(xp: Any, a: Any, transpose: bool, lower: bool) -> Any:
    """The named triangle of a matrix, transposed where asked."""
    a = xp.tril(widen(xp, a)) if lower else xp.triu(widen(xp, a))
    return swapped(xp, a) if transpose else a


def _pair(name: str) -> Callable:
    aliases = (f"linalg_{name}",)
    return op(f"_linalg_{name}", aliases=aliases, shape=forward(_pair_shape), dtype=floating)


@_pair("trmm")
def trmm(
    xp: Any,
    A: Any,
    B: Any,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Any:
    """``alpha * op(A) B``, or ``alpha * B op(A)`` with `rightside`, of a triangular matrix A.

    Only A's lower (or upper) triangle is read; `transpose` transposes it.
    Source: MXNet operator linalg.trmm.

    >>> A = mx.nd.array([[1, 9], [2, 3]])
    >>> mx.nd.linalg.trmm(A, mx.nd.ones((2, 1))).asnumpy()
    array([[1.],
           [5.]], dtype=float32)
    """
    a, b = _chosen(xp, A, transpose, lower), widen(xp, B)
    return alpha * (xp.matmul(b, a) if rightside else xp.matmul(a, b))


@_pair("trsm")
def trsm(
    xp: Any,
    A: Any,
    B: Any,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Any:
    """The X with ``op(A) X = alpha * B``, or ``X op(A) = alpha * B`` with `rightside`.

    Only A's lower (or upper) triangle is read; `transpose` transposes it. A singular A raises.
    Source: MXNet operator linalg.trsm.

    >>> A = mx.nd.array([[1, 9], [2, 4]])
    >>> mx.nd.linalg.trsm(A, mx.nd.array([[1], [6]])).asnumpy()
    array([[1.],
           [1.]], dtype=float32)
    """
    a, b = _chosen(xp, A, transpose, lower), alpha * widen(xp, B)
    try:
        if rightside:
            return swapped(xp, xp.linalg.solve(swapped(xp, a), swapped(xp, b)))
        return xp.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise MXNetError("operator _linalg_trsm: the matrix is singular") from None


def _flags(attrs: Attrs, **more: Any) -> dict[str, Any]:
    kept = {k: attrs[k] for k in ("transpose", "rightside", "lower", "alpha")}
    return kept | more


@trmm.gradient("B")
def _(dy: Any, A: Any, attrs: Attrs) -> Any:
    return trmm(A, dy, **_flags(attrs, transpose=not attrs.transpose))


@trsm.gradient("B")
def _(dy: Any, A: Any, attrs: Attrs) -> Any:
    return trsm(A, dy, **_flags(attrs, transpose=not attrs.transpose))


def _operand_gradient(left: Any, right: Any, attrs: Attrs, alpha: float) -> Any:
    """Gradient of the triangle from ``alpha * left right^T``, that of ``op(A)``."""
    pair = (right, left) if attrs.transpose else (left, right)
    full = linalg_gemm2(*pair, transpose_b=True, alpha=alpha)
    return triangle(full, attrs.lower)


def _operand_gradient_right(left: Any, right: Any, attrs: Attrs, alpha: float) -> Any:
    """The same from ``alpha * left^T right``, with A on the right side."""
    pair = (right, left) if attrs.transpose else (left, right)
    full = linalg_gemm2(*pair, transpose_a=True, alpha=alpha)
    return triangle(full, attrs.lower)


@trmm.gradient("A")
def _(dy: Any, B: Any, attrs: Attrs) -> Any:
    if attrs.rightside:
        return _operand_gradient_right(B, dy, attrs, attrs.alpha)
    return _operand_gradient(dy, B, attrs, attrs.alpha)


@trsm.gradient("A")
def _(dy: Any, A: Any, out: Any, attrs: Attrs) -> Any:
    solved = trsm(A, dy, **_flags(attrs, transpose=not attrs.transpose, alpha=1.0))
    if attrs.rightside:
        return _operand_gradient_right(out, solved, attrs, -1.0)
    return _operand_gradient(solved, out, attrs, -1.0)


for _offset in (0, 1, -2):
    extractdiag.sample(A=normal(2, 4, 4), offset=_offset)
    makediag.sample(A=normal(2, 3), offset=_offset)
    extracttrian.sample(A=normal(2, 4, 4), offset=_offset)
    maketrian.sample(A=normal(2, 3), offset=_offset)
extracttrian.sample(A=normal(3, 3), lower=False)
maketrian.sample(A=normal(6), lower=False)
_regular = diagonal_heavy(2, 3)
for _made in (trmm, trsm):
    _made.sample(A=_regular, B=normal(2, 3, 4), alpha=1.5)
    _made.sample(A=_regular, B=normal(2, 3, 4), transpose=True, lower=False)
    _made.sample(A=_regular, B=normal(2, 4, 3), rightside=True, alpha=-0.5)
    _made.sample(A=_regular, B=normal(2, 4, 3), rightside=True, transpose=True, lower=False)
