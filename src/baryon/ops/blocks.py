"""Padding, diagonals, and the exchange of blocks between channels and space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, Shape
from .op import op
from .reshape import normalize_all
from .rules import forward
from .samples import normal
from .slicing import slice as slice_op
from .strided import strides, view

# ---- blocks between channels and space -----------------------------------------------------------

# Axes of a (n, c, h, w) array cut into blocks, in the order of the result.
_TO_SPACE = (0, 3, 4, 1, 5, 2)  # of (n, b, b, c, h, w), read as (n, c, h, b, w, b)
_TO_DEPTH = (0, 3, 5, 1, 2, 4)  # of (n, c, h, b, w, b), read as (n, b, b, c, h, w)


def _four(data: Sequence[int], block: int) -> Sequence[int]:
    if len(data) != 4 or block < 1:
        raise MXNetError(f"expects 4 dimensions and a positive block_size, got {data}, {block}")
    return data


def _split_channels(shape: Sequence[int], block: int) -> tuple[int, ...]:
    n, c, h, w = _four(shape, block)
    if c % block**2:
        raise MXNetError(f"{c} channels do not divide into blocks of {block} x {block}")
    return n, block, block, c // block**2, h, w


def _split_space(shape: Sequence[int], block: int) -> tuple[int, ...]:
    n, c, h, w = _four(shape, block)
    if h % block or w % block:
        raise MXNetError(f"{h} x {w} does not divide into blocks of {block} x {block}")
    return n, c, h // block, block, w // block, block


def _moved(cut: Sequence[int], axes: Sequence[int]) -> tuple | None:
    steps = strides(cut)
    return view([cut[a] for a in axes], [steps[a] for a in axes])


def _spacious(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    n, b, _, c, h, w = _split_channels(data, attrs.block_size)
    return n, c, h * b, w * b


def _deep(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    n, c, h, b, w, _ = _split_space(data, attrs.block_size)
    return n, c * b * b, h, w


@op(
    "depth_to_space",
    shape=forward(_spacious),
    kernel="_strided_read",
    params=lambda a, ins, outs: _moved(_split_channels(ins[0].shape, a.block_size), _TO_SPACE),
    onnx="DepthToSpace",
)
def depth_to_space(xp, data, *, block_size: int):
    """Channels to blocks of space: (n, b*b*c, h, w) becomes (n, c, h*b, w*b).

    b is `block_size`. Source: MXNet operator depth_to_space.

    >>> mx.nd.depth_to_space(mx.nd.zeros((1, 8, 2, 3)), block_size=2).shape
    (1, 2, 4, 6)
    """
    cut = data.reshape(_split_channels(data.shape, block_size))
    return cut.transpose(_TO_SPACE).reshape(_spacious(Attrs(block_size=block_size), data.shape))


@depth_to_space.gradient("data")
def _(dy, block_size):
    return space_to_depth(dy, block_size=block_size)


depth_to_space.sample(data=normal(1, 8, 2, 3), block_size=2)


@op(
    "space_to_depth",
    shape=forward(_deep),
    kernel="_strided_read",
    params=lambda a, ins, outs: _moved(_split_space(ins[0].shape, a.block_size), _TO_DEPTH),
    onnx="SpaceToDepth",
)
def space_to_depth(xp, data, *, block_size: int):
    """Blocks of space to channels: (n, c, h*b, w*b) becomes (n, b*b*c, h, w).

    b is `block_size`. Source: MXNet operator space_to_depth.

    >>> mx.nd.space_to_depth(mx.nd.zeros((1, 2, 4, 6)), block_size=2).shape
    (1, 8, 2, 3)
    """
    cut = data.reshape(_split_space(data.shape, block_size))
    return cut.transpose(_TO_DEPTH).reshape(_deep(Attrs(block_size=block_size), data.shape))


@space_to_depth.gradient("data")
def _(dy, block_size):
    return depth_to_space(dy, block_size=block_size)


space_to_depth.sample(data=normal(1, 2, 4, 6), block_size=2)


# ---- padding -------------------------------------------------------------------------------------


def _pairs(width: Sequence[int], ndim: int) -> list[tuple[int, int]]:
    """(before, after) of each axis."""
    if len(width) != 2 * ndim or any(w < 0 for w in width):
        raise MXNetError(f"pad_width {tuple(width)} does not give two sizes for {ndim} dimensions")
    return list(zip(width[::2], width[1::2], strict=True))


def _padded(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    pairs = _pairs(attrs.pad_width, len(data))
    for (before, after), size in zip(pairs, data, strict=True):
        if attrs.mode == "reflect" and max(before, after) >= max(size, 1):
            raise MXNetError(f"reflect cannot pad size {size} by {max(before, after)}")
        if attrs.mode == "edge" and size == 0 and before + after:
            raise MXNetError("edge cannot pad an axis of size 0")
    return tuple(b + d + a for (b, a), d in zip(pairs, data, strict=True))


def _pad_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    """Mode, constant, and the padding before each axis."""
    before = [b for b, _ in _pairs(attrs.pad_width, len(ins[0].shape))]
    return (("constant", "edge", "reflect").index(attrs.mode), attrs.constant_value, *before)


@op(
    "Pad",
    aliases=("pad",),
    shape=forward(_padded),
    kernel=True,
    params=_pad_params,
    onnx="Pad",
)
def pad(
    xp,
    data,
    *,
    mode: Literal["constant", "edge", "reflect"],
    pad_width: Shape,
    constant_value: float = 0.0,
):
    """Pad each axis by ``pad_width = (before_0, after_0, before_1, ...)`` elements.

    mode : what the new elements hold: ``constant`` (`constant_value`), ``edge`` (the nearest
        element), ``reflect`` (the mirror image without the edge itself).

    MXNet's operator ``Pad`` takes 4 or 5 dimensions and leaves the first two alone; here any axis
    may be padded.

    >>> mx.nd.pad(mx.nd.ones((1, 1, 1, 2)), mode="constant",
    ...           pad_width=(0, 0, 0, 0, 0, 0, 1, 1)).asnumpy()
    array([[[[0., 1., 1., 0.]]]], dtype=float32)
    """
    pairs = _pairs(pad_width, data.ndim)
    if mode == "constant":
        return xp.pad(data, pairs, mode=mode, constant_values=constant_value)
    return xp.pad(data, pairs, mode=mode)


@pad.gradient("data")
def _(dy, data, mode, pad_width):
    if mode == "constant":
        pairs = _pairs(pad_width, dy.ndim)
        ends = [b + d for (b, _), d in zip(pairs, data.shape, strict=True)]
        return slice_op(dy, begin=[b for b, _ in pairs], end=ends)
    return unpad(dy, mode=mode, pad_width=pad_width)


def _unpadded(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    pairs = _pairs(attrs.pad_width, len(data))
    return tuple(d - b - a for (b, a), d in zip(pairs, data, strict=True))


def _unpad_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple:
    before = [b for b, _ in _pairs(attrs.pad_width, len(ins[0].shape))]
    return (("constant", "edge", "reflect").index(attrs.mode), *before)


@op("_backward_Pad", shape=forward(_unpadded), kernel=True, params=_unpad_params)
def unpad(xp, dy, *, mode: Literal["edge", "reflect"], pad_width: Shape):
    """Each element's sum over the places to which ``Pad`` copied it."""
    out = dy.astype("float32") if is_float(dy.dtype) and dy.dtype.itemsize == 2 else dy.copy()
    for axis, (before, after) in enumerate(_pairs(pad_width, dy.ndim)):
        size = out.shape[axis] - before - after
        out = xp.moveaxis(out, axis, 0)
        total = out[before : before + size].copy()
        head, tail = out[:before], out[before + size :]
        if mode == "reflect":
            total[1 : before + 1] += head[::-1]
            total[size - 1 - after : size - 1] += tail[::-1]
        else:
            total[:1] += head.sum(axis=0, keepdims=True)
            total[-1:] += tail.sum(axis=0, keepdims=True)
        out = xp.moveaxis(total, 0, axis)
    return out.astype(dy.dtype)


@unpad.gradient("dy")
def _(d_output, mode, pad_width):
    return pad(d_output, mode=mode, pad_width=pad_width)


_WIDTHS = (0, 0, 0, 0, 1, 2, 2, 1)
for _mode in ("constant", "edge", "reflect"):
    pad.sample(data=normal(1, 2, 3, 4), mode=_mode, pad_width=_WIDTHS, constant_value=2.5)
for _mode in ("edge", "reflect"):
    unpad.sample(dy=normal(1, 2, 6, 7), mode=_mode, pad_width=_WIDTHS)


# ---- diagonals -----------------------------------------------------------------------------------


def _diagonal(shape: Sequence[int], k: int, axis1: int, axis2: int):
    """Where diagonal `k` starts, its length, and the other axes: (row, column, length, others)."""
    one, two = normalize_all((axis1, axis2), len(shape))
    row, column = max(-k, 0), max(k, 0)
    length = min(shape[one] - row, shape[two] - column)
    if length <= 0:
        raise MXNetError(f"diagonal {k} lies outside {shape[one]} x {shape[two]}")
    return row, column, length, [i for i in range(len(shape)) if i not in (one, two)]


def _diagonal_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if len(data) == 1:
        side = data[0] + abs(attrs.k)
        return side, side
    _, _, length, others = _diagonal(data, attrs.k, attrs.axis1, attrs.axis2)
    return (*(data[i] for i in others), length)


def _diagonal_view(shape: Sequence[int], k: int, axis1: int, axis2: int) -> tuple | None:
    row, column, length, others = _diagonal(shape, k, axis1, axis2)
    steps = strides(shape)
    one, two = steps[axis1], steps[axis2]
    return view(
        [*(shape[i] for i in others), length],
        [*(steps[i] for i in others), one + two],
        row * one + column * two,
    )


def _diag_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    shape = ins[0].shape
    return None if len(shape) == 1 else _diagonal_view(shape, attrs.k, attrs.axis1, attrs.axis2)


@op("diag", shape=forward(_diagonal_shape), kernel="_strided_read", params=_diag_params)
def diag(xp, data, *, k: int = 0, axis1: int = 0, axis2: int = 1):
    """Diagonal `k` of the matrices in `axis1` and `axis2`; of 1-d data, the matrix that has it.

    >>> mx.nd.diag(mx.nd.array([[1, 2], [3, 4]])).asnumpy()
    array([1., 4.], dtype=float32)
    """
    return xp.diag(data, k) if data.ndim == 1 else xp.diagonal(data, k, axis1, axis2)


@diag.gradient("data")
def _(dy, data, k, axis1, axis2):
    if data.ndim == 1:
        return diag(dy, k=k)
    return undiag(dy, shape=data.shape, k=k, axis1=axis1, axis2=axis2)


def _undiag_params(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    box = _diagonal_view(attrs.shape, attrs.k, attrs.axis1, attrs.axis2)
    return None if box is None else (0.0, *box)


@op(
    "_backward_diag",
    shape=forward(lambda a, dy: a.shape),
    kernel="_strided_write",
    params=_undiag_params,
)
def undiag(xp, dy, *, shape: Shape, k: int = 0, axis1: int = 0, axis2: int = 1):
    """Zeros of `shape` but for diagonal `k` of `axis1` and `axis2`, which is `dy`."""
    row, column, length, _ = _diagonal(shape, k, axis1, axis2)
    out = xp.zeros(shape, dy.dtype)
    at = xp.arange(length)
    matrices = xp.moveaxis(out, (axis1, axis2), (-2, -1))
    matrices[..., at + row, at + column] = dy
    return out


@undiag.gradient("dy")
def _(d_output, k, axis1, axis2):
    return diag(d_output, k=k, axis1=axis1, axis2=axis2)


diag.sample(data=normal(3), k=1)
diag.sample(data=normal(3, 4), k=-1)
diag.sample(data=normal(2, 3, 4), k=1, axis1=1, axis2=2)
undiag.sample(dy=normal(2, 3), shape=(2, 3, 4), k=1, axis1=1, axis2=2)
