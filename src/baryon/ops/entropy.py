"""Cross entropy of scores against class indices, without the probabilities in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .attrs import Attrs
from .indexing import valid
from .numeric import widen
from .op import Pullback, Spec, get, op
from .rules import forward, known, uniform_among
from .samples import integers, normal
from .selection import picked
from .softmax import axis_of, log_normalised, split_at


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if not all(map(known, ins)):
        return ins, outs
    one = picked(Attrs(axis=attrs.axis, keepdims=True), *ins)
    return ins, [one, one]


def _rows(attrs: Attrs, shape: Sequence[int]) -> tuple | None:
    """Kernel parameters: rows and classes, where these lie side by side."""
    before, classes, after = split_at(shape, attrs.axis)
    return (before, classes) if after == 1 else None


def _place(xp: Any, label: Any, shape: Sequence[int], axis: int) -> Any:
    kept = list(shape)
    kept[axis] = 1
    return valid(xp, label, shape[axis], "clip").reshape(kept)


@op(
    "_cross_entropy",
    derived=True,
    shape=_shapes,
    dtype=uniform_among(0),
    outputs=("loss", "log_sum"),
    visible=1,
    kernel=True,
    params=lambda attrs, ins, outs: _rows(attrs, ins[0].shape),
)
def cross_entropy(xp, data, label, *, axis: int = -1):
    """``-pick(log_softmax(data), label)`` along `axis`, which stays with size 1.

    data : scores.   label : class indices, clipped to the classes; of data's shape without `axis`,
    or with size 1 there. The hidden output is the logarithm of the sum of exponentials.
    """
    x, axis = widen(xp, data), axis_of(axis, data.ndim)
    shifted, log_sum = log_normalised(xp, x, axis)
    at = _place(xp, label, data.shape, axis)
    loss = log_sum - xp.take_along_axis(shifted, at, axis)
    top = x.max(axis=axis, keepdims=True) if x.size else loss
    return loss, log_sum + top


def _backward_params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    return _rows(attrs, ins[1].shape)


@op(
    "_backward_cross_entropy",
    shape=forward(lambda attrs, dy, data, label, log_sum: data),
    dtype=uniform_among(0, 1, 3),
    inplace={0: "data"},
    kernel=True,
    params=_backward_params,
)
def backward_cross_entropy(xp, dy, data, label, log_sum, *, axis: int = -1):
    """Gradient of `cross_entropy`: the probabilities, less 1 at the label, times `dy`."""
    axis = axis_of(axis, data.ndim)
    result = xp.exp(widen(xp, data) - log_sum) * dy
    at = _place(xp, label, data.shape, axis)
    xp.put_along_axis(result, at, xp.take_along_axis(result, at, axis) - dy, axis=axis)
    return result


@cross_entropy.gradient("data")
def _(dy, data, label, log_sum, axis):
    return backward_cross_entropy(dy, data, label, log_sum, axis=axis)


@backward_cross_entropy.expression
def _(dy, data, label, axis):
    out = get("pick")(get("log_softmax")(data, axis=axis), label, axis=axis, keepdims=True)
    return Pullback([out * -1.0], [dy], [data])


cross_entropy.sample(data=normal(3, 4), label=integers(3, low=-1, high=6))
cross_entropy.sample(data=normal(2, 3, 40), label=integers(2, 3, 1, high=40))
cross_entropy.sample(data=normal(2, 3, 2), label=integers(2, 2, high=3), axis=1)
backward_cross_entropy.sample(
    **dict(dy=normal(3, 1), data=normal(3, 40), label=integers(3, high=40)),
    **dict(log_sum=normal(3, 1, loc=4.0, scale=0.1)),
    _grad=(),
)
