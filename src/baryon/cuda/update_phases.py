"""Launches of updates in parts: LAMB's two phases, LARS' rates, AdaGrad with one rate a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, wide
from .tensors import Tensor, groups, settings
from .update import _corrections, _given, _served


def _run(xp: Any, name: str, dtype: Any, grid: int, *args: Any) -> None:
    """Launch a kernel on arrays without states; floats are of the computing type."""
    args = tuple(wide(dtype)(a) if isinstance(a, float) else a for a in args)
    launch(kernel_of(xp, "update", name, **settings(dtype, dtype)), grid, 256, *args)


def _direction(xp: Any, arrays: Any, master: Any, attrs: dict, dtype: Any) -> Any:
    """The first phase: the direction, and the moments, which change in place."""
    if not _served((*arrays, master)) or not arrays[0].size:
        return NotImplemented
    weight, grad, mean, var = arrays
    first, second = _corrections(attrs, attrs["t"])
    numbers = {"rate": first, "decay": attrs["wd"], "factor": second}
    tensor = Tensor(weight, grad, None, mean, var, master=master, **numbers)
    (group,) = groups(xp, [tensor])
    steps = output(xp, weight.shape, np.dtype(group.real))
    squares = xp.empty((group.blocks, 2), group.real)
    group.run("lamb_directions", group.numbers("lamb", _given(attrs)), steps, squares)
    return steps.astype(dtype, copy=False), mean, var


@kernel("lamb_update_phase1")
def lamb_update_phase1(xp, weight, grad, mean, var, **attrs):
    """See the operator."""
    return _direction(xp, (weight, grad, mean, var), None, attrs, weight.dtype)


@kernel("mp_lamb_update_phase1")
def mp_lamb_update_phase1(xp, weight, grad, mean, var, weight32, **attrs):
    """See the operator."""
    return _direction(xp, (weight, grad, mean, var), weight32, attrs, np.dtype(np.float32))


def _scaled(xp: Any, arrays: Any, master: Any, attrs: dict) -> Any:
    """The second phase: the new weight, and its float32 copy, which changes in place."""
    weight, direction, *norms = arrays
    if not _served((weight, direction, master)) or not weight.size:
        return NotImplemented
    out = output(xp, weight.shape, weight.dtype)
    (group,) = groups(xp, [Tensor(weight, None, out, master=master, rate=attrs["lr"])])
    squares = xp.square(xp.concatenate([n.reshape(1).astype(group.real) for n in norms]))
    bounds = float(attrs["lower_bound"]), float(attrs["upper_bound"])
    group.run("lamb_steps", dense(xp, direction.astype(group.real, copy=False)), squares, *bounds)
    return out if master is None else (out, master)


@kernel("lamb_update_phase2")
def lamb_update_phase2(xp, weight, g, r1, r2, **attrs):
    """See the operator."""
    return _scaled(xp, (weight, g, r1, r2), None, attrs)


@kernel("mp_lamb_update_phase2")
def mp_lamb_update_phase2(xp, weight, g, r1, r2, weight32, **attrs):
    """See the operator."""
    return _scaled(xp, (weight, g, r1, r2), weight32, attrs)


@kernel("multi_lars")
def multi_lars(xp, lrs, weights_sum_sq, grads_sum_sq, wds, *, eta, eps, rescale_grad):
    """See the operator."""
    arrays = lrs, weights_sum_sq, grads_sum_sq, wds
    if not floating(*arrays) or not lrs.size or any(a.dtype != lrs.dtype for a in arrays):
        return NotImplemented
    out = output(xp, lrs.shape, lrs.dtype)
    numbers = np.int64(lrs.size), float(eta), float(eps), float(rescale_grad)
    given = (*(dense(xp, a) for a in arrays), out)
    _run(xp, "layer_rates", lrs.dtype, blocks(lrs.size), *given, *numbers)
    return out


@kernel("_contrib_group_adagrad_update")
def group_adagrad_update(xp, weight, grad, history, *, lr, **attrs):
    """See the operator."""
    if not _served((weight, grad, history)) or not weight.size:
        return NotImplemented
    out, rows = output(xp, weight.shape, weight.dtype), weight.shape[0]
    numbers = (attrs[n] for n in ("rescale_grad", "clip_gradient", "epsilon"))
    given = weight, grad, history, out, np.int64(weight.size // rows), float(lr)
    _run(xp, "row_adagrad", weight.dtype, rows, *given, *map(float, numbers))
    return out, history
