"""Eager calls: the readable specification of what the native fast path does for common cases."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import state
from ..backend import active, array_module, move, of_array
from ..base import MXNetError, _as_list
from ..context import Context, current_context
from ..graph.tape import HostKey, Plan, TapeNode, make_plan
from ..native import native
from ..ops.attrs import Attrs
from ..ops.device import generator
from ..ops.op import Op, Spec
from ..ops.rules import known
from ..ops.stored import Stored, converted, dense, settled, stype_of, write
from ..streams import reserve
from .prepared import launched

_PLANS: dict[Any, Plan] = {}
_PLAN_LIMIT = 16384  # plans kept before the memo starts afresh
blocked_call: Any = None  # (op, inputs, attrs, cls) -> outputs or None, where images may be blocked
CLASSES: dict[type, type] = {}  # class of NDArrays over each type of raw array that is not dense


def find_plan(op: Op, attrs: Attrs, specs: tuple, stypes: tuple | None = None) -> Plan:
    """The plan for inputs of these (shape, dtype), from the memo where it was made before.

    stypes : storage types of the inputs where an input or result is sparse.
    """
    key = (op, attrs, specs) if stypes is None else (op, attrs, specs, stypes)
    plan = _PLANS.get(key)
    if plan is None:
        if len(_PLANS) >= _PLAN_LIMIT:
            _PLANS.clear()
        plan = _PLANS[key] = make_plan(op, attrs, specs, stypes)
    return plan


def invoke(
    op: Op, inputs: Sequence[Any], raw: Mapping[str, Any], out: Any = None, cls: type | None = None
) -> Any:
    """Apply an operator to NDArrays: one array, or a list where it has several visible outputs.

    raw : attributes as the caller gave them.      out : array(s) that take the results.
    cls : class of the results; needed where there are no inputs.
    """
    if op.variadic and op.variadic not in raw:
        raw = {**raw, op.variadic: len(inputs)}
    attrs = op.attributes(raw, state.is_training())
    if out is None and op.element is not None and inputs:
        made = _prepared(op, inputs, attrs, cls)
        if made is not None:
            return made
    return invoke_parsed(op, inputs, attrs, out, cls)


def _prepared(op: Op, inputs: Sequence[Any], attrs: Attrs, cls: type | None) -> Any:
    """What a prepared launch makes of dense arrays of one GPU; None: as any other call."""
    ctx = getattr(inputs[0], "_ctx", None)
    if ctx is None or ctx.device_typeid != 2 or not (state.precision is state.listener is None):
        return None
    kind, arrays, key = type(inputs[0]._data), [], [op, id(attrs), ctx.device_id]
    for x in inputs:
        data = getattr(x, "_data", None)
        if type(data) is not kind or x._ctx.device_id != ctx.device_id:
            return None
        arrays.append(data)
        key += data.shape, data.dtype
    found = launched(tuple(key), attrs, arrays, find_plan)
    if found is None:
        return None
    data, plan = found
    made = _new(cls or dense_class(inputs[0]), data, ctx)
    if state.is_recording() and plan.differentiable and any(x._node is not None for x in inputs):
        _record(plan, inputs, arrays, [data], [made])
    return made


def invoke_parsed(
    op: Op, inputs: Sequence[Any], attrs: Attrs, out: Any = None, cls: type | None = None
) -> Any:
    """`invoke` with attributes parsed already."""
    if state.precision is not None:
        check_inputs(op, inputs, attrs)
        inputs = state.precision(op, list(inputs), attrs)
    made = invoke_all(op, inputs, attrs, out, cls)[: op.visible(attrs)]
    if out is not None:
        return out
    return made[0] if len(made) == 1 else made


def invoke_all(
    op: Op, inputs: Sequence[Any], attrs: Attrs, out: Any = None, cls: type | None = None
) -> list[Any]:
    """All outputs of a call as NDArrays, hidden ones too; recorded when they should be."""
    if state.listener is None:
        return _invoke_all(op, inputs, attrs, out, cls)
    begin = time.perf_counter_ns()
    made = _invoke_all(op, inputs, attrs, out, cls)
    state.listener(op.name, begin, time.perf_counter_ns())
    return made


def _invoke_all(op: Op, inputs: Sequence[Any], attrs: Attrs, out: Any, cls: type | None) -> list:
    if out is None and blocked_call is not None and (op.blocked is not None or op.pointwise):
        made = blocked_call(op, inputs, attrs, cls)
        if made is not None:
            return made
    check_inputs(op, inputs, attrs)
    if op.moves is not None:
        return _move(op, inputs[0], attrs)
    device = _device(op, inputs, attrs)
    if device.device_typeid != 2:
        return _invoke_on(device, op, inputs, attrs, out, cls)
    with active(device):
        return _invoke_on(device, op, inputs, attrs, out, cls)


def _move(op: Op, x: Any, attrs: Attrs) -> list:
    """A copy on another device."""
    made = [_new(dense_class(x), move(x._data, op.moves), op.moves)]
    if state.is_recording() and x._node is not None:
        plan = find_plan(op, attrs, ((x._data.shape, x._data.dtype),))
        _record(plan, [x], [x._data], [made[0]._data], made)
    return made


def _invoke_on(
    device: Context, op: Op, inputs: Sequence[Any], attrs: Attrs, out: Any, cls: type | None
) -> list:
    arrays = [x._data for x in inputs]
    xp = array_module(device)
    given = [] if out is None else list(_as_list(out))
    plan = plan_for(op, attrs, arrays, [getattr(x, "_data", None) for x in given])
    if plan.outs is None:
        plan, results = _execute_dynamic(plan, xp, [dense(a) for a in arrays])
        for target, value in zip(_check_out(plan, given) if given else (), results, strict=False):
            write(target, value)
    else:
        results = execute(plan, xp, arrays, _check_out(plan, given) if given else None)
    cls = cls or dense_class(inputs[0])
    made = given + [_new(cls, data, device) for data in results[len(given) :]]
    if state.is_recording() and plan.differentiable and any(x._node is not None for x in inputs):
        _record(plan, inputs, arrays, results, made)
    return made


def plan_for(op: Op, attrs: Attrs, arrays: Sequence[Any], outs: Sequence[Any] = ()) -> Plan:
    """The plan for raw arrays of any storage, results going to `outs`."""
    if len(outs) == 1 and not arrays and not isinstance(outs[0], Stored):
        return _plan_into(op, attrs, outs[0])
    stypes = tuple(map(stype_of, arrays))
    stored = op.is_stored(attrs, stypes) or any(isinstance(x, Stored) for x in outs)
    specs = tuple((a.shape, a.dtype) for a in arrays)
    return find_plan(op, attrs, specs, stypes if stored else None)


def _plan_into(op: Op, attrs: Attrs, out: Any) -> Plan:
    """The plan of a call without inputs: what its attributes leave open follows from `out`."""
    (shape,), (dtype,) = (
        op.infer_shapes(attrs, [], [None])[1],
        op.infer_dtypes(attrs, [], [None])[1],
    )
    if out is None or (known(shape) and dtype is not None):
        return find_plan(op, attrs, ())
    (shape,) = op.infer_shapes(attrs, [], [out.shape])[1]
    return Plan(op, attrs, (), (Spec(tuple(shape), dtype or out.dtype),))


def dense_class(x: Any) -> type:
    """The class of dense results of an array."""
    return getattr(type(x), "_dense_class", type(x))


def adopt(op: Op, x: Any, raw: Mapping[str, Any], data: Any) -> Any:
    """What `op` makes of `x`, known already: `data`, which may share memory with `x`."""
    plan = find_plan(op, op.attributes(raw, state.is_training()), ((x._data.shape, x._data.dtype),))
    made = _new(type(x), data.reshape(plan.outs[0].shape), x.context)
    if state.is_recording() and x._node is not None:
        _record(plan, [x], [x._data], [made._data], [made])
    return made


def check_inputs(op: Op, inputs: Sequence[Any], attrs: Attrs) -> None:
    """MXNetError that names the operator and argument unless every input is an array."""
    op.check_count(attrs, len(inputs))
    for i, x in enumerate(inputs):
        if not hasattr(x, "_data"):
            name = op.input_names(attrs, len(inputs))[i : i + 1] or [f"number {i}"]
            raise MXNetError(
                f"operator {op.name}: input {name[0]} must be an NDArray, got {type(x).__name__}"
            )


def _device(op: Op, inputs: Sequence[Any], attrs: Attrs) -> Context:
    """The device of all inputs (CPU devices differ in name only and may meet)."""
    if not inputs:
        named = attrs.get("ctx")  # "cpu": MXNet's default of some operators, "None": in its files
        unsaid = named in (None, "", "cpu", "None")
        try:
            return current_context() if unsaid else Context.from_string(named)
        except MXNetError as error:
            raise MXNetError(f"operator {op.name}: attribute ctx: {error}") from None
    first = inputs[0].context
    if all(x.context is first for x in inputs):
        return first
    devices = {x.context for x in inputs if type(x._data) is not HostKey}
    if len(devices) > 1 and any(d.device_type == "gpu" for d in devices):
        raise MXNetError("inputs are on different devices: " + ", ".join(map(str, devices)))
    return first


def execute(
    plan: Plan, xp: Any, arrays: Sequence[Any], outs: Sequence[Any] | None = None
) -> list[Any]:
    """Run a planned call on raw arrays: all outputs; inputs that the operator mutates change.

    outs : arrays for the visible outputs, or None for fresh ones.
    """
    if plan.stypes is not None:
        return _execute_stored(plan, xp, arrays, outs)
    op, attrs = plan.op, plan.attrs
    streams = reserve(1) if op.is_random else (0, 0)
    mutated = [arrays[i] for i in op.mutated(attrs)]
    if plan.params is not None and xp is np:
        results = _targets(plan, arrays, outs)
        numbers = plan.params
        if op.is_random:
            numbers = (*numbers, streams[0] >> 32, streams[0] & 0xFFFFFFFF, streams[1])
        try:
            native.run_kernel(plan.kernel, list(arrays), [*results, *mutated], numbers)
        except IndexError as error:  # an index read from an input
            raise IndexError(f"operator {op.name}: {error}") from None
    else:
        rng = generator(xp, *streams) if op.is_random else None
        values = op.run(xp, attrs, arrays, rng)
        count = len(plan.outs)
        with np.errstate(all="ignore"):  # MXNet casts to inf without a word
            results = [_fitted(xp, v, s) for v, s in zip(values[:count], plan.outs, strict=True)]
            for target, value in zip(mutated, values[count:], strict=True):
                target[...] = value
        results = [_own(xp, r, arrays) for r in results]
    for target, value in zip(outs or (), results, strict=False):
        if target is not value:
            target[...] = value
    return results


def _execute_dynamic(plan: Plan, xp: Any, arrays: Sequence[Any]) -> tuple[Plan, list[Any]]:
    """Run an operator whose outputs are known only then: the whole plan, and all outputs."""
    op, attrs = plan.op, plan.attrs
    unknown = [None] * len(op.output_names(attrs))
    _, dtypes = op.infer_dtypes(attrs, [s.dtype for s in plan.ins], unknown)
    values = [xp.asarray(v) for v in op.run(xp, attrs, arrays)]
    outs = tuple(Spec(v.shape, d) for v, d in zip(values, dtypes, strict=True))
    results = [_own(xp, _fitted(xp, v, s), arrays) for v, s in zip(values, outs, strict=True)]
    return Plan(op, attrs, plan.ins, outs, plan.stypes), results


def _execute_stored(
    plan: Plan, xp: Any, arrays: Sequence[Any], outs: Sequence[Any] | None
) -> list[Any]:
    """`execute` where an input or result is sparse: the fitting case, or dense copies."""
    op, attrs = plan.op, plan.attrs
    found = op.stored_case(attrs, plan.stypes)
    if found is None:
        rng = generator(xp, *reserve(1)) if op.is_random else None
        values = op.run(xp, attrs, [dense(a) for a in arrays], rng)
    else:
        with np.errstate(all="ignore"):
            values = found.body(op, xp, attrs, arrays)
        values = values if isinstance(values, tuple) else (values,)
    count = len(plan.outs)
    mutated = [arrays[i] for i in op.mutated(attrs)]
    for target, value in zip(mutated, values[count:], strict=True):
        write(target, value)
    results = list(outs or ())
    for target, value in zip(results, values, strict=False):
        write(target, value)
    stypes = op.result_stypes(attrs, plan.stypes)
    for i in range(len(results), count):
        results.append(_fresh(xp, values[i], plan.outs[i], stypes[i], arrays))
    return results


def _fresh(xp: Any, value: Any, spec: Any, stype: str, arrays: Sequence[Any]) -> Any:
    """A body's result as an array of its own in the inferred storage and dtype."""
    value = converted(settled(value), stype)
    if not isinstance(value, Stored):
        return _own(xp, _fitted(xp, value, spec), [a for a in arrays if not isinstance(a, Stored)])
    made = value.astype(spec.dtype)
    sources = [getattr(a, "values", a) for a in arrays]
    return made.copy() if any(xp.may_share_memory(made.values, s) for s in sources) else made


def _targets(plan: Plan, arrays: Sequence[Any], outs: Sequence[Any] | None) -> list[np.ndarray]:
    """Where a kernel writes: the caller's arrays where that is safe, else fresh ones."""
    if not outs:
        return [np.empty(s.shape, s.dtype) for s in plan.outs]
    readers: dict[int, list[int]] = {}
    for k, a in enumerate(arrays):
        readers.setdefault(_memory(a), []).append(k)
    names = plan.names
    if names is None:
        names = plan.names = plan.op.input_names(plan.attrs, len(arrays))
    results = []
    for i, spec in enumerate(plan.outs):
        target = outs[i] if i < len(outs) else None
        safe = target is not None and target.dtype == spec.dtype
        if safe:
            clash = readers.get(_memory(target), ())
            safe = all(names[k] == plan.op.overwrites(i) for k in clash)
        results.append(target if safe else np.empty(spec.shape, spec.dtype))
    return results


def _memory(a: np.ndarray) -> int:
    """What owns an array's memory, as an identity."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return id(a if a.base is None else a.base)


def _fitted(xp: Any, value: Any, spec: Any) -> Any:
    """A body's result as a contiguous array of the inferred dtype and shape."""
    if type(value) is xp.ndarray and value.shape == spec.shape and value.dtype == spec.dtype:
        return value if value.flags.c_contiguous else value.copy()
    array = xp.asarray(value, dtype=spec.dtype, order="C")
    if array.shape != spec.shape:
        array = xp.broadcast_to(array, spec.shape) if array.size != spec.size else array
        array = xp.ascontiguousarray(array).reshape(spec.shape)
    return array


def _own(xp: Any, result: Any, arrays: Sequence[Any]) -> Any:
    """`result`, copied if a body handed back an input or a view of one."""
    shares = of_array(result).shares
    return result.copy() if any(shares(result, a) for a in arrays) else result


def _check_out(plan: Plan, made: list[Any]) -> list[Any]:
    """The raw arrays behind ``out=``; MXNetError unless they fit the outputs."""
    if len(made) != plan.visible:
        raise MXNetError(
            f"operator {plan.op.name}: out needs {plan.visible} arrays, got {len(made)}"
        )
    for x, spec in zip(made, plan.outs, strict=False):
        if not hasattr(x, "_data"):
            raise MXNetError(
                f"operator {plan.op.name}: out must be an NDArray, got {type(x).__name__}"
            )
        if tuple(x.shape) != spec.shape:
            raise MXNetError(
                f"operator {plan.op.name}: out has shape {x.shape}, expected {spec.shape}"
            )
        if x._data.dtype != spec.dtype and plan.ins:
            raise MXNetError(
                f"operator {plan.op.name}: out has dtype {x._data.dtype}, expected {spec.dtype}"
            )
        if isinstance(x._data, np.ndarray) and not x._data.flags.writeable:
            raise MXNetError(f"operator {plan.op.name}: out is a read-only array")
        if state.is_recording() and isinstance(x._node, TapeNode):
            raise MXNetError(
                f"operator {plan.op.name}: out is part of a recorded graph; "
                "writing it in place would change what backward needs"
            )
    return [x._data for x in made]


def _record(plan: Plan, inputs: Sequence[Any], arrays: list, results: list, made: list) -> None:
    saved = [a if keep else None for a, keep in zip((*arrays, *results), plan.saves, strict=True)]
    parents = tuple(x._node for x in inputs)
    node = TapeNode(plan, parents, tuple(x._index for x in inputs), tuple(saved))
    for i, x in enumerate(made):
        x._node, x._index = node, i


def _new(cls: type, data: Any, device: Context) -> Any:
    """A fresh NDArray over raw data, not on the tape."""
    cls = CLASSES.get(type(data), cls)
    x = cls.__new__(cls)
    x._data = data
    x._node = None
    x._index = 0
    x._ctx = device
    return x
