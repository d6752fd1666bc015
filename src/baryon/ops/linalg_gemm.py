"""linalg.gemm and linalg.gemm2: matrix products with factors, alone or in stacks."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .dot import flops, multiply, product_gradients, stack_params, stack_shape
from .op import op
from .rules import forward, known, show, unify
from .samples import normal
from .windows import widened


def _rows_last(shape: tuple, axis: int) -> tuple:
    """A shape with the axis of the matrix rows moved to the last but one place."""
    axis %= len(shape)
    return (*shape[:axis], *shape[axis + 1 : -1], shape[axis], shape[-1])


def _rows_back(shape: tuple, axis: int) -> tuple:
    axis %= len(shape)
    rest = (*shape[:-2], shape[-1])
    return (*rest[:axis], shape[-2], *rest[axis:])


def _gemm_shape(attrs: Attrs, a: tuple, b: tuple, *c: tuple) -> tuple:
    if len(a) < 2 or len(b) != len(a):
        raise MXNetError(f"operands {show(a)} and {show(b)} must be matrices or equal stacks")
    result = stack_shape(attrs, _rows_last(a, attrs.axis), _rows_last(b, attrs.axis))
    result = _rows_back(result, attrs.axis)
    if c and c[0] != result:
        raise MXNetError(f"C has shape {show(c[0])}, expected {show(result)}")
    return result


def _gemm_complete(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """C has the shape of the result."""
    if known(ins[0]) and known(ins[1]):
        ins[2] = unify(ins[2], _gemm_shape(attrs, ins[0], ins[1]))
    return ins, outs


def _gemm_params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    rank = len(outs[0].shape)
    return stack_params(attrs, ins, outs) if attrs.axis in (-2, rank - 2) else None


def _gemm(xp: Any, a: Any, b: Any, ta: bool, tb: bool, alpha: float, axis: int) -> Any:
    a, b = xp.moveaxis(a, axis, -2), xp.moveaxis(b, axis, -2)
    return xp.moveaxis(alpha * multiply(xp, a, b, ta, tb), -2, axis)


@op(
    "_linalg_gemm2",
    aliases=("linalg_gemm2",),
    shape=forward(_gemm_shape),
    kernel="gemm",
    params=_gemm_params,
    flops=flops,
)
def linalg_gemm2(
    xp: Any,
    A: Any,
    B: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    axis: int = -2,
) -> Any:
    """``alpha * op(A) op(B)`` for matrices, or stacks of them with equal leading axes.

    `axis` is the axis of the matrix rows; the columns lie on the last one. op transposes A with
    `transpose_a`, B with `transpose_b`. Source: MXNet operator linalg.gemm2.

    >>> mx.nd.linalg.gemm2(mx.nd.ones((1, 2)), mx.nd.ones((2, 1)), alpha=3.0).asnumpy()
    array([[6.]], dtype=float32)
    """
    return _gemm(xp, A, B, transpose_a, transpose_b, alpha, axis)


_gemm_lhs, _gemm_rhs = product_gradients(linalg_gemm2)


def _gemm_gradient_a(
    dy: Any, B: Any, transpose_a: bool, transpose_b: bool, alpha: float, axis: int
) -> Any:
    return _gemm_lhs(dy, B, transpose_a, transpose_b, alpha=alpha, axis=axis)


def _gemm_gradient_b(
    dy: Any, A: Any, transpose_a: bool, transpose_b: bool, alpha: float, axis: int
) -> Any:
    return _gemm_rhs(dy, A, transpose_a, transpose_b, alpha=alpha, axis=axis)


linalg_gemm2.gradient("A")(_gemm_gradient_a)
linalg_gemm2.gradient("B")(_gemm_gradient_b)
linalg_gemm2.sample(A=normal(3, 4), B=normal(4, 2), alpha=2.0)
linalg_gemm2.sample(A=normal(2, 4, 3), B=normal(2, 2, 4), transpose_a=True, transpose_b=True)
linalg_gemm2.sample(A=normal(3, 2, 4), B=normal(4, 2, 2), axis=0)


@op(
    "_linalg_gemm",
    aliases=("linalg_gemm",),
    complete=_gemm_complete,
    shape=forward(_gemm_shape),
    flops=flops,
)
def linalg_gemm(
    xp: Any,
    A: Any,
    B: Any,
    C: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    axis: int = -2,
) -> Any:
    """``alpha * op(A) op(B) + beta * C``, see `linalg_gemm2`.  Source: MXNet linalg.gemm.

    >>> one = mx.nd.ones((1, 1))
    >>> mx.nd.linalg.gemm(one, one, one, alpha=2.0, beta=3.0).asnumpy()
    array([[5.]], dtype=float32)
    """
    return _gemm(xp, A, B, transpose_a, transpose_b, alpha, axis) + beta * widened(C)


linalg_gemm.gradient("A")(_gemm_gradient_a)
linalg_gemm.gradient("B")(_gemm_gradient_b)


@linalg_gemm.gradient("C")
def _(dy: Any, beta: float) -> Any:
    return dy * beta


linalg_gemm.sample(A=normal(3, 4), B=normal(4, 2), C=normal(3, 2), alpha=1.5, beta=-0.5)
linalg_gemm.sample(A=normal(3, 2, 4), B=normal(4, 2, 2), C=normal(3, 2, 2), axis=0)
