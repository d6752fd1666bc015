"""The operators on images that have kernels for channel-blocked ones, and samples of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .attrs import Attrs, Shape
from .blocked import BLOCK, Whole, blocked, image
from .convolution import backward_data, backward_weight, convolution
from .join import concat, slice_channel, split_v2
from .norm import backward_batch_norm, batch_norm
from .op import Op
from .pooling import backward_pooling, pooling
from .samples import Draw, distinct, normal
from .samples import uniform as spread
from .slicing import slice_axis

# `winograd` lets the kernels compute windows of 3 x 3 by minimal filtering where that pays: more
# often where weights are transformed once and kept (`keep_weights`).
_heavy = {"heavy": True, "options": ("winograd", "keep_weights")}
_convolution = blocked(convolution, ("data",), (0,), **_heavy)
_data_gradient = blocked(backward_data, ("head",), (0,), **_heavy)
_weight_gradient = blocked(backward_weight, ("head", "data"), (), **_heavy)
_batch_norm = blocked(batch_norm, ("data",), (0,))
_norm_gradient = blocked(backward_batch_norm, ("dy", "data"), (0,))
_pooling = blocked(pooling, ("data",), (0,))
_pooling_gradient = blocked(backward_pooling, ("head", "data"), (0,))


# ---- channels that are joined and split --------------------------------------------------------


def _along_channels(axis: int, shape: Shape) -> bool:
    return axis in (1, 1 - len(shape))


def _cut(sizes: Sequence[int], block: int) -> bool:
    """Whether parts of so many channels, one after the other, share a block."""
    return any(size % block for size in sizes[:-1])


def _join(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape], block: int) -> Any:
    along = _along_channels(attrs.dim, outs[0]) and not _cut([s[1] for s in ins], block)
    return {"dim": 1} if along else None


def _split(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape], block: int) -> Any:
    along = _along_channels(attrs.axis, ins[0]) and not attrs.squeeze_axis
    return {"axis": 1} if along and not _cut([s[1] for s in outs], block) else None


def _split_at(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape], block: int) -> Any:
    changed = _split(attrs, ins, outs, block)
    if changed is None or attrs.sections:
        return changed
    begins = [b + ins[0][1] if b < 0 else b for b in attrs.indices]
    if any(b % block for b in begins):
        return None
    return {**changed, "indices": tuple(b // block for b in begins)}


def _slice(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape], block: int) -> Any:
    (_, channels, *_), count = ins[0], outs[0][1]
    begin = attrs.begin + channels if attrs.begin < 0 else attrs.begin
    ends = (begin + count) % block == 0 or begin + count == channels
    if not _along_channels(attrs.axis, ins[0]) or begin % block or not ends:
        return None
    return {"axis": 1, "begin": begin // block, "end": -(-(begin + count) // block)}


concat.blocked = Whole(_join)
slice_channel.blocked = Whole(_split)
split_v2.blocked = Whole(_split_at)
slice_axis.blocked = Whole(_slice)


# ---- samples -----------------------------------------------------------------------------------


def _sample(op: Op, **given: Any) -> None:
    op.sample(**given, _dtypes=("float32",), _rtol=1e-4, _atol=1e-4)


def _convolutions(
    block: int,
    channels: int,
    filters: int,
    size: int,
    stride: int,
    pad: int,
    plane: bool = False,
    winograd: bool = False,
) -> None:
    """A convolution of images of 7 x 15 and its gradients; `plane` data is not blocked."""
    sizes = [(n + 2 * pad - size) // stride + 1 for n in (7, 15)]
    data = normal(2, channels, 7, 15) if plane else image(block, 2, channels, 7, 15)
    head, weight = image(block, 2, filters, *sizes), normal(filters, channels, size, size)
    window = {"kernel": (size,) * 2, "stride": (stride,) * 2, "pad": (pad,) * 2, "block": block}
    window |= {"winograd": winograd, "keep_weights": winograd}
    bias: dict[str, Draw] = {} if plane else {"bias": normal(filters)}
    plain = {"plain": (0,)} if plane else {}
    _sample(
        *(_convolution,),
        **dict(data=data, weight=weight, **bias, num_filter=filters, no_bias=not bias),
        **window,
        **plain,
    )
    if not plane:
        shape = (2, channels, 7, 15)
        _sample(_data_gradient, head=head, weight=weight, shape=shape, **window)
    plain = {"plain": (1,)} if plane else {}
    _sample(_weight_gradient, head=head, data=data, no_bias=plane, **window, **plain)


def _depthwise(block: int, size: int, stride: int) -> None:
    """One channel a group, and the gradients."""
    channels = 2 * block
    sizes = [(n + size // 2 * 2 - size) // stride + 1 for n in (7, 15)]
    head, data = image(block, 2, channels, *sizes), image(block, 2, channels, 7, 15)
    window = {"kernel": (size,) * 2, "stride": (stride,) * 2, "pad": (size // 2,) * 2}
    window |= {"block": block, "num_group": channels}
    weight, bias = normal(channels, 1, size, size), normal(channels)
    _sample(_convolution, data=data, weight=weight, bias=bias, num_filter=channels, **window)
    shape = (2, channels, 7, 15)
    _sample(_data_gradient, head=head, weight=weight, shape=shape, **window)
    _sample(_weight_gradient, head=head, data=data, no_bias=True, **window)


def _unused(block: int, channels: int, filters: int, size: int, stride: int, groups: int) -> None:
    """Convolutions and a norm whose last blocks have unused lanes."""
    window = {"kernel": (size,) * 2, "stride": (stride,) * 2, "pad": (size // 2,) * 2}
    _sample(
        _convolution,
        data=image(block, 2, channels, 7, 15),
        weight=normal(filters, channels // groups, size, size),
        bias=normal(filters),
        **dict(num_filter=filters, num_group=groups, block=block, channels=(channels, filters)),
        **window,
    )
    scale, mean = spread(channels, low=0.5, high=1.5), normal(channels)
    _sample(
        _batch_norm,
        data=image(block, 3, channels, 5, 3),
        **dict(gamma=scale, beta=mean, moving_mean=mean, moving_var=scale, fix_gamma=False),
        **dict(block=block, channels=(channels, channels)),
    )


def _norms(block: int, fixed: bool) -> None:
    count = 2 * block
    data, scale, mean = (
        image(block, 3, count, 5, 3),
        spread(count, low=0.5, high=1.5),
        normal(count),
    )
    moving = {"moving_mean": mean, "moving_var": scale}
    given = {"block": block, "fix_gamma": fixed, **moving}
    _sample(_batch_norm, data=data, gamma=scale, beta=mean, _train=not fixed, **given)
    more = {"eps": 1e-3, "momentum": 0.9, "axis": 1, "batch": not fixed}
    states = {"gamma": scale, "mean": mean, "scale": scale}
    _sample(_norm_gradient, dy=image(block, 3, count, 5, 3), data=data, **states, **given, **more)


def _poolings(block: int, kind: str, **window: Any) -> None:
    data = distinct(2, 1, 6, 5, block)
    _sample(_pooling, data=data, pool_type=kind, block=block, **window)
    head = normal(2, 1, 3, 3, block)
    read = {"data": data} if kind == "max" else {}
    more = {"shape": (2, block, 6, 5), "pool_type": kind, "block": block}
    _sample(_pooling_gradient, head=head, **read, **more, **window)


_convolutions(BLOCK, 2 * BLOCK, 3 * BLOCK, 3, 1, 1)
_convolutions(BLOCK, BLOCK, 2 * BLOCK, 3, 2, 1)
_convolutions(BLOCK, 3 * BLOCK, BLOCK, 1, 2, 0)
_convolutions(BLOCK, BLOCK, BLOCK, 1, 1, 0)
_convolutions(BLOCK, 3, 3 * BLOCK, 5, 2, 2, plane=True)
for _pad in (0, 1, 2):
    _convolutions(BLOCK, 2 * BLOCK, 3 * BLOCK, 3, 1, _pad, winograd=True)
    _convolutions(BLOCK, 4 * BLOCK, 5 * BLOCK, 3, 1, _pad, winograd=True)
_depthwise(BLOCK, 3, 1)
_depthwise(BLOCK, 3, 2)
_depthwise(BLOCK, 5, 2)
_unused(BLOCK, 2 * BLOCK - 1, 3 * BLOCK - 2, 3, 1, 1)
_unused(BLOCK, BLOCK + 1, BLOCK - 1, 1, 1, 1)
_unused(BLOCK, BLOCK - 3, 4 * BLOCK, 3, 2, 1)
_unused(BLOCK, 3, 2 * BLOCK + 3, 1, 2, 1)
_unused(BLOCK, 3 * BLOCK - 2, 3 * BLOCK - 2, 3, 1, 3 * BLOCK - 2)
_unused(BLOCK, BLOCK + 1, BLOCK + 1, 5, 2, BLOCK + 1)
_norms(BLOCK, fixed=False)
_norms(BLOCK, fixed=True)
_poolings(BLOCK, "max", kernel=(3, 3), stride=(2, 2), pad=(1, 1))
_poolings(BLOCK, "avg", kernel=(2, 3), stride=(2, 2), pad=(0, 1), count_include_pad=False)
