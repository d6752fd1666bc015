"""Deconvolution: the transposed convolution, whose gradients are Convolution's operators."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError
from . import convolution as conv
from .attrs import Attrs, Shape
from .convolution import Layout, Tune, convolution, per_group, spread, with_bias
from .op import get, op
from .rules import unify
from .samples import normal
from .windows import (
    Window,
    channels_first,
    channels_last,
    is_channels_last,
    shape_first,
    shape_last,
    window,
)


def _fitted(attrs: Any) -> tuple[Window, tuple[int, ...]]:
    """The window and the extra output rows as given."""
    win = window(attrs["kernel"], attrs["stride"], attrs["dilate"], attrs["pad"])
    adj = tuple(attrs["adj"] or ()) or (0,) * len(win.kernel)
    if len(adj) != len(win.kernel):
        raise MXNetError(f"adj {adj} must have {len(win.kernel)} entries, as many as kernel")
    if any(not 0 <= a < s for a, s in zip(adj, win.stride, strict=True)):
        raise MXNetError(f"adj {adj} must be less than stride {win.stride}")
    return win, adj


def _targets(attrs: Any, rank: int) -> tuple[int, ...]:
    target = tuple(attrs["target_shape"] or ()) or (0,) * rank
    if len(target) != rank:
        raise MXNetError(f"target_shape {target} must have {rank} entries, as many as kernel")
    return target


def _resolve(attrs: Any, data: tuple) -> tuple[Window, tuple[int, ...]]:
    """The window with its final padding, and the output's spatial sizes (-1 unknown)."""
    win, adj = _fitted(attrs)
    pads, sizes = [], []
    targets = _targets(attrs, len(win.kernel))
    axes = zip(data[2:], win.stride, win.reach, win.pad, adj, targets, strict=True)
    for n, stride, reach, pad, extra, target in axes:
        whole = -1 if n == -1 else (n - 1) * stride + reach
        if target and n != -1:
            if whole < target:
                raise MXNetError(f"target_shape {targets} is larger than the {whole} reached")
            pad = (whole - target + 1) // 2
            size = target
        else:
            size = -1 if n == -1 else whole - 2 * pad + extra
            if n != -1 and size < 1:
                raise MXNetError(f"pad {pad} leaves nothing of the {whole} reached")
        pads.append(pad)
        sizes.append(size)
    return win._replace(pad=tuple(pads)), tuple(sizes)


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Weight, bias and output from data; the batch size both ways."""
    data, out = shape_first(ins[0], attrs.layout), shape_first(outs[0], attrs.layout)
    win, _ = _fitted(attrs)
    conv.check(attrs, win, data)
    if data is None:
        return ins, outs
    win, sizes = _resolve(attrs, data)
    out = unify(out, (data[0], attrs.num_filter, *sizes))
    data = (out[0], *data[1:])
    weight = (data[1], per_group(attrs.num_filter, attrs.num_group), *win.kernel)
    weight = unify(ins[1], shape_last(weight, attrs.layout))
    bias = [unify(b, (attrs.num_filter,)) for b in ins[2:]]
    return [shape_last(data, attrs.layout), weight, *bias], [shape_last(out, attrs.layout)]


def _params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    if is_channels_last(attrs.layout):
        return None
    win, _ = _resolve(attrs, ins[0].shape)
    return (attrs.num_group, *win.kernel, *win.stride, *win.dilate, *win.pad)


def _flops(attrs: Attrs, ins: Any, outs: Any) -> int:
    channels = shape_first(ins[0].shape, attrs.layout)[1]
    return 2 * ins[0].size * ins[1].size // channels


@op(
    "Deconvolution",
    aliases=("_npx_deconvolution",),
    shape=_shapes,
    present={"bias": lambda a: not a.no_bias},
    kernel=True,
    params=_params,
    flops=_flops,
    onnx="ConvTranspose",
)
def deconvolution(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    adj: Shape = (),
    target_shape: Shape = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 512,
    no_bias: bool = True,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Layout | None = None,
) -> Any:
    """Transposed convolution over one, two or three spatial axes.

    data : ``(batch, channel, *spatial)``. weight : ``(channel, num_filter / num_group, *kernel)``.
    bias : ``(num_filter,)``, absent by default. Output sizes are
    ``(n - 1) stride + dilate (kernel - 1) + 1 - 2 pad + adj``, with ``adj < stride``; a
    `target_shape` chooses pad and adj instead. `workspace`, `cudnn_tune` and `cudnn_off` change no
    value. `no_bias` False adds a bias; a `layout` such as NHWC keeps channels last. Source: MXNet
    operator Deconvolution; Zeiler et al. 2010, Deconvolutional Networks.

    >>> x, w = mx.nd.ones((1, 1, 2, 2)), mx.nd.ones((1, 1, 2, 2))
    >>> mx.nd.Deconvolution(x, w, kernel=(2, 2), num_filter=1).asnumpy()[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    attrs = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad, "adj": adj}
    data, weight = channels_first(xp, data, layout), channels_first(xp, weight, layout)
    win, sizes = _resolve({**attrs, "target_shape": target_shape}, data.shape)
    shape = (data.shape[0], num_filter, *sizes)
    out = spread(xp, data, weight, win, num_group, shape)
    return channels_last(xp, with_bias(out, bias), layout)


def _geometry(attrs: Attrs, data: Any) -> dict[str, Any]:
    """Attributes of the convolution that this operator transposes."""
    win, _ = _resolve(attrs, shape_first(data.shape, attrs.layout))
    return {**conv.geometry(attrs), "pad": win.pad}


@deconvolution.gradient("data")
def _(dy: Any, data: Any, weight: Any, attrs: Attrs) -> Any:
    filters = weight.shape[0]
    return convolution(dy, weight, num_filter=filters, no_bias=True, **_geometry(attrs, data))


@deconvolution.gradient("weight")
def _(dy: Any, data: Any, attrs: Attrs) -> Any:
    return conv.backward_weight(data, dy, no_bias=True, **_geometry(attrs, data))


@deconvolution.gradient("bias")
def _(dy: Any, attrs: Attrs) -> Any:
    channel = dy.ndim - 1 if is_channels_last(attrs.layout) else 1
    return get("sum")(dy, axis=channel, exclude=True)


deconvolution.sample(
    data=normal(1, 4, 3, 4),
    weight=normal(4, 3, 3, 2),
    bias=normal(6),
    kernel=(3, 2),
    stride=(2, 1),
    pad=(1, 0),
    adj=(1, 0),
    num_filter=6,
    num_group=2,
    no_bias=False,
)
deconvolution.sample(data=normal(2, 3, 5), weight=normal(3, 4, 3), kernel=(3,), num_filter=4)
deconvolution.sample(
    data=normal(1, 3, 4, 4),
    weight=normal(3, 2, 3, 3),
    kernel=(3, 3),
    stride=(2, 2),
    target_shape=(8, 8),
    num_filter=2,
)
deconvolution.sample(
    data=normal(1, 2, 2, 3, 2),
    weight=normal(2, 2, 2, 2, 2),
    kernel=(2, 2, 2),
    stride=(2, 2, 2),
    dilate=(1, 2, 1),
    num_filter=2,
)
