"""Operators written in Python: `CustomOp`, `CustomOpProp`, `register`."""

from __future__ import annotations

import inspect
import itertools
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import state
from .backend import of_array
from .base import MXNetError
from .context import Context, current_context
from .dtypes import as_dtype
from .graph.function import PLAIN_FACTS
from .ndarray import NDArray
from .ops import rules
from .ops.attrs import Attr, AttrType
from .ops.op import Gradient, Op, Spec, get
from .util import in_mode

__all__ = [
    "CustomOp",
    "CustomOpProp",
    "register",
]


class CustomOp:
    """What a custom operator computes: subclass, define `forward` and, to train, `backward`.

    Both get lists of NDArrays and write their results into `out_data` and `in_grad`, best by
    `assign`. `req` says for each result whether to ``"write"``, ``"add"`` or leave it (``"null"``).

    >>> class Square(mx.operator.CustomOp):
    ...     def forward(self, is_train, req, in_data, out_data, aux):
    ...         self.assign(out_data[0], req[0], in_data[0] * in_data[0])
    ...     def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
    ...         self.assign(in_grad[0], req[0], 2 * in_data[0] * out_grad[0])
    >>> @mx.operator.register("documented_square")
    ... class SquareProp(mx.operator.CustomOpProp):
    ...     def create_operator(self, ctx, shapes, dtypes):
    ...         return Square()
    >>> mx.nd.Custom(mx.nd.array([3.0]), op_type="documented_square").asnumpy()
    array([9.], dtype=float32)
    """

    def forward(
        self, is_train: bool, req: list[str], in_data: list, out_data: list, aux: list
    ) -> None:
        """Compute `out_data` from `in_data`; `aux` are states that it may change."""

    def backward(
        self,
        req: list[str],
        out_grad: list,
        in_data: list,
        out_data: list,
        in_grad: list,
        aux: list,
    ) -> None:
        """Compute `in_grad` from `out_grad` and what `forward` read and wrote."""

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Write `src` to `dst`, add it, or do nothing, as `req` says."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src


class CustomOpProp:
    """What is known of a custom operator before it runs: names, shapes, types, and its maker.

    need_top_grad : whether the gradient reads the head gradient; False for a loss.
    """

    def __init__(self, need_top_grad: bool = True) -> None:
        self.need_top_grad_ = need_top_grad

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states."""
        return []

    def infer_shape(self, in_shape: list) -> tuple:
        """Shapes of inputs, outputs and auxiliary states (all like the first input's).

        Unknown shapes are ``[]``, unknown dimensions 0.
        """
        states = [in_shape[0]] * len(self.list_auxiliary_states())
        return in_shape, [in_shape[0]] * len(self.list_outputs()), states

    def infer_type(self, in_type: list) -> tuple:
        """Types of inputs, outputs and auxiliary states (all like the first input's)."""
        states = [in_type[0]] * len(self.list_auxiliary_states())
        return in_type, [in_type[0]] * len(self.list_outputs()), states

    def infer_storage_type(self, in_stype: list) -> tuple:
        """Storage types; baryon's arrays are dense, so this is never asked."""
        outs = ["default"] * len(self.list_outputs())
        return in_stype, outs, ["default"] * len(self.list_auxiliary_states())

    def infer_storage_type_backward(
        self, ograd_stype: list, in_stype: list, out_stype: list, igrad_stype: list, aux_stype: list
    ) -> tuple:
        """Storage types in the backward pass; never asked either."""
        given = ograd_stype, in_stype, out_stype, igrad_stype, aux_stype
        return tuple(["default"] * len(types) for types in given)

    def declare_backward_dependency(
        self, out_grad: list[int], in_data: list[int], out_data: list[int]
    ) -> list[int]:
        """Those of the given numbers whose arrays `CustomOp.backward` reads."""
        return [*(out_grad if self.need_top_grad_ else ()), *in_data, *out_data]

    def create_operator(self, ctx: Any, in_shapes: list, in_dtypes: list) -> CustomOp:
        """The `CustomOp` for inputs and states of these shapes and types."""
        return CustomOp()


_PROPS: dict[str, Callable[..., CustomOpProp]] = {}
_SHARED: dict[Any, _Custom] = {}  # operators of eager calls, by registered class and arguments
_SHARED_LIMIT = 1024
_LIVE: dict[int, CustomOp] = {}  # what eager calls made and their backward passes may ask for
_numbers = itertools.count()


def register(reg_name: str) -> Callable[[type], type]:
    """A class decorator that makes a `CustomOpProp` known as ``op_type=reg_name``."""

    def declare(prop_cls: type) -> type:
        if not (inspect.isclass(prop_cls) and issubclass(prop_cls, CustomOpProp)):
            raise TypeError(f"register {reg_name!r}: {prop_cls!r} is no subclass of CustomOpProp")
        _PROPS[reg_name] = prop_cls
        return prop_cls

    return declare


# ---- the operator behind one registered class and its arguments ----------------------------------


@contextmanager
def _user_code(op_type: str, what: str, train: bool = False) -> Iterator[None]:
    """Run user code unrecorded; what it raises becomes an MXNetError that shows the traceback."""
    recording, training = state.set_recording(False), state.set_training(train)
    try:
        yield
    except Exception as error:
        text = traceback.format_exc()
        raise MXNetError(f"Error in {op_type}.{what}: {text}") from error
    finally:
        state.set_recording(recording)
        state.set_training(training)


_TEXT = AttrType("string", str)


class _Custom(Op):
    """A custom operator for one set of arguments.

    Its hidden last output numbers the `CustomOp` that an eager call made, so that the backward
    pass finds it. A compiled graph has an operator of its own for each node (`for_graph`), which
    keeps one `CustomOp` for all its runs.
    """

    replays = False

    def __init__(self, raw: Mapping[str, str], prop: CustomOpProp, owner: bool = False) -> None:
        self.raw, self.prop, self._owner = dict(raw), prop, owner
        self.op_type = self.raw["op_type"]
        self._kept: CustomOp | None = None
        with _user_code(self.op_type, "list_arguments"):
            self.names = tuple(prop.list_arguments())
            self.states = tuple(prop.list_auxiliary_states())
            outs = tuple(prop.list_outputs())
        super().__init__(
            self._forward,
            "Custom",
            **{
                **PLAIN_FACTS,
                "outputs": (*outs, "operator_number"),
                "visible": len(outs),
                "counted": lambda attrs: len(outs),
                "aux": self.states,
                "mutates": self.states,
            },
        )
        self.__doc__ = type(prop).__doc__
        self.count = len(outs)
        self._declare_gradient()

    def _read_signature(self, variadic: str | None) -> None:
        self.inputs = (*self.names, *self.states)
        self.attrs = {k: Attr(k, _TEXT, None, required=False) for k in self.raw}
        self.attrs.update((k, Attr(k, _TEXT, v, required=False)) for k, v in self.raw.items())
        self.optional, self.variadic, self.hidden, self.many = set(), None, {"train"}, False

    def for_graph(self) -> Op:
        return _Custom(self.raw, self.prop, owner=True)

    # ---- inference -------------------------------------------------------------------------------

    def infer_shapes(self, attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        n = len(self.names)
        asked = [[] if s is None else [max(d, 0) for d in s] for s in ins[:n]]
        found = self._ask_prop("infer_shape", asked, all(map(rules.known, ins[:n])))
        if found is None:
            return ins, [*outs[:-1], (1,)]
        complete = all(map(rules.known, ins[:n]))
        given, made, states = ([_shape(s, complete) for s in group] for group in found)
        given = [None if g == () else g for g in given] if not complete else given
        ins = [rules.unify(*two) for two in zip([*given, *states], ins, strict=True)]
        outs = [rules.unify(*two) for two in zip(made, outs[:-1], strict=True)]
        return ins, [*outs, (1,)]

    def infer_dtypes(self, attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        n = len(self.names)
        asked = [None if d is None else d.type for d in ins[:n]]
        found = self._ask_prop("infer_type", asked, all(d is not None for d in ins[:n]))
        token = np.dtype(np.int64)
        if found is None:
            return ins, [*outs[:-1], token]
        given, made, states = ([None if d is None else as_dtype(d) for d in g] for g in found)
        ins = [rules.unify_dtypes(two) for two in zip([*given, *states], ins, strict=True)]
        made = [rules.unify_dtypes(two) for two in zip(made, outs[:-1], strict=True)]
        return ins, [*made, token]

    def _ask_prop(self, method: str, facts: list, complete: bool) -> Sequence[list] | None:
        """What the user's inference says; None if it failed over inputs not known yet."""
        try:
            with _user_code(self.op_type, method):
                found = [list(group) for group in getattr(self.prop, method)(facts)]
        except MXNetError:
            if complete:
                raise
            return None
        found += [[]] if len(found) == 2 else []
        counts = len(self.names), self.count, len(self.states)
        if tuple(map(len, found)) != counts:
            raise MXNetError(
                f"{self.op_type}.{method}: returned lists of {[*map(len, found)]} items, expected "
                f"{counts[0]} inputs, {counts[1]} outputs and {counts[2]} auxiliary states"
            )
        return found

    # ---- computing -------------------------------------------------------------------------------

    def _create(self, arrays: Sequence[Any]) -> CustomOp:
        shapes, types = [list(a.shape) for a in arrays], [a.dtype.type for a in arrays]
        with _user_code(self.op_type, "create_operator"):
            return self.prop.create_operator(_context(arrays), shapes, types)

    def _operator(self, xp: Any, arrays: Sequence[Any]) -> tuple[CustomOp, Any]:
        """The `CustomOp` for a forward call, and its number."""
        if not self._owner:
            made, number = self._create(arrays), next(_numbers)
            _LIVE[number], token = made, xp.asarray([number])
            weakref.finalize(token, _LIVE.pop, number)
            return made, token
        if self._kept is None:
            self._kept = self._create(arrays)
        return self._kept, xp.asarray([-1])

    def _forward(self, xp: Any, /, *arrays: Any, train: bool = False, **attrs: Any) -> tuple:
        n = len(self.names)
        aux = [a.copy() for a in arrays[n:]]
        specs = self.infer(self.attributes(self.raw), _specs(arrays))
        outs = [xp.zeros(s.shape, s.dtype) for s in specs[:-1]]
        operator, number = self._operator(xp, arrays)
        wrapped = [list(map(_wrapped, group)) for group in (arrays[:n], outs, aux)]
        with _user_code(self.op_type, "forward", train):
            operator.forward(train, ["write"] * len(outs), *wrapped)
        return (*outs, number, *aux)

    # ---- the gradient ----------------------------------------------------------------------------

    def _declare_gradient(self) -> None:
        n, m = len(self.names), self.count
        ids = [*range(m)], [*range(m, m + n)], [*range(m + n, m + n + m)]
        with _user_code(self.op_type, "declare_backward_dependency"):
            needed = set(self.prop.declare_backward_dependency(*ids))
        self._reads_grads = bool(needed.intersection(ids[0]))
        self._reads_outs = bool(needed.intersection(ids[2]))
        positions = m * (self._reads_grads + self._reads_outs) + n
        backward = Op(
            self._backward,
            "_backward_Custom",
            **{
                **PLAIN_FACTS,
                "shape": lambda attrs, ins, outs: (ins, ins[:n]),
                "dtype": lambda attrs, ins, outs: (ins, ins[:n]),
                "outputs": tuple(f"in_grad{i}" for i in range(n)),
                "mutates": lambda attrs: range(positions, positions + len(self.states)),
            },
        )
        backward.replays = False

        def rule(outs: list, dys: list | None = None, **inputs: Any) -> Any:
            data = [inputs[name] for name in self.inputs]
            given = [*(dys[:m] if dys else ()), *(outs[:m] if self._reads_outs else ())]
            found = backward(*data[:n], *given, *data[n:], outs[m])
            return found if isinstance(found, list) else [found]

        reads = ("outs", *(("dys",) if self._reads_grads else ()), *self.inputs)
        self.gradients.append(Gradient(self.names, rule, reads))

    def _backward(self, xp: Any, *data: Any) -> tuple:
        n, m, rest = len(self.names), self.count, list(data)

        def take(count: int) -> list:
            taken, rest[:count] = rest[:count], []
            return taken

        ins = take(n)
        dys = take(m) if self._reads_grads else None
        outs = take(m) if self._reads_outs else None
        aux, (number,) = [a.copy() for a in take(len(self.states))], rest
        if dys is None or outs is None:  # MXNet hands over arrays without meaning
            specs = self.infer(self.attributes(self.raw), _specs([*ins, *aux]))[:-1]
            blank = [xp.zeros(s.shape, s.dtype) for s in specs]
            dys, outs = dys or blank, outs or blank
        grads = [xp.zeros_like(a) for a in ins]
        operator = self._kept if self._owner else _LIVE[int(number[0])]
        lists = [list(map(_wrapped, group)) for group in (dys, ins, outs, grads, aux)]
        with _user_code(self.op_type, "backward", train=True):
            operator.backward(["write"] * n, *lists)
        return (*grads, *aux)


def _context(arrays: Sequence[Any]) -> Context:
    """The device of an operator's inputs."""
    return Context(*of_array(arrays[0]).context_of(arrays[0])) if arrays else current_context()


def _wrapped(data: Any) -> NDArray:
    """Raw data as the kind of array that user code works with."""
    return in_mode(NDArray._wrap(data))


def _shape(given: Sequence[Any], complete: bool) -> tuple[int, ...]:
    """A shape as users state it; 0 is an unknown dimension where not all inputs were known."""
    return tuple(int(d) if d or complete else -1 for d in given)


def _specs(arrays: Sequence[Any]) -> tuple[Spec, ...]:
    return tuple(Spec(a.shape, a.dtype) for a in arrays)


def _instantiate(raw: Mapping[str, Any], graphs: Sequence[Any] | None) -> _Custom:
    """The operator that ``Custom`` means with these attributes, the same for equal eager calls."""
    texts = {k: str(v) for k, v in raw.items()}
    op_type = texts.get("op_type")
    prop_cls = _PROPS.get(op_type)
    if prop_cls is None:
        raise MXNetError(f"operator Custom: cannot find custom operator {op_type!r}")
    key = (prop_cls, *texts.items())
    if graphs is None and key in _SHARED:
        return _SHARED[key]
    given = {k: v for k, v in texts.items() if k != "op_type"}
    with _user_code(op_type, "__init__"):
        prop = prop_cls(**given)
    made = _Custom(texts, prop)
    if graphs is None:
        if len(_SHARED) >= _SHARED_LIMIT:
            _SHARED.clear()
        _SHARED[key] = made
    return made


get("Custom").instantiate = _instantiate
