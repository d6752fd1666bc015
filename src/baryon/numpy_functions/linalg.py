"""Linear algebra of the NumPy interface (``mx.np.linalg``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.operators import is_number
from .call import call, is_tensor

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
    rank = getattr(x, "ndim", None) if axes is None else len(axes)
    flag, order = _norm_of(ord, axes, rank)
    return call("_npi_norm", x, ord=order, axis=axes, keepdims=keepdims, flag=flag)


def _norm_of(ord: Any, axes: tuple | None, rank: int | None) -> tuple[int, float]:
    """The operator's flag and order for a norm over axes, `rank` of them (None: not known)."""
    if axes and len(set(axes)) < len(axes):
        raise ValueError("Duplicate axes given.")
    if ord is None:
        return (-2 if axes is None else 1), 2.0
    if rank is not None and rank > 2:
        raise ValueError("Improper number of dimensions to norm.")
    named = {"fro": 1, "nuc": 2}.get(ord)
    if (named is None) != is_number(ord) or (named and rank == 1):
        raise ValueError(f"Invalid norm order {ord!r}")
    if named:
        return named, 2.0
    if rank == 2 and abs(ord) not in (1, 2, np.inf):
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    return (0 if axes and rank == 2 and abs(ord) == 2 else -1), float(ord)
