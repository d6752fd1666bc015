"""SGD updates of many weights in one call, as `gluon.Trainer` uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Floats
from .op import Op, Spec, op
from .rules import numbered, unify, unify_dtypes
from .samples import normal, typed
from .update import clip, single


def _stride(attrs: Attrs, ins: Sequence[Any], stride: int) -> range:
    """Positions of the weights among the inputs; MXNetError if the counts do not agree."""
    count = attrs.num_weights
    if len(ins) != stride * count:
        raise MXNetError(f"num_weights={count} asks for {stride * count} arrays, got {len(ins)}")
    if not len(attrs.lrs) == len(attrs.wds) == count:
        raise MXNetError(
            f"num_weights={count}, but lrs has {len(attrs.lrs)} and wds {len(attrs.wds)} entries"
        )
    return range(0, stride * count, stride)


def _shapes(stride: int) -> Callable:
    """Each weight's inputs and its output are alike."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        ins, outs = list(ins), list(outs)
        for k, first in enumerate(_stride(attrs, ins, stride)):
            shape = outs[k]
            for s in ins[first : first + stride]:
                shape = unify(shape, s)
            ins[first : first + stride], outs[k] = [shape] * stride, shape
        return ins, outs

    return rule


def _dtypes(stride: int, mixed: bool) -> Callable:
    """Each weight and gradient are alike; states too, or float32 with `mixed` precision."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        ins, outs = list(ins), list(outs)
        alike = 2 if mixed else stride
        for k, first in enumerate(_stride(attrs, ins, stride)):
            dtype = unify_dtypes([*ins[first : first + alike], outs[k]])
            states = [np.dtype(np.float32)] * (stride - alike)
            ins[first : first + stride], outs[k] = [dtype] * alike + states, dtype
        return ins, outs

    return rule


def _params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple:
    """Kernel parameters: momentum, rescaling and clipping, then rates and decays."""
    numbers = attrs.get("momentum", 0.0), attrs.rescale_grad, attrs.clip_gradient
    return *numbers, *attrs.lrs, *attrs.wds


def _declare(name: str, stride: int, mixed: bool) -> Callable[[Callable], Op]:
    """A fused update whose inputs come `stride` by `stride`, states from the third on."""
    return op(
        name,
        shape=_shapes(stride),
        dtype=_dtypes(stride, mixed),
        outputs=lambda a: numbered(a.num_weights),
        mutates=lambda a: [
            first + k
            for first in range(0, stride * a.num_weights, stride)
            for k in range(2, stride)
        ],
        inplace=lambda k: f"arg{k * stride}",
        kernel=True,
        params=_params,
    )


def _updates(
    xp: Any, data: Sequence[Any], lrs: Floats, wds: Floats, stride: int, mixed: bool, **rest: float
) -> tuple:
    """New weights, then new states in the order of the inputs."""
    momentum, rescale, limit = rest["momentum"], rest["rescale_grad"], rest["clip_gradient"]
    weights, states = [], []
    for k, (lr, wd) in enumerate(zip(lrs, wds, strict=True)):
        weight, grad, *state = data[k * stride : (k + 1) * stride]
        if mixed:
            weight = state.pop()
        step = -lr * (clip(xp, single(xp, grad) * rescale, limit) + wd * weight)
        if state:
            step = momentum * state[0] + step
        weights.append(weight + step)
        states += ([step] if state else []) + ([weights[-1]] if mixed else [])
    return *weights, *states


@_declare("multi_sgd_update", 2, False)
def multi_sgd_update(
    xp,
    *data,
    lrs: Floats,
    wds: Floats,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`sgd_update` of ``num_weights`` weights; inputs weight0, grad0, weight1, grad1, ...

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> mx.nd.multi_sgd_update(weight, grad, lrs=(0.25,), wds=(0.0,), out=weight).asnumpy()
    array([0.5], dtype=float32)
    """
    rest = {"momentum": 0.0, "rescale_grad": rescale_grad, "clip_gradient": clip_gradient}
    return _updates(xp, data, lrs, wds, 2, False, **rest)


@_declare("multi_sgd_mom_update", 3, False)
def multi_sgd_mom_update(
    xp,
    *data,
    lrs: Floats,
    wds: Floats,
    momentum: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`sgd_mom_update` of ``num_weights`` weights; inputs weight0, grad0, mom0, weight1, ...

    >>> weight, grad, mom = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.array([0.5])
    >>> rates = {"lrs": (0.25,), "wds": (0.0,), "momentum": 0.5}
    >>> mx.nd.multi_sgd_mom_update(weight, grad, mom, **rates).asnumpy()
    array([0.75], dtype=float32)
    """
    rest = {"momentum": momentum, "rescale_grad": rescale_grad, "clip_gradient": clip_gradient}
    return _updates(xp, data, lrs, wds, 3, False, **rest)


@_declare("multi_mp_sgd_update", 3, True)
def multi_mp_sgd_update(
    xp,
    *data,
    lrs: Floats,
    wds: Floats,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`mp_sgd_update` of ``num_weights`` weights; inputs weight0, grad0, weight32_0, ...

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> mx.nd.multi_mp_sgd_update(weight, grad, mx.nd.ones((1,)), lrs=(0.25,), wds=(0.0,)).asnumpy()
    array([0.5], dtype=float16)
    """
    rest = {"momentum": 0.0, "rescale_grad": rescale_grad, "clip_gradient": clip_gradient}
    return _updates(xp, data, lrs, wds, 3, True, **rest)


@_declare("multi_mp_sgd_mom_update", 4, True)
def multi_mp_sgd_mom_update(
    xp,
    *data,
    lrs: Floats,
    wds: Floats,
    momentum: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`mp_sgd_mom_update` of ``num_weights`` weights; inputs weight0, grad0, mom0, weight32_0...

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> mom, weight32 = mx.nd.array([0.5]), mx.nd.ones((1,))
    >>> rates = {"lrs": (0.25,), "wds": (0.0,), "momentum": 0.5}
    >>> mx.nd.multi_mp_sgd_mom_update(weight, grad, mom, weight32, **rates).asnumpy()
    array([0.75], dtype=float16)
    """
    rest = {"momentum": momentum, "rescale_grad": rescale_grad, "clip_gradient": clip_gradient}
    return _updates(xp, data, lrs, wds, 4, True, **rest)


for _made, _copies in ((multi_sgd_update, 2), (multi_sgd_mom_update, 3)):
    _made.sample(
        data=[normal(2, 3)] * _copies + [normal(4)] * _copies,
        num_weights=2,
        lrs=(0.1, 0.2),
        wds=(0.01, 0.0),
        rescale_grad=0.5,
        clip_gradient=0.8,
    )
for _made, _copies in ((multi_mp_sgd_update, 1), (multi_mp_sgd_mom_update, 2)):
    _made.sample(
        data=[
            draw
            for shape in ((2, 3), (4,))
            for draw in [normal(*shape)] * 2 + [typed(normal(*shape), "float32")] * _copies
        ],
        num_weights=2,
        lrs=(0.1, 0.2),
        wds=(0.01, 0.0),
        _dtypes=("float16",),
    )
