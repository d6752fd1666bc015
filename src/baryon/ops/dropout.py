"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..base import MXNetError
from .attrs import Attrs, Shape
from .fusion import Fusion
from .op import Spec, op
from .reshape import normalize
from .rules import known, unify
from .samples import normal


def dropping(attrs: Attrs) -> bool:
    """Whether a call zeroes anything."""
    return attrs.p > 0 and (attrs.train or attrs.mode == "always")


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """The mask has data's shape, with size 1 along `axes`."""
    if not 0 <= attrs.p <= 1:
        raise MXNetError(f"p is {attrs.p}, expected a probability")
    data = unify(ins[0], outs[0])
    mask = outs[1]
    if known(data):
        axes = {normalize(a, len(data)) for a in attrs.axes}
        mask = tuple(1 if i in axes else d for i, d in enumerate(data))
    return [data], [data, mask]


def _params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """Kernel parameter: the probability of keeping an element; the body serves shared masks."""
    if not dropping(attrs):
        return (1.0,)
    return None if outs[0].shape != outs[1].shape else (1.0 - attrs.p,)


@op(
    "Dropout",
    aliases=("_npx_dropout",),
    shape=_shapes,
    outputs=("output", "mask"),
    visible=1,
    kernel=True,
    params=_params,
    inplace={0: "data"},
    onnx="Dropout",
)
def dropout(
    xp,
    data,
    *,
    p: float = 0.5,
    mode: Literal["always", "training"] = "training",
    axes: Shape = (),
    cudnn_off: bool | None = False,
    train: bool,
    rng,
):
    """Zero each element with probability `p` and divide the others by ``1 - p`` (``Dropout``).

    Only in training unless ``mode="always"``; along `axes` one decision is shared. ``cudnn_off``
    has no effect. Source: Srivastava et al., JMLR 2014.

    >>> mx.nd.Dropout(mx.nd.array([1.0, 2.0]), p=0.5).asnumpy()
    array([1., 2.], dtype=float32)
    """
    shape = tuple(1 if i in {a % data.ndim for a in axes} else d for i, d in enumerate(data.shape))
    if p <= 0 or not (train or mode == "always"):
        return data, xp.ones(shape, data.dtype)
    keep = 1.0 - p
    scale = 1 / keep if keep > 0 else 0.0
    mask = ((rng.uniform(shape) < keep) * scale).astype(data.dtype)
    return data * mask, mask


@dropout.gradient("data")
def _(dy, mask, attrs):
    return dy * mask if dropping(attrs) else dy


dropout.fusion = Fusion(
    idle=lambda attrs: not dropping(attrs),
    drops=lambda attrs: attrs.p if dropping(attrs) and attrs.p < 1 and not attrs.axes else None,
)
dropout.sample(data=normal(3, 4), p=0.4, _train=False)
dropout.sample(data=normal(3, 4), p=0.4, mode="always", _grad=())
dropout.sample(data=normal(3, 4, 2), p=0.4, axes=(1,), _grad=())
