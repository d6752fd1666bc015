"""Joining arrays along an axis, and splitting one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..base import MXNetError
from .attrs import Attrs, Shape
from .csr import stack as stack_rows
from .fusion import Fusion
from .op import op
from .reshape import normalize, reshape_exactly
from .rules import forward, numbered, unify
from .samples import normal
from .slicing import place, slice_axis


def _outer(shape: Sequence[int], axis: int) -> tuple[int]:
    """The kernels' one parameter: how many runs of elements lie before `axis`."""
    return (prod(shape[: normalize(axis, len(shape))]),)


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _joined(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return joined(attrs.dim, ins, outs)


def joined(axis: int, ins: list, outs: list) -> tuple[list, list]:
    """All dimensions but one agree; that one adds up, and one unknown part follows from the sum."""
    given = [s for s in (*ins, *outs) if s is not None]
    if not given:
        return ins, outs
    axis = normalize(axis, len(given[0]))
    common = None
    for shape in given:
        common = unify(common, _with(shape, axis, -1))
    ins = [_with(common, axis, -1 if s is None else s[axis]) for s in ins]
    sizes = [s[axis] for s in ins]
    out = unify(_with(common, axis, -1 if -1 in sizes else sum(sizes)), outs[0])
    if sizes.count(-1) == 1 and out[axis] != -1:
        hole = sizes.index(-1)
        ins[hole] = _with(ins[hole], axis, out[axis] - sum(sizes) - 1)
    return ins, [out]


@op(
    "Concat",
    aliases=("concat", "_sparse_concat"),
    shape=_joined,
    variadic="num_args",
    kernel=True,
    params=lambda a, ins, outs: _outer(outs[0].shape, a.dim),
    onnx="Concat",
    rowwise=lambda a: numbered(a.num_args, "arg") if a.dim > 0 else (),
    joined=lambda a, ins: prod(ins[0].shape[: normalize(a.dim, len(ins[0].shape))]) == 1,
)
def concat(xp, *data, num_args: int, dim: int = 1):
    """Join arrays along axis `dim`; all other dimensions agree (MXNet operator ``Concat``).

    `num_args` is the number of arrays, filled in by itself.

    >>> mx.nd.concat(mx.nd.ones((1, 2)), mx.nd.zeros((1, 1)), dim=1).asnumpy()
    array([[1., 1., 0.]], dtype=float32)
    """
    return xp.concatenate(data, axis=dim)


def _parts(dy, data: Sequence, dim: int) -> list:
    """The part of `dy` that belongs to each of the joined arrays."""
    axis, begin, parts = normalize(dim, dy.ndim), 0, []
    for array in data:
        end = begin + array.shape[axis]
        empty = begin == end
        parts.append(None if empty else slice_axis(dy, axis=axis, begin=begin, end=end))
        begin = end
    return parts


@concat.stored("csr... -> csr", when=lambda a: a.dim in (0, -2))
def _(xp, *data, num_args, dim):
    return stack_rows(xp, data)


@concat.gradient("data")
def _(dy, data, dim):
    return _parts(dy, data, dim)


concat.sample(data=[normal(2, 3), normal(2, 1), normal(2, 2)])
concat.sample(data=[normal(2, 3, 2), normal(1, 3, 2)], dim=0)
concat.sample(data=[normal(2, 2, 3), normal(2, 2, 1)], dim=-1)


@op(
    "_rnn_param_concat",
    aliases=("_npi_rnn_param_concat",),
    shape=_joined,
    variadic="num_args",
    kernel="Concat",
    params=lambda a, ins, outs: _outer(outs[0].shape, a.dim),
)
def rnn_param_concat(xp, *data, num_args: int, dim: int = 1):
    """Join the flat parameters of a recurrent layer into the one vector that ``RNN`` reads.

    One unknown length follows from the length of the result. `dim` is the axis. Source: MXNet
    operator _rnn_param_concat.

    >>> x, y = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0])
    >>> mx.nd._internal._rnn_param_concat(x, y, num_args=2, dim=0).asnumpy()
    array([1., 2., 3.], dtype=float32)
    """
    return xp.concatenate(data, axis=dim)


@rnn_param_concat.gradient("data")
def _(dy, data, dim):
    return _parts(dy, data, dim)


concat.fusion = rnn_param_concat.fusion = Fusion(joins=lambda attrs: attrs.dim)
rnn_param_concat.sample(data=[normal(6), normal(4), normal(3)], dim=0)


def _stacked(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    common, out = None, outs[0]
    if out is not None:
        axis = normalize(attrs.axis, len(out))
        common = (*out[:axis], *out[axis + 1 :])
    for shape in ins:
        common = unify(common, shape)
    if common is None:
        return ins, outs
    axis = normalize(attrs.axis, len(common) + 1)
    return [common] * len(ins), [unify((*common[:axis], len(ins), *common[axis:]), out)]


@op(
    "stack",
    shape=_stacked,
    variadic="num_args",
    kernel="Concat",
    params=lambda a, ins, outs: _outer(outs[0].shape, a.axis),
)
def stack(xp, *data, axis: int = 0, num_args: int):
    """Join arrays of one shape along a new axis; `num_args`, their number, is filled in by itself.

    >>> mx.nd.stack(mx.nd.array([1, 2]), mx.nd.array([3, 4]), axis=1).asnumpy()
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    """
    return xp.stack(data, axis=axis)


@stack.gradient("data")
def _(dy, data, axis):
    parts = slice_channel(dy, num_outputs=len(data), axis=axis, squeeze_axis=True)
    return parts if isinstance(parts, (tuple, list)) else [parts]


stack.sample(data=[normal(2, 3), normal(2, 3), normal(2, 3)], axis=1)
stack.sample(data=[normal(2, 3), normal(2, 3)], axis=-1)


# ---- splitting -----------------------------------------------------------------------------------


def _without(shape: tuple[int, ...], axis: int, squeeze: bool) -> tuple[int, ...]:
    """`shape` without an axis of size one if `squeeze`; the last axis left stays."""
    if not squeeze:
        return shape
    if shape[axis] not in (1, -1):
        raise MXNetError(f"squeeze_axis needs parts of size 1, got {shape[axis]}")
    return (*shape[:axis], *shape[axis + 1 :]) or (1,)


def _rejoin(dys: Sequence, shape: tuple[int, ...], axis: int):
    """Gradients of all parts as the gradient of the whole, which has that shape."""
    if len(dys) == 1:
        return reshape_exactly(dys[0], shape=shape)
    axis = normalize(axis, len(shape))
    if dys[0].ndim == len(shape):
        return concat(*dys, dim=axis)
    return stack(*dys, axis=axis)


def _split_evenly(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, n = ins[0], attrs.num_outputs
    if data is None:
        return ins, outs
    axis = normalize(attrs.axis, len(data))
    if data[axis] != -1 and data[axis] % n:
        raise MXNetError(f"axis {attrs.axis} of size {data[axis]} does not split into {n} parts")
    part = _without(
        _with(data, axis, -1 if data[axis] == -1 else data[axis] // n), axis, attrs.squeeze_axis
    )
    for shape in outs:
        part = unify(part, shape)
    if len(part) == len(data):
        data = unify(data, _with(part, axis, -1 if part[axis] == -1 else part[axis] * n))
    return [data], [part] * len(outs)


@op(
    "SliceChannel",
    aliases=("split",),
    shape=_split_evenly,
    outputs=lambda a: numbered(a.num_outputs),
    kernel=True,
    params=lambda a, ins, outs: _outer(ins[0].shape, a.axis),
    onnx="Split",
)
def slice_channel(xp, data, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False):
    """Split along `axis` into `num_outputs` equal parts (MXNet operator ``SliceChannel``).

    With `squeeze_axis` the parts, of size one, lose that axis.

    >>> [part.shape for part in mx.nd.split(mx.nd.zeros((2, 6)), num_outputs=3)]
    [(2, 2), (2, 2), (2, 2)]
    """
    parts = xp.split(data, num_outputs, axis=axis)
    at = axis % data.ndim
    return tuple(p.reshape(_without(p.shape, at, squeeze_axis)) for p in parts)


@slice_channel.gradient("data")
def _(dys, data, axis):
    return _rejoin(dys, data.shape, axis)


slice_channel.sample(data=normal(2, 6), num_outputs=3)
slice_channel.sample(data=normal(3, 2, 4), num_outputs=3, axis=0, squeeze_axis=True)
slice_channel.sample(data=normal(2, 4), num_outputs=4, axis=-1, squeeze_axis=True)
slice_channel.sample(data=normal(2, 3), num_outputs=1)


def _bounds(attrs: Attrs, size: int) -> list[tuple[int, int]]:
    """Begin and end of each part of an axis of that size."""
    if attrs.sections:
        if size % attrs.sections:
            raise MXNetError(f"size {size} does not split into {attrs.sections} parts")
        step = size // attrs.sections
        return [(i * step, (i + 1) * step) for i in range(attrs.sections)]
    begins = [b + size if b < 0 else b for b in attrs.indices]
    ends = [*begins[1:], size]
    if any(not 0 <= b <= e for b, e in zip(begins, ends, strict=True)):
        raise MXNetError(f"indices {attrs.indices} do not ascend within size {size}")
    return list(zip(begins, ends, strict=True))


@forward
def split_at(attrs: Attrs, data: Sequence[int]) -> list[tuple[int, ...]]:
    """Shape rule of a split into `sections` equal parts or at `indices`."""
    axis = normalize(attrs.axis, len(data))
    sizes = [e - b for b, e in _bounds(attrs, data[axis])]
    return [_without(_with(data, axis, n), axis, attrs.squeeze_axis) for n in sizes]


def _part_names(attrs: Attrs) -> tuple[str, ...]:
    count = attrs.sections or len(attrs.indices)
    return ("output",) if count == 1 else numbered(count)


def _covers(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    """The kernel writes parts one after the other, so they have to begin at 0."""
    if not attrs.sections and attrs.indices[:1] != (0,):
        return None
    return _outer(ins[0].shape, attrs.axis)


@op(
    "_split_v2",
    aliases=("_npi_split",),
    shape=split_at,
    outputs=_part_names,
    kernel="SliceChannel",
    params=_covers,
)
def split_v2(
    xp, data, *, indices: Shape, axis: int = 1, squeeze_axis: bool = False, sections: int = 0
):
    """Split along `axis` into `sections` equal parts, or at `indices`, where each part begins.

    `squeeze_axis` drops the axis from parts of size one. Source: MXNet operator _split_v2.

    >>> parts = mx.nd.split_v2(mx.nd.arange(5), (2, 3), axis=0)
    >>> [part.shape for part in parts]
    [(2,), (1,), (2,)]
    """
    attrs = Attrs(indices=indices, sections=sections)
    at = axis % data.ndim
    before = (slice(None),) * at
    parts = [data[(*before, slice(b, e))] for b, e in _bounds(attrs, data.shape[at])]
    return tuple(p.reshape(_without(p.shape, at, squeeze_axis)) for p in parts)


@split_v2.gradient("data")
def _(dys, data, axis, indices, sections):
    axis = normalize(axis, data.ndim)
    begin, end = (None,) * axis, (None,) * axis
    first = 0 if sections else indices[0] % data.shape[axis]
    kept = _with(data.shape, axis, data.shape[axis] - first)
    whole = _rejoin(dys, kept, axis)
    if first == 0:
        return whole
    return place(whole, shape=data.shape, begin=(*begin, first), end=(*end, None))


split_v2.sample(data=normal(2, 6), indices=(0, 2, 3), axis=1)
split_v2.sample(data=normal(2, 6), indices=(1, 4), axis=1)
split_v2.sample(data=normal(2, 3, 4), indices=(), sections=4, axis=2, squeeze_axis=True)
