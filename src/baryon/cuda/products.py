"""`dot` and `batch_dot` by cuBLAS, also where they are captured."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .gemm import floats, product
from .launch import output
from .registry import kernel

# ---- dot and batch_dot ---------------------------------------------------------------------------


@kernel("dot")
def dot(xp, lhs, rhs, *, transpose_a, transpose_b, forward_stype):
    """See the operator."""
    if not floats(lhs, rhs) or not lhs.size or not rhs.size or lhs.ndim == rhs.ndim == 1:
        return NotImplemented
    inner = lhs.shape[0 if transpose_a else -1]
    left = lhs.shape[1:] if transpose_a else lhs.shape[:-1]
    right = rhs.shape[:-1] if transpose_b else rhs.shape[1:]
    a = lhs.reshape(inner, -1).T if transpose_a else lhs.reshape(-1, inner)
    b = rhs.reshape(-1, inner).T if transpose_b else rhs.reshape(inner, -1)
    out = output(xp, (*left, *right), lhs.dtype)
    product(xp, a, b, out.reshape(prod(left), prod(right)))
    return out


def _stack(array: Any, turned: bool) -> Any:
    array = array.reshape(prod(array.shape[:-2]), *array.shape[-2:])
    return array.transpose(0, 2, 1) if turned else array


def _multiplied(xp: Any, lhs: Any, rhs: Any, turned: Sequence[bool], alpha: float = 1.0) -> Any:
    if not floats(lhs, rhs) or lhs.ndim < 3:
        return NotImplemented
    a, b = _stack(lhs, turned[0]), _stack(rhs, turned[1])
    out = output(xp, (*lhs.shape[:-2], a.shape[1], b.shape[2]), lhs.dtype)
    product(xp, a, b, out.reshape(a.shape[0], *out.shape[-2:]), alpha)
    return out


@kernel("batch_dot")
def batch_dot(xp, lhs, rhs, *, transpose_a, transpose_b, forward_stype):
    """See the operator."""
    return _multiplied(xp, lhs, rhs, (transpose_a, transpose_b))


@kernel("_linalg_gemm2")
def gemm2(xp, A, B, *, transpose_a, transpose_b, alpha, axis):
    """See the operator."""
    if axis != -2:
        return NotImplemented
    return _multiplied(xp, A, B, (transpose_a, transpose_b), alpha)
