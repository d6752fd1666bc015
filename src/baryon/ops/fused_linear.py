"""FullyConnected together with the activation behind it: the fuse pass draws it for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .activation import gelu
from .attrs import Attrs
from .fully_connected import fully_connected
from .fusion import Beginning
from .op import op
from .samples import normal


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    found, (out,) = fully_connected.shape_rule(attrs, ins, outs[:1])
    return found, [out] * len(outs)


@op(
    "_fused_FullyConnected",
    shape=_shapes,
    outputs=lambda a: ("output", "before") if a.keeps else ("output",),
    flops=fully_connected.flops,
    derived=True,
)
def fused_fully_connected(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any,
    *,
    num_hidden: int,
    flatten: bool = True,
    act: Literal["relu", "gelu"],
    keeps: bool = False,
) -> Any:
    """``act(data weight^T + bias)``, and with `keeps` also what was before the activation."""
    before = fully_connected.body(xp, data, weight, bias, num_hidden=num_hidden, flatten=flatten)
    out = xp.maximum(before, 0) if act == "relu" else gelu(xp, before)
    return (out, before) if keeps else out


def _begin(inputs: Sequence[Any], attrs: Attrs) -> Beginning | None:
    if attrs.no_bias:
        return None
    raw = {"num_hidden": attrs.num_hidden, "flatten": attrs.flatten}
    return Beginning(fused_fully_connected, list(inputs), raw)


fully_connected.fusion = fully_connected.fusion._replace(linear=_begin)

for _act, _keeps in (("relu", False), ("gelu", False), ("gelu", True)):
    fused_fully_connected.sample(
        data=normal(3, 2, 4),
        weight=normal(5, 4),
        bias=normal(5),
        **dict(num_hidden=5, flatten=False, act=_act, keeps=_keeps),
    )
