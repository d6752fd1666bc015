"""Loss heads: outputs that start the backward pass themselves and ignore the head gradient."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .activation import sigmoid
from .attrs import Attrs
from .numeric import widen
from .op import Spec, get, op
from .rules import known, show, unify, unify_dtypes
from .samples import constant, integers, normal
from .samples import uniform as spread
from .softmax import normalised

Normalization = Literal["batch", "null", "valid"]
NORMALIZATIONS = ("null", "batch", "valid")


def head_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Outputs are of data's dtype; a label may have another, and has data's where it is unknown."""
    data = unify_dtypes([ins[0], *outs])
    return [data, *(data if d is None else d for d in ins[1:])], [data] * len(outs)


def _label_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, label = ins
    data = unify(data, outs[0])
    if known(data):
        allowed = _labels_for(attrs, data)
        if not known(label):
            label = unify(label, allowed[0])
        elif tuple(label) not in allowed:
            raise MXNetError(f"label has shape {show(label)}, expected {show(allowed[0])}")
    elif data is not None and label is None and not attrs.multi_output:
        label = data[:-1]
    return [data, label], [data]


def _labels_for(attrs: Attrs, data: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Label shapes that go with data, the one to infer first."""
    if not attrs.multi_output:
        return [data[:-1], data]
    rest = data[2:]
    flat = (data[0], int(np.prod(rest, dtype=int)))
    return [flat, (data[0], *rest), (data[0], 1, *rest), data]


def split_classes(attrs: Attrs, shape: Sequence[int]) -> tuple[int, int, int]:
    """Sizes before, at and after the axis of classes of `softmax_output`."""
    if attrs.multi_output:
        return shape[0], shape[1], int(np.prod(shape[2:], dtype=int))
    if attrs.preserve_shape or len(shape) < 2:
        return int(np.prod(shape[:-1], dtype=int)), shape[-1], 1
    return shape[0], int(np.prod(shape[1:], dtype=int)), 1


@op(
    "SoftmaxOutput",
    aliases=("Softmax",),
    shape=_label_shapes,
    dtype=head_dtype,
    kernel=True,
    params=lambda a, ins, outs: split_classes(a, ins[0].shape),
    inplace={0: "data"},
    onnx="Softmax",
)
def softmax_output(
    xp,
    data,
    label,
    *,
    grad_scale: float = 1.0,
    ignore_label: float = -1.0,
    multi_output: bool = False,
    use_ignore: bool = False,
    preserve_shape: bool = False,
    normalization: Normalization = "null",
    out_grad: bool = False,
    smooth_alpha: float = 0.0,
):
    """Softmax whose gradient is that of the cross-entropy with `label` (``SoftmaxOutput``).

    The classes lie along axis 1 of data (N, C, ...) with ``multi_output``, along the last axis
    with ``preserve_shape``, else data is taken as (N, C). `label` holds class indices, of data's
    shape without that axis, or probabilities of data's own shape. The gradient towards data is
    ``(softmax - one_hot(label)) * grad_scale``, whatever the head gradient, unless ``out_grad``
    asks to multiply by it; rows labelled ``ignore_label`` give 0 with ``use_ignore``;
    ``normalization`` divides by the batch size or by the number of labels that count;
    ``smooth_alpha`` moves that much probability from the label to the other classes.

    >>> data, label = mx.nd.array([[0.0, 0.0]]), mx.nd.array([1])
    >>> mx.nd.SoftmaxOutput(data, label).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    split = _Split(multi_output, preserve_shape)
    x = widen(xp, data).reshape(split_classes(split, data.shape))
    return normalised(xp, x, 1).reshape(data.shape)


class _Split:
    """The two attributes that `split_classes` reads."""

    def __init__(self, multi_output: bool, preserve_shape: bool) -> None:
        self.multi_output, self.preserve_shape = multi_output, preserve_shape


def _backward_params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple:
    """Kernel parameters: split, soft label or not, and the numbers of the gradient."""
    split = split_classes(attrs, ins[0].shape)
    soft = ins[0].shape == ins[1].shape
    mode = NORMALIZATIONS.index(attrs.normalization)
    flags = soft, mode, attrs.multi_output, attrs.use_ignore
    return *split, *flags, attrs.grad_scale, attrs.ignore_label, attrs.smooth_alpha


@op(
    "_backward_SoftmaxOutput",
    shape=lambda attrs, ins, outs: (ins, [unify(ins[0], outs[0])]),
    dtype=head_dtype,
    kernel=True,
    params=_backward_params,
    inplace={0: "out"},
)
def backward_softmax_output(
    xp,
    out,
    label,
    *,
    grad_scale: float,
    ignore_label: float,
    multi_output: bool,
    use_ignore: bool,
    preserve_shape: bool,
    normalization: Normalization,
    smooth_alpha: float,
):
    """Gradient of `softmax_output` towards data, from its output."""
    before, classes, after = split_classes(_Split(multi_output, preserve_shape), out.shape)
    y = widen(xp, out)
    if out.shape == label.shape:
        return (y - label.astype(y.dtype)) * grad_scale
    index = label.reshape(before, 1, after).astype(np.int64)
    chosen = xp.arange(classes).reshape(1, -1, 1) == index
    off = smooth_alpha / max(classes - 1, 1)
    grad = y.reshape(before, classes, after) - xp.where(chosen, 1 - smooth_alpha, off)
    if use_ignore:
        grad = xp.where(index == int(ignore_label), 0, grad)
    divisor = 1.0
    if normalization == "batch":
        divisor = before
    elif normalization == "valid":
        divisor = xp.maximum((index != int(ignore_label)).sum(), 1).astype(y.dtype)
    if multi_output and normalization != "valid":
        divisor *= after
    return (grad * (grad_scale / divisor)).reshape(out.shape)


def _softmax_output_gradient(out: Any, label: Any, attrs: Attrs) -> Any:
    names = set(backward_softmax_output.attrs)
    kept = {k: v for k, v in attrs.items() if k in names}
    return backward_softmax_output(out, label, **kept)


@softmax_output.gradient("data")
def _(out, label, attrs):
    return None if attrs.out_grad else _softmax_output_gradient(out, label, attrs)


@softmax_output.gradient("data")
def _(dy, out, label, attrs):
    return dy * _softmax_output_gradient(out, label, attrs) if attrs.out_grad else None


# ---- regression ----------------------------------------------------------------------------------


def _regression_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Label like data, or as many numbers a sample in another shape; (N,) for data (N, 1)."""
    data, label = ins
    data = unify(data, outs[0])
    if known(data) and known(label) and data[:1] == label[:1] and prod(data) == prod(label):
        return [data, label], [data]
    if data is not None:
        column = len(data) == 2 and data[1] == 1 and (label is None or len(label) == 1)
        label = unify(label, data[:1] if column else data)
    return [data, label], [data]


def _residual(out: Any, label: Any) -> Any:
    """Output less label, the label brought to the output's shape and dtype."""
    if label.shape != out.shape:
        label = get("Reshape")(label, shape=out.shape)
    if label.dtype != out.dtype:
        label = get("Cast")(label, dtype=out.dtype)
    return out - label


def _share(label: Any, grad_scale: float) -> float:
    """grad_scale divided by the number of labels a sample."""
    return grad_scale / max(int(np.prod(label.shape[1:], dtype=int)), 1)


def _regression(name: str) -> Any:
    return op(name, aliases=(f"_sparse_{name}",), shape=_regression_shapes, dtype=head_dtype)


@_regression("LinearRegressionOutput")
def linear_regression_output(xp, data, label, *, grad_scale: float = 1.0):
    """Data itself; the gradient is ``(data - label) * grad_scale / labels per sample``.

    `label` has data's size and batch (MXNet's ``LinearRegressionOutput``).

    >>> data, label = mx.nd.array([[1.0]]), mx.nd.array([0.5])
    >>> mx.nd.LinearRegressionOutput(data, label).asnumpy()
    array([[1.]], dtype=float32)
    """
    return data


@_regression("LogisticRegressionOutput")
def logistic_regression_output(xp, data, label, *, grad_scale: float = 1.0):
    """sigmoid(data); its gradient is ``(output - label) * grad_scale / labels per sample``.

    `label` has data's size and batch (MXNet's ``LogisticRegressionOutput``).

    >>> data, label = mx.nd.array([[0.0]]), mx.nd.array([1.0])
    >>> mx.nd.LogisticRegressionOutput(data, label).asnumpy()
    array([[0.5]], dtype=float32)
    """
    return sigmoid(xp, widen(xp, data))


@_regression("MAERegressionOutput")
def mae_regression_output(xp, data, label, *, grad_scale: float = 1.0):
    """Data itself; the gradient is ``sign(data - label) * grad_scale / labels per sample``.

    Where they are equal the sign is taken as -1. `label` has data's size and batch (MXNet's
    ``MAERegressionOutput``).

    >>> data, label = mx.nd.array([[1.0]]), mx.nd.array([0.5])
    >>> mx.nd.MAERegressionOutput(data, label).asnumpy()
    array([[1.]], dtype=float32)
    """
    return data


@linear_regression_output.gradient("data")
@logistic_regression_output.gradient("data")
def _(out, label, grad_scale):
    return _residual(out, label) * _share(label, grad_scale)


@mae_regression_output.gradient("data")
def _(out, label, grad_scale):
    return ((_residual(out, label) > 0) * 2 - 1) * _share(label, grad_scale)


softmax_output.sample(data=normal(4, 5), label=integers(4, high=5), _grad=())
softmax_output.sample(
    data=normal(2, 3, 4),
    label=integers(2, 4, high=3),
    multi_output=True,
    use_ignore=True,
    ignore_label=1,
    normalization="valid",
    _grad=(),
)
backward_softmax_output.sample(
    out=spread(4, 5, low=0.05, high=0.95),
    label=integers(4, high=5),
    grad_scale=0.5,
    ignore_label=2,
    multi_output=False,
    use_ignore=True,
    preserve_shape=False,
    normalization="batch",
    smooth_alpha=0.1,
)
for _made in (linear_regression_output, logistic_regression_output, mae_regression_output):
    _made.sample(data=normal(3, 2), label=constant([[0.0, 1.0]] * 3), _grad=())
