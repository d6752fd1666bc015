"""Arrays that store a part of their elements, as operators see them: `Csr` and `RowSparse`.

They stand where a dense call has a numpy or cupy array. What is not stored is zero. The arrays of
positions are never changed in place, so results may share them with operands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..base import MXNetError

INDEX = np.dtype(np.int64)
STYPES = ("default", "row_sparse", "csr")


class Stored:
    """What both kinds share: values, positions, and the shape of the whole."""

    __slots__ = ("values", "indices", "shape")
    stype: ClassVar[str]

    def __init__(self, values: Any, indices: Any, shape: tuple[int, ...]) -> None:
        self.values, self.indices, self.shape = values, indices, tuple(shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements, absent ones included."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def device(self) -> Any:
        """Where cupy's memory lies."""
        return self.values.device

    def assign(self, other: Any) -> None:
        """Take over the content of another array of this kind, shape and dtype."""
        for name in (*Stored.__slots__[:2], *type(self).__slots__):
            setattr(self, name, getattr(other, name))

    def with_values(self, values: Any) -> Any:
        """Other values at the same positions."""
        raise NotImplementedError

    def astype(self, dtype: Any) -> Any:
        """The array in another element type."""
        return self if self.dtype == dtype else self.with_values(self.values.astype(dtype))

    def copy(self) -> Any:
        """A copy whose values are its own."""
        return self.with_values(self.values.copy())


class RowSparse(Stored):
    """Some of the rows: ``values[i]`` is row ``indices[i]``; indices ascend."""

    __slots__ = ()
    stype = "row_sparse"

    def with_values(self, values: Any) -> RowSparse:
        """Other values for the same rows."""
        return RowSparse(values, self.indices, self.shape)

    def ordered(self) -> RowSparse:
        """The array with ascending indices; itself if they ascend."""
        rows = self.indices
        if (rows[1:] > rows[:-1]).all():
            return self
        order = rows.argsort()
        return RowSparse(self.values[order], rows[order], self.shape)

    def check(self, full: bool = True) -> None:
        """MXNetError unless the parts fit together (`full`: each index is looked at)."""
        rows = self.indices
        if self.values.shape != (*rows.shape, *self.shape[1:]) or rows.ndim != 1:
            raise MXNetError(
                f"row_sparse array of shape {self.shape}: data of shape {self.values.shape} do not "
                f"fit indices of shape {rows.shape}"
            )
        if full and not _ascends(rows, self.shape[0]):
            raise MXNetError(
                "Indices of row_sparse NDArray should be non-negative, less than the size of first "
                f"dimension ({self.shape[0]}) and in ascending order; got {rows[:10].tolist()}..."
            )


class Csr(Stored):
    """Some elements of a matrix: those of row r are ``values[indptr[r]:indptr[r + 1]]``.

    ``indices`` holds their columns, which ascend within a row.
    """

    __slots__ = ("indptr",)
    stype = "csr"

    def __init__(self, values: Any, indices: Any, indptr: Any, shape: tuple[int, ...]) -> None:
        super().__init__(values, indices, shape)
        self.indptr = indptr

    def with_values(self, values: Any) -> Csr:
        """Other values at the same places."""
        return Csr(values, self.indices, self.indptr, self.shape)

    def rows(self, xp: Any) -> Any:
        """The row of each stored element."""
        counts = xp.diff(self.indptr)
        numbers = xp.arange(len(counts), dtype=INDEX)
        return xp.repeat(numbers, counts if xp is np else counts.tolist())

    def ordered(self) -> Csr:
        """The array with the columns of each row in ascending order; itself if they are."""
        xp = module_of(self)
        rows, columns = self.rows(xp), self.indices
        if ((columns[1:] > columns[:-1]) | (rows[1:] > rows[:-1])).all():
            return self
        order = xp.lexsort(xp.stack([columns, rows]))
        return Csr(self.values[order], columns[order], self.indptr, self.shape)

    def check(self, full: bool = True) -> None:
        """MXNetError unless the parts fit together (`full`: each index is looked at)."""
        indptr, columns = self.indptr, self.indices
        if len(self.shape) != 2 or indptr.shape != (self.shape[0] + 1,):
            raise MXNetError(
                f"csr array of shape {self.shape}: indptr has shape {indptr.shape}, expected "
                f"{(self.shape[0] + 1,)}"
            )
        if columns.ndim != 1 or self.values.shape != columns.shape:
            raise MXNetError(
                f"csr array: data of shape {self.values.shape} do not fit indices of shape "
                f"{columns.shape}"
            )
        if not full:
            return
        if indptr[0] != 0 or indptr[-1] != len(columns) or bool((indptr[1:] < indptr[:-1]).any()):
            raise MXNetError(
                "IndPtr of csr NDArray should be non-negative, in non-decreasing order, start with "
                f"0, and end with value equal with size of indices ({len(columns)}); got "
                f"{indptr[:10].tolist()}..."
            )
        self._check_columns()

    def _check_columns(self) -> None:
        columns, width = self.indices, self.shape[1]
        rows = self.rows(module_of(self))
        inside = not len(columns) or bool(columns.min() >= 0 and columns.max() < width)
        rises = (columns[1:] > columns[:-1]) | (rows[1:] > rows[:-1])
        if not inside or not bool(rises.all()):
            raise MXNetError(
                "Indices of csr NDArray should be non-negative, in ascending order per row and less"
                f" than the number of columns ({width}); got {columns[:10].tolist()}..."
            )


def _ascends(index: Any, size: int) -> bool:
    """Whether indices ascend strictly within [0, size)."""
    if not len(index):
        return True
    inside = index[0] >= 0 and index[-1] < size
    return bool(inside and (index[1:] > index[:-1]).all())


@dataclass(frozen=True, eq=False)
class Patch:
    """An array with some rows replaced, not carried out yet: written in place where it can be."""

    base: Any
    rows: Any
    values: Any


# ---- from one storage to another -----------------------------------------------------------------


def stype_of(x: Any) -> str:
    """Storage type of a raw array."""
    return getattr(x, "stype", "default")


def module_of(x: Any) -> Any:
    """numpy, or cupy where the array is its."""
    if isinstance(x.values if isinstance(x, Stored) else x, np.ndarray):
        return np
    import cupy

    return cupy


def dense(x: Any) -> Any:
    """All elements of an array; itself where it is dense."""
    if not isinstance(x, Stored):
        return x
    xp = module_of(x)
    full = xp.zeros(x.shape, x.dtype)
    if isinstance(x, RowSparse):
        full[x.indices] = x.values
    else:
        full[x.rows(xp), x.indices] = x.values
    return full


def converted(x: Any, stype: str) -> Any:
    """The array in a storage type: zero rows, or elements, of a dense one are not stored."""
    if stype_of(x) == stype:
        return x
    x = dense(x)
    if stype == "default":
        return x
    xp = module_of(x)
    if stype == "row_sparse":
        if x.ndim == 0:
            raise MXNetError("cast_storage: an array without axes cannot be row_sparse")
        (rows,) = xp.nonzero((x != 0).reshape(len(x), -1).any(axis=1))
        return RowSparse(x[rows], rows.astype(INDEX), x.shape)
    if x.ndim != 2:
        raise MXNetError(f"cast_storage: a csr array has 2 axes, got shape {x.shape}")
    rows, columns = xp.nonzero(x)
    return Csr(x[rows, columns], columns.astype(INDEX), starts(xp, rows, len(x)), x.shape)


def starts(xp: Any, rows: Any, count: int) -> Any:
    """``indptr`` of sorted row numbers."""
    return xp.searchsorted(rows, xp.arange(count + 1)).astype(INDEX)


def blank(xp: Any, stype: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros in a storage type: nothing is stored where that is possible."""
    if stype not in STYPES:
        raise ValueError(f"unknown storage type {stype!r}; there are {', '.join(STYPES)}")
    none = xp.zeros(0, INDEX)
    if stype == "row_sparse":
        return RowSparse(xp.zeros((0, *shape[1:]), dtype), none, shape)
    if stype == "csr":
        if len(shape) != 2:
            raise ValueError(f"a csr array has 2 axes, got shape {shape}")
        return Csr(xp.zeros(0, dtype), none, xp.zeros(shape[0] + 1, INDEX), shape)
    return xp.zeros(shape, dtype)


# ---- rows and writing ----------------------------------------------------------------------------


def rows_of(xp: Any, x: Any, rows: Any) -> Any:
    """Rows of a dense or row_sparse array; absent ones are zero."""
    if not isinstance(x, RowSparse):
        return x[rows]
    x = x.ordered()
    if len(x.indices) == x.shape[0]:
        return x.values[rows]
    if not len(x.indices):
        return xp.zeros((*rows.shape, *x.shape[1:]), x.dtype)
    at, present = _find(xp, x, rows)
    present = present.reshape(*rows.shape, *[1] * (x.ndim - 1))
    return xp.where(present, x.values[at], xp.zeros((), x.dtype))


def _find(xp: Any, x: RowSparse, rows: Any) -> tuple[Any, Any]:
    """Where rows are among the stored ones, and whether each is."""
    at = xp.minimum(xp.searchsorted(x.indices, rows), len(x.indices) - 1)
    return at, x.indices[at] == rows


def _overwrite(target: Any, rows: Any, values: Any) -> bool:
    """Write rows in place, if the array is one that stores them all; whether it was."""
    if not isinstance(target, Stored):
        target[rows] = values
        return True
    if target.ordered() is not target or not len(target.indices):
        return False
    at, present = _find(module_of(target), target, rows)
    if bool(present.all()):
        target.values[at] = values
        return True
    return False


def _patched(patch: Patch) -> Any:
    """A row_sparse array with the rows of a patch replaced or added."""
    base, rows, values = patch.base, patch.rows, patch.values
    xp = module_of(base)
    kept = ~xp.isin(base.indices, rows)
    indices = xp.concatenate([base.indices[kept], rows])
    order = xp.argsort(indices)
    merged = xp.concatenate([base.values[kept], values.astype(base.dtype)])
    return RowSparse(merged[order], indices[order], base.shape)


def store_all(x: RowSparse) -> None:
    """Store every row of an array that stores none, as zeros."""
    xp = module_of(x)
    full = xp.zeros(x.shape, x.dtype)
    x.assign(RowSparse(full, xp.arange(x.shape[0], dtype=INDEX), x.shape))


def settled(value: Any) -> Any:
    """A body's result as an array: a patch is carried out on a copy."""
    if not isinstance(value, Patch):
        return value
    if isinstance(value.base, Stored):
        return _patched(value)
    made = value.base.copy()
    made[value.rows] = value.values
    return made


def write(target: Any, value: Any) -> None:
    """Write a value into an array of whatever storage, in place."""
    in_place = isinstance(value, Patch) and target is value.base
    if in_place and _overwrite(target, value.rows, value.values):
        return
    made = settled(value)
    if isinstance(target, Stored):
        found = converted(made, target.stype).astype(target.dtype)
        target.assign(found.copy() if found is value else found)
    else:
        target[...] = dense(made)


def clear(target: Any) -> None:
    """Write zeros into an array, in place; a sparse one then stores nothing."""
    write(target, blank(module_of(target), stype_of(target), target.shape, target.dtype))


def add_into(target: Any, value: Any) -> None:
    """Add a value to an array in place, whatever their storages."""
    if isinstance(target, RowSparse) and isinstance(value, RowSparse):
        xp = module_of(target)
        total = value.values + rows_of(xp, target, value.indices)
        write(target, Patch(target, value.indices, total))
    elif isinstance(target, Stored):
        write(target, dense(target) + dense(value))
    elif isinstance(value, RowSparse):
        target[value.indices] += value.values
    else:
        target += dense(value)
