"""Optimizer updates without second moments: SGD, momentum, Nesterov, sign, and fused ones.

Every update returns the new weight (pass ``out=weight`` to write it) and changes its states in
place. The gradient is first multiplied by ``rescale_grad`` and clipped to ``clip_gradient`` on
both sides unless that is negative. ``mp_`` updates keep a float32 copy of a half-width weight.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from .attrs import Attrs
from .op import op
from .rules import unify_dtypes
from .samples import normal, typed
from .storage import lazy


def clip(xp: Any, grad: Any, limit: float) -> Any:
    """Grad within [-limit, limit]; unchanged for a negative limit."""
    return xp.clip(grad, -limit, limit) if limit >= 0 else grad


def single(xp: Any, array: Any) -> Any:
    """A half-width gradient or weight as float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def mixed_precision(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: weight, gradient and output alike, states and float32 weight float32."""
    half = unify_dtypes([*ins[:2], *outs])
    return [half, half] + [np.dtype(np.float32)] * (len(ins) - 2), [half]


def numbers(*names: str) -> Callable[..., tuple]:
    """Kernel parameters: these attributes (two at least) in order."""
    picked = itemgetter(*names)
    return lambda attrs, ins, outs: picked(attrs)


_SGD = numbers("lr", "wd", "rescale_grad", "clip_gradient")
_MOMENTUM = numbers("lr", "wd", "rescale_grad", "clip_gradient", "momentum")


def _sgd(xp: Any, weight: Any, grad: Any, lr: float, wd: float, rescale: float, limit: float):
    return weight * (1 - lr * wd) - lr * clip(xp, single(xp, grad) * rescale, limit)


def _momentum(xp, weight, grad, mom, lr, wd, rescale, limit, momentum):
    """New weight and momentum."""
    grad = clip(xp, single(xp, grad) * rescale, limit) + wd * weight
    mom = momentum * mom - lr * grad
    return weight + mom, mom


def _nesterov(xp, weight, grad, mom, lr, wd, rescale, limit, momentum):
    """New weight and momentum."""
    grad = clip(xp, single(xp, grad) * rescale, limit) + wd * weight
    mom = momentum * mom - lr * grad
    return weight + momentum * mom - lr * grad, mom


@op(
    "sgd_update",
    aliases=("_sparse_sgd_update",),
    kernel=True,
    params=_SGD,
    inplace={0: "weight"},
    storage=lazy("default row_sparse", "row_sparse row_sparse"),
)
def sgd_update(
    xp,
    weight,
    grad,
    *,
    lr: float,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Gradient descent: ``weight - lr * (grad + wd * weight)`` (MXNet's ``sgd_update``).

    lazy_update : of a row_sparse gradient only the rows that it stores are updated. The gradient is
    multiplied by `rescale_grad`, then bounded by `clip_gradient` unless that is negative.

    >>> mx.nd.sgd_update(mx.nd.array([1.0]), mx.nd.array([2.0]), lr=0.25).asnumpy()
    array([0.5], dtype=float32)
    """
    return _sgd(xp, weight, grad, lr, wd, rescale_grad, clip_gradient)


@op(
    "mp_sgd_update",
    dtype=mixed_precision,
    mutates=("weight32",),
    kernel=True,
    params=_SGD,
    inplace={0: "weight"},
)
def mp_sgd_update(
    xp,
    weight,
    grad,
    weight32,
    *,
    lr: float,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """`sgd_update` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> mx.nd.mp_sgd_update(weight, grad, mx.nd.ones((1,)), lr=0.25).asnumpy()
    array([0.5], dtype=float16)
    """
    new = _sgd(xp, weight32, grad, lr, wd, rescale_grad, clip_gradient)
    return new, new


@op(
    "sgd_mom_update",
    aliases=("_sparse_sgd_mom_update",),
    mutates=("mom",),
    kernel=True,
    params=_MOMENTUM,
    inplace={0: "weight"},
    storage=lazy("default row_sparse default", "row_sparse row_sparse row_sparse"),
)
def sgd_mom_update(
    xp,
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Gradient descent with momentum (MXNet's ``sgd_mom_update``).

    ``mom = momentum * mom - lr * (grad + wd * weight)``; the result is ``weight + mom``. The
    gradient is multiplied by `rescale_grad`, then bounded by `clip_gradient` unless that is
    negative. `lazy_update` as in `sgd_update`.

    >>> weight, grad, mom = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.array([0.5])
    >>> mx.nd.sgd_mom_update(weight, grad, mom, lr=0.25, momentum=0.5).asnumpy()
    array([0.75], dtype=float32)
    """
    return _momentum(xp, weight, grad, mom, lr, wd, rescale_grad, clip_gradient, momentum)


@op(
    "mp_sgd_mom_update",
    dtype=mixed_precision,
    mutates=("mom", "weight32"),
    kernel=True,
    params=_MOMENTUM,
    inplace={0: "weight"},
)
def mp_sgd_mom_update(
    xp,
    weight,
    grad,
    mom,
    weight32,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """`sgd_mom_update` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> mom, weight32 = mx.nd.array([0.5]), mx.nd.ones((1,))
    >>> mx.nd.mp_sgd_mom_update(weight, grad, mom, weight32, lr=0.25, momentum=0.5).asnumpy()
    array([0.75], dtype=float16)
    >>> weight32.asnumpy()
    array([0.75], dtype=float32)
    """
    args = lr, wd, rescale_grad, clip_gradient, momentum
    new, mom = _momentum(xp, weight32, grad, mom, *args)
    return new, mom, new


@op("nag_mom_update", mutates=("mom",), kernel=True, params=_MOMENTUM, inplace={0: "weight"})
def nag_mom_update(
    xp,
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """Nesterov's accelerated gradient (MXNet's ``nag_mom_update``).

    With ``g = grad + wd * weight`` and ``mom = momentum * mom - lr * g`` the result is
    ``weight + momentum * mom - lr * g``. The gradient is multiplied by `rescale_grad`, then bounded
    by `clip_gradient` unless that is negative.

    >>> weight, grad, mom = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.array([0.5])
    >>> mx.nd.nag_mom_update(weight, grad, mom, lr=0.25, momentum=0.5).asnumpy()
    array([0.375], dtype=float32)
    """
    return _nesterov(xp, weight, grad, mom, lr, wd, rescale_grad, clip_gradient, momentum)


@op(
    "mp_nag_mom_update",
    dtype=mixed_precision,
    mutates=("mom", "weight32"),
    kernel=True,
    params=_MOMENTUM,
    inplace={0: "weight"},
)
def mp_nag_mom_update(
    xp,
    weight,
    grad,
    mom,
    weight32,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """`nag_mom_update` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> mom, weight32 = mx.nd.array([0.5]), mx.nd.ones((1,))
    >>> mx.nd.mp_nag_mom_update(weight, grad, mom, weight32, lr=0.25, momentum=0.5).asnumpy()
    array([0.375], dtype=float16)
    """
    args = lr, wd, rescale_grad, clip_gradient, momentum
    new, mom = _nesterov(xp, weight32, grad, mom, *args)
    return new, mom, new


@op("signsgd_update", kernel=True, params=_SGD, inplace={0: "weight"})
def signsgd_update(
    xp,
    weight,
    grad,
    *,
    lr: float,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """Step along the gradient's sign: ``weight * (1 - lr * wd) - lr * sign(grad)``.

    ``rescale_grad`` and ``clip_gradient`` do not change the sign. Source: Bernstein et al., ICML
    2018; MXNet's ``signsgd_update``.

    >>> mx.nd.signsgd_update(mx.nd.array([1.0]), mx.nd.array([3.0]), lr=0.25).asnumpy()
    array([0.75], dtype=float32)
    """
    return weight * (1 - lr * wd) - lr * xp.sign(clip(xp, grad * rescale_grad, clip_gradient))


@op(
    "signum_update",
    mutates=("mom",),
    kernel=True,
    params=numbers("lr", "wd", "rescale_grad", "clip_gradient", "momentum", "wd_lh"),
    inplace={0: "weight"},
)
def signum_update(
    xp,
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    wd_lh: float = 0.0,
):
    """Step along the sign of the momentum (MXNet's ``signum_update``).

    ``mom = momentum * mom - (1 - momentum) * (grad + wd * weight)``; the result is
    ``weight * (1 - lr * wd_lh) + lr * sign(mom)``. The gradient is multiplied by `rescale_grad`,
    then bounded by `clip_gradient` unless that is negative.

    >>> weight, grad, mom = mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.array([0.0])
    >>> mx.nd.signum_update(weight, grad, mom, lr=0.25, momentum=0.5).asnumpy()
    array([0.75], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad, clip_gradient) + wd * weight
    mom = momentum * mom - (1 - momentum) * grad
    return weight * (1 - lr * wd_lh) + lr * xp.sign(mom), mom


_w = normal(3, 4)
for _made in (sgd_update, signsgd_update):
    _made.sample(weight=_w, grad=_w, lr=0.1, wd=0.01, rescale_grad=0.5)
for _made in (sgd_mom_update, nag_mom_update, signum_update):
    _made.sample(weight=_w, grad=_w, mom=_w, lr=0.1, momentum=0.9, wd=0.01, clip_gradient=0.5)
_own = typed(_w, "float32")
_mixed: dict[str, Any] = dict(weight=_w, grad=_w, weight32=_own, lr=0.1, wd=0.01)
mp_sgd_update.sample(_dtypes=("float16",), **_mixed)
for _made in (mp_sgd_mom_update, mp_nag_mom_update):
    _made.sample(mom=_own, momentum=0.9, _dtypes=("float16", "bfloat16"), **_mixed)
