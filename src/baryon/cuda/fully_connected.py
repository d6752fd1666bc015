"""FullyConnected and its gradients by cuBLAS; of 16-bit types with what follows by cuDNN.

Sums are float32 for 16-bit types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..ops.fully_connected import rows
from . import cudnn
from .activation import leaky_relu
from .gemm import column_sums, floats, halves, product
from .launch import output
from .registry import kernel


def _draw(arrays: Sequence[Any], act: str | None, keeps: bool, graph: Any) -> list[Any]:
    """``act(data weight + bias)`` of matrices with one axis more; also the sums if it `keeps`."""
    tensors = [cudnn.described(graph, a, rank=3) for a in arrays]
    data, weight, bias, *ends = tensors
    made = graph.add(graph.matmul(data, weight), bias)
    if act is None:
        return [data, weight, bias, cudnn.finish(made, ends[0])]
    out = (graph.relu if act == "relu" else graph.gelu)(input=made)
    before = [cudnn.finish(made, ends[1])] if keeps else []
    return [data, weight, bias, cudnn.finish(out, ends[0]), *before]


def _joined(xp: Any, arrays: Sequence[Any], act: str | None, keeps: bool) -> bool:
    """Run it as one kernel on matrices; False if cuDNN has none."""
    data, weight, bias, *ends = arrays
    if not halves(data, weight, bias) or not data.size:
        return False
    stacked = [data[None], weight.T[None], bias[None, None], *(x[None] for x in ends)]
    key = "linear", act, keeps, tuple((a.shape, a.strides) for a in stacked)
    draw = partial(_draw, stacked, act, keeps)
    return cudnn.run(xp, key, data.dtype, draw, stacked)


def _sums(xp: Any, data: Any, weight: Any, bias: Any, out: Any) -> None:
    """``data weight^T + bias`` of matrices, one after the other."""
    product(xp, data, weight.T, out)
    if bias is not None:
        out += bias


def _shape(data: Any, num_hidden: int, flatten: bool) -> tuple[int, ...]:
    return (*(data.shape[:1] if flatten else data.shape[:-1]), num_hidden)


@kernel("FullyConnected")
def fully_connected(xp, data, weight, bias=None, *, num_hidden, no_bias, flatten):
    """See the operator."""
    if not floats(data, weight, bias) or not data.size:
        return NotImplemented
    out = output(xp, _shape(data, num_hidden, flatten), data.dtype)
    matrix, made = xp.ascontiguousarray(rows(data, flatten)), out.reshape(-1, num_hidden)
    arrays = matrix, xp.ascontiguousarray(weight), bias, made
    if bias is None or not _joined(xp, arrays, None, False):
        _sums(xp, matrix, weight, bias, made)
    return out


def _gelu(xp: Any, data: Any) -> Any:
    return leaky_relu(xp, data, act_type="gelu", slope=0.0)


def _joins(attrs: Mapping[str, Any]) -> bool:
    return cudnn.library() is not None


@kernel("_fused_FullyConnected", joins=_joins)
def fused_fully_connected(xp, data, weight, bias, *, num_hidden, flatten, act, keeps):
    """See the operator."""
    if not floats(data, weight, bias) or not data.size:
        return NotImplemented
    shape = _shape(data, num_hidden, flatten)
    outs = [output(xp, shape, data.dtype) for _ in range(1 + keeps)]
    matrix, made = xp.ascontiguousarray(rows(data, flatten)), outs[-1].reshape(-1, num_hidden)
    ends = [x.reshape(-1, num_hidden) for x in outs]
    if not _joined(xp, (matrix, xp.ascontiguousarray(weight), bias, *ends), act, keeps):
        _sums(xp, matrix, weight, bias, made)
        ends[0][...] = xp.maximum(made, 0) if act == "relu" else _gelu(xp, made)
    return tuple(outs) if keeps else outs[0]


@kernel("_backward_FullyConnected_data")
def backward_data(xp, head, weight, *, shape, flatten):
    """See the operator."""
    if not floats(head, weight) or not head.size:
        return NotImplemented
    out = output(xp, shape, head.dtype)
    product(xp, head.reshape(-1, weight.shape[0]), weight, out.reshape(-1, weight.shape[1]))
    return out


@kernel("_backward_FullyConnected_weight")
def backward_weight(xp, head, data, *, no_bias, flatten):
    """See the operator."""
    if not floats(head, data) or not head.size:
        return NotImplemented
    head, data = rows(head, flatten), rows(data, flatten)
    out = output(xp, (head.shape[1], data.shape[1]), head.dtype)
    product(xp, head.T, data, out)
    return (out,) if no_bias else (out, column_sums(xp, head))
