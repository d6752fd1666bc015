"""Attention in training as one operator, whose backward pass computes the scores again.

Between the passes nothing of the size of the scores is kept, but for each query the logarithm of
the sum of its exponentials. The fuse pass draws it for GPUs with cuDNN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attention import drawn_part, interleaved, joined, part_of, size_of_head
from .attrs import Attrs
from .dot import batch_dot
from .fused_attention import PARTS
from .numeric import widen
from .op import Op, Pullback, get, op
from .philox import Philox
from .rules import known, numbered
from .samples import normal, typed, uniform

Layout = Literal["self", "cross", "stacked"]


def count_of(layout: str) -> int:
    """How many arrays hold queries, keys and values."""
    return 3 if layout == "stacked" else len(PARTS[layout])


def _stats_shape(attrs: Attrs, first: tuple) -> tuple[int, ...]:
    """(..., length of the queries), with batch and heads as one in front of interleaved ones."""
    if attrs.layout == "stacked":
        return first[:-1]
    size_of_head(first, attrs.heads, PARTS[attrs.layout][0])
    return first[1] * attrs.heads, first[0]


def _forward_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if not all(map(known, ins)):
        return ins, outs
    first = ins[0]
    if attrs.layout == "stacked":
        out = (*first[:-1], ins[2][-1])
    else:
        size = size_of_head(first, attrs.heads, PARTS[attrs.layout][0])
        out = (*first[:2], attrs.heads * size)
    return ins, [out, _stats_shape(attrs, first), (2,)][: len(outs)]


def _forward_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    sums = None if ins[0] is None else np.dtype(np.float64 if ins[0] == np.float64 else np.float32)
    return ins, [ins[0], sums, np.dtype(np.int64)][: len(outs)]


def _parts(xp: Any, data: Sequence[Any], layout: str, heads: int) -> list:
    """Queries, keys and values as (..., length, size) in float32 or float64."""
    if layout == "stacked":
        return [widen(xp, x) for x in data]
    return [
        part_of(xp, x, heads, count, i)
        for x, count in zip(data, PARTS[layout], strict=True)
        for i in range(count)
    ]


def _together(xp: Any, parts: Sequence[Any], like: Sequence[Any], layout: str, heads: int) -> tuple:
    """Gradients of queries, keys and values as the arrays that hold these."""
    if layout == "stacked":
        return tuple(parts)
    made, rest = [], list(parts)
    for x, count in zip(like, PARTS[layout], strict=True):
        length, batch, _ = x.shape
        own = [rest.pop(0).reshape(batch, heads, length, -1) for _ in range(count)]
        made.append(xp.stack(own, axis=3).transpose(2, 0, 1, 3, 4).reshape(x.shape))
    return tuple(made)


def _attended(
    xp: Any, data: Sequence[Any], layout: str, heads: int, scale: float, drop: Callable | None
) -> tuple:
    """The result, and the logarithms of the sums of exponentials."""
    queries, keys, values = _parts(xp, data, layout, heads)
    scores = xp.matmul(queries, keys.swapaxes(-1, -2)) * scale
    largest = scores.max(axis=-1, keepdims=True)
    weights = xp.exp(scores - largest)
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / total
    result = xp.matmul(weights if drop is None else weights * drop(weights.shape), values)
    stats = (largest + xp.log(total))[..., 0]
    return (result if layout == "stacked" else joined(xp, result, data[0].shape[1])), stats


def _dropping(rng: Philox, p: float) -> Callable[[tuple], Any]:
    """What weights are multiplied with."""
    keep = 1.0 - p

    def mask(shape: tuple) -> Any:
        return (rng.uniform(shape) < keep) * np.float32(1 / keep if keep > 0 else 0.0)

    return mask


_facts: dict[str, Any] = {
    "derived": True,
    "variadic": "num_args",
    "shape": _forward_shapes,
    "dtype": _forward_dtypes,
}


@op("_attention", outputs=("output", "stats"), visible=1, **_facts)
def attention(
    xp: Any, *data: Any, num_args: int, layout: Layout, heads: int = 1, scale: float = 1.0
) -> Any:
    """``softmax(queries keys^T scale) values``; `data` and `layout` as in ``_fused_attention``."""
    return _attended(xp, data, layout, heads, scale, None)


@op("_dropped_attention", outputs=("output", "stats", "key"), visible=1, **_facts)
def dropped_attention(
    xp: Any,
    *data: Any,
    num_args: int,
    layout: Layout,
    heads: int = 1,
    scale: float = 1.0,
    p: float = 0.5,
    rng: Philox,
) -> Any:
    """As ``_attention``, each weight zero with probability `p`, the others divided by ``1 - p``.

    The key names the random numbers for the backward pass.
    """
    key = rng.key()
    return *_attended(xp, data, layout, heads, scale, _dropping(rng, p)), key


def _backward_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, list(ins[: len(outs)])


def _backward_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [ins[0]] * len(outs)


@op(
    "_backward_attention",
    variadic="num_args",
    shape=_backward_shapes,
    dtype=_backward_dtypes,
    outputs=lambda attrs: numbered(count_of(attrs.layout)),
)
def backward_attention(
    xp: Any,
    *data: Any,
    num_args: int,
    layout: Layout,
    heads: int = 1,
    scale: float = 1.0,
    p: float = 0.0,
) -> Any:
    """Gradients of `data` of attention; then follow its output, stats and head gradient, its key.

    Source: Dao et al., FlashAttention, 2022.
    """
    count = count_of(layout)
    out, stats, head, *key = data[count:]
    queries, keys, values = _parts(xp, data[:count], layout, heads)
    out, head = (
        widen(xp, x) if layout == "stacked" else part_of(xp, x, heads, 1, 0) for x in (out, head)
    )
    weights = xp.exp(xp.matmul(queries, keys.swapaxes(-1, -2)) * scale - stats[..., None])
    d_weights = xp.matmul(head, values.swapaxes(-1, -2))
    kept = weights
    if key:
        mask = _dropping(Philox.of_key(xp, key[0]), p)(weights.shape)
        kept, d_weights = weights * mask, d_weights * mask
    d_values = xp.matmul(kept.swapaxes(-1, -2), head)
    along = (head * out).sum(axis=-1, keepdims=True)
    d_scores = weights * (d_weights - along) * scale
    d_queries, d_keys = xp.matmul(d_scores, keys), xp.matmul(d_scores.swapaxes(-1, -2), queries)
    return _together(xp, (d_queries, d_keys, d_values), data[:count], layout, heads)


@backward_attention.expression
def _(data: list, layout: str, heads: int, scale: float, p: float) -> Pullback:
    held, head = data[: count_of(layout)], data[count_of(layout) + 2]
    if p:
        raise MXNetError("gradients of gradients of attention with dropout are not implemented")
    if layout == "stacked":
        parts = [get("Reshape")(x, shape=(-1, *x.shape[-2:])) for x in held]
    else:
        pairs = zip(held, PARTS[layout], strict=True)
        parts = [drawn_part(x, heads, n, i) for x, n in pairs for i in range(n)]
    queries, keys, values = parts
    scores = batch_dot(queries, keys, transpose_b=True) * scale
    made = batch_dot(get("softmax")(scores), values)
    if layout == "stacked":
        made = get("Reshape")(made, shape=head.shape)
    else:
        made = interleaved([made], held[0].shape[1])
    return Pullback([made], [head], held)


def _gradients(dy: Any, data: list, outs: list, attrs: Attrs, **more: Any) -> list:
    raw = {name: attrs[name] for name in ("layout", "heads", "scale")}
    found = backward_attention(*data, outs[0], outs[1], dy, *outs[2:], **raw, **more)
    return list(found) if isinstance(found, (tuple, list)) else [found]


@attention.gradient("data")
def _(dy: Any, data: list, outs: list, attrs: Attrs) -> list:
    return _gradients(dy, data, outs, attrs)


@dropped_attention.gradient("data")
def _(dy: Any, data: list, outs: list, attrs: Attrs) -> list:
    return _gradients(dy, data, outs, attrs, p=attrs.p)


def _samples(forward: Op, data: Sequence[tuple], out: tuple, stats: tuple, **attrs: Any) -> None:
    forward.sample(data=[normal(*s) for s in data], **attrs)
    sums = uniform(*stats, low=4.0, high=6.0)
    given = [*(normal(*s) for s in data), normal(*out), sums, normal(*out)]
    backward_attention.sample(data=given, **attrs)
    given[-2] = typed(sums, "float32")
    backward_attention.sample(data=given, _dtypes=("float16",), **attrs)


_stacked = [(3, 9, 16), (3, 7, 16), (3, 7, 8)]
_samples(attention, _stacked, (3, 9, 8), (3, 9), layout="stacked", scale=0.5)
_self = {"layout": "self", "heads": 2, "scale": 0.3}
_samples(attention, [(9, 2, 48)], (9, 2, 16), (4, 9), **_self)
_samples(
    attention, [(5, 2, 16), (9, 2, 32)], (5, 2, 16), (4, 5), layout="cross", heads=2, scale=0.3
)
dropped_attention.sample(data=[normal(9, 2, 48)], p=0.3, **_self, _grad=())
