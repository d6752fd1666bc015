"""Local response normalisation."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .numeric import widen
from .op import Pullback, get, op
from .rules import same
from .samples import normal


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Everything like data, which has channels; an odd number of them is summed."""
    if attrs.nsize % 2 == 0:
        raise MXNetError(f"nsize must be odd, got {attrs.nsize}")
    return same(attrs, ins, outs)


def _over_channels(xp: Any, x: Any, nsize: int) -> Any:
    """Sum over a window of `nsize` channels (axis 1) around each."""
    reach, channels = nsize // 2, x.shape[1]
    pad = [(0, 0)] * x.ndim
    pad[1] = (reach, reach)
    wide = xp.pad(x, pad)
    return sum(wide[:, k : k + channels] for k in range(nsize))


@op("LRN", shape=_shapes, outputs=("output", "scale"), visible=1, onnx="LRN")
def lrn(xp, data, *, alpha: float = 1e-4, beta: float = 0.75, knorm: float = 2.0, nsize: int):
    """``data / (knorm + alpha / nsize * sum(data ** 2)) ** beta`` (MXNet's operator ``LRN``).

    The sum runs over the `nsize` (odd) channels around each one, along axis 1. Source:
    Krizhevsky, Sutskever and Hinton, NIPS 2012.

    >>> mx.nd.LRN(mx.nd.ones((1, 1, 1, 2)), alpha=2.0, beta=0.5, nsize=1).asnumpy().ravel()
    array([0.5, 0.5], dtype=float32)
    """
    x = widen(xp, data)
    scale = knorm + alpha / nsize * _over_channels(xp, xp.square(x), nsize)
    return x * scale**-beta, scale


@op("_backward_LRN")
def backward_lrn(xp, dy, data, scale, *, alpha: float, beta: float, knorm: float, nsize: int):
    """Gradient of `lrn`."""
    dy, x, scale = (widen(xp, a) for a in (dy, data, scale))
    shared = _over_channels(xp, dy * x * scale ** (-beta - 1), nsize)
    return dy * scale**-beta - 2 * alpha * beta / nsize * x * shared


@lrn.gradient("data")
def _(dy, data, scale, alpha, beta, knorm, nsize):
    return backward_lrn(dy, data, scale, alpha=alpha, beta=beta, knorm=knorm, nsize=nsize)


@backward_lrn.expression
def _(dy, data, alpha, beta, knorm, nsize):
    channels, cut = data.shape[1], get("slice_axis")
    nothing = get("zeros_like")(cut(data, axis=1, begin=0, end=1))
    edge = [nothing] * (nsize // 2)
    wide = get("Concat")(*edge, data * data, *edge, dim=1)
    shifted = [cut(wide, axis=1, begin=k, end=k + channels) for k in range(nsize)]
    scale = get("add_n")(*shifted) * (alpha / nsize) + knorm
    return Pullback([data * scale**-beta], [dy], [data])


lrn.sample(data=normal(2, 5, 3), alpha=0.5, nsize=3)
backward_lrn.sample(
    **dict(dy=normal(2, 5, 3), data=normal(2, 5, 3), scale=normal(2, 5, 3, scale=0.1, loc=2.0)),
    **dict(alpha=0.5, beta=0.75, knorm=2.0, nsize=3),
    _grad=(),
)
