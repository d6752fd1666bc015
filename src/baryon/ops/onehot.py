"""Old operators that write one element of each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .op import op
from .rules import forward
from .samples import constant, normal
from .unary import flat


def _rows(matrix: tuple[int, ...], *vectors: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a matrix, after checking that vectors have one entry for each row."""
    if len(matrix) != 2 or any(v != matrix[:1] for v in vectors):
        raise MXNetError(f"{matrix} is not the shape of a matrix with rows for {vectors}")
    return matrix


def _like(position: int) -> Any:
    """Dtype rule: the output has the type of one input."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        return ins, [ins[position]]

    return rule


@op("_onehot_encode", shape=forward(lambda a, lhs, rhs: _rows(rhs, lhs)), dtype=_like(1))
def onehot_encode(xp: Any, lhs: Any, rhs: Any) -> Any:
    """Rows like those of `rhs` with 1 at the positions `lhs` and 0 elsewhere.

    A position outside gives zeros.  (MXNet ``mx.nd.onehot_encode``.)

    >>> mx.nd._internal._onehot_encode(mx.nd.array([1, 0]), mx.nd.zeros((2, 2))).asnumpy()
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    return lhs.astype(np.int64)[:, None] == xp.arange(rhs.shape[1])


for _side in ("lhs", "rhs"):
    onehot_encode.gradient(_side)(flat)
onehot_encode.sample(lhs=constant([1.0, 7.0]), rhs=normal(2, 3), _grad=())


@op(
    "fill_element_0index",
    shape=forward(lambda a, lhs, mhs, rhs: _rows(lhs, mhs, rhs)),
    dtype=_like(0),
)
def fill_element_0index(xp: Any, lhs: Any, mhs: Any, rhs: Any) -> Any:
    """`lhs` with ``mhs[i]`` at position ``rhs[i]`` of row i; positions outside change nothing.

    No gradient flows.  (MXNet operator ``fill_element_0index``.)

    >>> x = mx.nd.array([[1, 2], [3, 4]])
    >>> mx.nd.fill_element_0index(x, mx.nd.array([9, 8]), mx.nd.array([1, 0])).asnumpy()
    array([[1., 9.],
           [8., 4.]], dtype=float32)
    """
    chosen = rhs.astype(np.int64)[:, None] == xp.arange(lhs.shape[1])
    return xp.where(chosen, mhs[:, None].astype(lhs.dtype), lhs)


for _side in ("lhs", "mhs", "rhs"):
    fill_element_0index.gradient(_side)(flat)
fill_element_0index.sample(lhs=normal(3, 2), mhs=normal(3), rhs=constant([1.0, 0.0, 5.0]), _grad=())
