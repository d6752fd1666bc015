"""Eigenvalues and singular values in the NumPy interface."""

from __future__ import annotations

from typing import Any, Literal

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs
from .linalg_factor import inverse_gaps
from .linalg_triangle import diagonal_heavy, floating, makediag, square, swapped, transposed
from .np_products import matmul
from .numeric import widen
from .op import get, op
from .rules import forward, output_dtype, show
from .samples import normal
from .unary import flat

Triangle = Literal["L", "U"]


def _spectrum_dtype(attrs: Attrs, dtype: Any) -> Any:
    return dtype if dtype is None or is_float(dtype) else "float64"


def _upright(xp: Any, rows: Any) -> Any:
    """Rows with the component that is largest in absolute value positive."""
    largest = xp.take_along_axis(rows, xp.abs(rows).argmax(-1)[..., None], -1)
    return xp.where(largest < 0, -rows, rows)


def _row(x: Any) -> Any:
    """A graph entry of vectors as one-row matrices."""
    return get("expand_dims")(x, axis=x.ndim - 1)


# ---- symmetric matrices --------------------------------------------------------------------------


@op(
    "_npi_eigh",
    outputs=("output0", "output1"),
    shape=forward(lambda a, A: [square(A)[:-1], A]),
    dtype=output_dtype(_spectrum_dtype),
)
def eigh(xp: Any, A: Any, *, UPLO: Triangle = "L") -> Any:
    """Ascending eigenvalues of symmetric matrices, and eigenvectors, one a column.

    UPLO: the triangle that is read. The component of each eigenvector that is largest in absolute
    value is positive. The gradient is that of a perturbation that keeps the matrix symmetric;
    MXNet has none.  (MXNet ``mx.np.linalg.eigh``.)

    >>> values, vectors = mx.np.linalg.eigh(mx.np.array([[2.0, 0.0], [0.0, 1.0]]))
    >>> values.tolist(), vectors.tolist()
    ([1.0, 2.0], [[0.0, 1.0], [1.0, 0.0]])
    """
    values, vectors = xp.linalg.eigh(widen(xp, A), UPLO=UPLO)
    return values, swapped(xp, _upright(xp, swapped(xp, vectors)))


@eigh.gradient("A")
def _(d_output0: Any, d_output1: Any, outs: Any) -> Any:
    """Source: Seeger et al. 2017, Auto-differentiating linear algebra."""
    values, vectors = outs
    middle = None if d_output0 is None else makediag(d_output0)
    if d_output1 is not None:
        turned = matmul(transposed(vectors), d_output1) * inverse_gaps(values)
        part = (turned + transposed(turned)) * 0.5
        middle = part if middle is None else middle + part
    return matmul(matmul(vectors, middle), transposed(vectors))


@op(
    "_npi_eigvalsh",
    shape=forward(lambda a, A: square(A)[:-1]),
    dtype=output_dtype(_spectrum_dtype),
)
def eigvalsh(xp: Any, A: Any, *, UPLO: Triangle = "L") -> Any:
    """Ascending eigenvalues of symmetric matrices; UPLO: the triangle that is read.

    The gradient is as that of `eigh`.  (MXNet ``mx.np.linalg.eigvalsh``.)

    >>> mx.np.linalg.eigvalsh(mx.np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 2.0]
    """
    return xp.linalg.eigvalsh(widen(xp, A), UPLO=UPLO)


@eigvalsh.gradient("A")
def _(dy: Any, A: Any, UPLO: str) -> Any:
    _, vectors = eigh(A, UPLO=UPLO)
    return matmul(vectors * _row(dy), transposed(vectors))


for _made in (eigh, eigvalsh):
    _made.sample(A=diagonal_heavy(3), _grad=(), _rtol=1e-3, _atol=1e-4)
    _made.sample(A=diagonal_heavy(2, 3), UPLO="U", _grad=(), _rtol=1e-3, _atol=1e-4)

# ---- general matrices ----------------------------------------------------------------------------


def _real(name: str, xp: Any, *arrays: Any) -> tuple:
    if any(bool((a.imag != 0).any()) for a in arrays):
        raise MXNetError(f"operator {name}: complex eigenvalues are not supported")
    return tuple(a.real for a in arrays)


@op(
    "_npi_eig",
    outputs=("output0", "output1"),
    shape=forward(lambda a, A: [square(A)[:-1], A]),
    dtype=output_dtype(_spectrum_dtype),
)
def eig(xp: Any, A: Any) -> Any:
    """Eigenvalues of square matrices, and eigenvectors of length 1, one a column.

    They have to be real; no gradient flows.  (MXNet ``mx.np.linalg.eig``.)

    >>> values, vectors = mx.np.linalg.eig(mx.np.array([[2.0, 0.0], [0.0, 1.0]]))
    >>> values.tolist()
    [2.0, 1.0]
    """
    return _real("_npi_eig", xp, *xp.linalg.eig(widen(xp, A)))


@op(
    "_npi_eigvals",
    shape=forward(lambda a, A: square(A)[:-1]),
    dtype=output_dtype(_spectrum_dtype),
)
def eigvals(xp: Any, A: Any) -> Any:
    """Eigenvalues of square matrices, which have to be real; no gradient flows.

    (MXNet ``mx.np.linalg.eigvals``.)

    >>> mx.np.linalg.eigvals(mx.np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [2.0, 1.0]
    """
    return _real("_npi_eigvals", xp, xp.linalg.eigvals(widen(xp, A)))


for _made in (eig, eigvals):
    _made.gradient("A")(flat)
    _made.sample(A=diagonal_heavy(3), _grad=(), _rtol=1e-3, _atol=1e-4)
    _made.sample(A=diagonal_heavy(2, 2), _grad=(), _rtol=1e-3, _atol=1e-4)

# ---- singular values -----------------------------------------------------------------------------


def _svd_shapes(attrs: Attrs, a: tuple[int, ...]) -> list:
    if len(a) < 2 or a[-2] > a[-1]:
        raise MXNetError(f"{show(a)} is not the shape of matrices with no more rows than columns")
    return [(*a[:-1], a[-2]), a[:-1], a]


@op(
    "_npi_svd",
    outputs=("output0", "output1", "output2"),
    shape=forward(_svd_shapes),
    dtype=floating,
)
def svd(xp: Any, A: Any) -> Any:
    """UT, L and V with ``A = UT @ diag(L) @ V``: orthonormal columns, falling values, rows.

    A has no more rows than columns. The component of each row of V that is largest in absolute
    value is positive.  (MXNet ``mx.np.linalg.svd``.)

    >>> ut, l, v = mx.np.linalg.svd(mx.np.array([[3.0, 4.0]]))
    >>> ut.shape, l.tolist(), v.shape
    ((1, 1), [5.0], (1, 2))
    """
    if not xp.isfinite(A).all():  # LAPACK may iterate for ever
        raise MXNetError("A has an infinity or NaN")
    left, values, right = xp.linalg.svd(widen(xp, A), full_matrices=False)
    upright = _upright(xp, right)
    sign = xp.where((upright == right).all(-1), 1, -1).astype(left.dtype)
    return left * sign[..., None, :], values, upright


def _skew(x: Any) -> Any:
    return x - transposed(x)


@svd.gradient("A")
def _(dys: Any, outs: Any) -> Any:
    """Source: Townsend 2016, Differentiating the singular value decomposition."""
    (d_u, d_s, d_v), (u, s, v) = dys, outs
    gaps = -inverse_gaps(-(s * s))
    row, column = _row(s), get("expand_dims")(s, axis=s.ndim)
    left = _skew(matmul(transposed(u), d_u)) * gaps * row
    right = _skew(matmul(v, transposed(d_v))) * gaps * column
    inner = matmul(left + right + makediag(d_s), v)
    scaled = d_v / column
    outer = scaled - matmul(matmul(scaled, transposed(v)), v)
    return matmul(u, inner + outer)


svd.sample(A=normal(2, 4), _rtol=1e-3, _atol=1e-4)
svd.sample(A=normal(2, 3, 3), _rtol=1e-3, _atol=1e-4)
