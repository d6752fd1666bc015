"""Convolution and its gradients: by cuDNN, or as products with columns.

Images that lie channels last run on tensor cores as they are; cuDNN turns others around itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..ops.convolution import convolution as operator
from ..ops.windows import Window, channels_first, channels_last, is_channels_last, window
from . import cudnn
from .columns import from_columns, to_columns
from .gemm import column_sums, floats, halves, product
from .launch import dense, output
from .registry import kernel
from .rows import floating

_UNBOUND = (-math.inf, math.inf)
_COLUMN_BYTES = 1 << 28  # of columns at a time, without cuDNN


class _Case:
    """The geometry of a call."""

    def __init__(self, attrs: dict) -> None:
        self.layout = attrs["layout"]
        self.groups = attrs["num_group"]
        names = ("kernel", "stride", "dilate", "pad")
        self.win: Window = window(*(attrs[n] for n in names))

    def axes(self, array: Any) -> tuple[int, ...]:
        """The axes of an array of the layout, channels first."""
        spatial = tuple(range(1, array.ndim - 1))
        return (0, array.ndim - 1, *spatial) if is_channels_last(self.layout) else ()

    def sliding(self) -> dict[str, list[int]]:
        """CuDNN's words for the window, two axes at least."""
        more = max(0, 2 - len(self.win.kernel))
        pad, stride, dilate = (
            [*values, *(fill,) * more]
            for values, fill in ((self.win.pad, 0), (self.win.stride, 1), (self.win.dilate, 1))
        )
        return {"pre_padding": pad, "post_padding": pad, "stride": stride, "dilation": dilate}

    def run(self, xp: Any, name: str, draw: Callable, arrays: Sequence[Any], *more: Any) -> bool:
        """Run a graph of cuDNN's on arrays of this layout."""
        given = [a for a in arrays if a is not None]
        shapes = tuple(
            (a.shape, a.strides, a.dtype.char) if a is not None else None for a in arrays
        )
        key = name, self.layout, self.win, shapes, more
        return cudnn.run(xp, key, arrays[0].dtype, draw, given)


def _vector(graph: Any, array: Any, ndim: int) -> Any:
    """A number a channel."""
    size, rest = array.size, [1] * max(ndim - 2, 2)
    kind = cudnn.data_type(array.dtype)
    return graph.tensor(
        dim=[1, size, *rest], stride=[size, 1, *(size,) * len(rest)], data_type=kind
    )


def _draw_forward(
    case: _Case, arrays: Sequence[Any], low: float, high: float, graph: Any
) -> list[Any]:
    """Convolution, times scale, plus bias, plus addend, within bounds."""
    data, weight, scale, bias, addend, out = arrays
    x, w = (cudnn.described(graph, a, case.axes(a)) for a in (data, weight))
    to = cudnn.described(graph, out, case.axes(out))
    tensors = [x, w]
    made = graph.conv_fprop(image=x, weight=w, **case.sliding())
    for array, join in ((scale, graph.mul), (bias, graph.add)):
        if array is not None:
            tensors.append(_vector(graph, array, data.ndim))
            made = join(made, tensors[-1])
    if addend is not None:
        tensors.append(cudnn.described(graph, addend, case.axes(addend)))
        made = graph.add(made, tensors[-1])
    if (low, high) != _UNBOUND:
        upper = {} if high == math.inf else {"upper_clip": high}
        made = graph.relu(input=made, lower_clip=low, **upper)
    return [*tensors, cudnn.finish(made, to)]


def _draw_data(case: _Case, arrays: Sequence[Any], graph: Any) -> list[Any]:
    head, weight, out = (cudnn.described(graph, a, case.axes(a)) for a in arrays)
    made = graph.conv_dgrad(loss=head, filter=weight, **case.sliding())
    return [head, weight, cudnn.finish(made, out)]


def _draw_weight(case: _Case, arrays: Sequence[Any], graph: Any) -> list[Any]:
    head, data, out = (cudnn.described(graph, a, case.axes(a)) for a in arrays)
    made = graph.conv_wgrad(image=data, loss=head, **case.sliding())
    return [head, data, cudnn.finish(made, out)]


# ---- without cuDNN -------------------------------------------------------------------------------


def _matmul(xp: Any, a: Any, b: Any) -> Any:
    """Products of stacks (images, groups, rows, columns), where either may be alike for all."""
    if not floats(a, b):
        return xp.matmul(a, b)
    lead = np.broadcast_shapes(a.shape[:2], b.shape[:2])
    a, b = (xp.broadcast_to(x, (*lead, *x.shape[2:])) for x in (a, b))
    out = xp.empty((*lead, a.shape[2], b.shape[3]), a.dtype)
    for group in range(lead[1]):  # a stack has one step from matrix to matrix, 0 if all are alike
        each = product(xp, a[:, group], b[:, group])
        if lead[1] == 1:
            return each[:, None]
        out[:, group] = each
    return out


def _shares(case: _Case, data: Any, out: Sequence[int]) -> list[slice]:
    """Images in shares whose columns take bounded memory."""
    each = data.shape[1] * math.prod(case.win.kernel) * math.prod(out) * data.dtype.itemsize
    step = max(1, _COLUMN_BYTES // max(each, 1))
    return [slice(i, i + step) for i in range(0, data.shape[0], step)]


def _columns(xp: Any, case: _Case, data: Any, out: Sequence[int]) -> Any:
    """(images, groups, inputs of a filter, windows)."""
    win = case.win
    plain = set(win.kernel) | set(win.stride) == {1} and not any(win.pad)
    columns = data if plain else to_columns(xp, data, win, tuple(out))
    return columns.reshape(data.shape[0], case.groups, -1, math.prod(out))


def _forward(xp: Any, case: _Case, data: Any, weight: Any, out: Any) -> None:
    matrix = weight.reshape(1, case.groups, weight.shape[0] // case.groups, -1)
    for share in _shares(case, data, out.shape[2:]):
        columns = _columns(xp, case, data[share], out.shape[2:])
        out[share] = _matmul(xp, matrix, columns).reshape(-1, *out.shape[1:])


def _data(xp: Any, case: _Case, head: Any, weight: Any, out: Any) -> None:
    matrix = weight.reshape(1, case.groups, weight.shape[0] // case.groups, -1)
    for share in _shares(case, out, head.shape[2:]):
        grads = head[share].reshape(-1, case.groups, matrix.shape[2], math.prod(head.shape[2:]))
        columns = dense(xp, _matmul(xp, matrix.swapaxes(2, 3), grads))
        columns = columns.reshape(grads.shape[0], -1, grads.shape[3])
        from_columns(xp, columns, case.win, head.shape[2:], out[share])


def _weight(xp: Any, case: _Case, head: Any, data: Any) -> Any:
    total = 0
    for share in _shares(case, data, head.shape[2:]):
        columns = _columns(xp, case, data[share], head.shape[2:])
        filters = head.shape[1] // case.groups
        grads = head[share].reshape(columns.shape[0], case.groups, filters, -1)
        each = _matmul(xp, grads, columns.swapaxes(2, 3))
        flat = each.reshape(each.shape[0], -1)
        total = total + column_sums(xp, flat).reshape(each.shape[1:])
    return total.reshape(head.shape[1], data.shape[1] // case.groups, *case.win.kernel)


def _bias(xp: Any, head: Any) -> Any:
    """Sums of a channels-first head over all but the channels."""
    if not halves(head):
        return head.sum((0, *range(2, head.ndim)))
    sums = head.reshape(head.shape[0] * head.shape[1], -1)
    each = product(xp, sums, xp.ones((sums.shape[1], 1), head.dtype))
    return column_sums(xp, each.reshape(head.shape[:2]))


# ---- the operators -------------------------------------------------------------------------------


def _served(*arrays: Any) -> bool:
    alike = len({np.dtype(a.dtype) for a in arrays if a is not None}) == 1
    return alike and floating(*arrays) and all(a is None or a.size for a in arrays)


def _convolved(
    xp: Any, arrays: Sequence[Any], attrs: dict, low: float = -math.inf, high: float = math.inf
) -> Any:
    """``clip(convolution * scale + bias + addend)``; NotImplemented if the body does as well."""
    if not _served(*arrays[:2], *arrays[4:]) or not floating(*arrays[2:4]):
        return NotImplemented
    data, weight, *rest = arrays = [dense(xp, a) for a in arrays]
    case = _Case(attrs)
    shapes = [data.shape, weight.shape]
    names = {k: v for k, v in attrs.items() if k in operator.attrs}
    full = operator.attributes({**names, "num_filter": weight.shape[0], "no_bias": True})
    out = output(xp, operator.shape_rule(full, shapes, [None])[1][0], data.dtype)
    relu = low == 0
    bounds = (low, high) if relu else _UNBOUND  # what cuDNN's relu can take over
    if not _by_cudnn(xp, case, (*arrays, out), bounds):
        plain = data, weight, None, None, None, out  # of channels first it joins nothing
        joins = relu or any(a is not None for a in rest)
        if not (joins and _by_cudnn(xp, case, plain, _UNBOUND)):
            _by_columns(xp, case, data, weight, out)
        across = (-1,) if is_channels_last(case.layout) else (-1, *(1,) * (data.ndim - 2))
        _finish(out, *(None if v is None else v.reshape(across) for v in rest[:2]), rest[2])
        relu = False
    if not relu and (low, high) != _UNBOUND:
        out[...] = xp.minimum(xp.maximum(out, out.dtype.type(low)), out.dtype.type(high))
    return out


def _by_cudnn(xp: Any, case: _Case, arrays: Sequence[Any], bounds: tuple[float, float]) -> bool:
    draw = partial(_draw_forward, case, arrays, *bounds)
    return case.run(xp, "forward", draw, arrays, bounds)


def _by_columns(xp: Any, case: _Case, data: Any, weight: Any, out: Any) -> None:
    first, matrix = (dense(xp, channels_first(xp, a, case.layout)) for a in (data, weight))
    made = xp.empty(channels_first(xp, out, case.layout).shape, out.dtype)
    _forward(xp, case, first, matrix, made)
    out[...] = channels_last(xp, made, case.layout)


def _finish(out: Any, scale: Any, bias: Any, addend: Any) -> None:
    """``out * scale + bias + addend`` in place, of what there is."""
    if scale is not None:
        out *= scale
    for term in (bias, addend):
        if term is not None:
            out += term


@kernel("Convolution", "Convolution_v1")
def convolution(xp, data, weight, bias=None, **attrs):
    """See the operator."""
    return _convolved(xp, (data, weight, None, bias, None), attrs)


def _joins(attrs: Mapping[str, Any]) -> bool:
    """Of channels first, cuDNN has no engine on Hopper that goes on after a convolution."""
    return is_channels_last(attrs["layout"]) and cudnn.library() is not None


@kernel("_fused_Convolution", joins=_joins)
def fused_convolution(xp, data, weight, bias, scale, addend=None, *, adds, low, high, **attrs):
    """See the operator."""
    return _convolved(xp, (data, weight, scale, bias, addend), attrs, low, high)


@kernel("_backward_Convolution_data")
def backward_data(xp, head, weight, *, shape, **attrs):
    """See the operator."""
    if not _served(head, weight):
        return NotImplemented
    head, weight, case = dense(xp, head), dense(xp, weight), _Case(attrs)
    out = output(xp, shape, head.dtype)
    if case.run(xp, "data", partial(_draw_data, case, (head, weight, out)), (head, weight, out)):
        return out
    first, matrix = (dense(xp, channels_first(xp, a, case.layout)) for a in (head, weight))
    made = xp.empty(channels_first(xp, out, case.layout).shape, out.dtype)
    _data(xp, case, first, matrix, made)
    out[...] = channels_last(xp, made, case.layout)
    return out


@kernel("_backward_Convolution_weight")
def backward_weight(xp, head, data, *, no_bias, **attrs):
    """See the operator."""
    if not _served(head, data):
        return NotImplemented
    head, data, case = dense(xp, head), dense(xp, data), _Case(attrs)
    first, image = (channels_first(xp, a, case.layout) for a in (head, data))
    shape = first.shape[1], image.shape[1] // case.groups, *case.win.kernel
    last = is_channels_last(case.layout)
    out = output(xp, (shape[0], *shape[2:], shape[1]) if last else shape, head.dtype)
    given = head, data, out
    if not case.run(xp, "weight", partial(_draw_weight, case, given), given):
        made = _weight(xp, case, dense(xp, first), dense(xp, image))
        out[...] = channels_last(xp, made, case.layout)
    if no_bias:
        return (out,)
    if last:
        return out, column_sums(xp, head.reshape(-1, head.shape[-1]))
    return out, _bias(xp, head)
