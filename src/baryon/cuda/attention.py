"""Products of attention on interleaved projections: stacks of matrices read where they lie."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..ops.op import get
from . import sdpa
from .gemm import floats, product
from .launch import output
from .registry import kernel


def _part(xp: Any, x: Any, heads: int, parts: int, index: int) -> Any:
    """A part of (length, batch, heads * parts * size) as (batch * heads, length, size), a view."""
    length, batch, width = x.shape
    by_head = x.reshape(length, batch * heads, parts, width // (heads * parts))
    return by_head[:, :, index].transpose(1, 0, 2)


def _scores(xp: Any, queries: Any, keys: Any) -> Any:
    if not floats(queries, keys) or not queries.size:
        return NotImplemented
    out = output(xp, (queries.shape[0], queries.shape[1], keys.shape[1]), queries.dtype)
    return product(xp, queries, keys.transpose(0, 2, 1), out, 1 / sqrt(queries.shape[2]))


def _result(xp: Any, attention: Any, values: Any, batch: int) -> Any:
    """Weighted values, (length, batch, heads * size), written where they belong."""
    if not floats(attention, values) or not attention.size:
        return NotImplemented
    count, length, _ = attention.shape
    out = output(xp, (length, batch, count // batch * values.shape[2]), values.dtype)
    product(xp, attention, values, _part(xp, out, count // batch, 1, 0))
    return out


def _weighted(xp: Any, parts: list, rest: list, masked: bool, scale: float, out: Any) -> None:
    """``softmax(queries keys^T scale + mask) values`` of stacks (count, length, size)."""
    queries, keys, values = parts
    wide = np.float64 if queries.dtype == np.float64 else np.float32
    scores = xp.empty((queries.shape[0], queries.shape[1], keys.shape[1]), wide)
    product(xp, queries, keys.transpose(0, 2, 1), scores, scale)
    if masked:
        mask = rest.pop(0)
        scores += mask.reshape(-1, *mask.shape[-2:])
    soft, lengths = get("softmax"), [x.reshape(scores.shape[:-1]) for x in rest]
    attrs = soft.attributes({"use_length": bool(lengths)})
    weights = soft.run(xp, attrs, [scores, *lengths])[0]
    product(xp, weights.astype(values.dtype, copy=False), values, out)


@kernel("_fused_attention")
def fused_attention(xp, *data, num_args, layout, heads, scale, masked, use_length):
    """See the operator: by cuDNN, or as products and softmax."""
    count = 3 if layout == "stacked" else len(sdpa.PARTS[layout])
    held, rest = [xp.ascontiguousarray(x) for x in data[:count]], list(data[count:])
    if not floats(*held) or not all(x.size for x in held):
        return NotImplemented
    if not use_length:
        made = sdpa.inferred(xp, held, rest[0] if masked else None, layout, heads, scale)
        if made is not None:
            return made
    if layout == "stacked":
        made = output(xp, (*held[0].shape[:-1], held[2].shape[-1]), held[0].dtype)
        parts = [x.reshape(-1, *x.shape[-2:]) for x in held]
        _weighted(xp, parts, rest, masked, scale, made.reshape(-1, *made.shape[-2:]))
        return made
    pairs = zip(held, sdpa.PARTS[layout], strict=True)
    parts = [_part(xp, x, heads, n, i) for x, n in pairs for i in range(n)]
    made = output(xp, (*held[0].shape[:2], heads * parts[2].shape[2]), held[0].dtype)
    _weighted(xp, parts, rest, masked, scale, _part(xp, made, heads, 1, 0))
    return made


_NAME = "_contrib_interleaved_matmul_"


@kernel(f"{_NAME}selfatt_qk")
def selfatt_qk(xp, queries_keys_values, *, heads):
    """See the operator."""
    x = xp.ascontiguousarray(queries_keys_values)
    return _scores(xp, _part(xp, x, heads, 3, 0), _part(xp, x, heads, 3, 1))


@kernel(f"{_NAME}selfatt_valatt")
def selfatt_valatt(xp, queries_keys_values, attention, *, heads):
    """See the operator."""
    x = xp.ascontiguousarray(queries_keys_values)
    return _result(xp, attention, _part(xp, x, heads, 3, 2), x.shape[1])


@kernel(f"{_NAME}encdec_qk")
def encdec_qk(xp, queries, keys_values, *, heads):
    """See the operator."""
    x, y = xp.ascontiguousarray(queries), xp.ascontiguousarray(keys_values)
    return _scores(xp, _part(xp, x, heads, 1, 0), _part(xp, y, heads, 2, 0))


@kernel(f"{_NAME}encdec_valatt")
def encdec_valatt(xp, keys_values, attention, *, heads):
    """See the operator."""
    y = xp.ascontiguousarray(keys_values)
    return _result(xp, attention, _part(xp, y, heads, 2, 1), y.shape[1])
