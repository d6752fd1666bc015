"""Launches of optimizer updates: one weight or many, one kernel for up to 40 of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .launch import output
from .registry import kernel
from .rows import floating
from .tensors import CHUNK, Tensor, groups, in_order

_NUMBERS = {
    "rescale_grad": "rescale",
    "clip_gradient": "limit",
    "clip_grad": "limit",
    "beta": "epsilon",
    "gamma2": "momentum",
    "gamma1": "beta1",
    "clip_weights": "bound",
    "momentum": "momentum",
    "beta1": "beta1",
    "beta2": "beta2",
    "epsilon": "epsilon",
}


def _given(attrs: Mapping[str, Any]) -> dict[str, float]:
    return {own: attrs[name] for name, own in _NUMBERS.items() if name in attrs}


def arranged(xp: Any, arrays: Sequence[Any], states: int, mixed: bool, **numbers: Any) -> Tensor:
    """The arrays of one weight as the operators take them: weight, gradient, states, its copy."""
    weight, grad = arrays[0], xp.ascontiguousarray(arrays[1])
    kept = [*arrays[2 : 2 + states], *(None,) * (3 - states)]
    master = arrays[2 + states] if mixed else None
    return Tensor(weight, grad, output(xp, weight.shape, weight.dtype), *kept, master, **numbers)


def _served(data: Sequence[Any]) -> bool:
    return floating(*data) and in_order(*data)


def _results(made: Sequence[Tensor]) -> tuple:
    """New weights, then the states of each, as the operators give them."""
    states = [x for t in made for x in (t.first, t.second, t.third, t.master) if x is not None]
    return *(t.out for t in made), *states


def update(xp: Any, made: list[Tensor], rule: str, attrs: Mapping[str, Any], **more: Any) -> tuple:
    """Launch a rule over tensors, with an operator's numbers: new weights, then states."""
    keep = int(more.get("keep_scaled", False))
    for group in groups(xp, made):
        arrays = (more.get(name) for name in ("scale", "rates", "decays"))
        group.run("update", group.numbers(rule, _given(attrs)), *arrays, group.offset, keep)
    return _results(made)


# ---- one weight ----------------------------------------------------------------------------------


class Single(NamedTuple):
    """How an operator updates one weight: what follows weight and gradient, and its `factor`."""

    rule: str
    states: int
    mixed: bool = False  # whether a float32 copy of the weight comes last
    factor: str = ""


SINGLE: dict[str, Single] = {}


def _single(name: str, rule: str, states: int, mixed: bool = False, factor: str = "") -> None:
    SINGLE[name] = Single(rule, states, mixed, factor)

    @kernel(name)
    def launched(xp: Any, *arrays: Any, lr: float, wd: float = 0.0, **attrs: Any) -> Any:
        if not _served(arrays):
            return NotImplemented
        numbers = {"rate": lr, "decay": wd, "factor": attrs[factor] if factor else 0.0}
        return update(xp, [arranged(xp, arrays, states, mixed, **numbers)], rule, attrs)


for _name, _rule, _states in (("sgd_", "sgd", 0), ("sgd_mom_", "momentum", 1)):
    _single(f"{_name}update", _rule, _states)
    _single(f"mp_{_name}update", _rule, _states, mixed=True)
_single("nag_mom_update", "nesterov", 1)
_single("mp_nag_mom_update", "nesterov", 1, mixed=True)
_single("signsgd_update", "sign", 0)
_single("signum_update", "signum", 1, factor="wd_lh")
_single("adam_update", "adam", 2)
_single("rmsprop_update", "rmsprop", 1)
_single("rmspropalex_update", "centred", 3)
_single("ftrl_update", "ftrl", 2, factor="lamda1")


@kernel("ftml_update")
def ftml_update(xp, *arrays, lr, wd, t, **attrs):
    """See the operator."""
    if not _served(arrays):
        return NotImplemented
    rate, factor = lr / (1 - attrs["beta1"] ** t), 1 / (1 - attrs["beta2"] ** t)
    made = [arranged(xp, arrays, 3, False, rate=rate, decay=wd, factor=factor)]
    return update(xp, made, "ftml", attrs)


@kernel("_sparse_adagrad_update")
def adagrad_update(xp, weight, grad, history, *, lr, wd, **attrs):
    """See the operator."""
    if wd or not _served((weight, grad, history)):
        return NotImplemented
    arrays = weight, grad, history
    return update(xp, [arranged(xp, arrays, 1, False, rate=lr)], "adagrad", attrs)


def _adamw(xp: Any, arrays: Sequence[Any], scale: Any, mixed: bool, attrs: dict) -> Any:
    if not _served(arrays):
        return NotImplemented
    numbers = {"rate": attrs["lr"], "decay": attrs["wd"], "factor": attrs["eta"]}
    made = [arranged(xp, arrays, 2, mixed, **numbers)]
    scale = scale.reshape(()).astype(np.float32)
    return update(xp, made, "adamw", attrs, scale=scale, keep_scaled=not mixed)


@kernel("_adamw_update")
def adamw_update(xp, weight, grad, mean, var, rescale_grad, **attrs):
    """See the operator."""
    if not grad.flags.c_contiguous:
        return NotImplemented
    made = _adamw(xp, (weight, grad, mean, var), rescale_grad, False, attrs)
    return made if made is NotImplemented else (*made, grad)


@kernel("_mp_adamw_update")
def mp_adamw_update(xp, weight, grad, mean, var, weight32, rescale_grad, **attrs):
    """See the operator."""
    return _adamw(xp, (weight, grad, mean, var, weight32), rescale_grad, True, attrs)


# ---- many weights --------------------------------------------------------------------------------


def _all(
    xp: Any, data: Sequence[Any], states: int, mixed: bool, **numbers: Sequence[float]
) -> list[Tensor] | None:
    """The arrays of all weights, which follow each other; None if a kernel cannot take them."""
    stride = 2 + states + mixed
    if not _served(data):
        return None
    each = (dict(zip(numbers, n, strict=True)) for n in zip(*numbers.values(), strict=True))
    firsts = range(0, len(data), stride)
    return [
        arranged(xp, data[i : i + stride], states, mixed, **n)
        for i, n in zip(firsts, each, strict=True)
    ]


def _multi_sgd(name: str, states: int, mixed: bool) -> None:
    rule = "momentum" if states else "sgd"

    @kernel(name)
    def multi(xp: Any, *data: Any, lrs: Any, wds: Any, **attrs: Any) -> Any:
        made = _all(xp, data, states, mixed, rate=lrs, decay=wds)
        return NotImplemented if made is None else update(xp, made, rule, attrs)

    @kernel(f"preloaded_{name}")
    def preloaded(xp: Any, *data: Any, num_weights: int, **attrs: Any) -> Any:
        *data, rates, decays = data
        made = _all(xp, data, states, mixed, rate=(0.0,) * num_weights)
        if made is None:
            return NotImplemented
        given = {"rates": rates.astype(np.float64), "decays": decays.astype(np.float64)}
        return update(xp, made, rule, attrs, **given)


_multi_sgd("multi_sgd_update", 0, False)
_multi_sgd("multi_sgd_mom_update", 1, False)
_multi_sgd("multi_mp_sgd_update", 0, True)
_multi_sgd("multi_mp_sgd_mom_update", 1, True)


def _multi_adamw(name: str, mixed: bool) -> None:
    @kernel(name)
    def multi(xp: Any, *data: Any, lrs: Any, wds: Any, etas: Any, **attrs: Any) -> Any:
        *data, scale = data
        made = _all(xp, data, 2, mixed, rate=lrs, decay=wds, factor=etas)
        if made is None:
            return NotImplemented
        scale = scale.reshape(()).astype(np.float32)
        return update(xp, made, "adamw", attrs, scale=scale)


_multi_adamw("_multi_adamw_update", False)
_multi_adamw("_multi_mp_adamw_update", True)


def _corrections(attrs: dict, step: int) -> tuple[float, float]:
    """What takes the bias of both moments out at a step."""
    if not attrs["bias_correction"]:
        return 1.0, 1.0
    return 1 / (1 - attrs["beta1"] ** step), 1 / (1 - attrs["beta2"] ** step)


def _multi_lamb(name: str, mixed: bool) -> Callable:
    @kernel(name)
    def multi(
        xp: Any, *data: Any, learning_rates: Any, wds: Any, step_count: Any, **attrs: Any
    ) -> Any:
        first, second = zip(*(_corrections(attrs, t) for t in step_count), strict=True)
        made = _all(xp, data, 2, mixed, rate=first, decay=wds, factor=second)
        if made is None:
            return NotImplemented
        bounds = float(attrs["lower_bound"]), float(attrs["upper_bound"])
        for group in groups(xp, made):
            steps = xp.empty((group.blocks * CHUNK,), group.real)
            parts = xp.empty((group.blocks, 2), group.real)
            sums = xp.empty((len(group.tensors), 2), group.real)
            group.run("lamb_directions", group.numbers("lamb", _given(attrs)), steps, parts)
            group.run("sum_blocks", parts, sums, 2, blocks=len(group.tensors))
            rates = learning_rates[group.offset : group.offset + len(group.tensors)]
            group.packed["rate"][0, : len(rates)] = rates
            group.run("lamb_steps", steps, sums, *bounds)
        return _results(made)

    return multi


_multi_lamb("_multi_lamb_update", False)
_multi_lamb("_multi_mp_lamb_update", True)


# ---- beside updates ------------------------------------------------------------------------------


@kernel("all_finite", "multi_all_finite")
def multi_all_finite(xp, *data, **attrs):
    """See the operator."""
    if not _served(data):
        return NotImplemented
    result = output(xp, (1,), np.dtype(np.float32))
    result.fill(1)
    for group in groups(xp, [Tensor(x) for x in data]):
        group.run("check_finite", result)
    return result


@kernel("multi_sum_sq")
def multi_sum_sq(xp, *data, num_arrays):
    """See the operator."""
    if not _served(data) or any(x.dtype == np.float64 for x in data):
        return NotImplemented
    result = output(xp, (len(data),), np.dtype(np.float32))
    result.fill(0)
    for group in groups(xp, [Tensor(x) for x in data]):
        parts = xp.empty((group.blocks,), group.real)
        own = result[group.offset : group.offset + len(group.tensors)]
        group.run("sum_squares", parts)
        group.run("sum_blocks", parts, own, 1, blocks=len(group.tensors))
    return result


@kernel("reset_arrays")
def reset_arrays(xp, *data, num_arrays):
    """See the operator."""
    if not _served(data):
        return NotImplemented
    for group in groups(xp, [Tensor(x) for x in data]):
        group.run("set_zero")
    return data
