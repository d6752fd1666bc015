"""Loops and branches of arrays: ordinary Python, recorded call by call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..nested import flatten, regroup
from ..ops.op import get
from .creation import zeros
from .invoke import invoke
from .ndarray import NDArray

__all__ = ["cond", "foreach", "while_loop"]


def _stack(arrays: list[NDArray]) -> NDArray:
    return invoke(get("stack"), arrays, {"axis": 0})


def _truth(value: Any) -> bool:
    if isinstance(value, NDArray) and value.size != 1:
        raise ValueError("The current array is not a scalar")
    return bool(value.asscalar() if isinstance(value, NDArray) else value)


def foreach(body: Callable, data: Any, init_states: Any) -> tuple[Any, Any]:
    """Loop over the first axis: ``body(slice, states)`` -> ``(outputs, new states)``.

    data        : an array or nested list of arrays whose slices the body gets.
    init_states : what the first call gets as states.

    Returns the outputs of all calls stacked, and the states of the last one.

    >>> total, last = mx.nd.contrib.foreach(
    ...     lambda x, s: (x + s, x + s), mx.nd.array([[1], [2], [3]]), mx.nd.zeros(1))
    >>> total.asnumpy()[:, 0], last.asnumpy()
    (array([1., 3., 6.], dtype=float32), array([6.], dtype=float32))
    """
    flat, form = flatten(data, NDArray, "foreach data")
    flatten(init_states, NDArray, "foreach init_states")
    if not flat:
        raise ValueError("foreach: data has no array to loop over")
    lengths = {x.shape[0] for x in flat}
    if len(lengths) > 1:
        raise ValueError(f"foreach: the data arrays have different lengths: {sorted(lengths)}")
    states, steps, out_form = init_states, [], None
    for t in range(lengths.pop()):
        outs, states = body(regroup([x[t] for x in flat], form), states)
        found, out_form = flatten(outs, NDArray, "foreach output")
        flatten(states, NDArray, "foreach loop_vars")
        steps.append(found)
    if not steps:
        return [], states
    return regroup([_stack(list(one)) for one in zip(*steps, strict=True)], out_form), states


def while_loop(
    cond: Callable, func: Callable, loop_vars: Any, max_iterations: int | None = None
) -> tuple[Any, Any]:
    """Loop while ``cond(*loop_vars)``: ``func(*loop_vars)`` -> ``(outputs, new loop_vars)``.

    Returns the outputs stacked, zeros from the last step on up to `max_iterations` (no outputs if
    there was no step), and the final variables.

    >>> seen, n = mx.nd.contrib.while_loop(
    ...     lambda n: n < 50, lambda n: (n, n * 2), mx.nd.array([7.0]), max_iterations=4)
    >>> seen.asnumpy()[:, 0], n.asnumpy()
    (array([ 7., 14., 28.,  0.], dtype=float32), array([56.], dtype=float32))
    """
    if max_iterations is None:
        raise ValueError("max_iterations should be specified")
    states, form = flatten(loop_vars, NDArray, "while_loop loop_vars")
    if not states:
        raise ValueError("loop_vars should contain at least one element")
    steps, out_form = [], None

    def arguments() -> list:
        grouped = regroup(states, form)
        return [grouped] if form == 0 else grouped

    while len(steps) < max_iterations and _truth(cond(*arguments())):
        outs, new = func(*arguments())
        found, out_form = flatten(outs, NDArray, "while_loop output")
        new, _ = flatten([] if new is None else new, NDArray, "while_loop loop_vars")
        if len(new) != len(states):
            raise ValueError("The length of loop_vars should be consistent during the loop")
        states = new
        steps.append(found)
    made = [_padded(list(one), max_iterations) for one in zip(*steps, strict=True)]
    return regroup(made, out_form) if steps else [], regroup(states, form)


def _padded(arrays: list[NDArray], length: int) -> NDArray:
    """Arrays stacked, with zeros behind them up to a length."""
    stacked = _stack(arrays)
    missing = length - len(arrays)
    if not missing:
        return stacked
    blank = zeros((missing, *arrays[0].shape), arrays[0].context, dtype=arrays[0].dtype)
    return invoke(get("Concat"), [stacked, blank], {"dim": 0})


def cond(pred: NDArray, then_func: Callable, else_func: Callable) -> Any:
    """``then_func()`` where the scalar `pred` is not zero, else ``else_func()``.

    >>> x = mx.nd.array([-3.0])
    >>> mx.nd.contrib.cond(x < 0, lambda: -x, lambda: x * 2).asnumpy()
    array([3.], dtype=float32)
    """
    outs = then_func() if _truth(pred) else else_func()
    flatten(outs, NDArray, "cond outputs")
    return outs


def rand_zipfian(
    true_classes: NDArray, num_sampled: int, range_max: int, ctx: Any = None
) -> tuple[NDArray, NDArray, NDArray]:
    """Classes drawn from an approximately Zipfian distribution, for sampled losses.

    Returns the drawn classes (int64), and how often the true and the drawn classes are expected
    among them (float64). Class c has probability ``log((c + 2) / (c + 1)) / log(range_max + 1)``.

    >>> drawn, true, _ = mx.nd.contrib.rand_zipfian(mx.nd.array([3]), 5, 10)
    >>> drawn.shape, true.asnumpy().round(4)
    ((5,), array([0.4653]))
    """
    span = float(np.log(range_max + 1))
    attrs = {"low": 0.0, "high": span, "shape": (num_sampled,), "dtype": "float64"}
    if ctx is not None:
        attrs["ctx"] = str(ctx)
    drawn = invoke(get("_random_uniform"), (), attrs, None, NDArray).exp() - 1
    drawn = drawn.astype("int64") % range_max

    def expected(classes: NDArray) -> NDArray:
        c = classes.astype("float64")
        return ((c + 2) / (c + 1)).log() / span * num_sampled

    return drawn, expected(true_classes), expected(drawn)
