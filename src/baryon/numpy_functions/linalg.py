"""Linear algebra of the NumPy interface (``mx.np.linalg``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.operators import is_number
from .call import call, is_tensor
from .elementwise import absolute
from .reduction import amax, amin
from .reduction import sum as total

__all__ = [
    "cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "norm", "pinv", "slogdet",
    "solve", "svd", "tensorinv", "tensorsolve",
]  # fmt: skip


def cholesky(a: Any) -> Any:
    """The lower triangular L with ``L @ L.T == a`` of symmetric positive matrices.

    >>> mx.np.linalg.cholesky(mx.np.array([[4.0]]))
    array([[2.]])
    """
    return call("_npi_cholesky", a)


def det(a: Any) -> Any:
    """Determinants of square matrices in the last two axes.

    >>> mx.np.linalg.det(mx.np.array([[2.0, 0.0], [0.0, 3.0]]))
    array(6.)
    """
    return call("_npi_det", a)


def slogdet(a: Any) -> Any:
    """Signs and logarithms of the magnitudes of determinants.

    >>> sign, log = mx.np.linalg.slogdet(mx.np.array([[-1.0]]))
    >>> sign.item(), log.item()
    (-1.0, 0.0)
    """
    return call("_npi_slogdet", a)


def inv(a: Any) -> Any:
    """Inverses of square matrices in the last two axes.

    >>> mx.np.linalg.inv(mx.np.array([[2.0]]))
    array([[0.5]])
    """
    return call("_npi_inv", a)


def pinv(a: Any, rcond: Any = 1e-15, hermitian: bool = False) -> Any:
    """Pseudo-inverses; singular values of at most `rcond` times the largest count as 0.

    >>> mx.np.linalg.pinv(mx.np.array([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    if hermitian:
        raise NotImplementedError("hermitian is not supported yet...")
    if is_number(rcond):
        return call("_npi_pinv_scalar_rcond", a, rcond=float(rcond), hermitian=False)
    return call("_npi_pinv", a, rcond, hermitian=False)


def solve(a: Any, b: Any) -> Any:
    """The x with ``a @ x == b``.

    >>> mx.np.linalg.solve(mx.np.array([[2.0]]), mx.np.array([4.0]))
    array([2.])
    """
    return call("_npi_solve", a, b)


def svd(a: Any) -> tuple:
    """UT, L and V with ``UT * L @ V == a``: singular values L of matrices with no more rows than
    columns.

    >>> [x.shape for x in mx.np.linalg.svd(mx.np.ones((2, 3)))]
    [(2, 2), (2,), (2, 3)]
    """
    return tuple(call("_npi_svd", a))


def eig(a: Any) -> tuple:
    """Eigenvalues and eigenvectors (columns) of square matrices whose eigenvalues are real.

    >>> mx.np.linalg.eig(mx.np.array([[2.0]]))
    (array([2.]), array([[1.]]))
    """
    return tuple(call("_npi_eig", a))


def eigh(a: Any, UPLO: str = "L") -> tuple:
    """Eigenvalues and eigenvectors of symmetric matrices, read from the lower or upper triangle.

    >>> mx.np.linalg.eigh(mx.np.array([[2.0]]))[0]
    array([2.])
    """
    return tuple(call("_npi_eigh", a, UPLO=UPLO))


def eigvals(a: Any) -> Any:
    """Eigenvalues of square matrices whose eigenvalues are real.

    >>> mx.np.linalg.eigvals(mx.np.array([[2.0]]))
    array([2.])
    """
    return call("_npi_eigvals", a)


def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of symmetric matrices, read from the lower or upper triangle.

    >>> mx.np.linalg.eigvalsh(mx.np.array([[2.0]]))
    array([2.])
    """
    return call("_npi_eigvalsh", a, UPLO=UPLO)


def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse with respect to `tensordot` over `ind` axes.

    >>> mx.np.linalg.tensorinv(mx.np.ones((1, 1)), 1)
    array([[1.]])
    """
    return call("_npi_tensorinv", a, ind=ind)


def tensorsolve(a: Any, b: Any, axes: tuple[int, ...] | None = None) -> Any:
    """The x with ``tensordot(a, x, x.ndim) == b``; `axes` of `a` are moved to the end before.

    >>> mx.np.linalg.tensorsolve(mx.np.array([[2.0]]), mx.np.array([4.0]))
    array([2.])
    """
    return call("_npi_tensorsolve", a, b, a_axes=axes)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of vectors or matrices over one axis or two (None: the whole array).

    ord : of vectors 2 (None), 0, inf, -inf or any number; of matrices "fro" (None), "nuc", 1, -1,
          2, -2, inf or -inf.

    >>> mx.np.linalg.norm(mx.np.array([3.0, 4.0]))
    array(5.)
    """
    if not is_tensor(x):
        raise TypeError(f"norm: type {type(x)} not supported")
    axes = None if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if axes is None and ord is None:
        return _root(total(x * x, keepdims=keepdims))
    if axes is None:
        axes = tuple(range(x.ndim))
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _root(x: Any) -> Any:
    return call("_npi_sqrt", x)


def _vector_norm(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord in (None, 2):
        return _root(total(x * x, axis, keepdims=keepdims))
    if ord == np.inf:
        return amax(absolute(x), axis, keepdims)
    if ord == -np.inf:
        return amin(absolute(x), axis, keepdims)
    if ord == 0:
        return total((x != 0).astype(x.dtype), axis, keepdims=keepdims)
    if not is_number(ord):
        raise ValueError(f"Invalid norm order {ord!r} for vectors")
    powers = absolute(x) if ord == 1 else absolute(x) ** float(ord)
    found = total(powers, axis, keepdims=keepdims)
    return found if ord == 1 else found ** (1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: tuple, keepdims: bool) -> Any:
    row, column = (a % x.ndim for a in axes) if hasattr(x, "ndim") else axes
    if row == column:
        raise ValueError("Duplicate axes given.")
    if ord in (None, "fro"):
        return _root(total(x * x, (row, column), keepdims=keepdims))
    if ord in (1, -1, np.inf, -np.inf):
        summed, kept = (row, column) if abs(ord) == 1 else (column, row)
        sums = total(absolute(x), summed, keepdims=True)
        found = (amax if ord > 0 else amin)(sums, kept, True)
    elif ord in (2, -2, "nuc"):
        found = _of_singular_values(x, ord, row, column)
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    return found if keepdims else call("_np_squeeze", found, axis=(row, column))


def _of_singular_values(x: Any, ord: Any, row: int, column: int) -> Any:
    """Over the two axes kept at size 1."""
    moved = call("_np_moveaxis", x, source=(row, column), destination=(-2, -1))
    if x.shape[row] > x.shape[column]:
        moved = call("_npi_swapaxes", moved, dim1=-2, dim2=-1)
    values = svd(moved)[1]
    of = {2: amax, -2: amin, "nuc": total}[ord]
    found = of(values, -1, keepdims=True)
    shape = tuple(1 if i in (row, column) else n for i, n in enumerate(x.shape))
    return call("_np_reshape", found, newshape=shape)
