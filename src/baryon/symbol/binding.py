"""Binding symbols to arrays, as methods that `Symbol` takes over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import MXNetError
from ..collector import waiting
from ..context import Context, current_context
from ..dtypes import as_dtype
from ..graph.place import place
from ..ops.rules import known
from ..util import is_np_shape

if TYPE_CHECKING:
    from ..executor import Executor
    from ..ndarray import NDArray
    from ._symbol import Symbol

_REQS = ("write", "add", "null")


def bind(
    self: Symbol,
    ctx: Context,
    args: Sequence[NDArray] | Mapping[str, NDArray],
    args_grad: Sequence[NDArray | None] | Mapping[str, NDArray] | None = None,
    grad_req: str | Sequence[str] | Mapping[str, str] = "write",
    aux_states: Sequence[NDArray] | Mapping[str, NDArray] | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_exec: Executor | None = None,
) -> Executor:
    """An executor over the caller's arrays, given as lists in argument order or by name.

    args_grad : arrays for the gradients of the arguments that want one.
    grad_req  : ``"write"``, ``"add"`` or ``"null"``, for all or by argument.
    group2ctx : devices of the parts that ``AttrScope(ctx_group=...)`` names.
    shared_exec : an executor whose memory for results in between is used where it is enough.

    >>> y = mx.sym.var("a") * mx.sym.var("b")
    >>> exe = y.bind(mx.cpu(), {"a": mx.nd.array([2.0]), "b": mx.nd.array([3.0])})
    >>> exe.forward()[0].asnumpy()
    array([6.], dtype=float32)
    """
    from ..executor import Executor

    _check_device(ctx, group2ctx)
    names, aux_names = self.list_arguments(), self.list_auxiliary_states()
    args = _by_name("args", names, args)
    aux = _by_name("aux_states", aux_names, aux_states or {})
    grads = _by_name("args_grad", names, args_grad or {}, partial=True)
    for name, g in grads.items():
        if g.shape != args[name].shape:
            raise MXNetError(
                f"bind: gradient of {name!r} has shape {g.shape}, expected {args[name].shape}"
            )
    reqs = requests(names, grad_req)
    return Executor(self, ctx, args, grads, reqs, aux, group2ctx, shared_exec)


@waiting()
def simple_bind(
    self: Symbol,
    ctx: Context,
    grad_req: str | Sequence[str] | Mapping[str, str] = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Mapping[str, str] | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_arg_names: Sequence[str] | None = None,
    shared_exec: Executor | None = None,
    shared_buffer: dict[str, NDArray] | None = None,
    **kwargs: Any,
) -> Executor:
    """An executor over new zero-filled arrays, their shapes inferred from the inputs' in `kwargs`.

    type_dict        : element types of arguments by name (float32 otherwise).
    stype_dict       : storage types of arguments by name (default: what variables declare).
    group2ctx        : devices of the parts that ``AttrScope(ctx_group=...)`` names.
    shared_exec      : executor whose arrays, and arena where it is large enough, are used again.
    shared_arg_names : arguments to share with `shared_exec` (default: all that fit).
    shared_buffer    : arrays by name to use again, and to which the new ones are added.
    """
    from ..executor import Executor

    _check_device(ctx, group2ctx)
    names, aux_names = self.list_arguments(), self.list_auxiliary_states()
    for name in kwargs:
        if name not in names and name not in aux_names:
            text = f"simple_bind: {name!r} is not an argument; there are {names}"
            warnings.warn(text, stacklevel=2)
    kwargs = {k: v for k, v in kwargs.items() if k in names or k in aux_names}
    shapes, _, aux_shapes = self.infer_shape_partial(**kwargs)
    unknown = [f"{n}: {s}" for n, s in zip(names, shapes, strict=True) if not _complete(s)]
    if unknown:
        raise MXNetError(
            f"simple_bind cannot decide the shapes of {', '.join(unknown)}; provide more inputs"
        )
    types, _, aux_types = self.infer_type_partial(**(type_dict or {}))
    arg_stypes, _, aux_stypes = self.infer_storage_type(**(stype_dict or {}))
    reqs = requests(names, grad_req)
    pool = _Pool(_places(self, ctx, group2ctx), shared_exec, shared_arg_names, shared_buffer)
    args = {
        n: pool.array("arg", n, s, t or np.float32, kind)
        for n, s, t, kind in zip(names, shapes, types, arg_stypes, strict=True)
    }
    aux = {
        n: pool.array("aux", n, s, t or np.float32, kind)
        for n, s, t, kind in zip(aux_names, aux_shapes, aux_types, aux_stypes, strict=True)
    }

    def gradient(name: str, stype: str) -> NDArray:
        return pool.array("grad", name, args[name].shape, args[name].dtype, stype)

    return Executor(self, ctx, args, gradient, reqs, aux, group2ctx, shared_exec)


def _complete(shape: tuple | None) -> bool:
    """Whether a shape from `infer_shape_partial` is fully known."""
    if is_np_shape():
        return known(shape)
    return bool(shape) and 0 not in shape


class _Pool:
    """Where `simple_bind` takes arrays from: a shared executor or buffer, or fresh memory."""

    def __init__(
        self,
        places: Mapping[str, Context],
        executor: Executor | None,
        names: Sequence[str] | None,
        buffer: dict[str, NDArray] | None,
    ) -> None:
        self.places, self.names, self.buffer = places, names, buffer
        self.shared = {}
        if executor is not None:
            self.shared = {
                "arg": executor.arg_dict, "grad": executor.grad_dict, "aux": executor.aux_dict
            }  # fmt: skip

    def array(self, kind: str, name: str, shape: tuple, dtype: Any, stype: str) -> NDArray:
        """An array for argument, gradient or auxiliary state `name`."""
        from ..ndarray import zeros

        candidates = []
        if kind == "aux" or self.names is None or name in self.names:
            candidates.append(self.shared.get(kind, {}).get(name))
        if kind == "arg" and self.buffer is not None:
            candidates.append(self.buffer.get(name))
        for found in candidates:
            fits = found is not None and (found.shape, found.stype) == (shape, stype)
            if fits and as_dtype(found.dtype) == dtype:
                return found
        made = zeros(shape, self.places[name], dtype=dtype, stype=stype)
        if kind == "arg" and self.buffer is not None:
            self.buffer[name] = made
        return made


def evaluate(self: Symbol, ctx: Context | None = None, **kwargs: NDArray) -> list[NDArray]:
    """The outputs for these arguments.

    >>> (mx.sym.var("a") + 1).eval(a=mx.nd.array([1.0]))[0].asnumpy()
    array([2.], dtype=float32)
    """
    return self.bind(ctx or current_context(), kwargs, grad_req="null").forward()


def requests(names: Sequence[str], grad_req: Any) -> dict[str, str]:
    """Gradient requests by argument name, from one for all, a list or a dict."""
    if isinstance(grad_req, str):
        found = dict.fromkeys(names, grad_req)
    elif isinstance(grad_req, Mapping):
        found = {n: grad_req.get(n, "null") for n in names}
    else:
        if len(grad_req) != len(names):
            raise ValueError(f"{len(grad_req)} grad_reqs for {len(names)} arguments")
        found = dict(zip(names, grad_req, strict=True))
    for name, req in found.items():
        if req not in _REQS:
            raise ValueError(f"grad_req of {name!r} must be one of {_REQS}, got {req!r}")
    return found


def _check_device(ctx: Context, group2ctx: Mapping[str, Context] | None) -> None:
    """Every device must be a Context, and all of them of one kind."""
    for device in (ctx, *(group2ctx or {}).values()):
        if not isinstance(device, Context):
            raise TypeError(f"ctx must be a Context, got {type(device).__name__}")
        if device.device_type != ctx.device_type:
            raise MXNetError(f"group2ctx: {device} in a graph on {ctx}: kinds of devices are mixed")


def _places(self: Symbol, ctx: Context, groups: Mapping[str, Context] | None) -> dict[str, Context]:
    """The device of each variable by name."""
    devices = place(self._entries, groups, ctx) if groups else {}
    return {n.name: devices.get(n, ctx) for n in self._walk() if n.op is None}


def _by_name(
    what: str, names: Sequence[str], given: Any, partial: bool = False
) -> dict[str, NDArray]:
    """Arrays by name, in the order of `names`; None entries are dropped when `partial`."""
    if not isinstance(given, Mapping):
        if len(given) != len(names):
            raise ValueError(f"bind: {len(given)} {what} given for {len(names)} names: {names}")
        given = dict(zip(names, given, strict=True))
    missing = [n for n in names if given.get(n) is None]
    if missing and not partial:
        raise ValueError(f"key `{missing[0]}` is missing in `{what}`")
    for name in names:
        x = given.get(name)
        if x is not None and not hasattr(x, "_data"):
            raise TypeError(f"bind: {what}[{name!r}] must be an NDArray, got {type(x).__name__}")
    return {n: given[n] for n in names if given.get(n) is not None}
