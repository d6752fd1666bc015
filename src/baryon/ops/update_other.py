"""Less common optimizer updates: FTRL, FTML and the two phases of LAMB."""

from __future__ import annotations

from typing import Any

import numpy as np

from .attrs import Attrs
from .op import op
from .rules import unify, unify_dtypes
from .samples import normal, typed
from .samples import uniform as spread
from .storage import lazy
from .update import clip, numbers, single


@op(
    "ftrl_update",
    aliases=("_sparse_ftrl_update",),
    mutates=("z", "n"),
    kernel=True,
    params=numbers("lr", "wd", "rescale_grad", "clip_gradient", "lamda1", "beta"),
    inplace={0: "weight"},
    storage=lazy("row_sparse row_sparse row_sparse row_sparse"),
)
def ftrl_update(
    xp,
    weight,
    grad,
    z,
    n,
    *,
    lr: float,
    lamda1: float = 0.01,
    beta: float = 1.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """Follow the regularised leader (McMahan et al., KDD 2013; MXNet's ``ftrl_update``).

    The new weight is 0 where ``|z| <= lamda1``. With ``g = rescale_grad * grad``, within
    `clip_gradient` unless that is negative:
    ``z += g - (sqrt(n + g ** 2) - sqrt(n)) * weight / lr``, ``n += g ** 2`` and the result is
    ``(sign(z) * lamda1 - z) / ((beta + sqrt(n)) / lr + wd)``.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> z, n = mx.nd.zeros((1,)), mx.nd.zeros((1,))
    >>> mx.nd.ftrl_update(weight, grad, z, n, lr=0.5, lamda1=0.0).asnumpy()
    array([0.33333334], dtype=float32)
    >>> z.asnumpy(), n.asnumpy()
    (array([-2.], dtype=float32), array([4.], dtype=float32))
    """
    grad = clip(xp, grad * rescale_grad, clip_gradient)
    total = n + xp.square(grad)
    z = z + grad - (xp.sqrt(total) - xp.sqrt(n)) * weight / lr
    new = (xp.sign(z) * lamda1 - z) / ((beta + xp.sqrt(total)) / lr + wd)
    return xp.where(xp.abs(z) > lamda1, new, 0), z, total


@op(
    "ftml_update",
    mutates=("d", "v", "z"),
    kernel=True,
    params=numbers("lr", "wd", "rescale_grad", "clip_grad", "beta1", "beta2", "epsilon", "t"),
    inplace={0: "weight"},
)
def ftml_update(
    xp,
    weight,
    grad,
    d,
    v,
    z,
    *,
    lr: float,
    beta1: float = 0.6,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    t: int,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_grad: float = -1.0,
):
    """Follow the moving leader, step `t` >= 1 (Zheng and Kwok, ICML 2017; ``ftml_update``).

    `beta1` and `beta2` are the decays of z and v, `epsilon` keeps a division from 0. `rescale_grad`
    multiplies the gradient; `clip_grad` bounds it, with ``wd * weight``, unless that is negative.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> states = [mx.nd.zeros((1,)) for _ in range(3)]
    >>> mx.nd.ftml_update(weight, grad, *states, lr=0.25, t=1).asnumpy().round(3)
    array([0.75], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad + wd * weight, clip_grad)
    v = beta2 * v + (1 - beta2) * xp.square(grad)
    new_d = (1 - beta1**t) / lr * (xp.sqrt(v / (1 - beta2**t)) + epsilon)
    z = beta1 * z + (1 - beta1) * grad - (new_d - beta1 * d) * weight
    return -z / new_d, new_d, v, z


# ---- LAMB (You et al., ICLR 2020) ----------------------------------------------------------------


def lamb_step(xp, weight, grad, mean, var, attrs) -> tuple:
    """The direction before it is scaled by the trust ratio, and the new moments."""
    beta1, beta2, t = attrs["beta1"], attrs["beta2"], attrs["t"]
    grad = clip(xp, single(xp, grad) * attrs["rescale_grad"], attrs["clip_gradient"])
    mean = beta1 * mean + (1 - beta1) * grad
    var = beta2 * var + (1 - beta2) * xp.square(grad)
    m, v = mean, var
    if attrs["bias_correction"]:
        m, v = mean / (1 - beta1**t), var / (1 - beta2**t)
    return m / (xp.sqrt(v) + attrs["epsilon"]) + attrs["wd"] * weight, mean, var


_LAMB = numbers(
    *("wd", "rescale_grad", "clip_gradient", "beta1", "beta2", "epsilon", "t", "bias_correction")
)


@op("lamb_update_phase1", mutates=("mean", "var"), kernel=True, params=_LAMB)
def lamb_update_phase1(
    xp,
    weight,
    grad,
    mean,
    var,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """First phase of LAMB: Adam's direction plus ``wd * weight`` at step `t` >= 1.

    `beta1` and `beta2` are the decays of mean and var, whose bias `bias_correction` takes out.
    `rescale_grad` and `clip_gradient` as in `sgd_update`. Source: You et al., ICLR 2020.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> mean, var = mx.nd.zeros((1,)), mx.nd.zeros((1,))
    >>> mx.nd.lamb_update_phase1(weight, grad, mean, var, t=1, wd=0.5, epsilon=0.0).asnumpy()
    array([1.5], dtype=float32)
    """
    attrs: dict[str, Any] = dict(beta1=beta1, beta2=beta2, epsilon=epsilon, t=t, wd=wd)
    attrs |= dict(bias_correction=bias_correction, rescale_grad=rescale_grad)
    return lamb_step(xp, weight, grad, mean, var, attrs | {"clip_gradient": clip_gradient})


def _mp_lamb_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """The direction of a half-width weight is float32, as are the states."""
    half, wide = unify_dtypes(ins[:2]), np.dtype(np.float32)
    return [half, half, wide, wide, wide], [wide]


@op(
    "mp_lamb_update_phase1",
    dtype=_mp_lamb_dtypes,
    mutates=("mean", "var"),
)
def mp_lamb_update_phase1(
    xp,
    weight,
    grad,
    mean,
    var,
    weight32,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """`lamb_update_phase1` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, grad = mx.nd.array([1.0], dtype="float16"), mx.nd.array([2.0], dtype="float16")
    >>> states = mx.nd.zeros((1,)), mx.nd.zeros((1,)), mx.nd.ones((1,))
    >>> mx.nd.mp_lamb_update_phase1(weight, grad, *states, t=1, wd=0.5, epsilon=0.0).asnumpy()
    array([1.5], dtype=float32)
    """
    attrs: dict[str, Any] = dict(beta1=beta1, beta2=beta2, epsilon=epsilon, t=t, wd=wd)
    attrs |= dict(bias_correction=bias_correction, rescale_grad=rescale_grad)
    return lamb_step(xp, weight32, grad, mean, var, attrs | {"clip_gradient": clip_gradient})


def scaled_step(xp, weight, g, r1, r2, lr, lower_bound, upper_bound):
    """Weight less `g` scaled by the trust ratio of the two norms."""
    norm = r1 if lower_bound < 0 else xp.maximum(r1, lower_bound)
    norm = norm if upper_bound < 0 else xp.minimum(norm, upper_bound)
    usual = (norm != 0) & (r2 != 0)
    ratio = xp.where(usual, norm / xp.where(usual, r2, 1), 1).reshape(())
    return weight - lr * ratio * g


def _phase2_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """All like the weight but the two norms, which have one element each."""
    shape = outs[0]
    for i, s in enumerate(ins):
        shape = shape if i in (2, 3) else unify(shape, s)
    return [s if i in (2, 3) else shape for i, s in enumerate(ins)], [shape]


@op("lamb_update_phase2", shape=_phase2_shapes)
def lamb_update_phase2(
    xp, weight, g, r1, r2, *, lr: float, lower_bound: float = -1.0, upper_bound: float = -1.0
):
    """Second phase of LAMB: ``weight - lr * r1 / r2 * g``.

    ``r1`` and ``r2`` are the norms of the weight, kept within those of `lower_bound` and
    `upper_bound` that are not negative,
    and of ``g``; their ratio is 1 where either is 0.

    >>> weight, g = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> mx.nd.lamb_update_phase2(weight, g, weight.norm(), g.norm(), lr=0.25).asnumpy()
    array([0.75], dtype=float32)
    """
    return scaled_step(xp, weight, g, r1, r2, lr, lower_bound, upper_bound)


@op(
    "mp_lamb_update_phase2",
    shape=_phase2_shapes,
    dtype=lambda a, ins, outs: (ins, [unify_dtypes([ins[0], *outs])]),
    mutates=("weight32",),
)
def mp_lamb_update_phase2(
    xp,
    weight,
    g,
    r1,
    r2,
    weight32,
    *,
    lr: float,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
):
    """`lamb_update_phase2` of a half-width weight through its float32 copy ``weight32``.

    >>> weight, weight32 = mx.nd.ones((1,), dtype="float16"), mx.nd.ones((1,))
    >>> g = mx.nd.array([2.0])
    >>> norms = weight32.norm(), g.norm()
    >>> mx.nd.mp_lamb_update_phase2(weight, g, *norms, weight32, lr=0.25).asnumpy()
    array([0.75], dtype=float16)
    """
    new = scaled_step(xp, weight32, g, r1, r2, lr, lower_bound, upper_bound)
    return new, new


_w, _moment = normal(3, 4), spread(3, 4, low=0.5, high=1.5)
ftrl_update.sample(weight=_w, grad=_w, z=_w, n=_moment, lr=0.1, wd=0.01)
ftml_update.sample(weight=_w, grad=_w, d=_w, v=_moment, z=_w, lr=0.1, t=3)
lamb_update_phase1.sample(weight=_w, grad=_w, mean=_w, var=_moment, t=2, wd=0.01)
lamb_update_phase2.sample(
    weight=_w, g=_w, r1=spread(1, low=1.0, high=2.0), r2=spread(1, low=1.0, high=2.0), lr=0.1
)
_own, _norm = typed(_moment, "float32"), typed(spread(1, low=1.0, high=2.0), "float32")
mp_lamb_update_phase1.sample(
    **dict(weight=_w, grad=_w, mean=_own, var=_own, weight32=_own, t=2, wd=0.01),
    _dtypes=("float16",),
)
mp_lamb_update_phase2.sample(
    **dict(weight=_w, g=_own, r1=_norm, r2=_norm, weight32=_own, lr=0.1), _dtypes=("float16",)
)
