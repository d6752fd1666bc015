"""Symbols against expected outputs, expected gradients and finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray
from ..context import Context, current_context
from ..dtypes import as_dtype
from ..executor import Executor
from ..ndarray import NDArray
from ..symbol import Symbol
from ._tolerances import (
    assert_almost_equal,
    default_atols,
    default_numeric_eps,
    default_rtols,
)

Arrays = Sequence[Any] | Mapping[str, Any]


def simple_forward(
    sym: Symbol, ctx: Context | None = None, is_train: bool = False, **inputs: Any
) -> Any:
    """Outputs of a symbol as NumPy arrays; a single one is not put into a list.

    >>> x = mx.sym.var("x")
    >>> mx.test_utils.simple_forward(2 * x, x=np.ones(2))
    array([2., 2.], dtype=float32)
    """
    arrays = {name: ndarray.array(value) for name, value in inputs.items()}
    executor = sym.bind(ctx or current_context(), args=arrays)
    outputs = [y.asnumpy() for y in executor.forward(is_train=is_train)]
    return outputs[0] if len(outputs) == 1 else outputs


def _by_name(names: list[str], given: Arrays, what: str, kind: str) -> dict[str, Any]:
    """Values by name; ValueError unless there is one for each name."""
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ValueError(
                f"Symbol {kind} and keys of the given {what} do not match.symbol {kind}:"
                f"{set(names)}, {what}.keys():{set(given)}"
            )
        return {name: given[name] for name in names}
    if len(given) != len(names):
        raise ValueError(f"{what}: {len(given)} arrays for the {kind} {names}")
    return dict(zip(names, given, strict=True))


def _arrays(named: Mapping[str, Any], ctx: Context, dtype: Any) -> dict[str, NDArray]:
    """Copies on a device: NDArrays as they are, others as `dtype`."""
    return {
        name: value.copyto(ctx)
        if isinstance(value, NDArray)
        else ndarray.array(np.asarray(value), ctx=ctx, dtype=dtype)
        for name, value in named.items()
    }


def _bound(
    sym: Symbol,
    location: Arrays,
    aux_states: Arrays | None,
    ctx: Context,
    dtype: Any,
    grad_req: Any = "null",
    grads: Mapping[str, NDArray] | None = None,
) -> Executor:
    """An executor over copies of given arrays."""
    args = _arrays(_by_name(sym.list_arguments(), location, "location", "args"), ctx, dtype)
    names = sym.list_auxiliary_states()
    aux = (
        _arrays(_by_name(names, aux_states or {}, "aux_states", "aux"), ctx, dtype) if names else {}
    )
    return sym.bind(ctx, args=args, args_grad=grads, grad_req=grad_req, aux_states=aux)


def check_symbolic_forward(
    sym: Symbol,
    location: Arrays,
    expected: Arrays,
    rtol: float | None = None,
    atol: float | None = None,
    aux_states: Arrays | None = None,
    ctx: Context | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> list[NDArray]:
    """Compare a symbol's outputs with expected ones; returns them.

    location   : arguments in order, or by name.
    expected   : outputs in order, or by name.
    aux_states : auxiliary states, likewise.

    >>> x = mx.sym.var("x")
    >>> len(mx.test_utils.check_symbolic_forward(2 * x, [np.ones(2)], [2 * np.ones(2)]))
    1
    """
    executor = _bound(sym, location, aux_states, ctx or current_context(), dtype)
    outputs = executor.forward(is_train=False)
    names = sym.list_outputs()
    wanted = [expected[n] for n in names] if isinstance(expected, Mapping) else expected
    for name, expect, output in zip(names, wanted, outputs, strict=True):
        labels = (f"EXPECTED_{name}", f"FORWARD_{name}")
        assert_almost_equal(expect, output, rtol, atol, labels, equal_nan=equal_nan)
    return outputs


def _requests(names: list[str], grad_req: Any) -> dict[str, str]:
    if isinstance(grad_req, str):
        return dict.fromkeys(names, grad_req)
    if isinstance(grad_req, Mapping):
        return {name: grad_req.get(name, "null") for name in names}
    return dict(zip(names, grad_req, strict=True))


def check_symbolic_backward(
    sym: Symbol,
    location: Arrays,
    out_grads: Arrays,
    expected: Arrays,
    rtol: float | None = None,
    atol: float | None = None,
    aux_states: Arrays | None = None,
    grad_req: Any = "write",
    ctx: Context | None = None,
    grad_stypes: Mapping[str, str] | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> dict[str, NDArray]:
    """Compare the gradients of a symbol's arguments with expected ones; returns them all.

    out_grads   : gradients of the outputs in order, or by name.
    expected    : gradients in order, or by name (then of any of the arguments).
    grad_req    : "write", "add" or "null", for all arguments, in order, or by name.
    grad_stypes : storage types of gradients by name.
    """
    ctx = ctx or current_context()
    names = sym.list_arguments()
    if not isinstance(expected, Mapping):
        expected = dict(zip(names, expected, strict=True))
    wanted = _by_name(names, location, "location", "args")
    before = {name: np.random.normal(size=np.shape(wanted[name])) for name in expected}
    grads = {name: ndarray.array(value, ctx=ctx, dtype=dtype) for name, value in before.items()}
    for name, stype in (grad_stypes or {}).items():
        if stype != "default" and name in grads:
            grads[name] = grads[name].tostype(stype)
    before = {name: grad.asnumpy() for name, grad in grads.items()}
    requests = _requests(names, grad_req)
    executor = _bound(sym, location, aux_states, ctx, dtype, requests, grads)
    executor.forward(is_train=True)
    heads = (
        [out_grads[n] for n in sym.list_outputs()] if isinstance(out_grads, Mapping) else out_grads
    )
    executor.backward([_head(head, ctx, dtype) for head in heads] if heads is not None else None)
    found = executor.grad_dict
    for name, expect in expected.items():
        grad = before[name] if requests[name] == "null" else found[name].asnumpy()
        if requests[name] == "add":
            grad = grad - before[name]
        elif requests[name] == "null":
            expect = before[name]
        labels = (f"EXPECTED_{name}", f"BACKWARD_{name}")
        assert_almost_equal(expect, grad, rtol, atol, labels, equal_nan=equal_nan)
    return found


def _head(head: Any, ctx: Context, dtype: Any) -> Any:
    if head is None or isinstance(head, NDArray):
        return head
    return ndarray.array(np.asarray(head), ctx=ctx, dtype=dtype)


def numeric_grad(
    executor: Executor,
    location: Mapping[str, Any],
    aux_states: Mapping[str, Any] | None = None,
    eps: float = 1e-4,
    use_forward_train: bool = True,
    dtype: Any = np.float32,
) -> dict[str, np.ndarray]:
    """Central differences of the sum of an executor's first output, for each argument.

    location, aux_states : values at which to differentiate; states are reset for each evaluation.
    eps                  : distance of the two points.
    """
    values = {n: _as_numpy(v) for n, v in location.items()}
    heads = [None] * len(executor.outputs) if executor.outputs else None
    if heads is None:
        heads = [None] * len(executor.forward(is_train=use_forward_train))
    weights = [np.ones(()), *[np.zeros(())] * (len(heads) - 1)]
    names = [n for n, v in values.items() if v.dtype.kind == "f"]
    found = _differences(executor, values, aux_states, eps, use_forward_train, weights, names)
    return {name: grad.astype(as_dtype(dtype)) for name, grad in found.items()}


def _as_numpy(value: Any) -> np.ndarray:
    return value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)


def _differences(
    executor: Executor,
    location: Mapping[str, np.ndarray],
    aux_states: Mapping[str, Any] | None,
    eps: float,
    train: bool,
    weights: list[np.ndarray],
    names: list[str],
) -> dict[str, np.ndarray]:
    """Central differences of the weighted sum of all outputs, summed in float64."""
    states = {n: _as_numpy(v) for n, v in (aux_states or {}).items()}

    def evaluate() -> float:
        for name, value in states.items():
            executor.aux_dict[name][:] = value
        outputs = executor.forward(is_train=train)
        terms = zip(outputs, weights, strict=True)
        return sum(float((y.asnumpy().astype(np.float64) * w).sum()) for y, w in terms)

    for name, value in location.items():
        executor.arg_dict[name][:] = value
    found = {}
    for name in names:
        value = location[name]
        grad = np.zeros(value.shape, np.float64)
        for index in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * eps / 2
                executor.arg_dict[name][:] = moved
                ends.append((evaluate(), float(moved[index])))
            (high, at_high), (low, at_low) = ends
            grad[index] = (high - low) / ((at_high - at_low) or eps)
        executor.arg_dict[name][:] = value
        found[name] = grad
    return found


def check_numeric_gradient(
    sym: Symbol,
    location: Arrays,
    aux_states: Arrays | None = None,
    numeric_eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    grad_nodes: Any = None,
    use_forward_train: bool = True,
    ctx: Context | None = None,
    grad_stype_dict: Mapping[str, str] | None = None,
    dtype: Any = np.float32,
) -> None:
    """Compare a symbol's gradients with central differences of a random projection of its outputs.

    numeric_eps : distance of the two points; default: by dtype.
    grad_nodes  : arguments to check, or gradient requests by name; default: all.
    dtype       : what the symbol computes in; float64 is the most telling.

    >>> x = mx.sym.var("x")
    >>> mx.test_utils.check_numeric_gradient(x * x, [np.ones((2, 2))])
    """
    ctx, kind = ctx or current_context(), np.dtype(as_dtype(dtype))
    names = sym.list_arguments()
    values = _by_name(names, location, "location", "args")
    values = {
        n: _as_numpy(v).astype(kind) if _floating(v) else _as_numpy(v) for n, v in values.items()
    }
    states = dict(_by_name(sym.list_auxiliary_states(), aux_states or {}, "aux_states", "aux"))
    if grad_nodes is None:
        grad_nodes = [n for n in names if values[n].dtype.kind == "f"]
    wanted = grad_nodes if isinstance(grad_nodes, Mapping) else dict.fromkeys(grad_nodes, "write")
    _, out_shapes, _ = sym.infer_shape(**{n: v.shape for n, v in values.items()})
    weights = [np.random.rand(*shape) + 0.1 for shape in out_shapes]
    heads = [ndarray.array(w, ctx=ctx, dtype=kind) for w in weights]
    weights = [head.asnumpy().astype(np.float64) for head in heads]

    before = {n: np.random.normal(size=values[n].shape).astype(kind) for n in wanted}
    grads = {n: ndarray.array(v, ctx=ctx, dtype=kind) for n, v in before.items()}
    for name, stype in (grad_stype_dict or {}).items():
        if stype != "default" and name in grads:
            grads[name] = grads[name].tostype(stype)
    requests = {n: wanted.get(n, "null") for n in names}
    executor = _bound(sym, values, states, ctx, kind, requests, grads)
    executor.forward(is_train=True)
    executor.backward(heads)
    exact = {n: executor.grad_dict[n].asnumpy() for n in wanted if requests[n] != "null"}

    eps = default_numeric_eps()[kind] if numeric_eps is None else numeric_eps
    rtol = default_rtols()[kind] if rtol is None else rtol
    atol = default_atols()[kind] if atol is None else atol
    numeric = _differences(executor, values, states, eps, use_forward_train, weights, list(wanted))
    for name, request in wanted.items():
        labels = (f"NUMERICAL_{name}", f"BACKWARD_{name}")
        if request == "null":
            assert_almost_equal(before[name], grads[name], rtol, atol, labels)
            continue
        grad = exact[name] - before[name] if request == "add" else exact[name]
        assert_almost_equal(numeric[name].astype(kind), grad, rtol, atol, labels)


def _floating(value: Any) -> bool:
    return np.dtype(getattr(value, "dtype", np.float32)).kind == "f"
