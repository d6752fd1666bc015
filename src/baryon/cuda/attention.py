"""Products of attention on interleaved projections: stacks of matrices read where they lie."""

from __future__ import annotations

from math import sqrt
from typing import Any

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
