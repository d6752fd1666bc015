"""The classes of sparse arrays: views of a `Csr` or `RowSparse` that behave like an NDArray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend, state
from ..base import MXNetError, NotSupportedForSparseNDArray
from ..context import Context
from ..dtypes import as_dtype
from ..ops.op import get
from ..ops.stored import INDEX, Csr, RowSparse, Stored, blank, dense, write
from . import indexing
from .invoke import CLASSES, invoke
from .ndarray import NDArray


def on_device(raw: Any, ctx: Context) -> Any:
    """A raw array on a device, copied only where it must move."""
    if ctx.device_type != "gpu" and backend.of_array(raw) is backend.of_context(ctx):
        return raw
    if not isinstance(raw, Stored):
        return backend.move(raw, ctx)
    names = [n for kind in (Stored, type(raw)) for n in kind.__slots__ if n != "shape"]
    return type(raw)(*(backend.move(getattr(raw, n), ctx) for n in names), raw.shape)


class BaseSparseNDArray(NDArray):
    """What sparse arrays share; their ``_data`` is a `Stored` array."""

    __slots__ = ()
    _dense_class = NDArray
    _aux_types: list[type]

    def __init__(self, handle: Any, writable: bool = True, ctx: Context | None = None) -> None:
        """Wrap a `Stored` array of this class's storage type (see `csr_matrix` and others).

        writable : True; a sparse array cannot be protected.
        """
        if not writable:
            raise MXNetError(f"{type(self).__name__}: there are no read-only sparse arrays")
        data = handle
        if data is None:  # MXNet's pickles make an array so before they fill it
            data = blank(np, "csr" if self._num_aux == 2 else "row_sparse", (0, 0), np.float32)
        if CLASSES.get(type(data)) is not type(self):
            raise MXNetError(f"{type(self).__name__} cannot hold {type(data).__name__} data")
        self._data, self._node, self._index, self._grad = data, None, 0, None
        self._ctx = ctx or Context(*backend.of_array(data).context_of(data))

    def _broadcasts(self, other: Any) -> bool:
        return isinstance(other, NDArray) and other.shape != self.shape

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"\n<{type(self).__name__} {shape} @{self.context}>"

    def asnumpy(self) -> np.ndarray:
        """A dense numpy copy of the values."""
        return backend.of_array(self._data).to_numpy(dense(self._data))

    def astype(self, dtype: Any, copy: bool = True) -> NDArray:
        """The array in another element type, stored as it is."""
        wanted = as_dtype(dtype.dtype if isinstance(dtype, NDArray) else dtype)
        if wanted == self._data.dtype:
            return self.copy() if copy else self
        return self._like(self._data.astype(wanted))

    def copyto(self, other: NDArray | Context) -> NDArray:
        """Copy into an array, dense or of the same storage type, or to a device; the copy."""
        if isinstance(other, NDArray) and other.stype not in ("default", self.stype):
            raise TypeError(f"copyto does not support destination NDArray stype {other.stype}")
        return super().copyto(other)

    def _moved(self, ctx: Context) -> NDArray:
        if "gpu" in (ctx.device_type, self.context.device_type):
            return NDArray._wrap(on_device(self._data, ctx), ctx)
        made = self.copy()
        made._ctx = ctx
        return made

    def broadcast_to(self, shape: Any) -> NDArray:
        """A dense array of this shape, axes of size 1 repeated."""
        return self.tostype("default").broadcast_to(shape)

    def check_format(self, full_check: bool = True) -> None:
        """MXNetError unless the parts fit together and indices are in range and ascend.

        full_check : look at every index; else only at shapes.
        """
        self._data.check(full_check)

    def _part(self, name: str) -> NDArray:
        return NDArray._wrap(getattr(self._data, name).copy(), self.context)

    @property
    def stype(self) -> str:
        """Storage type: ``"csr"`` or ``"row_sparse"``."""
        return self._data.stype

    @property
    def data(self) -> NDArray:
        """A copy of the stored values."""
        return self._part("values")

    @property
    def indices(self) -> NDArray:
        """A copy of the column (csr) or row (row_sparse) numbers, int64."""
        return self._part("indices")

    @property
    def _num_aux(self) -> int:
        return len(self._aux_types)

    def __setitem__(self, key: Any, value: Any) -> None:
        """``x[:] = value``: a dense or equally stored array takes the place of the content."""
        if not isinstance(key, slice) or key != slice(None):
            raise ValueError(f"{type(self).__name__} only supports [:] for assignment, got {key!r}")
        if state.is_recording():
            indexing.check_writable(self, value)
        if isinstance(value, NDArray) and value is not self:
            if value.stype not in ("default", self.stype):
                raise TypeError(f"a {self.stype} array cannot take {value.stype} values")
            self._write(value._data)
        elif isinstance(value, np.ndarray):
            self._write(on_device(value.astype(self._data.dtype), self.context))
        elif value is not self:
            self._fill(value)

    def _write(self, raw: Any) -> None:
        if raw.shape != self.shape:
            raise MXNetError(f"shapes {raw.shape} and {self.shape} differ")
        write(self._data, raw)

    def _fill(self, value: Any) -> None:
        raise ValueError(f"{type(self).__name__}: cannot assign {value!r}")


def _not_for_sparse(name: str) -> Callable[..., Any]:
    def method(self: BaseSparseNDArray, *args: Any, **kwargs: Any) -> Any:
        raise NotSupportedForSparseNDArray(method, None, *args)

    method.__name__ = name
    method.__doc__ = "Raises NotSupportedForSparseNDArray: only dense arrays have it."
    return method


for _name in ("reshape", "_at", "_slice", "to_dlpack_for_read", "to_dlpack_for_write"):
    setattr(BaseSparseNDArray, _name, _not_for_sparse(_name))


class CSRNDArray(BaseSparseNDArray):
    """A matrix in compressed sparse row form; made by `csr_matrix` and ``tostype("csr")``.

    The elements of row r are ``data[indptr[r]:indptr[r + 1]]``, in the columns that `indices`
    names at the same places.

    >>> x = mx.nd.sparse.csr_matrix(([7, 8, 9], [1, 0, 2], [0, 1, 1, 3]), shape=(3, 4))
    >>> x[1:3].asnumpy()
    array([[0., 0., 0., 0.],
           [8., 0., 9., 0.]], dtype=float32)
    """

    __slots__ = ()
    _aux_types = [np.int64, np.int64]

    @property
    def indptr(self) -> NDArray:
        """A copy of where each row begins in `data` and `indices`, and the end; int64."""
        return self._part("indptr")

    def __getitem__(self, key: Any) -> NDArray:
        """One row (an integer) or consecutive rows (a slice), as csr."""
        rows = self.shape[0]
        if isinstance(key, (int, np.integer)):
            if not -rows <= key < rows:
                raise IndexError(f"index {key} is out of bounds for {rows} rows")
            key = slice(key % rows, key % rows + 1)
        if isinstance(key, tuple):
            raise ValueError("Multi-dimension indexing is not supported for CSRNDArray")
        if not isinstance(key, slice):
            raise ValueError(f"CSRNDArray cannot be indexed with {key!r}")
        if key.step not in (None, 1):
            raise ValueError("CSRNDArray only supports continuous slicing on axis 0")
        if key == slice(None):
            return self
        begin, end, _ = key.indices(rows)
        return self._method("slice", begin=(begin,), end=(end,))

    def _fill(self, value: Any) -> None:
        raise ValueError(f"Assigning {value!r} to CSRNDArray is not supported")

    def asscipy(self) -> Any:
        """The matrix as a ``scipy.sparse.csr_matrix``; ImportError without scipy."""
        from scipy.sparse import csr_matrix as scipy_matrix

        to_numpy = backend.of_array(self._data).to_numpy
        parts = [to_numpy(getattr(self._data, n)) for n in ("values", "indices", "indptr")]
        return scipy_matrix(tuple(parts), shape=self.shape, dtype=self.dtype)


class RowSparseNDArray(BaseSparseNDArray):
    """An array that stores some rows; made by `row_sparse_array` and ``tostype("row_sparse")``.

    Row ``indices[i]`` is ``data[i]``; all other rows are zero. Gradients of embeddings are so.

    >>> x = mx.nd.sparse.row_sparse_array(([[1, 2]], [1]), shape=(3, 2))
    >>> x.asnumpy()
    array([[0., 0.],
           [1., 2.],
           [0., 0.]], dtype=float32)
    """

    __slots__ = ()
    _aux_types = [np.int64]

    def __getitem__(self, key: Any) -> NDArray:
        """``x[:]``, itself; nothing else is supported."""
        if isinstance(key, slice) and key == slice(None):
            return self
        raise ValueError(f"RowSparseNDArray only supports [:] for __getitem__, got {key!r}")

    def _fill(self, value: Any) -> None:
        if not np.isscalar(value):
            raise TypeError(f"type {type(value)} not supported")
        xp = backend.of_array(self._data).xp
        full = xp.full(self.shape, value, self._data.dtype)
        self._data.assign(RowSparse(full, xp.arange(self.shape[0], dtype=INDEX), self.shape))

    def retain(self, *args: Any, **kwargs: Any) -> NDArray:
        """The rows at `indices`; all others become zero (see `mx.nd.sparse.retain`)."""
        return invoke(get("_sparse_retain"), (self, *args, *kwargs.values()), {})


CLASSES.update({Csr: CSRNDArray, RowSparse: RowSparseNDArray})
