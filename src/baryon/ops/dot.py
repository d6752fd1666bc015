"""Matrix products: dot, batch_dot, khatri_rao."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .csr import product as csr_product
from .csr import stored_product, transposed_product
from .fusion import Fusion, Scored, Weighed
from .op import get, op
from .rules import forward, show, unify
from .samples import normal
from .stored import INDEX, RowSparse, dense
from .windows import widened

Storage = Literal["csr", "default", "row_sparse"]


def flops(attrs: Attrs, ins: Any, outs: Any) -> int:
    """Two operations a multiply-add, over the contracted axis of the left operand."""
    lhs = ins[0].shape
    row_axis = attrs.get("axis", -2)
    inner = lhs[row_axis if len(lhs) > 1 else 0] if attrs.transpose_a else lhs[-1]
    return 2 * outs[0].size * inner


# ---- dot ---------------------------------------------------------------------------------------


def _split(shape: tuple, transposed: bool, left: bool) -> tuple[int, tuple]:
    """The contracted size of an operand of `dot` and its other axes."""
    first = transposed == left
    return (shape[0], shape[1:]) if first else (shape[-1], shape[:-1])


def _dot_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    lhs, rhs = ins
    if lhs is None or rhs is None:
        return ins, outs
    if len(lhs) == len(rhs) == 1 and (attrs.transpose_a or attrs.transpose_b):
        raise MXNetError("cannot transpose vectors")
    k, rows = _split(lhs, attrs.transpose_a, True)
    inner, columns = _split(rhs, attrs.transpose_b, False)
    if -1 not in (k, inner) and k != inner:
        raise MXNetError(f"contracted sizes {k} and {inner} differ")
    return ins, [unify((*rows, *columns) or (1,), outs[0])]


def _dot_params(attrs: Attrs, ins: Any, outs: Any) -> tuple:
    """Rows, columns, inner size and both transpositions of the product seen as matrices."""
    k, rows = _split(ins[0].shape, attrs.transpose_a, True)
    _, columns = _split(ins[1].shape, attrs.transpose_b, False)
    size = [int(np.prod(dims, dtype=np.int64)) for dims in (rows, columns)]
    return (1, *size, k, attrs.transpose_a, attrs.transpose_b, 1.0)


@op(
    "dot",
    aliases=("_sparse_dot",),
    shape=_dot_shape,
    kernel="gemm",
    params=_dot_params,
    flops=flops,
    onnx="MatMul",
    stored_as=lambda a: a.forward_stype,
)
def dot(
    xp: Any,
    lhs: Any,
    rhs: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    forward_stype: Storage | None = None,
) -> Any:
    """Product of two arrays: the last axis of `lhs` is contracted with the first of `rhs`.

    With `transpose_a` it is the first axis of `lhs`, with `transpose_b` the last of `rhs`; the
    other axes keep their order. Two vectors give shape ``(1,)``.

    A csr matrix times a dense array is dense, its transpose times one is row_sparse, and a dense
    matrix times a csr one is csr. `forward_stype` asks for another storage of the result. Source:
    MXNet operator dot.

    >>> mx.nd.dot(mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([1, 1])).asnumpy()
    array([3., 7.], dtype=float32)
    """
    a, b = widened(lhs), widened(rhs)
    axes = (0 if transpose_a else lhs.ndim - 1, rhs.ndim - 1 if transpose_b else 0)
    product = xp.tensordot(a, b, axes=axes)
    return product.reshape(1) if product.ndim == 0 else product


@dot.stored("csr default -> default", "csr row_sparse -> default", when=lambda a: not a.transpose_a)
def _(xp: Any, lhs: Any, rhs: Any, *, transpose_b: bool, **attrs: Any) -> Any:
    return csr_product(xp, lhs, _flipped(rhs) if transpose_b else rhs)


@dot.stored(
    "csr default -> row_sparse",
    "csr row_sparse -> row_sparse",
    when=lambda a: a.transpose_a and not a.transpose_b,
)
def _(xp: Any, lhs: Any, rhs: Any, **attrs: Any) -> Any:
    return transposed_product(xp, lhs, rhs)


@dot.stored("default csr -> csr", when=lambda a: not a.transpose_a)
def _(xp: Any, lhs: Any, rhs: Any, *, transpose_b: bool, **attrs: Any) -> Any:
    if transpose_b:
        found = csr_product(xp, rhs, lhs.T)
        return stored_product(RowSparse(found, xp.arange(len(found), dtype=INDEX), found.shape))
    return stored_product(transposed_product(xp, rhs, lhs.T))


def _flipped(rhs: Any) -> Any:
    """A dense array with its last axis first."""
    return dense(rhs).transpose(rhs.ndim - 1, *range(rhs.ndim - 1))


def _matrices(lhs: Any, rhs: Any, dy: Any, attrs: tuple[bool, bool]) -> tuple:
    """Operands and head gradient of `dot` as matrices."""

    def matrix(x: Any, inner: int, inner_first: bool) -> Any:
        other = int(np.prod(x.shape, dtype=np.int64)) // max(inner, 1)
        shape = (inner, other) if inner_first else (other, inner)
        return x if x.shape == shape else get("Reshape")(x, shape=shape)

    transpose_a, transpose_b = attrs
    inner, rows = _split(lhs.shape, transpose_a, True)
    a, b = matrix(lhs, inner, transpose_a), matrix(rhs, inner, not transpose_b)
    return a, b, matrix(dy, int(np.prod(rows, dtype=np.int64)), True)


def _like(x: Any, shape: tuple) -> Any:
    return x if x.shape == shape else get("Reshape")(x, shape=shape)


@dot.gradient("lhs")
def _(dy: Any, lhs: Any, rhs: Any, transpose_a: bool, transpose_b: bool) -> Any:
    _, b, dy = _matrices(lhs, rhs, dy, (transpose_a, transpose_b))
    if transpose_a:
        return _like(dot(b, dy, transpose_a=transpose_b, transpose_b=True), lhs.shape)
    return _like(dot(dy, b, transpose_b=not transpose_b), lhs.shape)


@dot.gradient("rhs")
def _(dy: Any, lhs: Any, rhs: Any, transpose_a: bool, transpose_b: bool) -> Any:
    a, _, dy = _matrices(lhs, rhs, dy, (transpose_a, transpose_b))
    if transpose_b:
        return _like(dot(dy, a, transpose_a=True, transpose_b=transpose_a), rhs.shape)
    return _like(dot(a, dy, transpose_a=not transpose_a), rhs.shape)


dot.sample(lhs=normal(3, 4), rhs=normal(4, 5))
dot.sample(lhs=normal(4, 3), rhs=normal(5, 4), transpose_a=True, transpose_b=True)
dot.sample(lhs=normal(2, 3, 4), rhs=normal(2, 5, 4), transpose_b=True)
dot.sample(lhs=normal(4), rhs=normal(4))


# ---- products of stacks of matrices ------------------------------------------------------------


def stack_shape(attrs: Attrs, lhs: tuple, rhs: tuple) -> tuple:
    """Shape of a product of two stacks of matrices whose rows lie on the last axis but one."""
    if len(lhs) != len(rhs) or lhs[:-2] != rhs[:-2]:
        raise MXNetError(f"leading axes of {show(lhs)} and {show(rhs)} differ")
    rows, inner = lhs[-2:][::-1] if attrs.transpose_a else lhs[-2:]
    other, columns = rhs[-2:][::-1] if attrs.transpose_b else rhs[-2:]
    if inner != other:
        raise MXNetError(f"contracted sizes {inner} and {other} differ")
    return (*lhs[:-2], rows, columns)


def stack_params(attrs: Attrs, ins: Any, outs: Any) -> tuple:
    """How many products, rows, columns, inner size, transpositions, factor."""
    *lead, rows, columns = outs[0].shape
    inner = ins[0].shape[-2 if attrs.transpose_a else -1]
    count = int(np.prod(lead, dtype=np.int64))
    flags = (attrs.transpose_a, attrs.transpose_b)
    return (count, rows, columns, inner, *flags, attrs.get("alpha", 1.0))


def multiply(xp: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    """Matrix product of the last two axes."""
    a, b = widened(a), widened(b)
    a = xp.swapaxes(a, -1, -2) if transpose_a else a
    b = xp.swapaxes(b, -1, -2) if transpose_b else b
    return xp.matmul(a, b)


def product_gradients(product: Any) -> tuple:
    """Both gradients of ``product(lhs, rhs, transpose_a=, transpose_b=, **more)``."""

    def lhs_rule(dy: Any, b: Any, ta: bool, tb: bool, **more: Any) -> Any:
        if ta:
            return product(b, dy, transpose_a=tb, transpose_b=True, **more)
        return product(dy, b, transpose_b=not tb, **more)

    def rhs_rule(dy: Any, a: Any, ta: bool, tb: bool, **more: Any) -> Any:
        if tb:
            return product(dy, a, transpose_a=True, transpose_b=ta, **more)
        return product(a, dy, transpose_a=not ta, **more)

    return lhs_rule, rhs_rule


def _batch_shape(attrs: Attrs, lhs: tuple, rhs: tuple) -> tuple:
    if len(lhs) < 3:
        raise MXNetError("operands must have at least 3 axes")
    return stack_shape(attrs, lhs, rhs)


@op(
    "batch_dot",
    aliases=("_npx_batch_dot",),
    shape=forward(_batch_shape),
    kernel="gemm",
    params=stack_params,
    flops=flops,
    onnx="MatMul",
)
def batch_dot(
    xp: Any,
    lhs: Any,
    rhs: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    forward_stype: Storage | None = None,
) -> Any:
    """Matrix product of the last two axes, for each index of the leading ones.

    Leading axes must be equal. `transpose_a` and `transpose_b` swap the last two axes of an
    operand first; `forward_stype` changes no value. Source: MXNet operator batch_dot.

    >>> mx.nd.batch_dot(mx.nd.ones((2, 3, 4)), mx.nd.ones((2, 4, 5))).shape
    (2, 3, 5)
    """
    return multiply(xp, lhs, rhs, transpose_a, transpose_b)


def _scored(inputs: Any, attrs: Attrs) -> Scored | None:
    turned = attrs.transpose_b and not attrs.transpose_a
    return Scored("stacked", list(inputs), 1, 1.0) if turned else None


def _weighed(inputs: Any, attrs: Attrs) -> Weighed | None:
    plain = not (attrs.transpose_a or attrs.transpose_b)
    return Weighed("stacked", *inputs) if plain else None


batch_dot.fusion = Fusion(scores=_scored, weighs=_weighed)

_batch_lhs, _batch_rhs = product_gradients(batch_dot)


@batch_dot.gradient("lhs")
def _(dy: Any, rhs: Any, transpose_a: bool, transpose_b: bool) -> Any:
    return _batch_lhs(dy, rhs, transpose_a, transpose_b)


@batch_dot.gradient("rhs")
def _(dy: Any, lhs: Any, transpose_a: bool, transpose_b: bool) -> Any:
    return _batch_rhs(dy, lhs, transpose_a, transpose_b)


for _ta in (False, True):
    batch_dot.sample(
        lhs=normal(2, 4, 3) if _ta else normal(2, 3, 4),
        rhs=normal(2, 5, 4),
        transpose_a=_ta,
        transpose_b=True,
    )
batch_dot.sample(lhs=normal(2, 3, 2, 4), rhs=normal(2, 3, 4, 2))


# ---- khatri_rao --------------------------------------------------------------------------------


def _khatri_rao_shape(attrs: Attrs, *shapes: tuple) -> tuple:
    if not shapes or any(len(s) != 2 or s[1] != shapes[0][1] for s in shapes):
        raise MXNetError("all operands must be matrices with equally many columns")
    return int(np.prod([s[0] for s in shapes])), shapes[0][1]


@op("khatri_rao", variadic="num_args", shape=forward(_khatri_rao_shape))
def khatri_rao(xp: Any, *args: Any, num_args: int | None = None) -> Any:
    """Column-wise Kronecker product of matrices with equally many columns.

    Source: MXNet operator khatri_rao; Kolda & Bader 2009, Tensor Decompositions.

    >>> a = mx.nd.array([[1, 2], [3, 4]])
    >>> mx.nd.khatri_rao(a, a).asnumpy()[1]
    array([3., 8.], dtype=float32)
    """
    result = widened(args[0])
    for matrix in args[1:]:
        result = (result[:, None, :] * widened(matrix)[None, :, :]).reshape(-1, matrix.shape[1])
    return result


khatri_rao.sample(args=[normal(2, 3), normal(2, 3), normal(3, 3)], _grad=())
