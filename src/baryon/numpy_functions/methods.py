"""Methods that arrays and symbols of the NumPy interface share."""

from __future__ import annotations

from typing import Any

from ..ops.operators import NUMPY_TABLE, forward
from . import elementwise, indexing, products, reduction, shaping
from .call import call, is_tensor

__all__ = ["NumpyMethods"]


class NumpyMethods:
    """Operators and methods with NumPy's meaning, over ``_apply_numpy``."""

    __slots__ = ()
    _operators = NUMPY_TABLE

    def __neg__(self) -> Any:
        """Numerical negative, element by element."""
        return elementwise.negative(self)

    def __invert__(self) -> Any:
        """Every bit inverted, element by element; of bools, the opposite."""
        return elementwise.invert(self)

    def __abs__(self) -> Any:
        """Absolute value, element by element."""
        return elementwise.absolute(self)

    def __matmul__(self, other: Any) -> Any:
        """Matrix product; see ``mx.np.matmul``."""
        return products.matmul(self, other) if is_tensor(other) else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        """Matrix product with this as the right operand."""
        return products.matmul(other, self) if is_tensor(other) else NotImplemented

    # ---- shape -----------------------------------------------------------------------------------

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return self.transpose()

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order (default: reversed)."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return call("_np_transpose", self, axes=tuple(axes) if axes else None)

    def reshape(self, *args: Any, **kwargs: Any) -> Any:
        """The same elements under another shape, in which -1 infers a size (in arrays a copy).

        >>> mx.np.zeros((2, 3)).reshape(3, -1).shape
        (3, 2)
        """
        order = kwargs.pop("order", "C")
        shape = args or (kwargs.pop("newshape", None) or kwargs.pop("shape", ()),)
        if kwargs:
            raise TypeError(f"reshape got unexpected keyword arguments {', '.join(kwargs)}")
        if order != "C":
            raise NotImplementedError(f"only supports C-order, while received {order}")
        if len(shape) == 1 and not isinstance(shape[0], int):
            shape = tuple(shape[0])
        return self._reshaped(shape)

    def flatten(self, order: str = "C") -> Any:
        """All elements along one axis, row by row."""
        if order != "C":
            raise NotImplementedError(f"only supports C-order, while received {order}")
        return self.reshape(-1)

    def squeeze(self, axis: Any = None) -> Any:
        """Without the axes of size 1, or those in `axis`."""
        return call("_np_squeeze", self, axis=axis)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged; see ``mx.np.swapaxes``."""
        return shaping.swapaxes(self, axis1, axis2)

    def expand_dims(self, axis: int) -> Any:
        """A new axis of size 1; see ``mx.np.expand_dims``."""
        return shaping.expand_dims(self, axis)

    def broadcast_to(self, shape: Any) -> Any:
        """Repeated until it has a shape; see ``mx.np.broadcast_to``."""
        return shaping.broadcast_to(self, shape)

    def repeat(self, repeats: int, axis: int | None = None) -> Any:
        """Each element several times; see ``mx.np.repeat``."""
        return shaping.repeat(self, repeats, axis)

    def tile(self, reps: Any) -> Any:
        """The array several times; see ``mx.np.tile``."""
        return shaping.tile(self, reps)

    def diag(self, k: int = 0, **kwargs: Any) -> Any:
        """A diagonal, or a matrix with this diagonal; see ``mx.np.diag``."""
        if kwargs:
            raise TypeError(f"diag got unexpected keyword arguments {', '.join(kwargs)}")
        return shaping.diag(self, k)

    # ---- values ----------------------------------------------------------------------------------

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: str = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """The elements in another type; itself if `copy` is False and the type is its own."""
        if order not in ("K", "A", "C"):
            raise ValueError(f"order must be either 'K', 'A' or 'C', got {order!r}")
        if casting != "unsafe" or not subok:
            raise ValueError("astype supports casting='unsafe' and subok=True only")
        return self._cast(dtype, copy)

    def copy(self, order: str = "C") -> Any:
        """A copy on the same device; gradients flow through it."""
        if order != "C":
            raise NotImplementedError(f"ndarray.copy only supports order='C', got {order!r}")
        return call("_np_copy", self)

    def clip(self, min: float | None = None, max: float | None = None, out: Any = None) -> Any:
        """Values cut to limits; see ``mx.np.clip``."""
        return elementwise.clip(self, min, max, out)

    def round(self, decimals: int = 0, out: Any = None, **kwargs: Any) -> Any:
        """Rounded; see ``mx.np.around``."""
        return elementwise.around(self, decimals, out, **kwargs)

    def dot(self, b: Any, out: Any = None) -> Any:
        """Product; see ``mx.np.dot``."""
        return products.dot(self, b, out)

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
        """Elements at integer positions; see ``mx.np.take``."""
        return indexing.take(self, indices, axis, mode)

    def sort(self, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
        """A sorted copy, as in MXNet (NumPy's method sorts in place); see ``mx.np.sort``."""
        return indexing.sort(self, axis, kind, order)

    def argsort(self, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
        """Positions that sort; see ``mx.np.argsort``."""
        return indexing.argsort(self, axis, kind, order)

    def nonzero(self) -> tuple:
        """Positions of the elements that are not 0; see ``mx.np.nonzero``."""
        return indexing.nonzero(self)

    # ---- reductions ------------------------------------------------------------------------------

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Whether all elements are not 0; see ``mx.np.all``."""
        return reduction.all(self, axis, keepdims, out)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Whether some element is not 0; see ``mx.np.any``."""
        return reduction.any(self, axis, keepdims, out)

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Sum; see ``mx.np.sum``."""
        return reduction.sum(self, axis, dtype, keepdims, None, out)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Product; see ``mx.np.prod``."""
        return reduction.prod(self, axis, dtype, out, keepdims)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Mean; see ``mx.np.mean``."""
        return reduction.mean(self, axis, dtype, out, keepdims)

    def std(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: int = 0,
        keepdims: bool = False,
    ) -> Any:
        """Standard deviation; see ``mx.np.std``."""
        return reduction.std(self, axis, dtype, out, ddof, keepdims)

    def var(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: int = 0,
        keepdims: bool = False,
    ) -> Any:
        """Variance; see ``mx.np.var``."""
        return reduction.var(self, axis, dtype, out, ddof, keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Largest element; see ``mx.np.max``."""
        return reduction.max(self, axis, keepdims, out)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Smallest element; see ``mx.np.min``."""
        return reduction.min(self, axis, keepdims, out)

    def argmax(self, axis: int | None = None, out: Any = None) -> Any:
        """Position of the largest element; see ``mx.np.argmax``."""
        return reduction.argmax(self, axis, out)

    def argmin(self, axis: int | None = None, out: Any = None) -> Any:
        """Position of the smallest element; see ``mx.np.argmin``."""
        return reduction.argmin(self, axis, out)

    def cumsum(self, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        """Running sums; see ``mx.np.cumsum``."""
        return reduction.cumsum(self, axis, dtype, out)


for _kind in NUMPY_TABLE:
    setattr(NumpyMethods, f"__{_kind}__", forward(_kind))
