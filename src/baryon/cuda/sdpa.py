"""Attention by cuDNN: softmax(queries keys^T) values in one kernel, forward and backward.

It serves 16-bit arrays, read where they lie: interleaved projections are views of four axes (batch,
heads, length, size).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from . import cudnn
from .gemm import halves
from .launch import dense, output
from .registry import kernel

PARTS = {"self": (3,), "cross": (1, 2)}  # of each head in each array
_LARGEST = 128  # size of a head that all generations of GPUs since Ampere serve
_EVEN = 8  # elements of a head that are read at once


def _fits(sizes: Sequence[int]) -> bool:
    return all(0 < n <= _LARGEST and n % _EVEN == 0 for n in sizes)


def may_serve(specs: Sequence[Any], layout: str, heads: int) -> bool:
    """Whether arrays of these specs, which hold queries, keys and values, are worth a try."""
    if cudnn.library() is None or not halves(*specs) or not all(s.size for s in specs):
        return False
    if layout == "stacked":
        return _fits((specs[0].shape[-1], specs[2].shape[-1])) and specs[0].ndim in (3, 4)
    counts = PARTS[layout]
    return _fits([s.shape[2] // (heads * n) for s, n in zip(specs, counts, strict=True)])


def _by_head(x: Any, layout: str, heads: int, count: int = 1) -> list[Any]:
    """Views (batch, heads, length, size) of the parts of an array."""
    if layout == "stacked":
        return [x if x.ndim == 4 else x[:, None]]
    length, batch, width = x.shape
    split = x.reshape(length, batch, heads, count, width // (heads * count))
    return [split[:, :, :, i].transpose(1, 2, 0, 3) for i in range(count)]


def _parts(data: Sequence[Any], layout: str, heads: int) -> list[Any]:
    """Queries, keys and values as such views."""
    counts = PARTS.get(layout, (1, 1, 1))
    pairs = zip(data, counts, strict=True)
    return [view for x, n in pairs for view in _by_head(x, layout, heads, n)]


def _rows(stats: Any, queries: Any) -> Any:
    """A number for each query as (batch, heads, length, 1)."""
    return stats.reshape(*queries.shape[:3], 1)


def _words(key: Any) -> list[Any]:
    """Seed and offset of random numbers, in the four axes of everything else."""
    return [] if key is None else [key[i : i + 1].reshape(1, 1, 1, 1) for i in range(2)]


class _Graph:
    """What the graphs of both passes share; arrays are given in the order of their tensors."""

    def __init__(self, name: str, scale: float, p: float = 0.0) -> None:
        self.name, self.scale, self.p = name, scale, p

    def run(self, xp: Any, draw: Any, arrays: Sequence[Any]) -> bool:
        """Run the graph that `draw` draws; False if cuDNN does not compute it."""
        shapes = tuple((a.shape, a.strides, str(a.dtype)) for a in arrays)
        key = self.name, self.scale, self.p, shapes
        return cudnn.run(xp, key, arrays[0].dtype, partial(draw, arrays), arrays)

    def options(self, bias: Sequence[Any], words: Sequence[Any]) -> dict[str, Any]:
        """The words of both operations for what is not always there."""
        options: dict[str, Any] = {"attn_scale": self.scale}
        if bias:
            options["bias"] = bias[0]
        if words:
            options["dropout"] = (self.p, *words)
        return options


def _forward(
    xp: Any,
    parts: Sequence[Any],
    out: Any,
    scale: float,
    stats: Any = None,
    bias: Any = None,
    key: Any = None,
    p: float = 0.0,
) -> bool:
    bias, words = [] if bias is None else [bias], _words(key)
    results = [out] if stats is None else [out, _rows(stats, parts[0])]
    n, graph = 3 + len(bias), _Graph("attention", scale, p)

    def draw(arrays: Sequence[Any], drawn: Any) -> list[Any]:
        tensors = [cudnn.described(drawn, a) for a in arrays]
        q, k, v = tensors[:3]
        options = graph.options(tensors[3:n], tensors[n : n + len(words)])
        made = drawn.sdpa(q=q, k=k, v=v, generate_stats=stats is not None, **options)
        ends = tensors[n + len(words) :]
        pairs = zip(made[: len(ends)], ends, strict=True)
        return [*tensors[: n + len(words)], *(cudnn.finish(t, like) for t, like in pairs)]

    return graph.run(xp, draw, [*parts, *bias, *words, *results])


def inferred(xp: Any, data: Sequence[Any], mask: Any, layout: str, heads: int, scale: float) -> Any:
    """Attention with a mask or without (None), where nothing is kept; None: not by cuDNN."""
    if not may_serve(data, layout, heads) or not (mask is None or mask.dtype == data[0].dtype):
        return None
    parts = _parts([dense(xp, x) for x in data], layout, heads)
    made = _output(xp, data, parts, layout, heads)
    bias = None if mask is None else _bias(dense(xp, mask), parts[0].shape[:2])
    return made if _forward(xp, parts, _by_head(made, layout, heads)[0], scale, bias=bias) else None


def _bias(mask: Any, lead: tuple[int, int]) -> Any:
    """A mask as (batch or 1, heads or 1, queries or 1, keys)."""
    alike = mask.size == mask.shape[-2] * mask.shape[-1]
    return mask.reshape(*((1, 1) if alike else lead), *mask.shape[-2:])


def _output(xp: Any, data: Sequence[Any], parts: Sequence[Any], layout: str, heads: int) -> Any:
    first = data[0].shape
    size = parts[2].shape[3]
    shape = (*first[:-1], size) if layout == "stacked" else (*first[:2], heads * size)
    return output(xp, shape, data[0].dtype)


def _trained(
    xp: Any, data: Sequence[Any], layout: str, heads: int, scale: float, p: float, rng: Any
) -> Any:
    if not may_serve(data, layout, heads):
        return NotImplemented
    parts = _parts([dense(xp, x) for x in data], layout, heads)
    made = _output(xp, data, parts, layout, heads)
    rows = data[0].shape[:-1] if layout == "stacked" else (data[0].shape[1] * heads, len(data[0]))
    stats = output(xp, rows, np.dtype(np.float32))
    key = None if rng is None else rng.key()
    by_head = _by_head(made, layout, heads)[0]
    if not _forward(xp, parts, by_head, scale, stats, key=key, p=p):
        return NotImplemented
    return (made, stats) if key is None else (made, stats, key)


@kernel("_attention")
def attention(xp, *data, num_args, layout, heads, scale):
    """See the operator."""
    return _trained(xp, data, layout, heads, scale, 0.0, None)


@kernel("_dropped_attention")
def dropped_attention(xp, *data, num_args, layout, heads, scale, p, rng):
    """See the operator; the random numbers are cuDNN's."""
    return _trained(xp, data, layout, heads, scale, p, rng)


@kernel("_backward_attention")
def backward_attention(xp, *data, num_args, layout, heads, scale, p):
    """See the operator."""
    count = 3 if layout == "stacked" else len(PARTS[layout])
    held, (out, stats, head, *key) = data[:count], data[count:]
    if not may_serve(held, layout, heads) or not halves(held[0], out, head):
        return NotImplemented
    parts = _parts([dense(xp, x) for x in held], layout, heads)
    grads = [output(xp, x.shape, x.dtype) for x in held]
    results = _parts(grads, layout, heads)
    ends = [_by_head(dense(xp, x), layout, heads)[0] for x in (out, head)]
    words = _words(key[0] if key else None)
    graph = _Graph("attention backward", scale, p)
    arrays = [*parts, *ends, _rows(dense(xp, stats), parts[0]), *words, *results]

    def draw(arrays: Sequence[Any], drawn: Any) -> list[Any]:
        tensors = [cudnn.described(drawn, a) for a in arrays]
        q, k, v, o, d_out, sums = tensors[:6]
        options = graph.options([], tensors[6 : 6 + len(words)])
        made = drawn.sdpa_backward(q=q, k=k, v=v, o=o, dO=d_out, stats=sums, **options)
        pairs = zip(made, tensors[-3:], strict=True)
        return [*tensors[:-3], *(cudnn.finish(t, like) for t, like in pairs)]

    return tuple(grads) if graph.run(xp, draw, arrays) else NotImplemented
