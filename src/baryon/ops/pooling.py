"""Pooling, its gradient, and pooling to a given size.

The gradient of a maximum finds the place again from the data, which training keeps anyway for the
layer before: nothing is stored for it.
"""

from __future__ import annotations

from typing import Any, Literal

import ml_dtypes
import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, Shape
from .device import fixed
from .op import op
from .rules import ShapeLike, unify
from .samples import distinct, normal, uniform
from .windows import (
    Window,
    channels_first,
    channels_last,
    check_layout,
    folded,
    is_channels_last,
    padded,
    patches,
    shape_first,
    shape_last,
    widened,
    window,
)

Kind = Literal["avg", "lp", "max", "sum"]
Convention = Literal["full", "same", "valid"]
Layout = Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC", "NWC"]
GEOMETRY = ("kernel", "global_pool", "pooling_convention", "stride", "pad", "layout")


# ---- geometry ----------------------------------------------------------------------------------


def pool_window(attrs: Any, spatial: tuple[int, ...]) -> Window:
    """The `Window` of pooling over these spatial sizes."""
    if attrs["global_pool"]:
        return window(tuple(max(n, 1) for n in spatial))
    kernel, pad = attrs["kernel"], attrs["pad"]
    if attrs["pooling_convention"] == "same":
        if any(pad):
            raise MXNetError(f"pad {pad} must be 0 under pooling_convention same")
        pad = ()  # MXNet wants three zeros here even for one axis
    if len(kernel) != len(spatial):
        raise MXNetError(f"kernel {kernel} must have {len(spatial)} entries, as data's space has")
    return window(kernel, attrs["stride"], (), pad)


def _out_size(convention: str, n: int, k: int, s: int, p: int) -> int:
    if n == -1:
        return -1
    if convention == "same":
        return -(-n // s)
    if k > n + 2 * p:
        raise MXNetError(f"kernel size {k} exceeds the input, {n} padded to {n + 2 * p}")
    room = n + 2 * p - k
    return 1 + (-(-room // s) if convention == "full" else room // s)


def _sizes(attrs: Any, win: Window, spatial: tuple[int, ...]) -> tuple[int, ...]:
    """Spatial sizes of the output."""
    if attrs["global_pool"]:
        return (1,) * len(spatial)
    axes = zip(spatial, win.kernel, win.stride, win.pad, strict=True)
    return tuple(_out_size(attrs["pooling_convention"], *axis) for axis in axes)


def pooled_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Output from data; batch and channels of data from the output."""
    check = len(attrs.kernel) if attrs.kernel and not attrs.global_pool else None
    data, out = shape_first(ins[0], attrs.layout), shape_first(outs[0], attrs.layout)
    if check is not None:
        check_layout(attrs.layout, check)
    if attrs.pool_type == "lp" and attrs.p_value not in (1, 2, 3):
        raise MXNetError(f"p_value is {attrs.p_value}, expected 1, 2 or 3 for pool_type lp")
    if data is None:
        return ins, outs
    if not 3 <= len(data) <= 5:
        raise MXNetError(f"data has {len(data)} axes, expected 3, 4 or 5")
    sizes = _sizes(attrs, pool_window(attrs, data[2:]), data[2:])
    out = unify(out, (*data[:2], *sizes))
    data = (*out[:2], *data[2:])
    return [shape_last(data, attrs.layout)], [shape_last(out, attrs.layout)]


_KINDS = ("max", "avg", "sum")


def _kernel_params(attrs: Any, data: ShapeLike, floating: bool) -> tuple | None:
    """Kind, whether padding counts, then kernel, stride and padding of each axis."""
    if is_channels_last(attrs["layout"]) or attrs["pool_type"] == "lp" or not floating:
        return None
    win = pool_window(attrs, data[2:])
    counts = attrs["count_include_pad"] is not False
    return (_KINDS.index(attrs["pool_type"]), counts, *win.kernel, *win.stride, *win.pad)


def _params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    return _kernel_params(attrs, ins[0].shape, is_float(ins[0].dtype))


def _backward_params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    if attrs.v1:
        return None
    return _kernel_params(attrs, attrs.shape, is_float(outs[0].dtype))


# ---- reference bodies, channels first ----------------------------------------------------------


def _lowest(dtype: np.dtype) -> Any:
    """What a maximum starts from: the lowest finite value, as in MXNet."""
    if is_float(dtype):
        return ml_dtypes.finfo(dtype).min
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _places(xp: Any, data: Any, win: Window, sizes: tuple, v1: bool) -> tuple:
    """All windows, ``(batch, channel, place, *out)``, and the value that pads them."""
    low = _lowest(data.dtype)
    if v1:
        data, win = padded(xp, data, win, (0,) * len(sizes)), win._replace(pad=(0,) * len(sizes))
    cut = patches(xp, data, win, sizes, low)
    return cut.reshape(*data.shape[:2], int(np.prod(win.kernel)), *sizes), low


def _hits(xp: Any, data: Any, win: Window, sizes: tuple, v1: bool) -> Any:
    """1 at the first largest place of every window (for `v1` at all of them), else 0."""
    cut, low = _places(xp, data, win, sizes, v1)
    if v1:
        return cut == cut.max(2, keepdims=True)
    first = xp.expand_dims(cut.argmax(2), 2)
    place = xp.arange(cut.shape[2]).reshape(-1, *(1,) * len(sizes))
    return (place == first) & ~(cut <= low)


def _counts(xp: Any, win: Window, spatial: tuple, sizes: tuple, include_pad: bool) -> Any:
    """Elements that each window averages over: cut to the padded input, or to the input itself."""
    total = np.ones(())
    axes = zip(spatial, sizes, win.kernel, win.stride, win.pad, strict=True)
    for n, o, k, s, p in axes:
        begin = np.arange(o) * s - p
        end = np.minimum(begin + k, n + p)
        if not include_pad:
            begin, end = np.maximum(begin, 0), np.minimum(end, n)
        total = np.multiply.outer(total, np.maximum(end - begin, 1))
    return fixed(xp, total)


def divided(xp: Any, total: Any, counts: Any) -> Any:
    """A quotient in the type of `total`, cut towards zero for integers."""
    if is_float(total.dtype):
        return total / counts.astype(total.dtype)
    return xp.trunc(total / counts)


def pool(xp: Any, data: Any, kind: str, attrs: dict) -> Any:
    """Pooling of channels-first data."""
    win = pool_window(attrs, data.shape[2:])
    sizes = _sizes(attrs, win, data.shape[2:])
    if kind == "max":
        cut, low = _places(xp, data, win, sizes, attrs.get("v1", False))
        return xp.maximum(cut.max(2), low)
    cut = patches(xp, widened(data), win, sizes)
    window_axes = tuple(range(2, 2 + len(sizes)))
    if kind == "lp":
        p = attrs["p_value"]
        total = (cut**p).sum(window_axes)
        return total if p == 1 else xp.sqrt(total) if p == 2 else xp.cbrt(total)
    total = cut.sum(window_axes)
    if kind == "sum":
        return total
    counts = _counts(xp, win, data.shape[2:], sizes, attrs["count_include_pad"] is not False)
    return divided(xp, total, counts)


# ---- Pooling -----------------------------------------------------------------------------------


def _counted(attrs: Attrs) -> int:
    """MXNet's maximum pooling has a hidden workspace where oneDNN serves it."""
    by_onednn = attrs.kernel and not is_channels_last(attrs.layout)
    return 2 if attrs.pool_type == "max" and by_onednn else 1


@op(
    "Pooling",
    aliases=("_npx_pooling",),
    counted=_counted,
    shape=pooled_shape,
    kernel=True,
    params=_params,
    rowwise=("data",),
)
def pooling(
    xp: Any,
    data: Any,
    *,
    kernel: Shape = (),
    pool_type: Kind = "max",
    global_pool: bool = False,
    cudnn_off: bool = False,
    pooling_convention: Convention = "valid",
    stride: Shape = (),
    pad: Shape = (),
    p_value: int | None = None,
    count_include_pad: bool | None = None,
    layout: Layout | None = None,
) -> Any:
    """Maximum, mean, sum or p-norm of every window over one, two or three spatial axes.

    data : ``(batch, channel, *spatial)``, or another `layout`. `global_pool` takes one window over
    all. `pooling_convention`: ``valid`` rounds output sizes down, ``full`` up, ``same`` gives
    ``ceil(n / stride)`` with windows cut at the end. A mean divides by the window cut to the padded
    input, or to the input itself with ``count_include_pad=False``. ``lp`` is ``(sum x^p)^(1/p)``
    without absolute values, p = `p_value` in 1, 2, 3. `stride` defaults to 1; `cudnn_off` changes
    no value. `kernel`, `stride` and `pad` have one number an axis; `pool_type` is max, avg, sum or
    lp. Source: MXNet operator Pooling.

    >>> x = mx.nd.array([[[[1, 2, 3, 4], [5, 6, 7, 8]]]])
    >>> mx.nd.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="avg").asnumpy()
    array([[[[3.5, 5.5]]]], dtype=float32)
    """
    attrs = {"kernel": kernel, "global_pool": global_pool, "stride": stride, "pad": pad}
    attrs |= {"pooling_convention": pooling_convention, "p_value": p_value}
    attrs["count_include_pad"] = count_include_pad
    data = channels_first(xp, data, layout)
    return channels_last(xp, pool(xp, data, pool_type, attrs), layout)


def _backward_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [attrs.shape]


@op(
    "_backward_Pooling",
    shape=_backward_shape,
    present={"data": lambda a: a.pool_type == "max"},
    kernel=True,
    params=_backward_params,
)
def backward_pooling(
    xp: Any,
    head: Any,
    data: Any = None,
    *,
    shape: Shape,
    kernel: Shape = (),
    pool_type: Literal["avg", "max", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Convention = "valid",
    stride: Shape = (),
    pad: Shape = (),
    count_include_pad: bool | None = None,
    layout: Layout | None = None,
    v1: bool = False,
) -> Any:
    """Gradient of Pooling by its data, whose shape is `shape`; only a maximum reads the data.

    The head gradient of a maximum goes to its first place in the window. `v1` means the maximum
    of `Pooling_v1`: padding is 0 and every place that equals the maximum gets the gradient.
    """
    attrs = {"kernel": kernel, "global_pool": global_pool, "stride": stride, "pad": pad}
    attrs["pooling_convention"] = pooling_convention
    head, shape = channels_first(xp, widened(head), layout), shape_first(shape, layout)
    win = pool_window(attrs, shape[2:])
    sizes = head.shape[2:]
    if pool_type == "max":
        hits = _hits(xp, channels_first(xp, data, layout), win, sizes, v1)
    else:
        hits = xp.ones((1, 1, int(np.prod(win.kernel)), *(1,) * len(sizes)), bool)
    if pool_type == "avg":
        counts = _counts(xp, win, shape[2:], sizes, count_include_pad is not False)
        head = head / counts.astype(head.dtype)
    spread = xp.where(hits, xp.expand_dims(head, 2), head.dtype.type(0))
    spread = spread.reshape(*shape[:2], *win.kernel, *sizes)
    return channels_last(xp, folded(xp, spread, win, shape), layout)


def _selected(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = shape_first(ins[1], attrs.layout)
    sizes = _sizes(attrs, pool_window(attrs, data[2:]), data[2:])
    return ins, [shape_last((*data[:2], *sizes), attrs.layout)]


@op("_pooling_select", shape=_selected, derived=True)
def pooling_select(
    xp: Any,
    values: Any,
    data: Any,
    *,
    kernel: Shape = (),
    global_pool: bool = False,
    pooling_convention: Convention = "valid",
    stride: Shape = (),
    pad: Shape = (),
    layout: Layout | None = None,
    v1: bool = False,
) -> Any:
    """`values` at the places where max pooling of `data` finds its maxima.

    The adjoint of the gradient. Both have one shape; for `v1` the values of equal places are added.
    """
    attrs = {"kernel": kernel, "global_pool": global_pool, "stride": stride, "pad": pad}
    attrs["pooling_convention"] = pooling_convention
    values, data = channels_first(xp, values, layout), channels_first(xp, data, layout)
    win = pool_window(attrs, data.shape[2:])
    sizes = _sizes(attrs, win, data.shape[2:])
    hits = _hits(xp, data, win, sizes, v1)
    cut = patches(xp, widened(values), win, sizes).reshape(hits.shape)
    return channels_last(xp, xp.where(hits, cut, cut.dtype.type(0)).sum(2), layout)


def _geometry(attrs: Attrs) -> dict[str, Any]:
    return {name: attrs[name] for name in GEOMETRY}


@pooling.gradient("data")
def _(dy: Any, data: Any, out: Any, attrs: Attrs) -> Any:
    more = {"shape": data.shape, **_geometry(attrs)}
    if attrs.pool_type == "max":
        return backward_pooling(dy, data, **more)
    if attrs.pool_type == "lp":
        power = attrs.p_value - 1
        if not power:
            return backward_pooling(dy, pool_type="sum", **more)
        zero = out == 0
        slope = dy * (out != 0) / (out + zero) ** power
        return backward_pooling(slope, pool_type="sum", **more) * data**power
    counts = attrs.count_include_pad
    return backward_pooling(dy, pool_type=attrs.pool_type, count_include_pad=counts, **more)


@backward_pooling.gradient("head")
def _(dy: Any, data: Any, attrs: Attrs) -> Any:
    if attrs.pool_type == "max":
        return pooling_select(dy, data, v1=attrs.v1, **_geometry(attrs))
    more = {"pool_type": attrs.pool_type, "count_include_pad": attrs.count_include_pad}
    return pooling(dy, **more, **_geometry(attrs))


@pooling_select.gradient("values")
def _(dy: Any, data: Any, attrs: Attrs) -> Any:
    return backward_pooling(dy, data, shape=data.shape, v1=attrs.v1, **_geometry(attrs))


pooling.sample(data=distinct(2, 2, 7, 8), kernel=(3, 2), stride=(2, 2), pad=(1, 0))
pooling.sample(
    data=normal(1, 2, 7, 8),
    kernel=(3, 3),
    stride=(2, 2),
    pad=(1, 1),
    pool_type="avg",
    pooling_convention="full",
    count_include_pad=False,
)
pooling.sample(data=normal(1, 2, 3, 4, 3), pool_type="sum", kernel=(2, 2, 2), stride=(1, 2, 1))
pooling.sample(
    data=uniform(1, 2, 8, low=0.5, high=1.5),
    kernel=(3,),
    stride=(2,),
    pool_type="lp",
    p_value=2,
    pooling_convention="same",
)
pooling.sample(data=distinct(2, 3, 4, 3), global_pool=True)
pooling.sample(data=distinct(1, 6, 5, 2), kernel=(2, 2), layout="NHWC")
backward_pooling.sample(
    head=normal(1, 2, 3, 3),
    data=distinct(1, 2, 6, 6),
    shape=(1, 2, 6, 6),
    kernel=(2, 2),
    stride=(2, 2),
    _grad=("head",),
)
pooling_select.sample(
    values=normal(1, 2, 6, 6),
    data=distinct(1, 2, 6, 6),
    kernel=(3, 3),
    stride=(2, 2),
    _grad=("values",),
)
