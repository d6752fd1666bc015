"""`ndarray`: the array of the NumPy interface (``mx.np.ndarray``), and functions that make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..base import MXNetError
from ..context import Context, as_context
from ..dtypes import as_dtype, dtype_name
from ..numpy_functions import protocol
from ..numpy_functions.call import attributes, is_tensor
from ..numpy_functions.creation import c_order
from ..numpy_functions.methods import NumpyMethods
from ..numpy_functions.products import matmul
from ..ops.op import Op, get
from .invoke import adopt, invoke
from .ndarray import NDArray

__all__ = ["array", "draw", "empty", "ndarray"]


class ndarray(NumpyMethods, NDArray):
    """An array with NumPy's semantics; ``mx.np.array``, ``mx.np.zeros`` and so on make it.

    It may have no dimensions or no elements; a result of reductions or integer keys has shape
    ``()``; comparisons are bool. It is an NDArray, records like one, and shares memory with one by
    `as_nd_ndarray`. Functions of NumPy called on it compute here: ``numpy.mean(x)``.

    >>> x = mx.np.array([[1, 2], [3, 4]])
    >>> x[x > 1].sum()
    array(9.)
    """

    __slots__ = ()
    _scalar_shape = ()
    __array_function__ = protocol.array_function
    __array_ufunc__ = protocol.array_ufunc

    def _meets(self, other: Any) -> bool:
        return isinstance(other, ndarray)

    @staticmethod
    def _apply_numpy(
        op: Op,
        inputs: Sequence[Any],
        attrs: Mapping[str, Any],
        out: Any = None,
        hint: str | None = None,
    ) -> Any:
        for x in inputs:
            if not isinstance(x, ndarray):
                raise TypeError(
                    f"{op.name}: expected mx.np.ndarray, got {type(x).__name__}; "
                    "`as_np_ndarray()` makes one of an NDArray, mx.np.array of other data"
                )
        if inputs and out is None:
            return ndarray._apply(op, inputs, attrs)
        return invoke(op, inputs, attrs, out, ndarray)

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype:
        """The element type, as NumPy's dtype."""
        return self._data.dtype

    def __repr__(self) -> str:
        data, notes = self.asnumpy(), []
        if data.size == 0 and data.shape != (0,):
            notes.append(f"shape={data.shape}")
        if data.dtype not in (np.float32, np.bool_):
            notes.append(f"dtype={dtype_name(data.dtype)}")
        if self.context.device_type == "gpu":
            notes.append(f"ctx={self.context}")
        text = np.array2string(data, separator=", ", prefix="array(")
        return f"array({', '.join([text, *notes])})"

    def __str__(self) -> str:
        return str(self.asnumpy())

    def item(self, *args: Any) -> Any:
        """The element at a position (default: the only one), as a Python number."""
        if not args and self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.asnumpy().item(*args)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.asnumpy().tolist()

    # ---- the other class -------------------------------------------------------------------------

    def as_nd_ndarray(self) -> NDArray:
        """The same array, memory, gradient and record included, as a legacy NDArray."""
        return self._as(NDArray)

    def as_np_ndarray(self) -> ndarray:
        """Itself."""
        return self

    # ---- methods that only arrays have -----------------------------------------------------------

    def _cast(self, dtype: Any, copy: bool) -> ndarray:
        return NDArray.astype(self, dtype, copy)

    def _reshaped(self, shape: tuple[int, ...]) -> ndarray:
        return adopt(get("_np_reshape"), self, {"newshape": shape}, self._data.copy())

    def reshape_view(self, *shape: Any, **kwargs: Any) -> ndarray:
        """The same memory under another shape, with the codes of a legacy NDArray's `reshape`."""
        return NDArray.reshape(self, *shape, **kwargs)

    def __imatmul__(self, other: Any) -> ndarray:
        """Matrix product written over this array."""
        if not is_tensor(other):
            return NotImplemented
        return matmul(self, other, out=self)


ndarray.__module__ = "baryon.numpy"


def draw(name: str, *inputs: Any, out: Any = None, **attrs: Any) -> Any:
    """Apply an operator, also one without inputs, with ndarrays as results."""
    op = get(name)
    return ndarray._apply_numpy(op, inputs, attributes(op, attrs), out)


def array(object: Any, dtype: Any = None, ctx: Context | None = None) -> ndarray:
    """An array with the values of another array, a number or nested lists.

    dtype : by default that of an array, of NumPy's or this interface, and float32 otherwise.

    >>> mx.np.array([1, 2]), mx.np.array(np.array([1, 2]))
    (array([1., 2.]), array([1, 2], dtype=int64))
    """
    if isinstance(object, NDArray) and not isinstance(object, ndarray):
        raise ValueError("array: of a legacy NDArray, `as_np_ndarray()` makes an ndarray")
    if dtype is None:
        dtype = object.dtype if isinstance(object, (np.ndarray, ndarray)) else np.float32
    ctx, wanted = as_context(ctx), as_dtype(dtype)
    if isinstance(object, ndarray):
        return ndarray._wrap(backend.move(object.astype(wanted, copy=False)._data, ctx), ctx)
    try:
        data = np.array(_plain(object), order="C").astype(wanted)
    except (TypeError, ValueError) as error:
        raise TypeError(f"array: expected numbers in nested lists or an array: {error}") from None
    return ndarray._wrap(backend.move(data, ctx) if ctx.device_type == "gpu" else data, ctx)


def _plain(value: Any) -> Any:
    """Nested lists whose arrays are NumPy's."""
    if isinstance(value, NDArray):
        return value.asnumpy()
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def empty(
    shape: Any, dtype: Any = np.float32, order: str = "C", ctx: Context | None = None
) -> ndarray:
    """An array with arbitrary content, to be written.

    >>> mx.np.empty((2, 0)).shape
    (2, 0)
    """
    c_order("empty", order)
    dims = tuple(int(d) for d in ((shape,) if np.ndim(shape) == 0 else shape))
    if any(d < 0 for d in dims):
        raise MXNetError(f"empty: shape {shape!r} is not allowed; sizes must not be negative")
    ctx, dtype = as_context(ctx), as_dtype(np.float32 if dtype is None else dtype)
    return ndarray._wrap(backend.of_context(ctx).empty(dims, dtype, ctx.device_id), ctx)
