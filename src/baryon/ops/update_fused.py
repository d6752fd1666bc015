"""AdamW, LAMB and SGD of many weights in one call; SGD here takes its rates as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Floats, Shape
from .op import Op, op
from .rules import numbered, unify, unify_dtypes
from .samples import Draw, constant, normal, typed
from .samples import uniform as spread
from .update import clip, single
from .update_adaptive import adamw_step
from .update_other import lamb_step, scaled_step

_RATES = ("lrs", "wds", "etas", "learning_rates", "step_count")


class Layout(NamedTuple):
    """How the inputs of a fused update follow each other."""

    stride: int  # arrays of one weight: weight, gradient, states, float32 copy
    extra: int  # arrays after those of the last weight
    mixed: bool  # whether states are float32 beside half-width weights
    count: str = "num_weights"

    def firsts(self, attrs: Attrs, ins: Sequence[Any]) -> range:
        """Positions of the weights; MXNetError where the counts do not agree."""
        count = attrs[self.count]
        want = self.stride * count + self.extra
        if len(ins) != want:
            raise MXNetError(f"{self.count}={count} asks for {want} arrays, got {len(ins)}")
        for name in _RATES:
            if name in attrs and len(attrs[name]) != count:
                raise MXNetError(f"{self.count}={count}, but {name} has {len(attrs[name])} entries")
        return range(0, self.stride * count, self.stride)

    def shapes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        """Shape rule: each weight's arrays and its output are alike."""
        ins, outs = list(ins), list(outs)
        for k, first in enumerate(self.firsts(attrs, ins)):
            shape = outs[k]
            for s in ins[first : first + self.stride]:
                shape = unify(shape, s)
            ins[first : first + self.stride], outs[k] = [shape] * self.stride, shape
        return ins, outs

    def dtypes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        """Dtype rule: weight and gradient are alike; states too, or float32 where mixed."""
        ins, outs = list(ins), list(outs)
        alike = 2 if self.mixed else self.stride
        for k, first in enumerate(self.firsts(attrs, ins)):
            dtype = unify_dtypes([*ins[first : first + alike], outs[k]])
            states = [np.dtype(np.float32)] * (self.stride - alike)
            ins[first : first + self.stride], outs[k] = [dtype] * alike + states, dtype
        return ins, outs

    def written(self, attrs: Attrs) -> list[int]:
        """Positions of the states."""
        firsts = range(0, self.stride * attrs[self.count], self.stride)
        return [first + k for first in firsts for k in range(2, self.stride)]

    def groups(self, data: Sequence[Any]) -> list[tuple]:
        """For each weight: the array to compute with, gradient, states without its copy."""
        found = []
        for first in range(0, len(data) - self.extra, self.stride):
            weight, grad, *states = data[first : first + self.stride]
            found.append((states.pop() if self.mixed else weight, grad, states))
        return found

    def results(self, made: list[tuple]) -> tuple:
        """New weights, then new states in the order of the inputs, from (weight, states)."""
        states: list = []
        for weight, own in made:
            states += [*own, weight] if self.mixed else own
        return *(weight for weight, _ in made), *states


def _declare(name: str, layout: Layout) -> Callable[[Callable], Op]:
    return op(
        name,
        shape=layout.shapes,
        dtype=layout.dtypes,
        outputs=lambda a: numbered(a[layout.count]),
        mutates=layout.written,
    )


# ---- AdamW ---------------------------------------------------------------------------------------

_ADAMW, _MP_ADAMW = Layout(4, 1, False), Layout(5, 1, True)


def _adamw_all(xp: Any, data: Sequence[Any], layout: Layout, attrs: dict[str, Any]) -> tuple:
    made = []
    rates = zip(attrs["lrs"], attrs["wds"], attrs["etas"], strict=True)
    for (weight, grad, states), (lr, wd, eta) in zip(layout.groups(data), rates, strict=True):
        own = attrs | {"lr": lr, "wd": wd, "eta": eta}
        weight, mean, var, *_ = adamw_step(xp, weight, grad, *states, data[-1], own)
        made.append((weight, [mean, var]))
    return layout.results(made)


@_declare("_multi_adamw_update", _ADAMW)
def multi_adamw_update(
    xp,
    *data,
    lrs: Floats,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wds: Floats,
    etas: Floats,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`_adamw_update` of ``num_weights`` weights: weight0, grad0, mean0, var0, weight1, ..., scale.

    The scale of all gradients is one array of one element. Source: MXNet's ``_multi_adamw_update``.

    >>> weight, grad, scale = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.ones((1,))
    >>> data = [weight, grad, mx.nd.zeros((1,)), mx.nd.zeros((1,)), scale]
    >>> rates = {"lrs": (0.25,), "wds": (0.5,), "etas": (1.0,), "beta1": 0.0, "beta2": 0.0}
    >>> mx.nd._internal._multi_adamw_update(*data, **rates).asnumpy()
    array([0.25], dtype=float32)
    """
    attrs = dict(lrs=lrs, wds=wds, etas=etas, beta1=beta1, beta2=beta2, epsilon=epsilon)
    return _adamw_all(xp, data, _ADAMW, attrs | {"clip_gradient": clip_gradient})


@_declare("_multi_mp_adamw_update", _MP_ADAMW)
def multi_mp_adamw_update(
    xp,
    *data,
    lrs: Floats,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wds: Floats,
    etas: Floats,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
):
    """`_multi_adamw_update` of half-width weights: weight0, grad0, mean0, var0, weight32_0, ...

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> states = [mx.nd.zeros((1,)), mx.nd.zeros((1,)), mx.nd.ones((1,))]
    >>> rates = {"lrs": (0.25,), "wds": (0.5,), "etas": (1.0,), "beta1": 0.0, "beta2": 0.0}
    >>> call = mx.nd._internal._multi_mp_adamw_update
    >>> call(weight, grad, *states, mx.nd.ones((1,)), **rates).asnumpy()
    array([0.25], dtype=float16)
    """
    attrs = dict(lrs=lrs, wds=wds, etas=etas, beta1=beta1, beta2=beta2, epsilon=epsilon)
    return _adamw_all(xp, data, _MP_ADAMW, attrs | {"clip_gradient": clip_gradient})


# ---- LAMB ----------------------------------------------------------------------------------------

_LAMB, _MP_LAMB = Layout(4, 0, False, "num_tensors"), Layout(5, 0, True, "num_tensors")


def _norm(xp: Any, x: Any) -> Any:
    return xp.sqrt(xp.square(x.astype(np.float32)).sum())


def _lamb_all(xp: Any, data: Sequence[Any], layout: Layout, attrs: dict[str, Any]) -> tuple:
    made = []
    bounds = attrs["lower_bound"], attrs["upper_bound"]
    rates = zip(attrs["learning_rates"], attrs["wds"], attrs["step_count"], strict=True)
    halves = data[:: layout.stride]  # the norm is that of the weight itself, not of its copy
    for half, (weight, grad, states), (lr, wd, t) in zip(
        halves, layout.groups(data), rates, strict=True
    ):
        step, mean, var = lamb_step(xp, weight, grad, *states, attrs | {"wd": wd, "t": t})
        norms = _norm(xp, half), _norm(xp, step)
        made.append((scaled_step(xp, weight, step, *norms, lr, *bounds), [mean, var]))
    return layout.results(made)


@_declare("_multi_lamb_update", _LAMB)
def multi_lamb_update(
    xp,
    *data,
    learning_rates: Floats,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    wds: Floats,
    rescale_grad: float = 1.0,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
    clip_gradient: float = -1.0,
    bias_correction: bool = True,
    step_count: Shape,
    num_tensors: int = 1,
):
    """Both phases of LAMB for ``num_tensors`` weights: weight0, grad0, mean0, var0, weight1, ...

    ``step_count``: how many steps each weight has made, this one included. All else as in
    `lamb_update_phase1` and `lamb_update_phase2`. Source: You et al., ICLR 2020; MXNet's
    ``_multi_lamb_update``.

    >>> data = [mx.nd.array([x]) for x in (1.0, 2.0, 0.0, 0.0)]
    >>> rates = {"learning_rates": (0.25,), "wds": (0.0,), "step_count": (1,)}
    >>> mx.nd._internal._multi_lamb_update(*data, epsilon=0.0, **rates).asnumpy()
    array([0.75], dtype=float32)
    """
    attrs = dict(beta1=beta1, beta2=beta2, epsilon=epsilon, rescale_grad=rescale_grad, wds=wds)
    attrs |= dict(learning_rates=learning_rates, step_count=step_count)
    attrs |= dict(lower_bound=lower_bound, upper_bound=upper_bound)
    attrs |= dict(clip_gradient=clip_gradient, bias_correction=bias_correction)
    return _lamb_all(xp, data, _LAMB, attrs)


@_declare("_multi_mp_lamb_update", _MP_LAMB)
def multi_mp_lamb_update(
    xp,
    *data,
    learning_rates: Floats,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    wds: Floats,
    rescale_grad: float = 1.0,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
    clip_gradient: float = -1.0,
    bias_correction: bool = True,
    step_count: Shape,
    num_tensors: int = 1,
):
    """`_multi_lamb_update` of half-width weights: weight0, grad0, mean0, var0, weight32_0, ...

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> states = [mx.nd.zeros((1,)), mx.nd.zeros((1,)), mx.nd.ones((1,))]
    >>> rates = {"learning_rates": (0.25,), "wds": (0.0,), "step_count": (1,)}
    >>> call = mx.nd._internal._multi_mp_lamb_update
    >>> call(weight, grad, *states, epsilon=0.0, **rates).asnumpy()
    array([0.75], dtype=float16)
    """
    attrs = dict(beta1=beta1, beta2=beta2, epsilon=epsilon, rescale_grad=rescale_grad, wds=wds)
    attrs |= dict(learning_rates=learning_rates, step_count=step_count)
    attrs |= dict(lower_bound=lower_bound, upper_bound=upper_bound)
    attrs |= dict(clip_gradient=clip_gradient, bias_correction=bias_correction)
    return _lamb_all(xp, data, _MP_LAMB, attrs)


# ---- SGD with rates in arrays --------------------------------------------------------------------


def _preloaded(name: str, layout: Layout, momentum: bool) -> Op:
    """Declare SGD whose last two inputs are the learning rates and weight decays of all weights."""

    def step_all(xp, data, rescale: float, limit: float, factor: float) -> tuple:
        lrs, wds = data[-2:]
        made = []
        for k, (weight, grad, states) in enumerate(layout.groups(data)):
            grad = clip(xp, single(xp, grad) * rescale, limit) + wds[k] * weight
            step = -lrs[k] * grad
            states = [factor * states[0] + step] if momentum else []
            made.append((weight + (states[0] if momentum else step), states))
        return layout.results(made)

    def plain(
        xp, *data, rescale_grad: float = 1.0, clip_gradient: float = -1.0, num_weights: int = 1
    ):
        return step_all(xp, data, rescale_grad, clip_gradient, 0.0)

    def with_momentum(
        xp,
        *data,
        momentum: float = 0.0,
        rescale_grad: float = 1.0,
        clip_gradient: float = -1.0,
        num_weights: int = 1,
    ):
        return step_all(xp, data, rescale_grad, clip_gradient, momentum)

    body = with_momentum if momentum else plain
    half = ', dtype="float16"' if layout.mixed else ""
    body.__doc__ = f"""`{name.removeprefix("preloaded_")}` with rates and decays as arrays.

    The last two inputs are the learning rates and weight decays, one entry a weight. Source:
    MXNet's ``{name}``.

    >>> weight, grad = mx.nd.ones((1,){half}), mx.nd.full((1,), 2.0{half})
    >>> states = [mx.nd.ones((1,)) for _ in range({layout.stride - 2})]
    >>> rates = mx.nd.array([0.25]), mx.nd.array([0.0])
    >>> mx.nd.{name}(weight, grad, *states, *rates).asnumpy()
    array([0.5], dtype=float{16 if layout.mixed else 32})
    """
    body.__name__ = name
    return _declare(name, layout)(body)


def _arrays(layout: Layout) -> list[Draw]:
    """Recipes for the arrays of two weights, without the extra ones."""
    draws = []
    for shape in ((2, 3), (4,)):
        states = [spread(*shape, low=0.5, high=1.5)] * (layout.stride - 2)
        draws += [normal(*shape)] * 2 + [typed(s, "float32") if layout.mixed else s for s in states]
    return draws


_rates = [constant([0.1, 0.2]), constant([0.01, 0.0])]
for _name, _layout in (
    ("preloaded_multi_sgd_update", Layout(2, 2, False)),
    ("preloaded_multi_sgd_mom_update", Layout(3, 2, False)),
    ("preloaded_multi_mp_sgd_update", Layout(3, 2, True)),
    ("preloaded_multi_mp_sgd_mom_update", Layout(4, 2, True)),
):
    _preloaded(_name, _layout, "mom" in _name).sample(
        data=_arrays(_layout) + [typed(r, "float32") for r in _rates],
        **dict(num_weights=2, rescale_grad=0.5, clip_gradient=0.8),
        _dtypes=("float16",) if _layout.mixed else ("float32", "float64"),
    )
_scale = typed(constant([0.5]), "float32")
for _made, _layout in ((multi_adamw_update, _ADAMW), (multi_mp_adamw_update, _MP_ADAMW)):
    _made.sample(
        data=[*_arrays(_layout), _scale],
        **dict(num_weights=2, lrs=(0.1, 0.2), wds=(0.01, 0.0), etas=(1.0, 0.5), clip_gradient=0.4),
        _dtypes=("float16",) if _layout.mixed else ("float32", "float64"),
    )
for _made, _layout in ((multi_lamb_update, _LAMB), (multi_mp_lamb_update, _MP_LAMB)):
    _made.sample(
        data=_arrays(_layout),
        **dict(num_tensors=2, learning_rates=(0.1, 0.2), wds=(0.01, 0.0), step_count=(1, 3)),
        _dtypes=("float16",) if _layout.mixed else ("float32", "float64"),
    )
