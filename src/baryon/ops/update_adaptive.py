"""Optimizer updates that scale each element by moments of its gradient: Adam and its kin.

Every update returns the new weight (pass ``out=weight`` to write it) and changes its states in
place; ``rescale_grad`` and ``clip_gradient`` as in `update`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .op import op
from .rules import unify, unify_dtypes
from .samples import constant, normal, typed
from .samples import uniform as spread
from .storage import lazy
from .update import clip, numbers, single


def _adam_moments(xp, grad, mean, var, beta1, beta2):
    """Both moments, each moved towards the gradient's."""
    return beta1 * mean + (1 - beta1) * grad, beta2 * var + (1 - beta2) * xp.square(grad)


_ADAM = ("lr", "wd", "rescale_grad", "clip_gradient", "beta1", "beta2", "epsilon")


@op(
    "adam_update",
    aliases=("_sparse_adam_update",),
    mutates=("mean", "var"),
    kernel=True,
    params=numbers(*_ADAM),
    inplace={0: "weight"},
    storage=lazy(
        "default row_sparse default default", "row_sparse row_sparse row_sparse row_sparse"
    ),
)
def adam_update(
    xp,
    weight,
    grad,
    mean,
    var,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Adam without bias correction, which callers put into `lr` (MXNet's ``adam_update``).

    With ``g = grad + wd * weight``, clipped: ``mean`` and ``var`` move towards ``g`` and ``g ** 2``
    and the result is ``weight - lr * mean / (sqrt(var) + epsilon)``. With ``lazy_update`` only the
    rows that a row_sparse gradient stores are updated. `beta1` and `beta2` are the decays of mean
    and var. `rescale_grad` multiplies the gradient; `clip_gradient` bounds g unless that is
    negative. Source: Kingma and Ba, ICLR 2015.

    >>> one, zero = mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> mx.nd.adam_update(one, one, zero, mx.nd.zeros((1,)), lr=0.1, beta1=0.0, beta2=0.0).asnumpy()
    array([0.9], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad + wd * weight, clip_gradient)
    mean, var = _adam_moments(xp, grad, mean, var, beta1, beta2)
    return weight - lr * mean / (xp.sqrt(var) + epsilon), mean, var


def adamw_step(xp, weight, grad, mean, var, rescale_grad, attrs) -> tuple:
    """New weight, moments, scaled gradient, and whether its scale lets anything change."""
    scale = rescale_grad.reshape(()).astype(np.float32)
    go = xp.isfinite(scale) & (scale != 0)
    scaled = clip(xp, single(xp, grad) * scale, attrs["clip_gradient"])
    new_mean, new_var = _adam_moments(xp, scaled, mean, var, attrs["beta1"], attrs["beta2"])
    step = attrs["lr"] * new_mean / (xp.sqrt(new_var) + attrs["epsilon"]) + attrs["wd"] * weight
    new = weight - attrs["eta"] * step
    pairs = (new, weight), (new_mean, mean), (new_var, var), (scaled, grad)
    return (*(xp.where(go, a, b) for a, b in pairs), go)


def _adamw_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """All alike but the one-element scale of the gradient, which comes last."""
    shape = outs[0]
    for s in ins[:-1]:
        shape = unify(shape, s)
    return [shape] * (len(ins) - 1) + [ins[-1]], [shape]


def _adamw_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = unify_dtypes([*ins[:-1], *outs])
    return [dtype] * (len(ins) - 1) + [ins[-1]], [dtype]


def _mp_adamw_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    half = unify_dtypes([*ins[:2], *outs])
    return [half, half] + [np.dtype(np.float32)] * 3 + [ins[-1]], [half]


_ADAMW = numbers("lr", "wd", "eta", "clip_gradient", "beta1", "beta2", "epsilon")


@op(
    "_adamw_update",
    shape=_adamw_shapes,
    dtype=_adamw_dtypes,
    mutates=("mean", "var", "grad"),
    aux=("mean", "var"),
    kernel=True,
    params=_ADAMW,
)
def adamw_update(
    xp,
    weight,
    grad,
    mean,
    var,
    rescale_grad,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    eta: float,
    clip_gradient: float = -1.0,
):
    """Adam with decoupled weight decay (MXNet's ``_adamw_update``).

    The result is ``weight - eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight)``. The scale of
    the gradient is an array of one element; nothing changes where it is 0, infinite or NaN. The
    gradient is overwritten by the scaled one, limited to `clip_gradient` in size where that is not
    negative, as in MXNet. `beta1` and `beta2` are the decays of mean and var. Source: Loshchilov
    and Hutter, ICLR 2019.

    >>> weight, grad, scale = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.ones((1,))
    >>> states = mx.nd.zeros((1,)), mx.nd.zeros((1,))
    >>> rates = {"lr": 0.25, "wd": 0.5, "eta": 1.0, "beta1": 0.0, "beta2": 0.0}
    >>> mx.nd._internal._adamw_update(weight, grad, *states, scale, **rates).asnumpy()
    array([0.25], dtype=float32)
    """
    attrs = dict(lr=lr, beta1=beta1, beta2=beta2, epsilon=epsilon, wd=wd, eta=eta)
    attrs["clip_gradient"] = clip_gradient
    return adamw_step(xp, weight, grad, mean, var, rescale_grad, attrs)[:4]


@op(
    "_mp_adamw_update",
    shape=_adamw_shapes,
    dtype=_mp_adamw_dtypes,
    mutates=("mean", "var", "weight32"),
    kernel=True,
    params=_ADAMW,
)
def mp_adamw_update(
    xp,
    weight,
    grad,
    mean,
    var,
    weight32,
    rescale_grad,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    eta: float,
    clip_gradient: float = -1.0,
):
    """`adamw_update` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> states = mx.nd.zeros((1,)), mx.nd.zeros((1,)), mx.nd.ones((1,))
    >>> rates = {"lr": 0.25, "wd": 0.5, "eta": 1.0, "beta1": 0.0, "beta2": 0.0}
    >>> mx.nd._internal._mp_adamw_update(weight, grad, *states, mx.nd.ones((1,)), **rates).asnumpy()
    array([0.25], dtype=float16)
    """
    attrs = dict(lr=lr, beta1=beta1, beta2=beta2, epsilon=epsilon, wd=wd, eta=eta)
    attrs["clip_gradient"] = clip_gradient
    new, mean, var, _, go = adamw_step(xp, weight32, grad, mean, var, rescale_grad, attrs)
    return xp.where(go, new, weight), mean, var, new


def _limited(xp, weight, limit):
    return xp.clip(weight, -limit, limit) if limit >= 0 else weight


@op(
    "rmsprop_update",
    mutates=("n",),
    kernel=True,
    params=numbers(
        "lr", "wd", "rescale_grad", "clip_gradient", "gamma1", "epsilon", "clip_weights"
    ),
    inplace={0: "weight"},
)
def rmsprop_update(
    xp,
    weight,
    grad,
    n,
    *,
    lr: float,
    gamma1: float = 0.95,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
):
    """RMSProp (Tieleman and Hinton 2012): ``weight - lr * g / sqrt(n + epsilon)``.

    ``g = grad + wd * weight``, clipped; ``n`` is a moving mean of ``g ** 2``; the new weight lies
    within ``clip_weights`` unless that is negative (MXNet's ``rmsprop_update``). `gamma1` is the
    decay of n, `rescale_grad` and `clip_gradient` as in `adam_update`.

    >>> weight, grad, n = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.zeros((1,))
    >>> mx.nd.rmsprop_update(weight, grad, n, lr=0.25, gamma1=0.75).asnumpy()
    array([0.5], dtype=float32)
    >>> n.asnumpy()
    array([1.], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad + wd * weight, clip_gradient)
    n = gamma1 * n + (1 - gamma1) * xp.square(grad)
    return _limited(xp, weight - lr * grad / xp.sqrt(n + epsilon), clip_weights), n


@op(
    "rmspropalex_update",
    mutates=("n", "g", "delta"),
    kernel=True,
    params=numbers(
        *("lr", "wd", "rescale_grad", "clip_gradient"),
        *("gamma1", "gamma2", "epsilon", "clip_weights"),
    ),
    inplace={0: "weight"},
)
def rmspropalex_update(
    xp,
    weight,
    grad,
    n,
    g,
    delta,
    *,
    lr: float,
    gamma1: float = 0.95,
    gamma2: float = 0.9,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
):
    """RMSProp with a centred second moment and momentum (Graves 2013, equations 38 to 45).

    ``delta = gamma2 * delta - lr * grad / sqrt(n - g ** 2 + epsilon)``; the result is
    ``weight + delta`` (MXNet's ``rmspropalex_update``). `gamma1` is the decay of n and g;
    `rescale_grad`, `clip_gradient`, `wd` and `clip_weights` as in `rmsprop_update`.

    >>> weight, grad, n = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.zeros((1,))
    >>> g, delta = mx.nd.zeros((1,)), mx.nd.zeros((1,))
    >>> mx.nd.rmspropalex_update(weight, grad, n, g, delta, lr=0.25, gamma1=0.5).asnumpy()
    array([0.5], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad + wd * weight, clip_gradient)
    n = gamma1 * n + (1 - gamma1) * xp.square(grad)
    g = gamma1 * g + (1 - gamma1) * grad
    delta = gamma2 * delta - lr * grad / xp.sqrt(n - xp.square(g) + epsilon)
    return _limited(xp, weight + delta, clip_weights), n, g, delta


_ADAGRAD = numbers("lr", "wd", "rescale_grad", "clip_gradient", "epsilon")


@op(
    "_sparse_adagrad_update",
    mutates=("history",),
    kernel=True,
    params=lambda a, ins, outs: None if a.wd else _ADAGRAD(a, ins, outs),
    inplace={0: "weight"},
    storage=lazy("default row_sparse default", "row_sparse row_sparse row_sparse"),
)
def adagrad_update(
    xp,
    weight,
    grad,
    history,
    *,
    lr: float,
    epsilon: float = 1e-7,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """AdaGrad (Duchi, Hazan and Singer 2011): ``weight - lr * grad / sqrt(history + epsilon)``.

    ``history`` sums ``grad ** 2``; ``wd`` must be 0 (MXNet's ``_sparse_adagrad_update``). The
    gradient is multiplied by `rescale_grad`, then bounded by `clip_gradient` unless that is
    negative.

    >>> weight, grad, history = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.zeros((1,))
    >>> mx.nd.sparse.adagrad_update(weight, grad, history, lr=0.25).asnumpy()
    array([0.75], dtype=float32)
    >>> history.asnumpy()
    array([4.], dtype=float32)
    """
    if wd:
        raise MXNetError("operator _sparse_adagrad_update: weight decay is not supported")
    grad = clip(xp, grad * rescale_grad, clip_gradient)
    history = history + xp.square(grad)
    return weight - lr * grad / xp.sqrt(history + epsilon), history


_w, _moment = normal(3, 4), spread(3, 4, low=0.5, high=1.5)
_common: dict[str, Any] = {"weight": _w, "grad": _w, "lr": 0.1, "rescale_grad": 0.5}
adam_update.sample(mean=_w, var=_moment, wd=0.01, clip_gradient=0.4, **_common)
rmsprop_update.sample(n=_moment, wd=0.01, clip_weights=0.8, **_common)
rmspropalex_update.sample(n=_moment, g=spread(3, 4, high=0.5), delta=_w, **_common)
adagrad_update.sample(history=_moment, **_common)
adamw_update.sample(
    **{k: v for k, v in _common.items() if k != "rescale_grad"},
    **dict(mean=_w, var=_moment, rescale_grad=constant([0.5]), eta=0.7, wd=0.01),
)
_own = typed(_moment, "float32")
mp_adamw_update.sample(
    **dict(weight=_w, grad=_w, mean=_own, var=_own, weight32=_own, lr=0.1, eta=0.7, wd=0.01),
    **dict(rescale_grad=typed(constant([0.5]), "float32")),
    _dtypes=("float16",),
)
