"""`Executor`: a Symbol compiled for the shapes and dtypes of the arrays it is bound to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import backend
from .base import MXNetError
from .compiled import Compiled, Drawn
from .context import Context
from .graph.place import place
from .graph.plan import MemoryPlan
from .graph.program import Program
from .interpreted import Interpreted, is_dynamic
from .ndarray import NDArray, zeros
from .ndarray.sealed import read
from .ops.op import Spec
from .ops.stored import write
from .util import np_shape
from .watched import Watched

__all__ = ["Executor"]


class Executor:
    """A Symbol bound to arrays: `Symbol.bind` and `Symbol.simple_bind` make one.

    arg_arrays, grad_arrays, aux_arrays : arrays in the order of the symbol's argument and auxiliary
    names; `arg_dict`, `grad_dict`, `aux_dict` the same by name; `outputs` the results of the last
    `forward`.

    >>> net = mx.sym.var("x") * mx.sym.var("w")
    >>> arrays = {"x": mx.nd.array([2.0]), "w": mx.nd.array([3.0])}
    >>> exe = net.bind(mx.cpu(), arrays, grad_req="null")
    >>> exe.forward()[0].asnumpy()
    array([6.], dtype=float32)
    """

    arg_dict: dict[str, NDArray]
    grad_dict: dict[str, NDArray | None]
    aux_dict: dict[str, NDArray]

    def __init__(
        self,
        symbol: Any,
        ctx: Context,
        args: Mapping[str, NDArray],
        grads: Mapping[str, NDArray] | Callable[[str, str], NDArray],
        grad_req: Mapping[str, str],
        aux: Mapping[str, NDArray],
        group2ctx: Mapping[str, Context] | None = None,
        shared: Executor | None = None,
    ) -> None:
        self._symbol = symbol
        self._ctx = ctx
        self.arg_dict = dict(args)
        self.aux_dict = dict(aux)
        self._group2ctx = dict(group2ctx or {})
        absent = () if callable(grads) else self.arg_dict.keys() - grads.keys()
        self._reqs = {n: "null" if n in absent else grad_req.get(n, "null") for n in self.arg_dict}
        self._compiled: dict[bool, Compiled] = {}
        self._arenas: dict[bool, np.ndarray] = {}
        self._shared = shared
        self._trained: bool | None = None  # mode of the last forward
        self._ones: dict[int, Any] = {}
        self._on_gpu = ctx.device_type == "gpu"
        self._check_devices()
        self._spent = False  # whether a backward pass came after that
        self._streams = (0, 0)
        self._watched: Watched | None = None
        self._interpreted: Interpreted | None = None
        self.outputs: list[NDArray] = []
        if is_dynamic(symbol._entries):
            self.grad_dict = self._make_grads(grads, ["default"] * len(self._reqs))
            self._interpreted = Interpreted(symbol._entries, self.grad_dict, self._reqs)
            return
        drawn = self._draw(True)
        stypes, grad_stypes, sparse = drawn.storage(self._stypes())
        self.grad_dict = self._make_grads(grads, grad_stypes)
        if sparse or any(g.stype != "default" for g in self._wanted_grads()):
            self._interpreted = Interpreted(symbol._entries, self.grad_dict, self._reqs)
        elif drawn.wanted:  # else the first call tells which mode is wanted, often the only one
            self._compiled[True] = Compiled(drawn)
        devices = place(symbol._entries, self._group2ctx, ctx) if self._group2ctx else {}
        self.outputs = [
            _empty(spec, stype, devices.get(e.node, ctx))
            for spec, stype, e in zip(drawn.output_specs, stypes, symbol._entries, strict=True)
        ]

    def _check_devices(self) -> None:
        """MXNetError unless all arrays lie where the executor runs; all CPUs are one."""
        for name, x in {**self.arg_dict, **self.aux_dict}.items():
            place = x.context
            if (place != self._ctx) if self._on_gpu else place.device_type == "gpu":
                raise MXNetError(f"array {name!r} is on {place}, the executor on {self._ctx}")
        if any(c.device_type == "gpu" and c != self._ctx for c in self._group2ctx.values()):
            raise MXNetError("group2ctx: the groups of a graph cannot lie on several GPUs yet")

    def _make_grads(self, grads: Any, stypes: Sequence[str]) -> dict[str, NDArray | None]:
        """Gradient arrays by argument name: those given, or made for storage types."""
        if callable(grads):
            wanted = [n for n, r in self._reqs.items() if r != "null"]
            grads = {n: grads(n, s) for n, s in zip(wanted, stypes, strict=False)}
        return {n: grads.get(n) for n in self.arg_dict}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._symbol!r} on {self._ctx}>"

    @property
    def arg_arrays(self) -> list[NDArray]:
        """Arguments in the symbol's order."""
        return list(self.arg_dict.values())

    @property
    def grad_arrays(self) -> list[NDArray | None]:
        """Gradients in the symbol's argument order, None where none is wanted."""
        return list(self.grad_dict.values())

    @property
    def aux_arrays(self) -> list[NDArray]:
        """Auxiliary states in the symbol's order."""
        return list(self.aux_dict.values())

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """Outputs by name."""
        return dict(zip(self._symbol.list_outputs(), self.outputs, strict=True))

    def _stypes(self) -> dict[str, str]:
        return {n: x.stype for n, x in {**self.arg_dict, **self.aux_dict}.items()}

    def _draw(self, train: bool) -> Drawn:
        arrays = {**self.arg_dict, **self.aux_dict}
        specs = {n: Spec(x._data.shape, x._data.dtype) for n, x in arrays.items()}
        reqs = [self._reqs.get(n, "null") if train else "null" for n in arrays]
        return Drawn(self._symbol._entries, specs, train, reqs, self._on_gpu)

    def _compile(self, train: bool) -> Compiled:
        if train not in self._compiled:
            self._compiled[train] = Compiled(self._draw(train))
        return self._compiled[train]

    def _arena(self, train: bool) -> np.ndarray:
        """Memory of the program, the shared executor's where that is large enough."""
        if train not in self._arenas:
            program = self._compile(train).program
            other = self._shared
            shared = other._arena(train) if other is not None and not other._interpreted else None
            fits = shared is not None and shared.nbytes >= program.arena_bytes
            like = next((x._data for x in self.outputs), None)
            self._arenas[train] = shared if fits else program.new_arena(like)
        return self._arenas[train]

    def _inputs(self) -> list[np.ndarray]:
        return [x._data for x in (*self.arg_dict.values(), *self.aux_dict.values())]

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Compute the outputs. Keyword arguments are copied into the arguments of those names."""
        for name, value in kwargs.items():
            if name not in self.arg_dict:
                raise TypeError(f"forward: unknown argument {name!r}; there are {[*self.arg_dict]}")
            _assign(name, self.arg_dict[name], value)
        is_train = bool(is_train)
        if self._interpreted is not None:
            made = self._interpreted.forward({**self.arg_dict, **self.aux_dict}, is_train)
            self.outputs = _renewed(self.outputs, made)
        else:
            compiled = self._compile(is_train)
            self._streams = compiled.program.reserve_streams()
            outs = [x._data for x in self.outputs]
            given = [*self.arg_dict.values(), *self.aux_dict.values()]
            inputs, stamps = compiled.take(given) or read(given, compiled.kept)
            compiled.forward(inputs, outs, self._arena(is_train), self._streams, stamps)
        self._trained, self._spent = is_train, False
        if self._watched is not None:
            self._watched.run({**self.arg_dict, **self.aux_dict}, is_train, self._streams)
        return self.outputs

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:
        """Compute gradients of the last ``forward(is_train=True)`` into the gradient arrays.

        out_grads : gradients of the outputs (one, a list or a dict by output name); only loss
                    outputs, which ignore theirs, can do without.
        """
        if not is_train:
            raise MXNetError("backward(is_train=False) has no gradient to compute")
        if self._trained is None:
            raise MXNetError("backward: call forward(is_train=True) first")
        if not self._trained:  # MXNet runs backward in training mode whatever came before
            self.forward(is_train=True)
        given = self._given_grads(out_grads)
        if self._interpreted is not None:
            self._interpreted.backward(given)
            return
        dys = self._head_grads(given)
        grads = [g._data for g in self._wanted_grads()]
        outs = [x._data for x in self.outputs]
        if self._spent:  # by an earlier backward, which used the memory of values it had read
            arena = self._arena(True)
            self._compile(True).forward(self._inputs(), outs, arena, self._streams)
        self._spent = True
        self._compile(True).backward(
            self._inputs(), outs, dys, grads, self._arena(True), self._streams
        )

    # ---- steps of training as one program --------------------------------------------------------

    def compiled_step(self) -> Compiled | None:
        """Forward and backward, for others to put more behind them and `run_step` that.

        None where this is not one program, or an output is not a loss.
        """
        if self._interpreted is not None or self._watched is not None:
            return None
        compiled = self._compile(True)
        return None if any(compiled.reads_head_grad) else compiled

    def places(self) -> dict[str, tuple[int, int]]:
        """For each argument with a gradient, which externals of `compiled_step` both are."""
        wanted = [n for n in self.grad_dict if self._reqs[n] != "null"]
        first = len(self.arg_dict) + len(self.aux_dict) + 2 * len(self.outputs)
        order = {n: i for i, n in enumerate(self.arg_dict)}
        return {n: (order[n], first + i) for i, n in enumerate(wanted)}

    def run_step(
        self, program: Program, more: Sequence[np.ndarray], numbers: Sequence[float]
    ) -> None:
        """Forward, backward, and what `program` does after them to `more` arrays, in one run."""
        self._streams = program.reserve_streams()
        outs = [x._data for x in self.outputs]
        grads = [g._data for g in self._wanted_grads()]
        externals = [*self._inputs(), *[None] * len(outs), *outs, *grads, *more]
        program.run(0, self._arena(True), externals, self._streams, numbers=numbers)
        self._trained = self._spent = True

    def _wanted_grads(self) -> list[NDArray]:
        return [g for n, g in self.grad_dict.items() if self._reqs[n] != "null"]

    def _given_grads(self, given: Any) -> list[NDArray | None]:
        """Gradients of all outputs, or none of any."""
        if given is None:
            given = []
        elif isinstance(given, NDArray):
            given = [given]
        elif isinstance(given, Mapping):
            given = [given.get(n) for n in self._symbol.list_outputs()]
        if given and len(given) != len(self.outputs):
            raise MXNetError(
                f"backward: {len(self.outputs)} outputs but {len(given)} output gradients"
            )
        return list(given)

    def _head_grads(self, given: list[NDArray | None]) -> list[np.ndarray]:
        """One raw array for each output."""
        found = []
        for i in range(len(self.outputs)):
            dy = given[i] if given else None
            if dy is None and self._compile(True).reads_head_grad[i]:
                raise MXNetError(
                    f"backward: output {i} ({self._symbol.list_outputs()[i]}) is not a loss, so "
                    "out_grads must give the gradient of it"
                )
            if dy is not None:
                self._check_gradient(i, dy)
            found.append(self._one(i) if dy is None else dy._data)
        return found

    def _check_gradient(self, i: int, dy: NDArray) -> None:
        """MXNetError unless the gradient of output `i` has its shape and device."""
        want, place = self.outputs[i].shape, dy.context
        if dy.shape != want:
            raise MXNetError(
                f"backward: gradient of output {i} has shape {dy.shape}, expected {want}"
            )
        if "gpu" in (place.device_type, self._ctx.device_type) and place != self._ctx:
            raise MXNetError(f"backward: gradient of output {i} is on {place}, not {self._ctx}")

    def _one(self, i: int) -> Any:
        """Ones for the gradient of output `i`, the same array in every pass."""
        if i not in self._ones:
            data = self.outputs[i]._data
            with backend.active(self._ctx):
                self._ones[i] = backend.of_array(data).xp.ones(data.shape, data.dtype)
        return self._ones[i]

    def copy_params_from(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy values into arguments and auxiliary states by name."""
        for target, source in ((self.arg_dict, arg_params), (self.aux_dict, aux_params or {})):
            for name, value in source.items():
                if name in target:
                    _assign(name, target[name], value)
                elif not allow_extra_params:
                    raise ValueError(f"parameter {name!r} is not an argument of the symbol")

    def reshape(
        self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Any
    ) -> Executor:
        """An executor for other input shapes that shares every array whose shape stays.

        partial_shaping : allow arguments not named here to change shape.
        allow_up_sizing : allow arrays to grow (new memory).
        """
        for name in kwargs:
            if name not in self.arg_dict:
                raise MXNetError(
                    f"reshape: unknown argument {name!r}; there are {[*self.arg_dict]}"
                )
        arg_shapes, _, aux_shapes = self._symbol.infer_shape(**kwargs)
        args, grads = {}, {}
        for (name, old), shape in zip(self.arg_dict.items(), arg_shapes, strict=True):
            if old.shape != shape and name not in kwargs and not partial_shaping:
                raise MXNetError(
                    f"reshape: shape of {name!r} would change from {old.shape} to {shape}; "
                    "pass partial_shaping=True to allow it"
                )
            args[name] = self._resized(name, old, shape, allow_up_sizing)
            grad = self.grad_dict[name]
            if grad is not None:
                grads[name] = self._resized(name, grad, shape, allow_up_sizing)
        aux = {
            name: self._resized(name, old, shape, allow_up_sizing)
            for (name, old), shape in zip(self.aux_dict.items(), aux_shapes, strict=True)
        }
        return Executor(self._symbol, self._ctx, args, grads, self._reqs, aux, self._group2ctx)

    def _resized(self, name: str, old: NDArray, shape: tuple, allow_up_sizing: bool) -> NDArray:
        if old.shape == shape:
            return old
        if np.prod(shape) > old.size and not allow_up_sizing:
            raise MXNetError(
                f"reshape: array {name!r} would grow from {old.shape} to {shape}; "
                "pass allow_up_sizing=True to allow it"
            )
        return zeros(shape, old.context, dtype=old.dtype, stype=old.stype)

    def set_monitor_callback(
        self, callback: Callable[[str, NDArray], Any] | None, monitor_all: bool = False
    ) -> None:
        """Call ``callback(name, array)`` for every node's outputs after each forward pass.

        monitor_all : also for variables and for each node's inputs. None as callback ends it.
        A watched pass costs two: the nodes are computed again, apart from the executor's own run.
        """
        by_calls = self._interpreted is not None
        made = None if callback is None else Watched(self._symbol, callback, monitor_all, by_calls)
        self._watched = made

    def get_optimized_symbol(self) -> Any:
        """The symbol that runs: the one that was bound, for passes work on its compiled form."""
        return self._symbol

    def memory_plan(self, is_train: bool = True) -> MemoryPlan:
        """The arena's plan: bytes naive, lower bound and planned, and each buffer's life.

        >>> exe = mx.sym.relu(mx.sym.var("x")).simple_bind(mx.cpu(), x=(2, 3))
        >>> plan = exe.memory_plan()
        >>> plan.lower_bound <= plan.planned <= plan.naive
        True
        """
        return self._program(bool(is_train)).plan

    def _program(self, train: bool) -> Program:
        if self._interpreted is not None:
            raise MXNetError("a graph that is computed call by call has no memory plan")
        return self._compile(train).program

    def debug_str(self) -> str:
        """The instructions in the order in which they run, and the memory plan."""
        program = self._program(True)
        lines = [f"{i.name}: {i.op.name}" for i in program.lowered.instructions]
        return "\n".join([*lines, str(program.plan)])


def _renewed(outputs: list[NDArray], made: list[NDArray]) -> list[NDArray]:
    """The outputs with new values, in the arrays that users may hold where these still fit."""

    def form(x: NDArray) -> tuple:
        return x.shape, x.dtype, x.stype

    if list(map(form, outputs)) != list(map(form, made)):
        return made
    for old, new in zip(outputs, made, strict=True):
        write(old._data, new._data)
    return outputs


def _assign(name: str, target: NDArray, value: Any) -> None:
    """Copy `value` into an argument's array."""
    if tuple(np.shape(value) if not isinstance(value, NDArray) else value.shape) != target.shape:
        got = value.shape if hasattr(value, "shape") else np.shape(value)
        raise ValueError(f"argument {name!r} has shape {target.shape}, got {tuple(got)}")
    target[:] = value


def _empty(spec: Spec, stype: str, ctx: Context) -> NDArray:
    with np_shape(True):  # a result may have no axes or no elements in legacy mode, too
        return zeros(spec.shape, ctx, dtype=spec.dtype, stype=stype)
