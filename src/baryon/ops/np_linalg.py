"""Solving and inverting in the NumPy interface: matrices, stacks of them, tensors seen as such."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, Shape
from .cast import cast
from .linalg_triangle import diagonal_heavy, floating, square, transposed
from .np_products import matmul
from .numeric import widen
from .op import get, op
from .reshape import normalize_all, reshape_exactly
from .rules import forward, show
from .samples import Draw, constant, normal
from .twins import twin

_SINGULAR = "operator {}: the matrix is singular"

# ---- twins ---------------------------------------------------------------------------------------

twin(
    get("_linalg_potrf"),
    "_npi_cholesky",
    doc="""Lower triangular L with ``L @ L.T = A`` for symmetric, positive definite A; others raise.

    Only the lower triangle is read.  (MXNet ``mx.np.linalg.cholesky``.)

    >>> mx.np.linalg.cholesky(mx.np.array([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """,
)


def _one_each(attrs: Attrs, a: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one number a matrix: () for a single one."""
    return square(a)[:-2]


get("_linalg_det").numpy = twin(
    get("_linalg_det"),
    "_npi_det",
    shape=forward(_one_each),
    body=lambda xp, A: xp.linalg.det(widen(xp, A)),
    doc="""Determinant of each square matrix.  (MXNet ``mx.np.linalg.det``.)

    >>> mx.np.linalg.det(mx.np.array([[2.0, 0.0], [0.0, 3.0]])).item()
    6.0
    """,
)
get("_linalg_slogdet").numpy = twin(
    get("_linalg_slogdet"),
    "_npi_slogdet",
    shape=forward(lambda attrs, A: [_one_each(attrs, A)] * 2),
    body=lambda xp, A: tuple(xp.linalg.slogdet(widen(xp, A))),
    doc="""Sign of the determinant of each square matrix, and the logarithm of its absolute value.

    (MXNet ``mx.np.linalg.slogdet``.)

    >>> sign, log = mx.np.linalg.slogdet(mx.np.array([[-1.0, 0.0], [0.0, 1.0]]))
    >>> sign.item(), log.item()
    (-1.0, 0.0)
    """,
)

# ---- solve ---------------------------------------------------------------------------------------


def _solved_dtypes(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """Equal floating-point types stay; anything else is solved in float64."""
    a, b = (ins[i] if ins[i] is not None else ins[1 - i] for i in (0, 1))
    if a is None:
        return ins, outs
    return [a, b], [a if a == b and is_float(a) else np.dtype("float64")]


def _is_vector(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether `b` holds one vector, and not a matrix, for each matrix of `a`."""
    return len(b) == len(a) - 1


def _solved(attrs: Attrs, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    rows = b[-1] if _is_vector(square(a), b) else b[-2] if len(b) == len(a) else -1
    if rows != a[-1] or b[: len(a) - 2] != a[:-2]:
        raise MXNetError(f"{show(b)} is not the shape of right sides for matrices {show(a)}")
    return b


@op("_npi_solve", shape=forward(_solved), dtype=_solved_dtypes)
def solve(xp: Any, A: Any, B: Any) -> Any:
    """The X with ``A @ X = B`` for each square matrix of `A`; a singular one raises.

    `B` holds matrices, or vectors if it has one axis less than `A`. Types that differ, and
    integers, give float64.  (MXNet ``mx.np.linalg.solve``.)

    >>> a, b = mx.np.array([[2.0, 0.0], [0.0, 4.0]]), mx.np.array([2.0, 8.0])
    >>> mx.np.linalg.solve(a, b).tolist()
    [1.0, 2.0]
    """
    wide = xp.float32 if A.dtype == B.dtype == np.float32 else xp.float64
    left, right = A.astype(wide), B.astype(wide)
    try:
        if _is_vector(A.shape, B.shape):
            return xp.linalg.solve(left, right[..., None])[..., 0]
        return xp.linalg.solve(left, right)
    except np.linalg.LinAlgError:
        raise MXNetError(_SINGULAR.format("_npi_solve")) from None


def _columns(x: Any, vector: bool) -> Any:
    return reshape_exactly(x, shape=(*x.shape, 1)) if vector else x


def _solve_back(dy: Any, a: Any) -> Any:
    """Gradient of the right side: the solution with the transposed matrix."""
    a = a if a.dtype == dy.dtype else cast(a, dtype=dy.dtype)
    return solve(transposed(a), dy)


@solve.gradient("B")
def _(dy: Any, A: Any) -> Any:
    return _solve_back(dy, A)


@solve.gradient("A")
def _(dy: Any, A: Any, out: Any) -> Any:
    vector = _is_vector(A.shape, out.shape)
    back = _columns(_solve_back(dy, A), vector)
    return -matmul(back, transposed(_columns(out, vector)))


solve.sample(A=diagonal_heavy(3), B=normal(3), _rtol=1e-3)
solve.sample(A=diagonal_heavy(2, 3), B=normal(2, 3, 1), _rtol=1e-3)
solve.sample(A=diagonal_heavy(2, 2), B=normal(2, 2), _rtol=1e-3)

# ---- tensors as matrices -------------------------------------------------------------------------


def _tensorinv_shape(attrs: Attrs, a: tuple[int, ...]) -> tuple[int, ...]:
    first, rest = a[: attrs.ind], a[attrs.ind :]
    if attrs.ind < 1 or prod(first) != prod(rest):
        raise MXNetError(f"{show(a)} split after {attrs.ind} axes is not a square matrix")
    return (*rest, *first)


@op("_npi_tensorinv", shape=forward(_tensorinv_shape), dtype=floating)
def tensorinv(xp: Any, a: Any, *, ind: int = 2) -> Any:
    """Inverse of `a` seen as a square matrix, whose rows are the first `ind` axes.

    (MXNet ``mx.np.linalg.tensorinv``.)

    >>> mx.np.linalg.tensorinv(mx.np.array([[2.0, 0.0], [0.0, 4.0]]), ind=1).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    size = prod(a.shape[:ind])
    try:
        inverse = xp.linalg.inv(widen(xp, a).reshape(size, size))
    except np.linalg.LinAlgError:
        raise MXNetError(_SINGULAR.format("_npi_tensorinv")) from None
    return inverse.reshape(_tensorinv_shape(Attrs(ind=ind), a.shape))


@tensorinv.gradient("a")
def _(dy: Any, a: Any, out: Any, ind: int) -> Any:
    size = prod(a.shape[:ind])
    head, inverse = (reshape_exactly(x, shape=(size, size)) for x in (dy, out))
    turned = transposed(inverse)
    return reshape_exactly(-matmul(matmul(turned, head), turned), shape=a.shape)


tensorinv.sample(a=diagonal_heavy(4), ind=1, _rtol=1e-3)
_cube = Draw((2, 2, 4), diagonal_heavy(4).make)
tensorinv.sample(a=_cube, ind=2, _rtol=1e-3)


def _order(attrs: Attrs, ndim: int) -> tuple[int, ...]:
    """The order of a's axes with `a_axes` last."""
    last = normalize_all(attrs.a_axes, ndim)
    return (*(i for i in range(ndim) if i not in last), *last)


def _tensorsolve_shape(attrs: Attrs, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    moved = tuple(a[i] for i in _order(attrs, len(a)))
    rest = moved[len(b) :]
    if prod(rest) != prod(b) or prod(moved[: len(b)]) != prod(b):
        raise MXNetError(f"{show(a)} is not a square matrix for right sides {show(b)}")
    return rest


@op("_npi_tensorsolve", shape=forward(_tensorsolve_shape), dtype=_solved_dtypes)
def tensorsolve(xp: Any, a: Any, b: Any, *, a_axes: Shape = ()) -> Any:
    """The x with ``tensordot(a, x, x.ndim) = b``, after moving `a_axes` of `a` to the end.

    (MXNet ``mx.np.linalg.tensorsolve``.)

    >>> a, b = mx.np.array([[2.0, 0.0], [0.0, 4.0]]), mx.np.array([2.0, 8.0])
    >>> mx.np.linalg.tensorsolve(a, b).tolist()
    [1.0, 2.0]
    """
    attrs = Attrs(a_axes=a_axes)
    matrix = xp.transpose(a, _order(attrs, a.ndim)).reshape(b.size, b.size)
    found = solve.body(xp, matrix, b.reshape(-1))
    return found.reshape(_tensorsolve_shape(attrs, a.shape, b.shape))


def _as_matrix(a: Any, size: int, attrs: Attrs) -> Any:
    turned = get("_np_transpose")(a, axes=_order(attrs, a.ndim))
    return reshape_exactly(turned, shape=(size, size))


@tensorsolve.gradient("b")
def _(dy: Any, a: Any, b: Any, attrs: Attrs) -> Any:
    size = prod(b.shape)
    back = _solve_back(reshape_exactly(dy, shape=(size,)), _as_matrix(a, size, attrs))
    return reshape_exactly(back, shape=b.shape)


@tensorsolve.gradient("a")
def _(dy: Any, a: Any, b: Any, out: Any, attrs: Attrs) -> Any:
    size, order = prod(b.shape), _order(attrs, a.ndim)
    back = _solve_back(reshape_exactly(dy, shape=(size,)), _as_matrix(a, size, attrs))
    outer = matmul(_columns(back, True), reshape_exactly(out, shape=(1, size)))
    turned = reshape_exactly(-outer, shape=tuple(a.shape[i] for i in order))
    return get("_np_transpose")(turned, axes=tuple(int(i) for i in np.argsort(order)))


tensorsolve.sample(a=diagonal_heavy(4), b=normal(4), _rtol=1e-3)
tensorsolve.sample(a=_cube, b=normal(2, 2), _rtol=1e-3)
tensorsolve.sample(a=_cube, b=normal(4), a_axes=(0, 1), _rtol=1e-3)

# ---- pseudo-inverse ------------------------------------------------------------------------------


def _pinv_shape(attrs: Attrs, a: tuple[int, ...], *rcond: tuple[int, ...]) -> tuple[int, ...]:
    if len(a) < 2 or (rcond and rcond[0] not in ((), a[:-2])):
        raise MXNetError(f"{show(a)} is not the shape of matrices with one rcond each")
    if attrs.hermitian:
        square(a)
    return (*a[:-2], a[-1], a[-2])


def _pseudo_inverse(xp: Any, a: Any, rcond: Any, hermitian: bool) -> Any:
    """Of each matrix, by its singular vectors; by half of the matrix where that is all there is."""
    if hermitian:
        upper = xp.triu(xp.swapaxes(a, -1, -2), 1)
        a = xp.tril(a) + upper
    return xp.linalg.pinv(a, rcond)


@op("_npi_pinv", shape=forward(_pinv_shape), dtype=floating)
def pinv(xp: Any, A: Any, rcond: Any, *, hermitian: bool = False) -> Any:
    """Pseudo-inverse of each matrix: singular values up to `rcond` times the largest count as 0.

    `hermitian` says that the matrices are symmetric.  (MXNet ``mx.np.linalg.pinv``, which has no
    gradient of it; here it is that of matrices that keep their rank.)

    >>> mx.np.linalg.pinv(mx.np.array([[2.0], [0.0]]), mx.np.array(0.1)).tolist()
    [[0.5, 0.0]]
    """
    return _pseudo_inverse(xp, widen(xp, A), rcond, hermitian)


@op("_npi_pinv_scalar_rcond", shape=forward(_pinv_shape), dtype=floating)
def pinv_scalar_rcond(xp: Any, A: Any, *, rcond: float = 1e-15, hermitian: bool = False) -> Any:
    """Pseudo-inverse of each matrix: singular values up to `rcond` times the largest count as 0.

    `hermitian` says that the matrices are symmetric.  (MXNet ``mx.np.linalg.pinv``, which has no
    gradient of it; here it is that of matrices that keep their rank.)

    >>> mx.np.linalg.pinv(mx.np.array([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    return _pseudo_inverse(xp, widen(xp, A), rcond, hermitian)


def _pinv_gradient(dy: Any, A: Any, out: Any) -> Any:
    """Source: Golub and Pereyra 1973, The differentiation of pseudo-inverses."""
    p, turned = transposed(out), transposed(dy)
    first = matmul(matmul(p, dy), p)
    rows = matmul(turned, matmul(out, p))
    columns = matmul(matmul(p, out), turned)
    off_rows = rows - matmul(A, matmul(out, rows))
    off_columns = columns - matmul(matmul(columns, out), A)
    return off_rows + off_columns - first


for _made in (pinv, pinv_scalar_rcond):
    _made.gradient("A")(_pinv_gradient)
pinv.sample(A=normal(2, 4), rcond=constant(1e-10), _rtol=1e-3, _grad=("A",))
pinv.sample(A=normal(2, 3, 2), rcond=constant([1e-10, 1e-10]), _rtol=1e-3, _grad=("A",))
pinv_scalar_rcond.sample(A=normal(3, 2), _rtol=1e-3)
pinv_scalar_rcond.sample(A=normal(3, 3), rcond=1e-6, _rtol=1e-3)
