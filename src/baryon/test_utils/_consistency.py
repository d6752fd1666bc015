"""Two ways of computing the same thing against each other, and how fast one is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import autograd, ndarray
from ..context import Context, current_context
from ..dtypes import as_dtype
from ..executor import Executor
from ..ndarray import NDArray
from ..symbol import Symbol
from ._tolerances import assert_almost_equal, default_atols, default_rtols


def check_speed(
    sym: Symbol,
    location: Mapping[str, Any] | None = None,
    ctx: Context | None = None,
    N: int = 20,  # noqa: N803
    grad_req: Any = None,
    typ: str = "whole",
    **kwargs: Any,
) -> float:
    """Seconds of one run of a symbol, averaged over `N` runs after a first one.

    location : values by name; without them, shapes in `kwargs` and random values.
    typ      : "whole" for forward and backward in training mode, "forward" for forward alone.
    """
    if typ not in ("whole", "forward"):
        raise ValueError('typ can only be "whole" or "forward".')
    shapes = kwargs if location is None else {n: np.shape(v) for n, v in location.items()}
    executor = sym.simple_bind(ctx or current_context(), grad_req=grad_req or "write", **shapes)
    for name, array in executor.arg_dict.items():
        known = location is not None and name in location
        array[:] = location[name] if known else np.random.normal(size=array.shape)

    def run() -> None:
        outputs = executor.forward(is_train=typ == "whole")
        if typ == "whole":
            executor.backward(outputs)

    run()
    ndarray.waitall()
    begin = time.perf_counter()
    for _ in range(N):
        run()
    ndarray.waitall()
    return (time.perf_counter() - begin) / N


def same_symbol_structure(sym1: Symbol, sym2: Symbol) -> bool:
    """Whether two graphs have the same operators in the same wiring, whatever their names."""
    return _wiring(sym1) == _wiring(sym2)


def _wiring(sym: Symbol) -> list:
    """Operator and inputs (as numbers) of each node in order, and the outputs."""
    graph = json.loads(sym.tojson())
    return [[(n["op"], n["inputs"]) for n in graph["nodes"]], graph["heads"]]


def check_consistency(
    sym: Symbol | Sequence[Symbol],
    ctx_list: Sequence[Mapping[str, Any]],
    scale: float = 1.0,
    grad_req: Any = "write",
    arg_params: Mapping[str, Any] | None = None,
    aux_params: Mapping[str, Any] | None = None,
    rtol: Any = None,
    atol: Any = None,
    raise_on_err: bool = True,
    ground_truth: Mapping[str, NDArray] | None = None,
    equal_nan: bool = False,
    use_uniform: bool = False,
    rand_type: Any = np.float64,
) -> dict[str, NDArray]:
    """Run a symbol on several devices or in several dtypes and compare outputs and gradients.

    sym          : a symbol, or one for each context.
    ctx_list     : dictionaries of shapes by name, ``"ctx"`` and, optionally, ``"type_dict"``.
    scale        : of the random arguments (normal, or uniform in [-scale, scale]).
    arg_params, aux_params : given arguments and states.
    rtol, atol   : numbers, or numbers by dtype; default: those of the less precise dtype.
    ground_truth : what to compare with; default: the run in the most precise dtype.
    raise_on_err : whether a difference raises AssertionError (otherwise it is printed).

    Returns the ground truth: outputs and gradients by name.
    """
    symbols = [sym] * len(ctx_list) if isinstance(sym, Symbol) else list(sym)
    if len(ctx_list) < 2 and ground_truth is None:
        raise AssertionError("check_consistency compares at least two contexts")
    executors = [
        s.simple_bind(grad_req=grad_req, **spec) for s, spec in zip(symbols, ctx_list, strict=True)
    ]
    given = dict(arg_params or {})
    for name, array in executors[0].arg_dict.items():
        if name not in given:
            draw = (
                np.random.uniform(-1, 1, array.shape)
                if use_uniform
                else np.random.normal(size=array.shape)
            )
            given[name] = (draw * scale).astype(as_dtype(rand_type))
    for executor in executors:
        _fill(executor, given, aux_params or {})

    order = [np.dtype(e.outputs[0].dtype if e.outputs else _result_dtype(e)) for e in executors]
    best = max(range(len(executors)), key=lambda i: order[i].itemsize)
    truth = dict(ground_truth or {})
    for train in (False, True) if grad_req != "null" else (False,):
        runs = [_run(e, train) for e in executors]
        truth = dict(ground_truth) if ground_truth else {**truth, **runs[best]}
        for i, run in enumerate(runs):
            if i == best and not ground_truth:
                continue
            for name, value in run.items():
                if name in truth:
                    _compare(
                        name, value, truth[name], order[i], rtol, atol, equal_nan, raise_on_err
                    )
    return truth


def _result_dtype(executor: Executor) -> Any:
    return executor.forward(is_train=False)[0].dtype


def _fill(executor: Executor, args: Mapping[str, Any], aux: Mapping[str, Any]) -> None:
    for name, array in executor.arg_dict.items():
        value = args[name]
        value = value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)
        array[:] = value.astype(array.dtype)
    for name, array in executor.aux_dict.items():
        array[:] = aux.get(name, 0)


def _run(executor: Executor, train: bool) -> dict[str, NDArray]:
    """Outputs, and in training mode gradients with the outputs as their own head gradients."""
    names = executor._symbol.list_outputs()
    outputs = executor.forward(is_train=train)
    found = {n: y.copy() for n, y in zip(names, outputs, strict=True)}
    if train:
        executor.backward(outputs)
        found |= {n: g.copy() for n, g in executor.grad_dict.items() if g is not None}
    return found


def _compare(
    name: str,
    value: NDArray,
    truth: NDArray,
    dtype: np.dtype,
    rtol: Any,
    atol: Any,
    equal_nan: bool,
    raise_on_err: bool,
) -> None:
    def tolerance(given: Any, default: Mapping) -> float:
        if given is None or isinstance(given, Mapping):
            table = {np.dtype(k): v for k, v in (given or default).items()}
            return table[dtype]
        return given

    limits = tolerance(rtol, default_rtols()), tolerance(atol, default_atols())
    try:
        assert_almost_equal(value, truth, *limits, names=(name, "truth"), equal_nan=equal_nan)
    except AssertionError as error:
        if raise_on_err:
            raise AssertionError(f"{name} in {dtype} is not consistent: {error}") from None
        print(f"{name} in {dtype} is not consistent: {error}")


def check_gluon_hybridize_consistency(
    net_builder: Callable,
    data_l: Sequence[Any],
    numpy_func: Callable | None = None,
    test_grad: bool = True,
    rtol: float = 1e-4,
    atol: float = 1e-4,
) -> None:
    """Compare a Block run imperatively with the same Block hybridized: outputs and gradients.

    net_builder : makes the Block; called with ``prefix=``.
    data_l      : its inputs.
    numpy_func  : computes the expected output from NumPy arrays.
    """
    results: list[tuple[np.ndarray, list[np.ndarray]]] = []
    saved: dict[str, np.ndarray] = {}
    for hybrid in (False, True):
        net = net_builder(prefix="net_")
        net.initialize()
        if hybrid:
            net.hybridize()
        inputs = [x.copy() if isinstance(x, NDArray) else ndarray.array(x) for x in data_l]
        for x in inputs:
            x.attach_grad()
        net(*inputs)
        for name, param in net.collect_params().items():
            if hybrid:
                param.set_data(ndarray.array(saved[name]))
            else:
                saved[name] = param.data().asnumpy()
        with autograd.record(train_mode=True) if test_grad else autograd.pause():
            out = net(*inputs)
        grads = []
        if test_grad:
            out.backward(ndarray.ones_like(out))
            grads = [x.grad.asnumpy() for x in inputs]
            params = net.collect_params().values()
            grads += [p.grad().asnumpy() for p in params if p.grad_req != "null"]
        results.append((out.asnumpy(), grads))
    (plain, plain_grads), (compiled, compiled_grads) = results
    assert_almost_equal(plain, compiled, rtol, atol)
    for a, b in zip(plain_grads, compiled_grads, strict=True):
        assert_almost_equal(a, b, rtol, atol)
    if numpy_func is not None:
        arrays = [x.asnumpy() if isinstance(x, NDArray) else np.asarray(x) for x in data_l]
        assert_almost_equal(numpy_func(*arrays), plain, rtol, atol)


def compare_ndarray_tuple(
    t1: Any, t2: Any, rtol: float | None = None, atol: float | None = None
) -> None:
    """Compare nested tuples of arrays; None equals anything."""
    if t1 is None or t2 is None:
        return
    if isinstance(t1, (tuple, list)):
        for a, b in zip(t1, t2, strict=True):
            compare_ndarray_tuple(a, b, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol=rtol, atol=atol)


def compare_optimizer(
    opt1: Any,
    opt2: Any,
    shape: Any,
    dtype: Any,
    w_stype: str = "default",
    g_stype: str = "default",
    rtol: float = 1e-4,
    atol: float = 1e-5,
    compare_states: bool = True,
    ntensors: int = 1,
) -> None:
    """Update the same random weights with two optimizers and compare weights and states.

    shape            : shape of the weight, or list of `ntensors` shapes updated at once.
    w_stype, g_stype : storage types of weights and gradients.
    """
    from ._arrays import rand_ndarray

    shapes = shape if isinstance(shape, list) else [shape]
    if len(shapes) != ntensors:
        raise AssertionError(f"{len(shapes)} shapes for {ntensors} tensors")

    def draw(stype: str, density: float) -> list[NDArray]:
        if stype == "default":
            return [ndarray.array(np.random.uniform(size=s), dtype=dtype) for s in shapes]
        return [rand_ndarray(s, stype, density=density, dtype=dtype) for s in shapes]

    weights, grads = draw(w_stype, 1), draw(g_stype, 0.5)
    outcome = []
    for optimizer in (opt1, opt2):
        own, slopes = [w.copy() for w in weights], [g.copy() for g in grads]
        states = [optimizer.create_state_multi_precision(i, w) for i, w in enumerate(own)]
        if ntensors == 1:
            optimizer.update_multi_precision(0, own[0], slopes[0], states[0])
        else:
            optimizer.update_multi_precision(list(range(ntensors)), own, slopes, states)
        outcome.append((own, states))
    (weights1, states1), (weights2, states2) = outcome
    if compare_states:
        compare_ndarray_tuple(states1, states2, rtol=rtol, atol=atol)
    for a, b in zip(weights1, weights2, strict=True):
        assert_almost_equal(a, b, rtol=rtol, atol=atol)
