"""Products of attention on projections that lie interleaved, (length, batch, heads * parts * size).

The parts of a head are queries, keys and values one after the other, or keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .dot import batch_dot
from .fusion import Fusion, Scored, Weighed
from .numeric import widen
from .op import get, op
from .rules import forward, show
from .samples import normal


def size_of_head(shape: tuple, heads: int, parts: int) -> int:
    """Size of one head; MXNetError if the last axis does not hold whole heads."""
    if len(shape) != 3 or heads < 1 or shape[2] % (heads * parts):
        raise MXNetError(
            f"{show(shape)} is not (length, batch, heads * {parts} * size) with {heads} heads"
        )
    return shape[2] // (heads * parts)


def part_of(xp: Any, x: Any, heads: int, parts: int, index: int) -> Any:
    """One part of an array as (batch * heads, length, size)."""
    length, batch, width = x.shape
    size = width // (heads * parts)
    x = widen(xp, x).reshape(length, batch, heads, parts, size)[:, :, :, index]
    return x.transpose(1, 2, 0, 3).reshape(batch * heads, length, size)


def joined(xp: Any, x: Any, batch: int) -> Any:
    """(batch * heads, length, size) as (length, batch, heads * size)."""
    count, length, size = x.shape
    x = x.reshape(batch, count // batch, length, size).transpose(2, 0, 1, 3)
    return x.reshape(length, batch, -1)


def drawn_part(x: Any, heads: int, parts: int, index: int) -> Any:
    """As `part_of`, of a graph entry."""
    length, batch, width = x.shape
    size = width // (heads * parts)
    x = get("Reshape")(x, shape=(length, batch, heads, parts, size))
    x = get("slice_axis")(x, axis=3, begin=index, end=index + 1)
    x = get("transpose")(x, axes=(1, 2, 0, 3, 4))
    return get("Reshape")(x, shape=(batch * heads, length, size))


def interleaved(parts: list, batch: int) -> Any:
    """Graph entries (batch * heads, length, size), None for zeros, interleaved as one."""
    there = next(p for p in parts if p is not None)
    count, length, size = there.shape
    zeros = get("zeros_like")(there)
    stacked = [
        get("Reshape")(zeros if p is None else p, shape=(batch, count // batch, length, 1, size))
        for p in parts
    ]
    joined = get("Concat")(*stacked, dim=3) if len(parts) > 1 else stacked[0]
    joined = get("transpose")(joined, axes=(2, 0, 1, 3, 4))
    return get("Reshape")(joined, shape=(length, batch, -1))


def _attention(name: str, shape: Callable) -> Callable:
    return op(
        f"_contrib_interleaved_matmul_{name}",
        shape=forward(shape),
        kernel=True,
        params=lambda attrs, ins, outs: (attrs.heads,),
    )


def _scores(xp: Any, queries: Any, keys: Any) -> Any:
    scale = 1 / sqrt(queries.shape[2])
    return xp.matmul(queries * scale, keys.transpose(0, 2, 1))


# ---- queries, keys and values of one sequence ----------------------------------------------------


def _self_scores(attrs: Attrs, x: tuple) -> tuple:
    size_of_head(x, attrs.heads, 3)
    return x[1] * attrs.heads, x[0], x[0]


def _self_result(attrs: Attrs, x: tuple, attention: tuple) -> tuple:
    size, want = size_of_head(x, attrs.heads, 3), _self_scores(attrs, x)
    if attention != want:
        raise MXNetError(f"attention has shape {show(attention)}, expected {show(want)}")
    return x[0], x[1], attrs.heads * size


@_attention("selfatt_qk", _self_scores)
def selfatt_qk(xp: Any, queries_keys_values: Any, *, heads: int) -> Any:
    """Scores of self-attention: ``queries keys^T / sqrt(size)`` for each head.

    queries_keys_values : (length, batch, heads * 3 * size). Result: (batch * heads, length,
    length). Source: Vaswani et al. 2017; MXNet operator interleaved_matmul_selfatt_qk.

    >>> mx.nd.contrib.interleaved_matmul_selfatt_qk(mx.nd.ones((2, 1, 12)), heads=1).asnumpy()
    array([[[2., 2.],
            [2., 2.]]], dtype=float32)
    """
    queries, keys = (part_of(xp, queries_keys_values, heads, 3, i) for i in (0, 1))
    return _scores(xp, queries, keys)


@selfatt_qk.gradient("queries_keys_values")
def _(dy: Any, queries_keys_values: Any, heads: int) -> Any:
    queries, keys = (drawn_part(queries_keys_values, heads, 3, i) for i in (0, 1))
    dy = dy * (1 / sqrt(queries.shape[2]))
    parts = [batch_dot(dy, keys), batch_dot(dy, queries, transpose_a=True), None]
    return interleaved(parts, queries_keys_values.shape[1])


@_attention("selfatt_valatt", _self_result)
def selfatt_valatt(xp: Any, queries_keys_values: Any, attention: Any, *, heads: int) -> Any:
    """Values weighted by self-attention, (length, batch, heads * size).

    queries_keys_values : (length, batch, heads * 3 * size).   attention : (batch * heads, length,
    length). Source: MXNet operator interleaved_matmul_selfatt_valatt.

    >>> data, weights = mx.nd.ones((2, 1, 3)), mx.nd.array([[[0, 1], [2, 3]]])
    >>> mx.nd.contrib.interleaved_matmul_selfatt_valatt(data, weights, heads=1).asnumpy()[:, 0]
    array([[1.],
           [5.]], dtype=float32)
    """
    values = part_of(xp, queries_keys_values, heads, 3, 2)
    return joined(xp, xp.matmul(widen(xp, attention), values), queries_keys_values.shape[1])


@selfatt_valatt.gradient("queries_keys_values")
def _(dy: Any, attention: Any, heads: int) -> Any:
    values = batch_dot(attention, drawn_part(dy, heads, 1, 0), transpose_a=True)
    return interleaved([None, None, values], dy.shape[1])


@selfatt_valatt.gradient("attention")
def _(dy: Any, queries_keys_values: Any, heads: int) -> Any:
    values = drawn_part(queries_keys_values, heads, 3, 2)
    return batch_dot(drawn_part(dy, heads, 1, 0), values, transpose_b=True)


# ---- queries of one sequence, keys and values of another -----------------------------------------


def _cross_scores(attrs: Attrs, queries: tuple, kv: tuple) -> tuple:
    if (
        size_of_head(queries, attrs.heads, 1) != size_of_head(kv, attrs.heads, 2)
        or queries[1] != kv[1]
    ):
        raise MXNetError(f"queries {show(queries)} do not fit keys and values {show(kv)}")
    return queries[1] * attrs.heads, queries[0], kv[0]


def _cross_result(attrs: Attrs, kv: tuple, attention: tuple) -> tuple:
    size = size_of_head(kv, attrs.heads, 2)
    if len(attention) != 3 or (attention[0], attention[2]) != (kv[1] * attrs.heads, kv[0]):
        raise MXNetError(f"attention {show(attention)} does not fit keys and values {show(kv)}")
    return attention[1], kv[1], attrs.heads * size


@_attention("encdec_qk", _cross_scores)
def encdec_qk(xp: Any, queries: Any, keys_values: Any, *, heads: int) -> Any:
    """Scores of attention to another sequence: ``queries keys^T / sqrt(size)`` for each head.

    queries : (length, batch, heads * size).   keys_values : (other length, batch, heads * 2 *
    size). Result: (batch * heads, length, other length).
    Source: MXNet operator interleaved_matmul_encdec_qk.

    >>> queries, keys_values = mx.nd.ones((1, 1, 4)), mx.nd.ones((2, 1, 8))
    >>> mx.nd.contrib.interleaved_matmul_encdec_qk(queries, keys_values, heads=1).asnumpy()
    array([[[2., 2.]]], dtype=float32)
    """
    return _scores(xp, part_of(xp, queries, heads, 1, 0), part_of(xp, keys_values, heads, 2, 0))


@encdec_qk.gradient("queries")
def _(dy: Any, keys_values: Any, heads: int) -> Any:
    keys = drawn_part(keys_values, heads, 2, 0)
    queries = batch_dot(dy * (1 / sqrt(keys.shape[2])), keys)
    return interleaved([queries], keys_values.shape[1])


@encdec_qk.gradient("keys_values")
def _(dy: Any, queries: Any, heads: int) -> Any:
    drawn = drawn_part(queries, heads, 1, 0)
    keys = batch_dot(dy * (1 / sqrt(drawn.shape[2])), drawn, transpose_a=True)
    return interleaved([keys, None], queries.shape[1])


@_attention("encdec_valatt", _cross_result)
def encdec_valatt(xp: Any, keys_values: Any, attention: Any, *, heads: int) -> Any:
    """Values of another sequence weighted by attention, (length, batch, heads * size).

    keys_values : (other length, batch, heads * 2 * size).   attention : (batch * heads, length,
    other length). Source: MXNet operator interleaved_matmul_encdec_valatt.

    >>> data, weights = mx.nd.ones((2, 1, 2)), mx.nd.array([[[2, 3]]])
    >>> mx.nd.contrib.interleaved_matmul_encdec_valatt(data, weights, heads=1).asnumpy()
    array([[[5.]]], dtype=float32)
    """
    values = part_of(xp, keys_values, heads, 2, 1)
    return joined(xp, xp.matmul(widen(xp, attention), values), keys_values.shape[1])


@encdec_valatt.gradient("keys_values")
def _(dy: Any, attention: Any, heads: int) -> Any:
    values = batch_dot(attention, drawn_part(dy, heads, 1, 0), transpose_a=True)
    return interleaved([None, values], dy.shape[1])


@encdec_valatt.gradient("attention")
def _(dy: Any, keys_values: Any, heads: int) -> Any:
    values = drawn_part(keys_values, heads, 2, 1)
    return batch_dot(drawn_part(dy, heads, 1, 0), values, transpose_b=True)


# ---- what the fuse pass knows of them ------------------------------------------------------------


def _scored(layout: str, parts: int) -> Fusion:
    def fact(inputs: Sequence[Any], attrs: Attrs) -> Scored:
        size = inputs[0].shape[2] // (attrs.heads * parts)
        return Scored(layout, list(inputs), attrs.heads, 1 / sqrt(size))

    return Fusion(scores=fact)


def _weighed(layout: str) -> Fusion:
    def fact(inputs: Sequence[Any], attrs: Attrs) -> Weighed:
        return Weighed(layout, inputs[1], inputs[0])

    return Fusion(weighs=fact)


selfatt_qk.fusion, selfatt_valatt.fusion = _scored("self", 3), _weighed("self")
encdec_qk.fusion, encdec_valatt.fusion = _scored("cross", 1), _weighed("cross")


selfatt_qk.sample(queries_keys_values=normal(3, 2, 24), heads=2)
selfatt_valatt.sample(queries_keys_values=normal(3, 2, 24), attention=normal(4, 3, 3), heads=2)
encdec_qk.sample(queries=normal(2, 2, 8), keys_values=normal(3, 2, 16), heads=2)
encdec_valatt.sample(keys_values=normal(3, 2, 16), attention=normal(4, 2, 3), heads=2)
