"""FullyConnected and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import op
from .rules import known, unify
from .samples import normal
from .windows import widened


def _size(dims: tuple) -> int:
    return -1 if -1 in dims else int(np.prod(dims, dtype=np.int64))


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Weight and bias from data; the leading axes of data from the output and back."""
    hidden = attrs.num_hidden
    if hidden < 1:
        raise MXNetError(f"num_hidden is {hidden}, expected a positive number")
    data, (out,) = ins[0], outs
    if data is None:
        return ins, outs
    if not data:
        raise MXNetError("data has no axes")
    if attrs.flatten:
        lead = unify(data[:1], None if out is None else out[:1])
        data, features = (*lead, *data[1:]), _size(data[1:])
    else:
        lead = unify(data[:-1], None if out is None else out[:-1])
        data, features = (*lead, data[-1]), data[-1]
    weight = unify(ins[1], (hidden, features))
    bias = [unify(b, (hidden,)) for b in ins[2:]]
    return [data, weight, *bias], [unify(out, (*lead, hidden))]


def rows(array: Any, flatten: bool) -> Any:
    """Data as a matrix with one row a sample."""
    return array.reshape(array.shape[0], -1) if flatten else array.reshape(-1, array.shape[-1])


def _params(attrs: Attrs, ins: Any, outs: Any) -> tuple:
    """Rows, columns and inner size of the forward product."""
    rows = ins[0].shape[0] if attrs.flatten else _size(ins[0].shape[:-1])
    return rows, attrs.num_hidden, ins[0].size // max(rows, 1)


@op(
    "FullyConnected",
    aliases=("_npx_fully_connected", "_sparse_FullyConnected"),
    shape=_shapes,
    present={"bias": lambda a: not a.no_bias},
    kernel=True,
    params=_params,
    flops=lambda a, ins, outs: 2 * ins[1].size * outs[0].size // a.num_hidden,
    onnx="Gemm",
)
def fully_connected(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any = None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
) -> Any:
    """Linear layer: ``data weight^T + bias``.

    data : ``(batch, ...)``, its other axes seen as one; with ``flatten=False`` the last axis alone
    is transformed and the others stay. weight : ``(num_hidden, features)``. bias :
    ``(num_hidden,)``. `no_bias` leaves bias out. Source: MXNet operator FullyConnected.

    >>> x, w, b = mx.nd.ones((2, 3)), mx.nd.ones((4, 3)), mx.nd.zeros(4)
    >>> mx.nd.FullyConnected(x, w, b, num_hidden=4).asnumpy()[0]
    array([3., 3., 3., 3.], dtype=float32)
    """
    out = rows(widened(data), flatten) @ widened(weight).T
    if bias is not None:
        out = out + widened(bias)
    return out if flatten else out.reshape(*data.shape[:-1], num_hidden)


def _data_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [attrs.shape]


@op("_backward_FullyConnected_data", shape=_data_shape, kernel=True, params=lambda a, i, o: ())
def backward_data(xp: Any, head: Any, weight: Any, *, shape: Shape, flatten: bool = True) -> Any:
    """Gradient of FullyConnected by its data, whose shape is `shape`: ``head weight``."""
    return (widened(head).reshape(-1, weight.shape[0]) @ widened(weight)).reshape(shape)


def _weight_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    head, data = ins
    if not (known(head) and known(data)):
        return ins, outs
    features = _size(data[1:]) if attrs.flatten else data[-1]
    return ins, [(head[-1], features), (head[-1],)][: len(outs)]


@op(
    "_backward_FullyConnected_weight",
    shape=_weight_shapes,
    outputs=lambda a: ("weight",) if a.no_bias else ("weight", "bias"),
    kernel=True,
    params=lambda a, ins, outs: (),
)
def backward_weight(
    xp: Any, head: Any, data: Any, *, no_bias: bool = False, flatten: bool = True
) -> Any:
    """Gradients of FullyConnected by weight and bias: ``head^T data`` and the sum of `head`."""
    head = rows(widened(head), flatten)
    weight = head.T @ rows(widened(data), flatten)
    return (weight,) if no_bias else (weight, head.sum(0))


# The three are each other's gradients: both backward operators are linear in either input.


@fully_connected.gradient("data")
def _(dy: Any, data: Any, weight: Any, flatten: bool) -> Any:
    return backward_data(dy, weight, shape=data.shape, flatten=flatten)


@fully_connected.gradient("weight", "bias")
def _(dy: Any, data: Any, no_bias: bool, flatten: bool) -> Any:
    found = backward_weight(dy, data, no_bias=no_bias, flatten=flatten)
    return (found, None) if no_bias else tuple(found)


@backward_data.gradient("head")
def _(dy: Any, weight: Any, flatten: bool) -> Any:
    hidden = weight.shape[0]
    return fully_connected(dy, weight, num_hidden=hidden, no_bias=True, flatten=flatten)


@backward_data.gradient("weight")
def _(dy: Any, head: Any, flatten: bool) -> Any:
    return backward_weight(head, dy, no_bias=True, flatten=flatten)


@backward_weight.gradient("head")
def _(dys: Any, data: Any, no_bias: bool, flatten: bool) -> Any:
    hidden = dys[0].shape[0]
    return fully_connected(data, *dys, num_hidden=hidden, no_bias=no_bias, flatten=flatten)


@backward_weight.gradient("data")
def _(d_weight: Any, head: Any, data: Any, flatten: bool) -> Any:
    if d_weight is None:
        return None
    return backward_data(head, d_weight, shape=data.shape, flatten=flatten)


fully_connected.sample(data=normal(3, 5), weight=normal(4, 5), bias=normal(4), num_hidden=4)
fully_connected.sample(data=normal(3, 2, 5), weight=normal(4, 10), num_hidden=4, no_bias=True)
fully_connected.sample(
    data=normal(2, 3, 5), weight=normal(4, 5), bias=normal(4), num_hidden=4, flatten=False
)
backward_data.sample(head=normal(3, 4), weight=normal(4, 10), shape=(3, 2, 5))
backward_weight.sample(head=normal(3, 4), data=normal(3, 2, 5))
