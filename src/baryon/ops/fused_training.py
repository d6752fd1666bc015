"""What the fuse pass draws for the training of convolutional networks. No user names these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .attrs import Attrs, Shape
from .blocked import BLOCK, blocked, image
from .convolution import convolution, geometry
from .fused import again_batch_norm
from .fusion import Beginning
from .norm import along, batch_norm, others
from .numeric import widen
from .op import op
from .samples import normal

# ---- a convolution that measures its results ---------------------------------------------------


def _measured_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    ins, (out, *_) = convolution.shape_rule(attrs, ins, outs[:1])
    return ins, [out, (attrs.num_filter,), (attrs.num_filter,)]


@op(
    "_measured_Convolution",
    shape=_measured_shapes,
    outputs=("output", "mean", "scale"),
    present={"bias": lambda a: not a.no_bias},
    params=lambda a, ins, outs: (*convolution.params(a, ins, outs), a.eps),
    flops=convolution.flops,
)
def measured_convolution(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    no_bias: bool = False,
    layout: str | None = None,
    eps: float,
) -> Any:
    """`Convolution`; the mean of each channel of its results, and ``1 / sqrt(variance + eps)``.

    These are what a batch norm of the results computes first.

    >>> x, w = mx.nd.array([[[[1.0, -1.0]]]]), mx.nd.ones((1, 1, 1, 1))
    >>> call = mx.nd._internal._measured_Convolution
    >>> [y.asnumpy() for y in call(x, w, kernel=(1, 1), num_filter=1, no_bias=True, eps=3.0)[1:]]
    [array([0.], dtype=float32), array([0.5], dtype=float32)]
    """
    window = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad, "layout": layout}
    more = {"num_filter": num_filter, "num_group": num_group, "no_bias": no_bias}
    out = convolution.body(xp, data, weight, bias, **window, **more)
    x = widen(xp, out)
    axis = x.ndim - 1 if layout and layout[-1] == "C" else 1
    mean = x.mean(axis=others(axis, x.ndim))
    variance = xp.square(x - along(mean, axis, x.ndim)).mean(axis=others(axis, x.ndim))
    return out, mean, 1 / xp.sqrt(variance + eps)


def _measures(inputs: Sequence[Any], attrs: Attrs, eps: float) -> Beginning:
    kept = {"num_filter": attrs.num_filter, "no_bias": attrs.no_bias, **geometry(attrs)}
    return Beginning(measured_convolution, list(inputs), {**kept, "eps": eps})


def _given(inputs: Sequence[Any], attrs: Attrs, moments: Sequence[Any]) -> Beginning:
    raw = {k: v for k, v in attrs.items() if k in again_batch_norm.attrs}
    return Beginning(again_batch_norm, [*inputs[:3], *moments], raw)


def _measured_eps(attrs: Attrs) -> float | None:
    """Of a batch norm that measures its data, and writes to nothing."""
    measures = attrs.train and not attrs.use_global_stats and not attrs.fix_gamma
    return attrs.eps if measures else None


convolution.fusion = convolution.fusion._replace(measures=_measures)
batch_norm.fusion = batch_norm.fusion._replace(measured_eps=_measured_eps, given=_given)
_options = ("winograd", "keep_weights")
blocked(measured_convolution, ("data",), (0,), heavy=True, options=_options)


# ---- samples -----------------------------------------------------------------------------------

_near = {"_dtypes": ("float32",), "_rtol": 1e-4, "_atol": 2e-4}


def _sample_measured(block: int, size: int, stride: int, plane: bool, bias: bool) -> None:
    """On images in blocks, or (`block` 1) on plain ones."""
    channels, filters = (3 if plane else 2 * block), 3 * block
    draw = image if block > 1 else lambda _, *shape: normal(*shape)
    window = {"kernel": (size,) * 2, "stride": (stride,) * 2, "pad": (size // 2,) * 2}
    if block > 1:
        window |= {"block": block, "plain": (0,) if plane else (), "winograd": size == 3}
    (measured_convolution.blocked.op if block > 1 else measured_convolution).sample(
        data=normal(3, channels, 8, 13) if plane else draw(block, 3, channels, 8, 13),
        weight=normal(filters, channels, size, size, scale=0.2),
        **({"bias": normal(filters, scale=100)} if bias else {}),
        **dict(num_filter=filters, no_bias=not bias, eps=1e-3),
        **window,
        **_near,
    )


for _block in (1, BLOCK):
    for _bias in (False, True):
        _sample_measured(_block, 3, 1, False, _bias)
        _sample_measured(_block, 3, 2, False, _bias)
        _sample_measured(_block, 1, 1, False, _bias)
        _sample_measured(_block, 5, 2, True, _bias)
