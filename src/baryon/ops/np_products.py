"""Products of the NumPy interface: tensordot, dot and matmul."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .dot import multiply
from .numeric import numeric, widen
from .op import Spec, get, op
from .reshape import normalize_all, reshape_exactly
from .rules import broadcast_shapes, forward, show
from .samples import normal
from .shape import transpose

# ---- tensordot, the general case -----------------------------------------------------------------


def _free(ndim: int, summed: Sequence[int]) -> list[int]:
    return [i for i in range(ndim) if i not in summed]


def _contracted(a: Sequence[int], b: Sequence[int], axes: tuple[tuple, tuple]) -> tuple[int, ...]:
    """Shape of the product that sums over pairs of axes."""
    left, right = normalize_all(axes[0], len(a)), normalize_all(axes[1], len(b))
    if [a[i] for i in left] != [b[i] for i in right]:
        raise MXNetError(f"axes {left} of {show(a)} and {right} of {show(b)} differ")
    return (*(a[i] for i in _free(len(a), left)), *(b[i] for i in _free(len(b), right)))


def _one_matrix(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """Numbers for the matrix product where no axis has to move first."""
    (a, b), (left, right) = (s.shape for s in ins), (attrs.a_axes_summed, attrs.b_axes_summed)
    n = len(left)
    left, right = normalize_all(left, len(a)), normalize_all(right, len(b))
    if left != tuple(range(len(a) - n, len(a))) or right != tuple(range(n)) or not outs[0].size:
        return None
    inner = prod(b[:n])
    return (1, prod(a[: len(a) - n]), prod(b[n:]), inner, False, False, 1.0) if inner else None


@op(
    "_npi_tensordot",
    shape=forward(lambda at, a, b: _contracted(a, b, (at.a_axes_summed, at.b_axes_summed))),
    dtype=numeric,
    kernel="gemm",
    params=_one_matrix,
)
def tensordot(xp: Any, a: Any, b: Any, *, a_axes_summed: Shape, b_axes_summed: Shape) -> Any:
    """Sum of products over pairs of axes of `a` and `b`, whose other axes stay in order.

    The pairs are the axes `a_axes_summed` and `b_axes_summed`.

    (MXNet ``mx.np.tensordot``.)

    >>> a = mx.np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> mx.np.tensordot(a, a, axes=((0, 1), (0, 1))).item()
    30.0
    """
    return xp.tensordot(widen(xp, a), widen(xp, b), (list(a_axes_summed), list(b_axes_summed)))


def _back(dy: Any, other: Any, mine: Sequence[int], its: Sequence[int], ndim: int, at: int) -> Any:
    """Gradient of the operand whose axes `mine` were summed with axes `its` of `other`.

    at : the first axis of `dy` that belongs to `other`.
    """
    theirs = _free(other.ndim, its)
    summed = tuple(range(at, at + len(theirs)))
    drawn = tensordot(dy, other, a_axes_summed=summed, b_axes_summed=tuple(theirs))
    # What is left: my free axes, then the summed ones in the order in which `other` has them.
    order = [*_free(ndim, mine), *(mine[i] for i in np.argsort(its))]
    moves = tuple(int(i) for i in np.argsort(order))
    return transpose(drawn, axes=moves) if moves and moves != tuple(range(ndim)) else drawn


def _left(dy: Any, a: Any, b: Any, left: Sequence[int], right: Sequence[int]) -> Any:
    left, right = normalize_all(left, a.ndim), normalize_all(right, b.ndim)
    return _back(dy, b, left, right, a.ndim, a.ndim - len(left))


def _right(dy: Any, a: Any, b: Any, left: Sequence[int], right: Sequence[int]) -> Any:
    left, right = normalize_all(left, a.ndim), normalize_all(right, b.ndim)
    return _back(dy, a, right, left, b.ndim, 0)


@tensordot.gradient("a")
def _(dy: Any, a: Any, b: Any, a_axes_summed: Any, b_axes_summed: Any) -> Any:
    return _left(dy, a, b, a_axes_summed, b_axes_summed)


@tensordot.gradient("b")
def _(dy: Any, a: Any, b: Any, a_axes_summed: Any, b_axes_summed: Any) -> Any:
    return _right(dy, a, b, a_axes_summed, b_axes_summed)


tensordot.sample(a=normal(2, 3, 4), b=normal(4, 3, 2), a_axes_summed=(1, 2), b_axes_summed=(1, 0))
tensordot.sample(a=normal(3, 4), b=normal(4, 2), a_axes_summed=(1,), b_axes_summed=(0,))
tensordot.sample(a=normal(2, 3, 4), b=normal(5, 2), a_axes_summed=(0,), b_axes_summed=(-1,))
tensordot.sample(a=normal(2), b=normal(3), a_axes_summed=(), b_axes_summed=())


def _counted(axes: int, a: Sequence[int], b: Sequence[int]) -> tuple[tuple, tuple]:
    """The last `axes` axes of `a` and the first of `b`."""
    if not 0 <= axes <= min(len(a), len(b)):
        raise MXNetError(f"{axes} axes cannot be summed of {show(a)} and {show(b)}")
    return tuple(range(len(a) - axes, len(a))), tuple(range(axes))


def _counted_matrix(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    left, right = _counted(attrs.axes, ins[0].shape, ins[1].shape)
    return _one_matrix(Attrs(a_axes_summed=left, b_axes_summed=right), ins, outs)


@op(
    "_npi_tensordot_int_axes",
    shape=forward(lambda at, a, b: _contracted(a, b, _counted(at.axes, a, b))),
    dtype=numeric,
    kernel="gemm",
    params=_counted_matrix,
)
def tensordot_int_axes(xp: Any, a: Any, b: Any, *, axes: int) -> Any:
    """Sum of products over the last `axes` axes of `a` and as many first ones of `b`.

    (MXNet ``mx.np.tensordot``.)

    >>> mx.np.tensordot(mx.np.array([1.0, 2.0]), mx.np.array([3.0, 4.0]), axes=1).item()
    11.0
    """
    return xp.tensordot(widen(xp, a), widen(xp, b), axes)


@tensordot_int_axes.gradient("a")
def _(dy: Any, a: Any, b: Any, axes: int) -> Any:
    return _left(dy, a, b, *_counted(axes, a.shape, b.shape))


@tensordot_int_axes.gradient("b")
def _(dy: Any, a: Any, b: Any, axes: int) -> Any:
    return _right(dy, a, b, *_counted(axes, a.shape, b.shape))


tensordot_int_axes.sample(a=normal(2, 3, 4), b=normal(3, 4, 2), axes=2)
tensordot_int_axes.sample(a=normal(2, 3), b=normal(2), axes=0)

# ---- dot -----------------------------------------------------------------------------------------


def _dot_axes(a: Sequence[int], b: Sequence[int]) -> tuple[tuple, tuple]:
    """The axes that NumPy's dot sums over: none with a number."""
    return ((len(a) - 1,), (max(len(b) - 2, 0),)) if a and b else ((), ())


def _dot_matrix(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    left, right = _dot_axes(ins[0].shape, ins[1].shape)
    return _one_matrix(Attrs(a_axes_summed=left, b_axes_summed=right), ins, outs) if left else None


@op(
    "_np_dot",
    shape=forward(lambda at, a, b: _contracted(a, b, _dot_axes(a, b))),
    dtype=numeric,
    kernel="gemm",
    params=_dot_matrix,
)
def np_dot(xp: Any, a: Any, b: Any) -> Any:
    """Product over the last axis of `a` and the last but one of `b` (the only one of a vector).

    With a number it is the product with it.  (MXNet ``mx.np.dot``.)

    >>> mx.np.dot(mx.np.array([[1.0, 2.0]]), mx.np.array([3.0, 4.0])).tolist()
    [11.0]
    """
    return xp.dot(widen(xp, a), widen(xp, b))


@np_dot.gradient("a")
def _(dy: Any, a: Any, b: Any) -> Any:
    return _left(dy, a, b, *_dot_axes(a.shape, b.shape))


@np_dot.gradient("b")
def _(dy: Any, a: Any, b: Any) -> Any:
    return _right(dy, a, b, *_dot_axes(a.shape, b.shape))


for _shapes in (
    ((2, 3, 4), (2, 4, 3)), ((4,), (4,)), ((2, 3), (3,)), ((), (2, 3)), ((3, 2), (2, 4)),
):  # fmt: skip
    np_dot.sample(a=normal(*_shapes[0]), b=normal(*_shapes[1]))
np_dot.sample(a=normal(2, 0), b=normal(0, 3), _grad=())

# ---- matmul --------------------------------------------------------------------------------------


def _as_matrices(a: Sequence[int], b: Sequence[int]) -> tuple[tuple, tuple]:
    """Vectors as a row on the left and a column on the right."""
    if not a or not b:
        raise MXNetError("operands must have at least one axis")
    return ((1, *a) if len(a) == 1 else tuple(a)), ((*b, 1) if len(b) == 1 else tuple(b))


def _matmul_shape(attrs: Attrs, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    left, right = _as_matrices(a, b)
    if left[-1] != right[-2]:
        raise MXNetError(f"contracted sizes {left[-1]} and {right[-2]} differ")
    lead = broadcast_shapes(left[:-2], right[:-2])
    rows, columns = (() if len(x) == 1 else (n,) for x, n in ((a, left[-2]), (b, right[-1])))
    return (*lead, *rows, *columns)


def _matmul_params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """Numbers for the kernel unless one operand's stack has to be repeated."""
    a, b = _as_matrices(ins[0].shape, ins[1].shape)
    if not outs[0].size or not ins[0].size:
        return None
    if len(b) == 2:
        return (1, prod(a[:-1]), b[-1], a[-1], False, False, 1.0)
    if a[:-2] != b[:-2]:
        return None
    return (prod(a[:-2]), a[-2], b[-1], a[-1], False, False, 1.0)


@op(
    "_npi_matmul",
    outputs=("out",),
    shape=forward(_matmul_shape),
    dtype=numeric,
    kernel="gemm",
    params=_matmul_params,
    onnx="MatMul",
)
def matmul(xp: Any, a: Any, b: Any) -> Any:
    """Matrix product of the last two axes; leading ones broadcast, vectors are a row or a column.

    (MXNet ``mx.np.matmul``, whose gradient is wrong where leading axes broadcast; this one is
    right.)

    >>> mx.np.matmul(mx.np.array([[1.0, 2.0]]), mx.np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    return multiply(xp, a, b, False, False)


def _swapped(x: Any) -> Any:
    return get("SwapAxis")(x, dim1=x.ndim - 2, dim2=x.ndim - 1)


def _operands(dy: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Head gradient and operands as stacks of matrices."""
    left, right = _as_matrices(a.shape, b.shape)
    lead = broadcast_shapes(left[:-2], right[:-2])
    shapes = ((*lead, left[-2], right[-1]), left, right)
    return tuple(
        x if x.shape == s else reshape_exactly(x, shape=s)
        for x, s in zip((dy, a, b), shapes, strict=True)
    )


def _fold(grad: Any, matrices: Any, like: Any) -> Any:
    """A gradient summed over the leading axes that were repeated, in the operand's own shape."""
    if grad.shape != matrices.shape:
        grad = get("_unbroadcast")(grad, shape=matrices.shape)
    return grad if grad.shape == like.shape else reshape_exactly(grad, shape=like.shape)


@matmul.gradient("a")
def _(dy: Any, a: Any, b: Any) -> Any:
    head, left, right = _operands(dy, a, b)
    return _fold(matmul(head, _swapped(right)), left, a)


@matmul.gradient("b")
def _(dy: Any, a: Any, b: Any) -> Any:
    head, left, right = _operands(dy, a, b)
    if right.ndim == 2 and left.ndim > 2:  # one product over all rows
        rows = prod(left.shape[:-1])
        left = reshape_exactly(left, shape=(rows, left.shape[-1]))
        head = reshape_exactly(head, shape=(rows, head.shape[-1]))
    return _fold(matmul(_swapped(left), head), right, b)


for _shapes in (
    ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((2, 3, 4), (2, 4, 5)), ((4,), (4,)),
    ((2, 3, 4), (4,)), ((3,), (2, 3, 4)), ((3, 4), (2, 4, 5)),
):  # fmt: skip
    matmul.sample(a=normal(*_shapes[0]), b=normal(*_shapes[1]))
matmul.sample(a=normal(2, 0), b=normal(0, 3), _grad=())
