"""Choosing single elements: one of each run by its index, one of two by a condition."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from ..base import MXNetError
from ..dtypes import as_dtype
from .attrs import Attrs, DType, Shape
from .device import fixed
from .indexing import nonempty, rows, valid, whole
from .op import op
from .reshape import normalize
from .rules import attr_dtype, forward, uniform_among, unify
from .samples import constant, integers, normal

# ---- pick, batch_take ----------------------------------------------------------------------------


def picked(attrs: Attrs, data: Sequence[int], index: Sequence[int]) -> tuple[int, ...]:
    """Shape of one element of each run along ``attrs.axis``; MXNetError if the index misfits."""
    if attrs.axis is None:
        raise MXNetError("axis=None is not supported, name an axis")
    axis = normalize(attrs.axis, len(data))
    kept = (*data[:axis], 1, *data[axis + 1 :])
    dropped = (*data[:axis], *data[axis + 1 :]) or (1,)
    if tuple(index) not in (kept, dropped):
        raise MXNetError(f"index has shape {tuple(index)}, expected {dropped} or {kept}")
    nonempty(data[axis], index)
    return kept if attrs.keepdims else dropped


def _pick_params(attrs: Attrs, shape: Sequence[int]) -> tuple | None:
    return rows(attrs.axis, attrs.mode, shape)


@op(
    "pick",
    aliases=("choose_element_0index", "_npx_pick"),
    shape=forward(picked),
    dtype=uniform_among(0),
    kernel=True,
    params=lambda a, ins, outs: _pick_params(a, ins[0].shape),
)
def pick(
    xp,
    data,
    index,
    *,
    axis: int | None = -1,
    keepdims: bool = False,
    mode: Literal["clip", "wrap"] = "clip",
):
    """One element of each run along `axis`: ``out[i] = data[i, index[i]]`` for the last axis.

    The axis stays with size one under `keepdims`. `mode` says what an index outside the run means:
    its nearest end (clip), or modulo its size (wrap). Source: MXNet operator pick.

    >>> mx.nd.pick(mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([1, 0])).asnumpy()
    array([2., 3.], dtype=float32)
    """
    shape = picked(Attrs(axis=axis, keepdims=keepdims), data.shape, index.shape)
    at = valid(xp, index, data.shape[axis], mode)
    kept = list(data.shape)
    kept[axis] = 1
    return xp.take_along_axis(data, at.reshape(kept), axis=axis).reshape(shape)


@pick.gradient("data")
def _(dy, data, index, axis, mode):
    return pick_gradient(dy, index, shape=data.shape, axis=axis, mode=mode)


pick.sample(data=normal(3, 4), index=integers(3, high=4))
pick.sample(data=normal(3, 4), index=integers(4, low=-5, high=5), axis=0, mode="wrap")
pick.sample(data=normal(2, 3, 2), index=integers(2, 1, 2, high=4), axis=1, keepdims=True)


@op(
    "_backward_pick",
    shape=forward(lambda a, dy, index: a.shape),
    dtype=uniform_among(0),
    kernel=True,
    params=lambda a, ins, outs: _pick_params(a, a.shape),
)
def pick_gradient(
    xp, dy, index, *, shape: Shape, axis: int = -1, mode: Literal["clip", "wrap"] = "clip"
):
    """Zeros of `shape` but for the elements that ``pick`` read, which are `dy`."""
    kept = list(shape)
    kept[axis] = 1
    out = xp.zeros(shape, dy.dtype)
    at = valid(xp, index, shape[axis], mode).reshape(kept)
    xp.put_along_axis(out, at, dy.reshape(kept), axis=axis)
    return out


@pick_gradient.gradient("dy")
def _(d_output, dy, index, axis, mode):
    kept = dy.ndim == d_output.ndim and dy.shape[axis] == 1
    return pick(d_output, index, axis=axis, keepdims=kept, mode=mode)


pick_gradient.sample(dy=normal(3), index=integers(3, high=4), shape=(3, 4))


def _batch_taken(attrs: Attrs, a: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    if len(a) < 2 or prod(indices) != prod(a[:-1]):
        raise MXNetError(f"indices {tuple(indices)} do not pick one element of each row of {a}")
    nonempty(a[-1], indices)
    return tuple(indices)


@op(
    "batch_take",
    shape=forward(_batch_taken),
    dtype=uniform_among(0, rest=lambda dtype: as_dtype("int32")),
    kernel="pick",
    params=lambda a, ins, outs: rows(-1, "clip", ins[0].shape),
)
def batch_take(xp, a, indices):
    """One element of each row: ``out[i] = a[i, indices[i]]``, indices clipped to the row.

    a : (..., columns). indices : as many as a has rows. Source: MXNet operator batch_take.

    >>> rows = mx.nd.array([[1, 2], [3, 4]])
    >>> mx.nd.batch_take(rows, mx.nd.array([1, 0], dtype="int32")).asnumpy()
    array([2., 3.], dtype=float32)
    """
    at = valid(xp, indices, a.shape[-1], "clip").reshape(-1)
    return a.reshape(-1, a.shape[-1])[xp.arange(at.size), at].reshape(indices.shape)


@batch_take.gradient("a")
def _(dy, a, indices):
    return pick_gradient(dy, indices, shape=a.shape)


batch_take.sample(a=normal(3, 4), indices=integers(3, low=-1, high=6))


# ---- one_hot, where ------------------------------------------------------------------------------


@op(
    "one_hot",
    aliases=("_npx_one_hot",),
    shape=forward(lambda a, indices: (*indices, a.depth)),
    dtype=attr_dtype(),
    kernel=True,
    params=lambda a, ins, outs: (a.on_value, a.off_value),
    onnx="OneHot",
)
def one_hot(
    xp,
    indices,
    *,
    depth: int,
    on_value: float = 1.0,
    off_value: float = 0.0,
    dtype: DType = "float32",
):
    """`off_value` along a new last axis of size `depth`, `on_value` at the index.

    An index outside [0, depth) gives a row of `off_value`. `dtype` is that of the result. Source:
    MXNet operator one_hot.

    >>> mx.nd.one_hot(mx.nd.array([1, 3]), depth=2).asnumpy()
    array([[0., 1.],
           [0., 0.]], dtype=float32)
    """
    hit = whole(xp, indices)[..., None] == xp.arange(depth)
    return xp.where(hit, fixed(xp, on_value, dtype), fixed(xp, off_value, dtype))


one_hot.gradient("indices")(lambda dy: None)
one_hot.sample(indices=integers(4, low=-1, high=4), depth=3, _grad=())
one_hot.sample(
    indices=integers(2, 2, high=4), depth=4, on_value=5, off_value=-1, dtype="int32", _grad=()
)


def _chosen(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """x, y and the output agree; the condition has their shape or is a vector over axis 0."""
    condition = ins[0]
    shape = unify(unify(ins[1], ins[2]), outs[0])
    if shape is not None and condition is not None:
        if len(condition) == 1 and len(shape) > 1:
            unify(condition, shape[:1])
        else:
            shape = condition = unify(condition, shape)
    return [condition, shape, shape], [shape]


def _blocks(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple:
    """Elements that each element of the condition decides."""
    return (prod(outs[0].shape[len(ins[0].shape) :]),)


def _spread(condition: Any, ndim: int) -> Any:
    return (condition != 0).reshape(condition.shape + (1,) * (ndim - condition.ndim))


@op(
    "where",
    aliases=("_sparse_where",),
    shape=_chosen,
    dtype=uniform_among(1, 2),
    pointwise=True,
    element="a != 0 ? b : c",
    kernel=True,
    params=_blocks,
    onnx="Where",
)
def where(xp, condition, x, y):
    """Elements of `x` where `condition` is not zero, of `y` elsewhere.

    A 1-d condition may choose whole slices along the first axis.

    >>> mx.nd.where(mx.nd.array([1, 0]), mx.nd.array([1, 2]), mx.nd.array([3, 4])).asnumpy()
    array([1., 4.], dtype=float32)
    """
    return xp.where(_spread(condition, x.ndim), x, y)


@where.gradient("x")
def _(dy, condition):
    return where_gradient(condition, dy, branch=True)


@where.gradient("y")
def _(dy, condition):
    return where_gradient(condition, dy, branch=False)


_CONDITION = constant([[1, 0, 2], [0, -1, 0]], integral=True)
where.sample(condition=_CONDITION, x=normal(2, 3), y=normal(2, 3))
where.sample(condition=constant([1, 0], integral=True), x=normal(2, 3), y=normal(2, 3))


@op(
    "_backward_where",
    shape=lambda attrs, ins, outs: (
        [ins[0], unify(ins[1], outs[0])],
        [unify(ins[1], outs[0])],
    ),
    dtype=uniform_among(1),
    inplace={0: "dy"},
    pointwise=True,
    element=lambda attrs: f"(a != 0) == {str(attrs.branch).lower()} ? b : A(0)",
    kernel=True,
    params=lambda a, ins, outs: (*_blocks(a, ins, outs), a.branch),
)
def where_gradient(xp, condition, dy, *, branch: bool):
    """`dy` where the condition (not zero) is `branch`, zero elsewhere."""
    return xp.where(_spread(condition, dy.ndim) == branch, dy, xp.zeros((), dy.dtype))


@where_gradient.gradient("dy")
def _(d_output, condition, branch):
    return where_gradient(condition, d_output, branch=branch)


where_gradient.sample(condition=_CONDITION, dy=normal(2, 3), branch=False)
