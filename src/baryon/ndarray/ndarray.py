"""`NDArray`: a dense array on a device that records what is done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import backend, state
from ..base import MXNetError
from ..context import Context, as_context
from ..dtypes import as_dtype, dtype_name
from ..graph.function import mover
from ..ops.op import Op, get
from ..ops.operators import Arithmetic, choose
from ..ops.stored import blank
from . import indexing, interchange
from .invoke import CLASSES, adopt, invoke


class NDArray(Arithmetic):
    """A dense, C-contiguous array on a device; made by `array`, `zeros`, operators and so on.

    Operators, methods and indexing follow MXNet: arithmetic broadcasts, dtypes never mix, full
    reductions have shape ``(1,)``. Basic slices that are one contiguous block, `reshape` and
    `detach` are views that share memory; every other result is a copy.

    >>> x = mx.nd.array([[1, 2], [3, 4]])
    >>> (x * 2 + 1).sum(axis=1).asnumpy()
    array([ 8., 16.], dtype=float32)
    """

    # _data : numpy or cupy array, C-contiguous.     _ctx : its Context.
    # _node, _index : where it stands on the tape (None, 0: nowhere).   _grad : its gradient array.
    __slots__ = ("_data", "_node", "_index", "_grad", "_ctx", "__weakref__")
    _scalar_shape: tuple[int, ...] = (1,)  # of a full reduction, or of a single element
    __array_priority__ = 1000.0
    __array_ufunc__ = None  # numpy leaves binary operators to this class: no silent mixing

    def __init__(self, handle: Any, writable: bool = True, ctx: Context | None = None) -> None:
        """Wrap an array of numpy or cupy without a copy (see `array` for the ordinary way).

        writable : False for an array on the CPU whose elements cannot be assigned.
        """
        if handle is None:  # MXNet's pickles make an array so before they fill it
            handle = np.zeros(0, np.float32)
        if not handle.flags.c_contiguous:
            raise MXNetError("NDArray wraps C-contiguous arrays only")
        if not writable:
            handle = handle.view()
            handle.flags.writeable = False
        self._data = handle
        self._node = None
        self._index = 0
        self._grad = None
        self._ctx = ctx or _home(handle)

    @classmethod
    def _wrap(cls, data: Any, ctx: Context | None = None) -> NDArray:
        """An array over C-contiguous `data`, unchecked and not recorded."""
        cls = CLASSES.get(type(data), getattr(cls, "_dense_class", cls))
        made = cls.__new__(cls)
        made._data = data
        made._node = None
        made._index = 0
        made._grad = None
        made._ctx = ctx or _home(data)
        return made

    @staticmethod
    def _apply(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
        return invoke(op, inputs, attrs, cls=None if inputs else NDArray)

    def _method(self, name: str, *others: Any, **attrs: Any) -> Any:
        return invoke(get(name), (self, *others), attrs)

    def _like(self, data: Any) -> NDArray:
        """Another array over `data` on this device, not recorded."""
        return type(self)._wrap(data, self.context)

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    @property
    def dtype(self) -> type:
        """The element type as numpy's scalar class, e.g. ``numpy.float32``."""
        return self._data.dtype.type

    @property
    def context(self) -> Context:
        """The device that holds the array."""
        try:
            return self._ctx
        except AttributeError:  # an operator's result: its memory tells
            self._ctx = _home(self._data)
            return self._ctx

    ctx = context

    @property
    def stype(self) -> str:
        """Storage type: ``"default"`` (dense), ``"row_sparse"`` or ``"csr"``."""
        return "default"

    @property
    def T(self) -> NDArray:
        """The array with its axes reversed (a copy)."""
        return self if self.ndim < 2 else self._method("transpose")

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"\n{self.asnumpy()!s}\n<{type(self).__name__} {shape} @{self.context}>"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an NDArray without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size == 1:
            return bool(self.item())
        if self.size == 0:
            return False
        raise ValueError("The truth value of an NDArray with multiple elements is ambiguous.")

    def __float__(self) -> float:
        return float(self._scalar("float()"))

    def __int__(self) -> int:
        return int(self._scalar("int()"))

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iub":
            raise TypeError("only integer arrays with one element can be used as an index")
        return int(self._scalar("index"))

    def _scalar(self, what: str) -> Any:
        if self.size != 1:
            raise TypeError(f"{what} needs an array with one element, got shape {self.shape}")
        return self.item()

    # ---- values out and copies -------------------------------------------------------------------

    def asnumpy(self) -> np.ndarray:
        """A numpy copy of the values; waits until they are computed."""
        return backend.of_array(self._data).to_numpy(self._data)

    def asscalar(self) -> Any:
        """The value of an array with one element, as a numpy scalar.

        >>> mx.nd.array([2.5]).asscalar()
        np.float32(2.5)
        """
        if self.size != 1:
            raise ValueError(f"The current array is not a scalar: its shape is {self.shape}")
        return self.asnumpy().reshape(())[()]

    def item(self) -> Any:
        """The value of an array with one element, as a Python number."""
        return self.asscalar().item()

    def astype(self, dtype: Any, copy: bool = True) -> NDArray:
        """The array in another element type; itself if `copy` is False and the type is its own.

        `dtype` may also be an array, which stands for its own type.
        """
        wanted = as_dtype(dtype.dtype if isinstance(dtype, NDArray) else dtype)
        if not copy and wanted == self._data.dtype:
            return self
        return self._method("Cast", dtype=dtype_name(wanted))

    def copy(self) -> NDArray:
        """A copy on the same device; gradients flow through it."""
        return self._method("_copy")

    def copyto(self, other: NDArray | Context) -> NDArray:
        """Copy the values into another array (cast to its type), or to a device; the copy.

        MXNetError when the shapes differ. Copying an array to itself warns and does nothing.
        """
        if isinstance(other, Context):
            return self._moved(other)
        if not isinstance(other, NDArray):
            raise TypeError(f"copyto does not support type {type(other).__name__}")
        if other is self:
            import warnings

            warnings.warn("You are attempting to copy an array to itself", RuntimeWarning, 2)
            return other
        if other.shape != self.shape:
            raise MXNetError(f"copyto: shapes {self.shape} and {other.shape} differ")
        other[:] = self
        return other

    def _moved(self, ctx: Context) -> NDArray:
        if state.is_recording() and self._node is not None:
            if _crosses(self.context, ctx):
                return invoke(mover(self.context, ctx), (self,), {})
            made = self.copy()
            made._ctx = ctx
            return made
        return type(self)(backend.move(self._data, ctx), ctx=ctx)

    def as_in_context(self, context: Context) -> NDArray:
        """The array on a device: itself if it is there already, else a copy."""
        context = as_context(context)
        return self if context == self.context else self.copyto(context)

    def as_in_ctx(self, ctx: Context) -> NDArray:
        """The array on a device; the same as `as_in_context`."""
        return self.as_in_context(ctx)

    def as_nd_ndarray(self) -> NDArray:
        """Itself."""
        return self

    def as_np_ndarray(self) -> NDArray:
        """The same array, memory, gradient and record included, as an ``mx.np.ndarray``."""
        from .np_ndarray import ndarray

        return self._as(ndarray)

    def _as(self, cls: type) -> Any:
        made = cls._wrap(self._data, self.context)
        made._node, made._index, made._grad = self._node, self._index, self.grad
        return made

    def tostype(self, stype: str) -> NDArray:
        """The array in a storage type: ``"default"``, ``"row_sparse"`` or ``"csr"``.

        >>> mx.nd.array([[0, 0], [1, 2]]).tostype("row_sparse").indices.asnumpy()
        array([1])
        """
        return self._method("cast_storage", stype=stype)

    def wait_to_read(self) -> None:
        """Wait until the values are computed; errors of the device surface here."""
        backend.of_array(self._data).wait(self._data)

    wait_to_write = wait_to_read

    # ---- shape -----------------------------------------------------------------------------------

    def reshape(self, *shape: Any, **kwargs: Any) -> NDArray:
        """The same values under another shape, sharing memory.

        `shape` takes MXNet's codes: 0 copies a dimension, -1 infers one, -2 copies all that
        remain, -3 merges two, -4 splits one in the two that follow; ``reverse=True`` matches
        from the right.

        >>> mx.nd.zeros((2, 3, 4)).reshape((0, -3)).shape
        (2, 12)
        """
        if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = tuple(shape[0])
        elif not shape:
            shape = kwargs.pop("shape", ())
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if unknown := set(kwargs) - {"reverse"}:
            raise TypeError(f"reshape got an unexpected keyword argument {unknown.pop()!r}")
        if not shape:
            raise ValueError("reshape: a shape must be given")
        return self._viewed("Reshape", shape=shape, **kwargs)

    def _viewed(self, name: str, **attrs: Any) -> NDArray:
        """The result of an operator that only changes the shape, over this array's memory."""
        return adopt(get(name), self, attrs, self._data)

    def expand_dims(self, axis: int, inplace: bool = False) -> NDArray:
        """A new axis of size 1 at `axis`; `inplace` shares memory."""
        return (self._viewed if inplace else self._method)("expand_dims", axis=axis)

    def flatten(self, inplace: bool = False) -> NDArray:
        """Two dimensions: the first one and all others merged; `inplace` shares memory."""
        return (self._viewed if inplace else self._method)("Flatten")

    def squeeze(self, axis: Any = None, inplace: bool = False) -> NDArray:
        """Without the axes of size 1, or those in `axis`; `inplace` shares memory."""
        return (self._viewed if inplace else self._method)("squeeze", axis=axis)

    def broadcast_to(self, shape: Any) -> NDArray:
        """Repeat axes of size 1 until the array has this shape; leading axes are added."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        grown = self.reshape((1,) * (len(shape) - self.ndim) + self.shape)
        return grown._method("broadcast_to", shape=shape)

    def broadcast_like(self, other: NDArray) -> NDArray:
        """Repeat axes of size 1 until the array has the shape of `other`."""
        return self.broadcast_to(other.shape)

    # ---- indexing --------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> NDArray:
        """Values at integers, slices, ``...``, ``None``, integer and boolean arrays.

        A result that is one contiguous block shares memory; the others are copies. Integer keys
        for every axis give shape ``(1,)``. Recorded arrays stay differentiable.

        >>> x = mx.nd.arange(6).reshape((2, 3))
        >>> x[:, 1].asnumpy(), x[mx.nd.array([1, 0])].shape
        (array([1., 4.], dtype=float32), (2, 3))
        """
        with backend.active(self.context):
            return indexing.take(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write numbers or arrays, broadcast and cast to the array's type, at any key."""
        with backend.active(self.context):
            indexing.assign(self, key, value)

    def slice_assign(self, rhs: NDArray, begin: Any, end: Any, step: Any) -> NDArray:
        """Write an array into the basic slice ``begin:end:step`` (tuples, None: open); itself."""
        self[tuple(map(slice, begin, end, step or (None,) * len(begin)))] = rhs
        return self

    def slice_assign_scalar(self, value: float, begin: Any, end: Any, step: Any) -> NDArray:
        """Write a number into the basic slice ``begin:end:step``; itself."""
        return self.slice_assign(value, begin, end, step)

    # ---- gradients -------------------------------------------------------------------------------

    @property
    def grad(self) -> NDArray | None:
        """The gradient array that `attach_grad` made, else None."""
        return getattr(self, "_grad", None)

    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Collect the gradient of this array in `grad`: ``"write"``, ``"add"`` or ``"null"``.

        stype : storage type of the gradient, by default that of the array.
        """
        from .. import autograd

        gradient = self._blank_gradient(self.stype if stype is None else stype)
        autograd.mark_variables([self], [gradient], grad_req)

    def _blank_gradient(self, stype: str) -> NDArray:
        """Zeros for the gradient; on the CPU they take no memory before they are written."""
        data, source = self._data, backend.of_array(self._data)
        if stype == "default" and source is backend.cpu:
            return self._like(source.waiting_zeros(self.shape, data.dtype))
        with backend.active(self.context):
            return self._like(blank(source.xp, stype, self.shape, data.dtype))

    def backward(
        self, out_grad: NDArray | None = None, retain_graph: bool = False, train_mode: bool = True
    ) -> None:
        """Gradients of this array with respect to all marked arrays that it was computed from."""
        from .. import autograd

        heads = None if out_grad is None else [out_grad]
        autograd.backward([self], heads, retain_graph, train_mode)

    def detach(self) -> NDArray:
        """The same memory as a constant: no gradient flows through the result."""
        return self._like(self._data)

    # ---- interchange -----------------------------------------------------------------------------

    __array__ = interchange.to_array
    __dlpack__ = interchange.to_dlpack
    __dlpack_device__ = interchange.dlpack_device
    __cuda_array_interface__ = property(interchange.cuda_array_interface)
    __getstate__ = interchange.get_state
    __setstate__ = interchange.set_state
    __deepcopy__ = interchange.deep_copy
    to_dlpack_for_read = interchange.to_dlpack_for_read
    to_dlpack_for_write = interchange.to_dlpack_for_write


def _home(data: Any) -> Context:
    """The device that raw data lies on."""
    return Context(*backend.of_array(data).context_of(data))


def _crosses(a: Context, b: Context) -> bool:
    """Whether moving from one device to the other leaves the memory."""
    return "gpu" in (a.device_type, b.device_type)


def _in_place(kind: str) -> Any:
    """The method of an augmented assignment such as ``+=``: the operator, written over `self`."""

    def method(self: NDArray, other: Any) -> Any:
        chosen = choose(kind, self, other, self._broadcasts(other))
        if chosen is None:
            return NotImplemented
        if state.is_recording():
            indexing.check_writable(self, other)
        return invoke(*chosen, out=self)

    method.__name__ = f"__i{kind}__"
    method.__doc__ = f"``{kind}`` written over this array's memory; not for recorded arrays."
    return method


for _kind in ("add", "sub", "mul", "truediv", "mod", "pow"):
    setattr(NDArray, f"__i{_kind}__", _in_place(_kind))
