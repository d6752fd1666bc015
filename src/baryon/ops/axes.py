"""Operators that add or drop axes of size one, and those that read an array's shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .op import op
from .reshape import normalize, normalize_all, reshape_exactly
from .rules import forward, output_dtype, unify
from .samples import normal


def _expanded(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, out = ins[0], outs[0]
    if data is not None:
        axis = normalize(attrs.axis, len(data) + 1)
        out = unify((*data[:axis], 1, *data[axis:]), out)
    if out is not None:
        axis = normalize(attrs.axis, len(out))
        data = unify(data, (*out[:axis], *out[axis + 1 :]))
    return [data], [out]


@op(
    "expand_dims",
    aliases=("_npi_expand_dims",),
    shape=_expanded,
    view=True,
    onnx="Unsqueeze",
)
def expand_dims(xp, data, *, axis: int):
    """A new axis of size one at position `axis` (negative: from the end of the result's axes).

    >>> mx.nd.expand_dims(mx.nd.zeros((2, 3)), axis=1).shape
    (2, 1, 3)
    """
    return xp.expand_dims(data, axis)


@expand_dims.gradient("data")
def _(dy, data):
    return reshape_exactly(dy, shape=data.shape)


expand_dims.sample(data=normal(2, 3), axis=1)
expand_dims.sample(data=normal(2, 3), axis=-1)


def _squeezed(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if attrs.axis is None:
        shape = tuple(d for d in data if d != 1)
    else:
        axes = normalize_all(attrs.axis, len(data))
        if any(data[a] != 1 for a in axes):
            raise MXNetError(f"axes {attrs.axis} do not all have size 1")
        shape = tuple(d for i, d in enumerate(data) if i not in axes)
    return shape if shape or not data else (1,)


@op("squeeze", shape=forward(_squeezed), view=True, onnx="Squeeze")
def squeeze(xp, data, *, axis: Shape | None = None):
    """Drop the axes of size one, or just those in `axis`; the last axis left is never dropped.

    >>> mx.nd.squeeze(mx.nd.zeros((1, 3, 1, 2)), axis=0).shape
    (3, 1, 2)
    """
    return data.reshape(_squeezed(Attrs(axis=axis), data.shape))


@squeeze.gradient("data")
def _(dy, data):
    return reshape_exactly(dy, shape=data.shape)


squeeze.sample(data=normal(1, 3, 1, 2))
squeeze.sample(data=normal(1, 3, 1, 2), axis=(0, -2))


@op(
    "shape_array",
    aliases=("_npx_shape_array",),
    shape=lambda attrs, ins, outs: (
        ins,
        outs if ins[0] is None else [unify((len(ins[0]),), outs[0])],
    ),
    dtype=output_dtype("int64"),
    onnx="Shape",
)
def shape_array(xp, data):
    """The shape of `data` as a 1-d int64 array.

    >>> mx.nd.shape_array(mx.nd.zeros((2, 3))).asnumpy()
    array([2, 3])
    """
    return fixed(xp, data.shape, np.int64).copy()


shape_array.sample(data=normal(2, 3))


@op(
    "size_array",
    shape=lambda attrs, ins, outs: (ins, [unify((1,), outs[0])]),
    dtype=output_dtype("int64"),
    onnx="Size",
)
def size_array(xp, data):
    """The number of elements of `data` as an int64 array of shape (1,).

    >>> mx.nd.size_array(mx.nd.zeros((2, 3))).asnumpy()
    array([6])
    """
    return xp.full(1, prod(data.shape), np.int64)


size_array.sample(data=normal(2, 3))
