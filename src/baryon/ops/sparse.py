"""Operators that exist for sparse storage: cast_storage, retain, square_sum."""

from __future__ import annotations

from typing import Any, Literal

from ..base import MXNetError
from .attrs import Attrs, Shape
from .broadcast import axes_of, reduced_shape, spread
from .copies import identity
from .numeric import widen
from .op import op
from .rules import forward, uniform_among
from .samples import constant, normal
from .stored import INDEX, RowSparse, rows_of

Storage = Literal["csr", "default", "row_sparse"]

# ---- cast_storage --------------------------------------------------------------------------------


@op("cast_storage", aliases=("_sparse_cast_storage",), stored_as=lambda a: a.stype)
def cast_storage(xp: Any, data: Any, *, stype: Storage) -> Any:
    """`data` in another storage type; zero rows (row_sparse) or elements (csr) are left out.

    Between csr and row_sparse the way leads over ``"default"``.  (MXNet operator ``cast_storage``.)

    >>> mx.nd.cast_storage(mx.nd.array([[0, 1], [0, 0]]), stype="csr").indices.asnumpy()
    array([1])
    """
    return data.copy()


@cast_storage.stored("csr -> csr", "row_sparse -> row_sparse")
def _(xp: Any, data: Any, *, stype: str) -> Any:
    if stype not in (data.stype, "default"):
        raise MXNetError(f"cast_storage from {data.stype} to {stype} is not supported")
    return data


@cast_storage.gradient("data")
def _(dy: Any) -> Any:
    return identity(dy)


# ---- retain --------------------------------------------------------------------------------------


def _row_mask(xp: Any, indices: Any, shape: tuple[int, ...]) -> Any:
    mask = xp.zeros((shape[0], *(1,) * (len(shape) - 1)), bool)
    mask[indices.astype(INDEX)] = True
    return mask


@op(
    "_sparse_retain",
    shape=forward(lambda a, data, indices: data),
    dtype=uniform_among(0),
)
def retain(xp: Any, data: Any, indices: Any) -> Any:
    """The rows of a row_sparse array at `indices`, which ascend; all others become zero.

    >>> x = mx.nd.sparse.row_sparse_array(([[1, 2], [3, 4]], [0, 2]), shape=(3, 2))
    >>> mx.nd.sparse.retain(x, mx.nd.array([2])).asnumpy()
    array([[0., 0.],
           [0., 0.],
           [3., 4.]], dtype=float32)
    """
    return xp.where(_row_mask(xp, indices, data.shape), data, xp.zeros_like(data))


@retain.stored("row_sparse default -> row_sparse", "default default -> row_sparse")
def _(xp: Any, data: Any, indices: Any) -> RowSparse:
    rows = indices.reshape(-1).astype(INDEX)
    outside = (rows < 0) | (rows >= data.shape[0])
    if outside.any():
        raise MXNetError(
            f"operator _sparse_retain: index {int(rows[outside][0])} is out of bounds for "
            f"{data.shape[0]} rows"
        )
    rows = xp.unique(rows)
    return RowSparse(rows_of(xp, data, rows), rows, data.shape)


@retain.gradient("data")
def _(dy: Any, indices: Any) -> Any:
    return retain(dy, indices)


# ---- square_sum ----------------------------------------------------------------------------------


def _square_sum_shape(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    axes = axes_of(attrs.axis, len(data), attrs.exclude)
    return reduced_shape(data, axes, attrs.keepdims)


@op("_square_sum", shape=forward(_square_sum_shape))
def square_sum(
    xp: Any,
    data: Any,
    *,
    axis: Shape | None = None,
    keepdims: bool = False,
    exclude: bool = False,
) -> Any:
    """Sum of squares over `axis`; over axis 1 with `keepdims` a row_sparse array stays so.

    `exclude` reduces the other axes instead. Source: MXNet operator _square_sum.

    >>> x = mx.nd.sparse.row_sparse_array(([[1, 2]], [1]), shape=(2, 2))
    >>> mx.nd._internal._square_sum(x, axis=1, keepdims=True).asnumpy()
    array([[0.],
           [5.]], dtype=float32)
    """
    wide = widen(xp, data)
    axes = axes_of(axis, data.ndim, exclude)
    return (wide * wide).sum(axis=axes).reshape(reduced_shape(data.shape, axes, keepdims))


@square_sum.stored(
    "row_sparse -> row_sparse", when=lambda a: a.axis == (1,) and a.keepdims and not a.exclude
)
def _(xp: Any, data: RowSparse, **attrs: Any) -> RowSparse:
    wide = widen(xp, data.values)
    sums = (wide * wide).sum(axis=1, keepdims=True)
    return RowSparse(sums, data.indices, (data.shape[0], *sums.shape[1:]))


@square_sum.gradient("data")
def _(dy: Any, data: Any, axis: Any, exclude: bool) -> Any:
    axes = axes_of(axis, len(data.shape), exclude)
    return data * spread(dy, axis=axes, shape=data.shape) * 2


cast_storage.sample(data=normal(2, 3), stype="default")
square_sum.sample(data=normal(3, 4), axis=1, keepdims=True)
square_sum.sample(data=normal(3, 4), axis=0)
retain.sample(data=normal(3, 2), indices=constant([0, 2], integral=True))
