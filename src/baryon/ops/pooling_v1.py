"""Pooling_v1: MXNet's old pooling operator."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .op import op
from .pooling import GEOMETRY, backward_pooling, divided, pool, pool_window, pooled_shape
from .samples import distinct, normal


def _v1(attrs: Any) -> dict[str, Any]:
    """Attributes of `Pooling` for those of the old operator."""
    return {name: attrs[name] for name in GEOMETRY if name != "layout"}


def _v1_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if ins[0] is not None and len(ins[0]) not in (4, 5):
        raise MXNetError(f"data has {len(ins[0])} axes, expected 4 or 5")
    return pooled_shape(Attrs({**attrs, "layout": None}), ins, outs)


@op("Pooling_v1", shape=_v1_shapes)
def pooling_v1(
    xp: Any,
    data: Any,
    *,
    kernel: Shape = (),
    pool_type: Literal["avg", "max", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Literal["full", "valid"] = "valid",
    stride: Shape = (),
    pad: Shape = (),
) -> Any:
    """The old pooling: a mean always divides by the whole window, a maximum sees padding as 0.

    The gradient of a maximum goes whole to every place that equals it. Otherwise as `Pooling`, for
    two or three spatial axes. Source: MXNet operator Pooling_v1.

    >>> mx.nd.Pooling_v1(mx.nd.ones((1, 1, 2, 2)), kernel=(2, 2), pool_type="sum").asnumpy().item()
    4.0
    """
    attrs = {"kernel": kernel, "global_pool": global_pool, "stride": stride, "pad": pad}
    attrs |= {"pooling_convention": pooling_convention, "v1": True}
    out = pool(xp, data, "sum" if pool_type == "avg" else pool_type, attrs)
    if pool_type != "avg":
        return out
    return divided(xp, out, fixed(xp, _whole(attrs, data.shape)))


def _whole(attrs: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Elements of one window."""
    return np.prod(pool_window(attrs, shape[2:]).kernel)


@pooling_v1.gradient("data")
def _(dy: Any, data: Any, attrs: Attrs) -> Any:
    more = {"shape": data.shape, **_v1(attrs)}
    if attrs.pool_type == "max":
        return backward_pooling(dy, data, v1=True, **more)
    grad = backward_pooling(dy, pool_type="sum", **more)
    return grad / float(_whole(attrs, data.shape)) if attrs.pool_type == "avg" else grad


pooling_v1.sample(data=distinct(1, 2, 6, 6), kernel=(3, 3), stride=(2, 2), pad=(1, 1))
pooling_v1.sample(
    data=normal(1, 2, 6, 6),
    kernel=(3, 3),
    stride=(2, 2),
    pool_type="avg",
    pooling_convention="full",
)
