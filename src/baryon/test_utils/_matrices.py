"""Random matrices with known properties."""

from __future__ import annotations

import numpy as np

from .. import ndarray
from ..ndarray import NDArray

Shape = tuple[int, ...]


def get_identity_mat(size: int) -> NDArray:
    """The identity matrix."""
    return ndarray.array(np.eye(size))


def get_identity_mat_batch(size: int) -> NDArray:
    """Two identity matrices, (2, size, size)."""
    return ndarray.array(np.stack([np.eye(size)] * 2))


def new_orthonormal_matrix_2d(n: int) -> np.ndarray:
    """A random matrix with orthonormal columns."""
    q, r = np.linalg.qr(np.random.randn(n, n))
    return q * np.sign(np.diag(r))


def new_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """A random matrix whose eigenvalues are real and well apart."""
    basis = np.random.randn(n, n) + n * np.eye(n)
    return basis @ np.diag(_eigenvalues(n)) @ np.linalg.inv(basis)


def new_sym_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """A random symmetric matrix whose eigenvalues are well apart."""
    q = new_orthonormal_matrix_2d(n)
    made = q @ np.diag(_eigenvalues(n)) @ q.T
    return (made + made.T) / 2


def new_matrix_with_real_eigvals_nd(shape: Shape) -> np.ndarray:
    """A batch of `new_matrix_with_real_eigvals_2d`."""
    return _batch(shape, new_matrix_with_real_eigvals_2d)


def new_sym_matrix_with_real_eigvals_nd(shape: Shape) -> np.ndarray:
    """A batch of `new_sym_matrix_with_real_eigvals_2d`."""
    return _batch(shape, new_sym_matrix_with_real_eigvals_2d)


def _eigenvalues(n: int) -> np.ndarray:
    """Random numbers at least 1/2 apart."""
    return np.random.permutation(np.arange(n) - n / 2 + np.random.uniform(0, 0.5, n))


def _batch(shape: Shape, make) -> np.ndarray:
    n = shape[-1]
    if shape[-2] != n:
        raise AssertionError(f"expected square matrices, got shape {shape}")
    count = int(np.prod(shape[:-2]))
    return np.stack([make(n) for _ in range(count)]).reshape(shape)
