"""How patches of one image resemble the patches around the same place of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .numeric import widen
from .op import op
from .rules import known, unify
from .samples import normal


def _sizes(attrs: Any, size: tuple[int, ...]) -> tuple[int, int]:
    border = attrs["max_displacement"] + (attrs["kernel_size"] - 1) // 2
    room = [n + 2 * attrs["pad_size"] - 2 * border for n in size]
    if min(room) < 1:
        raise MXNetError(f"images of size {tuple(size)} are too small for these displacements")
    return tuple(-(-n // attrs["stride1"]) for n in room)


def _shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.kernel_size % 2 == 0:
        raise MXNetError(f"kernel_size is {attrs.kernel_size}, expected an odd number")
    for name in ("kernel_size", "stride1", "stride2"):
        if attrs[name] < 1:
            raise MXNetError(f"{name} is {attrs[name]}, expected a positive number")
    for name in ("max_displacement", "pad_size"):
        if attrs[name] < 0:
            raise MXNetError(f"{name} is {attrs[name]}, expected no negative number")
    data = unify(*ins)
    if not known(data):
        return [data, data], outs
    if len(data) != 4:
        raise MXNetError(f"data1 has {len(data)} axes, expected (batch, channel, height, width)")
    steps = 2 * (attrs.max_displacement // attrs.stride2) + 1
    return [data, data], [unify((data[0], steps**2, *_sizes(attrs, data[2:])), outs[0])]


def _padded(xp: Any, data: Any, pad: int) -> Any:
    return xp.pad(widen(xp, data), ((0, 0), (0, 0), (pad, pad), (pad, pad)))


def _views(attrs: Any, out: tuple[int, int]) -> Iterator[tuple[int, tuple, tuple]]:
    """For each displacement and kernel place, its number and the boxes of both padded images."""
    reach, step = attrs["max_displacement"] // attrs["stride2"], attrs["stride1"]

    def box(y: int, x: int) -> tuple:
        ends = (y + (out[0] - 1) * step + 1, x + (out[1] - 1) * step + 1)
        return ..., slice(y, ends[0], step), slice(x, ends[1], step)

    begin, kernel = attrs["max_displacement"], range(attrs["kernel_size"])
    moves = [k * attrs["stride2"] for k in range(-reach, reach + 1)]
    for number, (dy, dx) in enumerate((a, b) for a in moves for b in moves):
        for y, x in ((begin + a, begin + b) for a in kernel for b in kernel):
            yield number, box(y, x), box(y + dy, x + dx)


def _settings(*values: Any) -> dict[str, Any]:
    names = ("kernel_size", "max_displacement", "stride1", "stride2", "pad_size")
    return dict(zip(names, values, strict=True))


@op("Correlation", shape=_shape, counted=lambda a: 3)
def correlation(
    xp,
    data1,
    data2,
    *,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
):
    """The mean product of patches of data1 with patches of data2 displaced in all directions.

    data1, data2 : (batch, channel, height, width), padded by `pad_size`. Patches are of
    `kernel_size` pixels (odd), placed every `stride1`; displacements reach `max_displacement` in
    steps of `stride2` and are the output's channels, row by row. Without `is_multiply` it is the
    mean absolute difference. Sources: MXNet operator Correlation; Fischer et al., "FlowNet", 2015.

    >>> a, b = mx.nd.array([[[[1, 2], [3, 4]]]]), mx.nd.array([[[[5, 6], [7, 8]]]])
    >>> mx.nd.Correlation(a, b, max_displacement=0).asnumpy()[0, 0]
    array([[ 5., 12.],
           [21., 32.]], dtype=float32)
    """
    attrs = _settings(kernel_size, max_displacement, stride1, stride2, pad_size)
    one, two = _padded(xp, data1, pad_size), _padded(xp, data2, pad_size)
    sizes = _sizes(attrs, data1.shape[2:])
    steps = 2 * (max_displacement // stride2) + 1
    out = xp.zeros((len(data1), steps**2, *sizes), one.dtype)
    for number, first, second in _views(attrs, sizes):
        a, b = one[first], two[second]
        out[:, number] += (a * b if is_multiply else xp.abs(a - b)).sum(1)
    return out / max(kernel_size**2 * data1.shape[1], 1)


@op(
    "_backward_Correlation",
    shape=lambda attrs, ins, outs: (ins, [ins[1], ins[1]]),
    outputs=("data1", "data2"),
)
def backward_correlation(
    xp,
    dy,
    data1,
    data2,
    *,
    kernel_size: int,
    max_displacement: int,
    stride1: int,
    stride2: int,
    pad_size: int,
    is_multiply: bool,
):
    """Gradients of `correlation` by data1 and data2; equal pixels count as data1's being larger."""
    attrs = _settings(kernel_size, max_displacement, stride1, stride2, pad_size)
    one, two = _padded(xp, data1, pad_size), _padded(xp, data2, pad_size)
    by_one, by_two = xp.zeros_like(one), xp.zeros_like(two)
    dy = widen(xp, dy) / max(kernel_size**2 * data1.shape[1], 1)
    for number, first, second in _views(attrs, dy.shape[2:]):
        head, a, b = dy[:, number, None], one[first], two[second]
        if is_multiply:
            by_one[first] += head * b
            by_two[second] += head * a
        else:
            signed = xp.where(a >= b, head, -head)
            by_one[first] += signed
            by_two[second] -= signed
    height, width = data1.shape[2:]
    box = (..., slice(pad_size, pad_size + height), slice(pad_size, pad_size + width))
    return by_one[box], by_two[box]


@correlation.gradient("data1", "data2")
def _(dy, data1, data2, attrs):
    return tuple(backward_correlation(dy, data1, data2, **attrs))


correlation.sample(
    data1=normal(2, 3, 6, 7),
    data2=normal(2, 3, 6, 7),
    kernel_size=3,
    max_displacement=2,
    stride1=2,
    stride2=2,
    pad_size=2,
    _second_order=False,
)
correlation.sample(
    data1=normal(1, 2, 4, 5),
    data2=normal(1, 2, 4, 5),
    max_displacement=1,
    pad_size=1,
    is_multiply=False,
    _second_order=False,
)
backward_correlation.sample(
    **dict(dy=normal(2, 9, 2, 3), data1=normal(2, 3, 6, 7), data2=normal(2, 3, 6, 7)),
    **dict(kernel_size=3, max_displacement=2, stride1=2, stride2=2, pad_size=2, is_multiply=True),
    _second_order=False,
)
