"""A penalty attached to activations that changes only their gradient."""

from __future__ import annotations

from math import prod
from typing import Any

from .attrs import Attrs
from .numeric import widen
from .op import op
from .rules import known, unify
from .samples import uniform as spread


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output like data; one average for each element of an example."""
    data = unify(ins[0], outs[0])
    if known(data):
        ins[1] = unify(ins[1], (prod(data[1:]),))
    return [data, ins[1]], [data]


@op(
    "IdentityAttachKLSparseReg",
    shape=_shapes,
    aux=("moving_avg",),
    init={"moving_avg": '["zero", {}]'},
)
def identity_attach_kl(
    xp: Any,
    data: Any,
    moving_avg: Any,
    *,
    sparseness_target: float = 0.1,
    penalty: float = 0.001,
    momentum: float = 0.9,
) -> Any:
    """`data`, whose gradient gets that of a penalty on activations far from a sparse target.

    data : (batch, ...), activations in (0, 1).   moving_avg : their moving average over batches,
    which the backward pass updates with `momentum`. The penalty is `penalty` times the
    Kullback-Leibler divergence between Bernoulli variables with means `sparseness_target` and
    ``moving_avg``. Source: MXNet operator IdentityAttachKLSparseReg.

    >>> mx.nd.IdentityAttachKLSparseReg(mx.nd.array([[0.5]]), mx.nd.array([0.1])).asnumpy()
    array([[0.5]], dtype=float32)
    """
    return data.copy()


@op(
    "_backward_IdentityAttachKLSparseReg",
    shape=lambda a, ins, outs: (ins, [ins[0]]),
    mutates=("moving_avg",),
)
def kl_gradient(
    xp: Any,
    dy: Any,
    data: Any,
    moving_avg: Any,
    *,
    sparseness_target: float,
    penalty: float,
    momentum: float,
) -> Any:
    """Head gradient plus that of the penalty at the updated average, and that average."""
    mean = widen(xp, data).reshape(data.shape[0], -1).mean(axis=0)
    average = momentum * widen(xp, moving_avg) + (1 - momentum) * mean
    slope = (1 - sparseness_target) / (1 - average) - sparseness_target / average
    return widen(xp, dy) + penalty * slope.reshape(data.shape[1:]), average


@identity_attach_kl.gradient("data")
def _(dy: Any, data: Any, moving_avg: Any, attrs: Attrs) -> Any:
    return kl_gradient(dy, data, moving_avg, **attrs)


_activations = spread(4, 3, low=0.1, high=0.9)
identity_attach_kl.sample(
    data=_activations, moving_avg=spread(3, low=0.1, high=0.9), _grad=(), penalty=0.01
)
