"""Optimizer updates of `mx.sym.contrib`, whose scales may be numbers."""

from __future__ import annotations

from typing import Any

from ..ops.op import get
from ._symbol import Symbol, compose
from .creation import full

__all__ = ["adamw_update", "mp_adamw_update"]


def _scale(value: Any) -> Symbol:
    return value if isinstance(value, Symbol) else full((1,), value)


def adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    rescale_grad: Any,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: None = None,
    name: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """One step of AdamW (Loshchilov and Hutter, ICLR 2019); see ``_adamw_update``.

    rescale_grad : what multiplies the gradient, a number or a Symbol. `out` changes nothing.
    mean, var : written by the step, hence auxiliary states.

    >>> inputs = [mx.sym.var(n) for n in ("weight", "grad", "mean", "var")]
    >>> mx.sym.contrib.adamw_update(*inputs, 1.0, lr=0.1, eta=1).list_arguments()
    ['weight', 'grad']
    """
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd}
    attrs |= {"clip_gradient": clip_gradient, **kwargs}
    inputs = [weight, grad, mean, var, _scale(rescale_grad)]
    return compose(get("_adamw_update"), inputs, attrs, name)


def mp_adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    weight32: Symbol,
    rescale_grad: Any,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: None = None,
    name: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """`adamw_update` of a weight of 16 bits beside its float32 copy."""
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd}
    attrs |= {"clip_gradient": clip_gradient, **kwargs}
    inputs = [weight, grad, mean, var, weight32, _scale(rescale_grad)]
    return compose(get("_mp_adamw_update"), inputs, attrs, name)
