"""Piecewise functions with parameters: hard_sigmoid, clip, smooth_l1."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fusion import Fusion
from .op import op
from .samples import normal
from .storage import KEEPS_ZERO


@op(
    "hard_sigmoid",
    inplace={0: "data"},
    pointwise=True,
    element="bounded({alpha} * a + {beta}, A(0), A(1))",
    kernel=True,
    params=lambda a, ins, outs: (a.alpha, a.beta),
    onnx="HardSigmoid",
)
def hard_sigmoid(xp: Any, data: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    """Piecewise linear sigmoid, ``min(max(alpha * x + beta, 0), 1)``.

    (MXNet operator ``hard_sigmoid``.)

    >>> mx.nd.hard_sigmoid(mx.nd.array([0.0, -9.0, 9.0])).asnumpy()
    array([0.5, 0. , 1. ], dtype=float32)
    """
    return xp.clip(alpha * data + beta, 0, 1)


@hard_sigmoid.gradient("data")
def _(dy: Any, out: Any, alpha: float) -> Any:
    return dy * ((out > 0) * (out < 1)) * alpha


@op(
    "clip",
    aliases=("_npi_clip", "_sparse_clip"),
    inplace={0: "data"},
    pointwise=True,
    element="bounded(a, {a_min}, {a_max})",
    kernel=True,
    params=lambda a, ins, outs: (a.a_min, a.a_max),
    onnx="Clip",
    storage=KEEPS_ZERO,
)
def clip(xp: Any, data: Any, *, a_min: float, a_max: float) -> Any:
    """Values limited to [a_min, a_max]; the gradient passes at both bounds.

    For integers the bounds are cut towards zero.  (MXNet operator ``clip``.)

    >>> mx.nd.clip(mx.nd.array([-2.0, 0.5, 2.0]), a_min=-1, a_max=1).asnumpy()
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    if data.dtype.kind in "iu":
        limits = xp.iinfo(data.dtype)
        low, high = (int(min(max(v, limits.min), limits.max)) for v in (a_min, a_max))
    else:
        low, high = a_min, a_max
    return xp.minimum(xp.maximum(data, low), high)


clip.fusion = Fusion(bounds=lambda attrs: (attrs.a_min, attrs.a_max))


@clip.gradient("data")
def _(dy: Any, data: Any, a_min: float, a_max: float) -> Any:
    return dy * (1 - (data < a_min) - (data > a_max))


@op(
    "smooth_l1",
    aliases=("_npx_smooth_l1",),
    inplace={0: "data"},
    pointwise=True,
    element="smooth_l1(a, {scalar} * {scalar})",
    kernel=True,
    params=lambda a, ins, outs: (a.scalar,),
)
def smooth_l1(xp: Any, data: Any, *, scalar: float = 1.0) -> Any:
    """Smooth L1 loss with ``s = scalar``: quadratic within 1/s², linear beyond.

    ``0.5 * (s * x)²`` where ``|x| < 1/s²``, else ``|x| - 0.5 / s²`` (Girshick, "Fast R-CNN", 2015;
    MXNet operator ``smooth_l1``).

    >>> mx.nd.smooth_l1(mx.nd.array([-3.0, 0.0, 0.5])).asnumpy()
    array([2.5  , 0.   , 0.125], dtype=float32)
    """
    s2 = scalar * scalar
    edge = 1 / s2 if s2 else np.inf
    size = xp.abs(data)
    return xp.where(size < edge, 0.5 * s2 * data * data, size - 0.5 * edge)


@smooth_l1.gradient("data")
def _(dy: Any, data: Any, scalar: float) -> Any:
    s2 = scalar * scalar
    return dy * clip(data * s2, a_min=-1, a_max=1)


hard_sigmoid.sample(data=normal(2, 3))
clip.sample(data=normal(3, 4), a_min=-0.5, a_max=0.8)
smooth_l1.sample(data=normal(3, 4, scale=2.0), scalar=1.5)
