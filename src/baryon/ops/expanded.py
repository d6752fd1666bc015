"""Two convolutions as one: 1 x 1 windows make more channels, and each of these has a window then.

So begin inverted residuals (Sandler et al., 2018, arXiv:1801.04381). A kernel keeps what lies
between, several times as large as either end, in the cache. The fuse pass draws it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .attrs import Attrs, Shape
from .blocked import BLOCK, blocked, image
from .convolution import convolution
from .fused import fused_convolution
from .fusion import Beginning
from .op import op
from .rules import known, unify
from .samples import normal

INFINITY = math.inf


def _windows(attrs: Attrs) -> dict[str, Any]:
    return {name: attrs[name] for name in ("kernel", "stride", "dilate", "pad", "num_filter")}


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if not known(ins[0]):
        return ins, outs
    count, (batch, _, *space) = attrs.num_filter, ins[0]
    one = {"kernel": (1,) * len(space), "num_filter": count, "no_bias": True}
    made, _ = convolution.infer_shapes(convolution.attributes(one), [ins[0], ins[1]], [None])
    deep = convolution.attributes({**_windows(attrs), "num_group": count, "no_bias": True})
    wide, outs = convolution.infer_shapes(deep, [(batch, count, *space), ins[4]], outs)
    vectors = [unify(ins[i], (count,)) for i in (2, 3, 5, 6)]
    found = [ins[0], made[1], *vectors[:2], wide[1], *vectors[2:]]
    return [*found, *(unify(s, outs[0]) for s in ins[7:])], outs


def _params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple:
    deep = convolution.attributes({**_windows(attrs), "num_group": attrs.num_filter})
    inner = (attrs.inner_low, attrs.inner_high, False)
    return (*convolution.params(deep, ins, outs), *inner, attrs.low, attrs.high, attrs.adds)


def _flops(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> int:
    pixels = math.prod(ins[0].shape[2:]) * ins[0].shape[0]
    return 2 * pixels * ins[1].size + 2 * outs[0].size * math.prod(attrs.kernel)


@op(
    "_expanded_Convolution",
    shape=_shapes,
    present={"addend": lambda a: a.adds},
    params=_params,
    flops=_flops,
)
def expanded_convolution(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any,
    scale: Any,
    depth_weight: Any,
    depth_bias: Any,
    depth_scale: Any,
    addend: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    inner_low: float = -INFINITY,
    inner_high: float = INFINITY,
    adds: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
) -> Any:
    """A convolution of 1 x 1 windows, then one with a window of its own for each of its filters.

    ``clip(convolution * scale + bias, inner_low, inner_high)``, and of that a depthwise
    ``clip(convolution * depth_scale + depth_bias + addend, low, high)``; the window is the
    latter's; `adds` says whether there is an addend. All else as in `Convolution`.

    >>> x, w, one = mx.nd.array([[[[1.0, -2.0]]]]), mx.nd.ones((1, 1, 1, 1)), mx.nd.ones((1,))
    >>> call = mx.nd._internal._expanded_Convolution
    >>> call(x, w, one, one, w, one, one, kernel=(1, 1), num_filter=1, inner_low=0.0).asnumpy()
    array([[[[3., 1.]]]], dtype=float32)
    """
    one, inner = {"kernel": (1,) * len(kernel)}, {"low": inner_low, "high": inner_high}
    own = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad}
    own |= {"num_group": num_filter, "adds": adds, "low": low, "high": high}
    call, count = fused_convolution.body, {"num_filter": num_filter}
    wide = call(xp, data, weight, bias, scale, **one, **count, **inner)
    return call(xp, wide, depth_weight, depth_bias, depth_scale, addend, **own, **count)


def _continue(begun: Beginning, inputs: Sequence[Any], attrs: Attrs) -> Beginning | None:
    """A depthwise convolution of what a call with 1 x 1 windows gives."""
    raw = begun.raw
    if begun.op.origin is not fused_convolution or raw["adds"] or raw["plain"] or attrs.plain:
        return None
    count = attrs.num_group
    simple = all(k == 1 for k in raw["kernel"]) and not any(raw["pad"] or ())
    simple = simple and all(s == 1 for s in raw["stride"] or ()) and raw["num_group"] == 1
    if not simple or not 1 < count == attrs.num_filter == raw["num_filter"]:
        return None
    weight, *bias = inputs[1:]
    vector = (count,)
    given = [*begun.inputs, weight, *(bias or [("_npi_zeros", vector)]), ("_npi_ones", vector)]
    kept = {k: raw[k] for k in ("block", "channels", "train")}
    inner = {"inner_low": raw["low"], "inner_high": raw["high"]}
    return Beginning(expanded_convolution.blocked.op, given, {**_windows(attrs), **kept, **inner})


def _begin(inputs: Sequence[Any], attrs: Attrs) -> Beginning:
    """A call as the beginning of itself with a longer ending; its scale may be still to come."""
    given = list(inputs)
    if given[6].node.op is not None and given[6].node.op.fusion.uniform:
        given[6] = ("_npi_ones", (attrs.num_filter,))
    raw = {k: attrs[k] for k in expanded_convolution.attrs}
    return Beginning(expanded_convolution, given, raw)


blocked(expanded_convolution, ("data", "addend"), (0,), heavy=True)
convolution.fusion = convolution.fusion._replace(continues=_continue)
expanded_convolution.fusion = expanded_convolution.fusion._replace(begins=_begin, scaled=(6, 5))


# ---- samples -----------------------------------------------------------------------------------


def _sample(
    block: int, channels: int, filters: int, size: int, stride: int, adds: bool = False, **more: Any
) -> None:
    """On images in blocks, or (`block` 1) on plain ones."""
    draw = image if block > 1 else lambda _, *shape: normal(*shape)
    space = (9, 13) if "dilate" not in more else (9,)
    axes, reach = len(space), (size - 1) * (2 if "dilate" in more else 1) + 1
    sizes = [(n + size // 2 * 2 - reach) // stride + 1 for n in space]
    given: dict[str, Any] = {"addend": draw(block, 2, filters, *sizes)} if adds else {}
    if block > 1:
        given["block"] = block
        whole = channels % block == filters % block == 0
        given["channels"] = () if whole else (channels, filters)
    (expanded_convolution.blocked.op if block > 1 else expanded_convolution).sample(
        data=draw(block, 2, channels, *space),
        weight=normal(filters, channels, *(1,) * axes, scale=0.3),
        bias=normal(filters),
        scale=normal(filters),
        depth_weight=normal(filters, 1, *(size,) * axes),
        depth_bias=normal(filters),
        depth_scale=normal(filters),
        **dict(kernel=(size,) * axes, stride=(stride,) * axes, pad=(size // 2,) * axes),
        **dict(num_filter=filters, adds=adds, inner_low=0.0, inner_high=6.0),
        **dict(_dtypes=("float32",), _rtol=1e-4, _atol=2e-4),
        **given,
        **more,
    )


for _block in (1, BLOCK):
    _sample(_block, 2 * BLOCK, 3 * BLOCK, 3, 1, low=0.0, high=6.0)
    _sample(_block, BLOCK, 2 * BLOCK, 3, 2, True)
    _sample(_block, BLOCK, 5 * BLOCK, 5, 1, True, dilate=(2,), high=1.0)
_sample(BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3, 2)
_sample(BLOCK, 2 * BLOCK - 3, BLOCK, 1, 3)
_sample(BLOCK, BLOCK, 2 * BLOCK, 2, 3)
