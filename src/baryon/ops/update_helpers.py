"""What optimizers need beside updates: checks for overflow, norms, LARS rates, zeroing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs
from .op import op
from .rules import unify
from .samples import constant, normal
from .samples import uniform as spread
from .storage import lazy
from .update import clip


def _one(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [unify((1,), outs[0])]


def _counted(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """One number for each of ``num_arrays`` arrays."""
    _check_count(attrs, ins)
    return ins, [unify((attrs.num_arrays,), outs[0])]


def _check_count(attrs: Attrs, ins: list) -> None:
    if len(ins) != attrs.num_arrays:
        raise MXNetError(f"num_arrays is {attrs.num_arrays}, got {len(ins)} arrays")


def _floats(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: any float types in, float32 out."""
    for dtype in ins:
        if dtype is not None and not is_float(dtype):
            raise MXNetError(f"data type {dtype} is not supported; cast to a float type first")
    return ins, [np.dtype(np.float32)]


@op("all_finite", shape=_one, dtype=_floats)
def all_finite(xp: Any, data: Any, *, init_output: bool = True) -> Any:
    """1 if no element is infinite or NaN, else 0; shape (1,).

    ``init_output`` has no effect: the result is always that of this call alone.
    Source: MXNet operator all_finite.

    >>> mx.nd.all_finite(mx.nd.array([1, np.inf])).asnumpy()
    array([0.], dtype=float32)
    """
    return xp.isfinite(data).all().reshape(1)


def _all_counted(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    _check_count(attrs, ins)
    return _one(attrs, ins, outs)


@op("multi_all_finite", shape=_all_counted, dtype=_floats)
def multi_all_finite(xp: Any, *data: Any, num_arrays: int = 1, init_output: bool = True) -> Any:
    """1 if no element of ``num_arrays`` arrays is infinite or NaN, else 0; shape (1,).

    ``init_output`` has no effect: the result is always that of this call alone.
    Source: MXNet operator multi_all_finite.

    >>> one = mx.nd.ones((2,))
    >>> mx.nd.multi_all_finite(one, one / 0, num_arrays=2).asnumpy()
    array([0.], dtype=float32)
    """
    result = xp.ones(1, bool)
    for x in data:
        result = result & xp.isfinite(x).all()
    return result


@op("multi_sum_sq", shape=_counted, dtype=_floats)
def multi_sum_sq(xp: Any, *data: Any, num_arrays: int) -> Any:
    """Sums of squares of ``num_arrays`` arrays, in float32.  Source: MXNet operator multi_sum_sq.

    >>> mx.nd.multi_sum_sq(mx.nd.ones((2, 3)), mx.nd.array([2.0]), num_arrays=2).asnumpy()
    array([6., 4.], dtype=float32)
    """
    return xp.stack([xp.square(x.astype(np.float32)).sum() for x in data])


@op("multi_lars")
def multi_lars(
    xp: Any,
    lrs: Any,
    weights_sum_sq: Any,
    grads_sum_sq: Any,
    wds: Any,
    *,
    eta: float,
    eps: float,
    rescale_grad: float = 1.0,
) -> Any:
    """Learning rates scaled layer by layer: ``lr * eta * |w| / (|g| + wd * |w| + eps)``.

    All inputs have one entry a layer; ``|w|`` and ``|g|`` come from sums of squares, ``|g|`` times
    ``rescale_grad``. Where either is 0 the rate stays. Source: You et al. 2017; MXNet's
    ``multi_lars``.

    >>> lr, four = mx.nd.array([1.0]), mx.nd.array([4.0])
    >>> mx.nd.multi_lars(lr, four, four, 0 * lr, eta=0.5, eps=0.0).asnumpy()
    array([0.5], dtype=float32)
    """
    weight, grad = xp.sqrt(weights_sum_sq), xp.sqrt(grads_sum_sq) * rescale_grad
    usual = (weight > 0) & (grad > 0)
    ratio = eta * weight / xp.where(usual, grad + wds * weight + eps, 1)
    return lrs * xp.where(usual, ratio, 1)


def _reset_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    _check_count(attrs, ins)
    return ins, outs


@op(
    "reset_arrays",
    shape=_reset_shapes,
    dtype=lambda a, ins, outs: (ins, outs),
    outputs=(),
    mutates=lambda a: range(a.num_arrays),
)
def reset_arrays(xp: Any, *data: Any, num_arrays: int) -> Any:
    """Set ``num_arrays`` arrays to zero, in place; no result.  Source: MXNet operator reset_arrays.

    >>> grad = mx.nd.ones((2,))
    >>> mx.nd.reset_arrays(grad, num_arrays=1)
    []
    >>> grad.asnumpy()
    array([0., 0.], dtype=float32)
    """
    return tuple(xp.zeros_like(x) for x in data)


def _group_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output and gradient like weight; one entry of history a row."""
    weight = unify(unify(ins[0], ins[1]), outs[0])
    rows = None if weight is None else (weight[0], *(1,) * (len(weight) - 1))
    return [weight, weight, unify(ins[2], rows)], [weight]


@op(
    "_contrib_group_adagrad_update",
    shape=_group_shapes,
    mutates=("history",),
    storage=lazy("default row_sparse default", "row_sparse row_sparse row_sparse"),
)
def group_adagrad_update(
    xp: Any,
    weight: Any,
    grad: Any,
    history: Any,
    *,
    lr: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    epsilon: float = 1e-5,
) -> Any:
    """AdaGrad with one learning rate a row: ``history``, (rows, 1, ...), sums mean squares.

    ``history += mean(grad ** 2)`` over each row; the result is
    ``weight - lr * grad / sqrt(history + epsilon)``. The gradient is multiplied by `rescale_grad`,
    then bounded by `clip_gradient` unless that is negative. Source: MXNet operator
    contrib.group_adagrad_update.

    >>> one, history = mx.nd.ones((1, 2)), mx.nd.zeros((1, 1))
    >>> mx.nd.contrib.group_adagrad_update(one, 2 * one, history, lr=0.5, epsilon=0.0).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    grad = clip(xp, grad * rescale_grad, clip_gradient)
    axes = tuple(range(1, grad.ndim))
    history = history + xp.square(grad).mean(axis=axes, keepdims=True)
    return weight - lr * grad / xp.sqrt(history + epsilon), history


all_finite.sample(data=normal(2, 3), _dtypes=("float32", "float16"))
all_finite.sample(data=constant([1.0, np.nan]))
multi_all_finite.sample(data=[normal(2), constant([np.inf])], num_arrays=2)
multi_sum_sq.sample(data=[normal(2, 3), normal(4)], num_arrays=2)
_sums = constant([0.0, 4.0, 9.0])
multi_lars.sample(
    lrs=spread(3, low=0.1, high=0.2),
    weights_sum_sq=_sums,
    grads_sum_sq=constant([1.0, 0.0, 4.0]),
    wds=spread(3, low=0.0, high=0.1),
    **dict(eta=0.01, eps=1e-5, rescale_grad=0.5),
)
reset_arrays.sample(data=[normal(2), normal(2, 3)], num_arrays=2)
group_adagrad_update.sample(
    weight=normal(3, 4), grad=normal(3, 4), history=spread(3, 1, low=0.5, high=1.0), lr=0.1
)
