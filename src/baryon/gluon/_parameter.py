"""`Parameter` and `Constant`: the named arrays of a Block, one copy a context."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import autograd, initializer, ndarray, symbol
from ..context import Context, cpu, current_context
from ..dtypes import as_dtype, dtype_name
from ..util import is_np_shape
from ._copies import Copies
from .utils import ArgumentError, in_mode, shape_is_known

tensor_types = (symbol.Symbol, ndarray.NDArray)
DEFAULT_INIT = initializer.Uniform()
_GRAD_REQS = ("write", "add", "null")
_STYPES = ("default", "row_sparse", "csr")


def as_contexts(ctx: Context | Sequence[Context] | None) -> list[Context]:
    """A context, a sequence of them or None (the current context) as a list."""
    if ctx is None:
        return [current_context()]
    return [ctx] if isinstance(ctx, Context) else list(ctx)


class Parameter(Copies):
    """A trainable array of a Block, with one copy and one gradient a context.

    name                : unique name.
    grad_req            : "write", "add" or "null" (no gradient).
    shape               : its shape; 0 stands for a dimension to be found in the first forward pass.
    dtype               : type of its elements.
    lr_mult, wd_mult    : factors on the learning rate and the weight decay.
    init                : initializer of this Parameter (default: the one `initialize` is given).
    allow_deferred_init : whether the shape may still have zeros at `initialize`.
    differentiable      : False for constants and running statistics.
    stype, grad_stype   : storage of the array and of its gradient.

    >>> weight = mx.gluon.Parameter("weight", shape=(2, 3))
    >>> weight.initialize(mx.init.One())
    >>> weight.data().asnumpy()
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """

    def __init__(
        self,
        name: str,
        grad_req: str = "write",
        shape: int | Sequence[int] | None = None,
        dtype: Any = np.float32,
        lr_mult: float = 1.0,
        wd_mult: float = 1.0,
        init: Any = None,
        allow_deferred_init: bool = False,
        differentiable: bool = True,
        stype: str = "default",
        grad_stype: str = "default",
    ) -> None:
        for what, value in (("stype", stype), ("grad_stype", grad_stype)):
            if value not in _STYPES:
                raise ArgumentError(
                    f"{what} for Parameter '{name}' must be one of {_STYPES}, but got '{value}'"
                )
        self._var: Any = None
        self._data: list | None = None
        self._grad: list | None = None
        self._ctx_list: list[Context] = []
        self._deferred_init: tuple = ()
        self._trainer: Any = None
        self._differentiable = differentiable
        self._allow_deferred_init = allow_deferred_init
        self._grad_req: str | None = None
        self._shape = (shape,) if isinstance(shape, int) else shape and tuple(shape)
        self._dtype = dtype
        self._stype = stype
        self._grad_stype = grad_stype
        self.name = name
        self.lr_mult = lr_mult
        self.wd_mult = wd_mult
        self.init = init
        self.grad_req = grad_req

    def __repr__(self) -> str:
        return f"Parameter {self.name} (shape={self.shape}, dtype={self.dtype})"

    # ---- properties ------------------------------------------------------------------------------

    @property
    def grad_req(self) -> str:
        """How backward stores the gradient: "write", "add" or "null"."""
        return self._grad_req

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req not in _GRAD_REQS:
            raise ArgumentError(
                f"grad_req must be one of 'write', 'add', or 'null', but got '{req}'"
            )
        if not self._differentiable:
            req = "null"
        if self._grad_req == req:
            return
        self._grad_req = req
        if req != "null":
            if self._data is not None:
                self._init_grad()
        elif self._grad is not None:
            self._grad = None
            self._data = [array.detach() for array in self._data]

    @property
    def dtype(self) -> Any:
        """Type of the elements, as it was given."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self.cast(dtype)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape, with 0 (-1 under `set_np`) for unknown dimensions; None where nothing is known."""
        if self._shape is None or not is_np_shape():
            return self._shape
        return tuple(dim or -1 for dim in self._shape)

    @shape.setter
    def shape(self, new_shape: Sequence[int]) -> None:
        new_shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
        if self._shape is not None and not _fills(self._shape, new_shape):
            raise ArgumentError(
                f"Parameter '{self.name}': Expected shape {new_shape} is incompatible with given "
                f"shape {self._shape}."
            )
        self._shape = new_shape

    @property
    def stype(self) -> str:
        """Storage of the array: "default", "row_sparse" or "csr"."""
        return self._stype

    @property
    def grad_stype(self) -> str:
        """Storage of the gradient."""
        return self._grad_stype

    # ---- initialization --------------------------------------------------------------------------

    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        default_init: Any = DEFAULT_INIT,
        force_reinit: bool = False,
    ) -> None:
        """Allocate and fill the array on every context, or note to do so once the shape is known.

        init         : initializer of this call; it yields to the Parameter's own `init`.
        default_init : used where neither is given.
        force_reinit : initialize again; otherwise a second call warns and does nothing.

        Raises ValueError for an unknown shape without `allow_deferred_init`.
        """
        if self._data is not None and not force_reinit:
            warnings.warn(
                f"Parameter '{self.name}' is already initialized, ignoring. "
                f"Set force_reinit=True to re-initialize.",
                stacklevel=2,
            )
            return
        self._data = self._grad = None
        if init is None:
            init = default_init if self.init is None else self.init
        if not shape_is_known(self.shape) and not self._allow_deferred_init:
            raise ValueError(
                f"Cannot initialize Parameter '{self.name}' because it has invalid shape: "
                f"{self.shape}."
            )
        self._deferred_init = (init, as_contexts(ctx), default_init, None)
        if shape_is_known(self.shape):
            self._finish_deferred_init()

    def _finish_deferred_init(self) -> None:
        """Do what `initialize` had to put off; the shape must be known by now."""
        if not self._deferred_init:
            return
        init, ctx, default_init, data = self._deferred_init
        if not shape_is_known(self.shape):
            raise ArgumentError(
                f"Cannot initialize Parameter '{self.name}' because it has invalid shape: "
                f"{self.shape}. Please specify in_units, in_channels, etc for `Block`s."
            )
        self._deferred_init = ()
        with autograd.pause():
            if data is None:
                data = ndarray.zeros(self.shape, dtype=self.dtype, ctx=cpu())
                desc = initializer.InitDesc(self.name, {"__init__": init})
                initializer.create(default_init)(desc, data)
            self._init_impl(data, ctx)

    def _init_impl(self, data: Any, ctx: Sequence[Context]) -> None:
        """Take `data` as the value on every context."""
        self._ctx_list, data = list(ctx), in_mode(data)
        if data.stype != self._stype:
            data = data.tostype(self._stype)
        self._data = [data.copyto(context) for context in self._ctx_list]
        self._init_grad()
        self._tell_trainer()

    def _init_grad(self) -> None:
        if self.grad_req == "null":
            self._grad = None
            return
        self._grad = [in_mode(array._blank_gradient(self._grad_stype)) for array in self._data]
        autograd.mark_variables(self._data, self._grad, self.grad_req)

    def _load_init(
        self, data: Any, ctx: Any, cast_dtype: bool = False, dtype_source: str = "current"
    ) -> None:
        """Take a value read from a file."""
        if dtype_source not in ("current", "saved"):
            raise ValueError(f"dtype_source must be 'current' or 'saved', got {dtype_source!r}")
        if self.shape is not None and not _fills(self.shape, data.shape):
            raise ArgumentError(
                f"Failed loading Parameter '{self.name}' from saved params: shape incompatible "
                f"expected {self.shape} vs saved {data.shape}"
            )
        self._shape = tuple(data.shape)
        data = self._fit_dtype(data, cast_dtype, dtype_source)
        contexts = None if ctx is None else as_contexts(ctx)
        if self._data is None:
            if self._deferred_init:
                self._require_contexts(contexts, self._deferred_init[1])
                contexts = self._deferred_init[1]
            self._init_impl(data, contexts or [cpu()])
        else:
            self._require_contexts(contexts, self._ctx_list)
            self.set_data(data)
        self._deferred_init = ()

    def _fit_dtype(self, data: Any, cast_dtype: bool, dtype_source: str) -> Any:
        own, saved = as_dtype(self.dtype), as_dtype(data.dtype)
        if own == saved:
            return data
        if not cast_dtype:
            raise ArgumentError(
                f"Failed loading Parameter '{self.name}' from saved params: dtype incompatible "
                f"expected {dtype_name(own)} vs saved {dtype_name(saved)}. "
                f"Set cast_dtype=True to cast the dtype of saved params."
            )
        if dtype_source == "current":
            return data.astype(own)
        self.cast(saved)
        return data

    def _require_contexts(self, asked: list | None, present: list) -> None:
        if asked is not None and set(asked) != set(present):
            raise ArgumentError(
                f"Failed to load Parameter '{self.name}' on {asked} because it was previously "
                f"initialized on {present}."
            )

    # ---- changing ------------------------------------------------------------------------------

    def set_data(self, data: Any) -> None:
        """Write `data` into the array of every context."""
        self.shape = data.shape
        if self._data is None:
            if not self._deferred_init:
                raise self._missing()
            if not isinstance(data, ndarray.NDArray):
                data = ndarray.array(data, dtype=self.dtype)
            self._deferred_init = (*self._deferred_init[:3], data)
            return
        for array in self._data:
            array[:] = data
        self._tell_trainer()

    def _tell_trainer(self) -> None:
        """A store that updates this Parameter has a copy of its own, which is old now."""
        if self._trainer is not None:
            self._trainer._forget(self)

    def reset_ctx(self, ctx: Context | Sequence[Context] | None) -> None:
        """Move the Parameter to other contexts."""
        contexts = as_contexts(ctx)
        if self._data is not None:
            data = self._reduce()
            with autograd.pause():
                self._init_impl(data, contexts)
        elif self._deferred_init:
            init, _, default_init, data = self._deferred_init
            self._deferred_init = (init, contexts, default_init, data)
        else:
            raise ValueError(
                f"Cannot reset context for Parameter '{self.name}' because it has not been "
                f"initialized."
            )

    def cast(self, dtype: Any) -> None:
        """Convert the arrays and gradients of all contexts to another dtype."""
        self._dtype = dtype
        self._var = None
        if self._data is None:
            return
        with autograd.pause():
            self._data = [array.astype(dtype) for array in self._data]
            self._init_grad()
        self._tell_trainer()

    def var(self) -> Any:
        """The Symbol that stands for this Parameter."""
        if self._var is None:
            self._var = symbol.var(
                self.name,
                shape=self.shape,
                dtype=self.dtype,
                lr_mult=self.lr_mult,
                wd_mult=self.wd_mult,
                init=self.init,
                stype=self._stype,
            )
        return in_mode(self._var)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_trainer": None, "_var": None, "_grad": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if self._data is not None:
            self._init_grad()


def _fills(known: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether `shape` is `known` with its unknown dimensions filled in."""
    return len(known) == len(shape) and all(
        a in (0, -1) or a == b for a, b in zip(known, shape, strict=True)
    )


class Constant(Parameter):
    """A named array that training leaves alone.

    >>> scale = mx.gluon.Constant("scale", np.array([1.0, 2.0]))
    >>> scale.initialize()
    >>> scale.data().asnumpy()
    array([1., 2.], dtype=float32)
    """

    def __init__(self, name: str, value: Any) -> None:
        if not isinstance(value, ndarray.NDArray):
            value = ndarray.array(value)
        self.value = value
        super().__init__(
            name,
            grad_req="null",
            shape=value.shape,
            dtype=value.dtype,
            init=initializer.Constant(value),
        )

    def __repr__(self) -> str:
        return f"Constant {self.name} (shape={self.shape}, dtype={self.dtype})"

    @property
    def grad_req(self) -> str:
        """Always "null"."""
        return "null"

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req != "null":
            warnings.warn(
                f'Constant parameter "{self.name}" does not support grad_req other than "null", '
                f'and new value "{req}" is ignored.',
                stacklevel=2,
            )
