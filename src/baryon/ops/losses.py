"""Losses made of any output: MakeLoss, make_loss and SVMOutput."""

from __future__ import annotations

from typing import Any

import numpy as np

from .attrs import Attrs
from .copies import ones_like
from .device import fixed
from .heads import Normalization, head_dtype
from .op import op
from .rules import unify
from .samples import integers, normal
from .storage import KEEPS


@op(
    "make_loss",
    aliases=("_sparse_make_loss",),
    outputs=("loss",),
    inplace={0: "data"},
    storage=KEEPS,
)
def make_loss(xp, data):
    """Data itself, as a loss: its gradient is 1 whatever the head gradient (``make_loss``).

    >>> mx.nd.make_loss(mx.nd.array([2.0])).asnumpy()
    array([2.], dtype=float32)
    """
    return data


@make_loss.gradient("data")
def _(out):
    return ones_like(out)


@op("MakeLoss", inplace={0: "data"})
def make_loss_scaled(
    xp,
    data,
    *,
    grad_scale: float = 1.0,
    valid_thresh: float = 0.0,
    normalization: Normalization = "null",
):
    """Data itself, as a loss: its gradient is ``grad_scale`` whatever the head gradient.

    ``normalization``: divide that by the batch size, or (``valid``) by the number of entries
    above ``valid_thresh`` (MXNet's operator ``MakeLoss``).

    >>> mx.nd.MakeLoss(mx.nd.array([2.0])).asnumpy()
    array([2.], dtype=float32)
    """
    return data


@op("_backward_MakeLoss")
def backward_make_loss(
    xp, data, *, grad_scale: float, valid_thresh: float, normalization: Normalization
):
    """Gradient of `make_loss_scaled`."""
    if normalization == "batch":
        grad_scale = grad_scale / data.shape[0]
    elif normalization == "valid":
        grad_scale = grad_scale / xp.maximum((data > valid_thresh).sum(), 1)
    return xp.ones_like(data) * fixed(xp, grad_scale).astype(data.dtype)


@make_loss_scaled.gradient("data")
def _(data, attrs):
    return backward_make_loss(data, **attrs)


def _svm_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Label is data's shape without the classes."""
    data, label = ins
    data = unify(data, outs[0])
    if data is not None:
        label = unify(label, data[:-1])
    return [data, label], [data]


@op("SVMOutput", shape=_svm_shapes, dtype=head_dtype, inplace={0: "data"})
def svm_output(
    xp,
    data,
    label,
    *,
    margin: float = 1.0,
    regularization_coefficient: float = 1.0,
    use_linear: bool = False,
):
    """Data itself, scores (N, classes), with the gradient of a one-against-all hinge loss.

    The loss of a score s, negated for the class `label` (N,), is ``max(0, margin + s)``, squared
    unless ``use_linear``, times ``regularization_coefficient`` (MXNet's operator ``SVMOutput``).

    >>> mx.nd.SVMOutput(mx.nd.array([[1.0, 2.0]]), mx.nd.array([1])).asnumpy()
    array([[1., 2.]], dtype=float32)
    """
    return data


@op(
    "_backward_SVMOutput",
    shape=lambda attrs, ins, outs: (ins, [unify(ins[0], outs[0])]),
    dtype=head_dtype,
)
def backward_svm_output(
    xp, data, label, *, margin: float, regularization_coefficient: float, use_linear: bool
):
    """Gradient of `svm_output`."""
    index = label.astype(np.int64)[..., None]
    sign: Any = xp.where(xp.arange(data.shape[-1]) == index, -1, 1)
    excess = margin + sign * data
    slope = sign * (excess > 0) if use_linear else 2 * sign * xp.maximum(excess, 0)
    return regularization_coefficient * slope


@svm_output.gradient("data")
def _(data, label, attrs):
    return backward_svm_output(data, label, **attrs)


make_loss.sample(data=normal(2, 3), _grad=())
make_loss_scaled.sample(data=normal(2, 3), grad_scale=2.0, normalization="valid", _grad=())
backward_make_loss.sample(
    data=normal(2, 3), grad_scale=2.0, valid_thresh=0.1, normalization="valid", _grad=()
)
svm_output.sample(data=normal(3, 4), label=integers(3, high=4), _grad=())
backward_svm_output.sample(
    data=normal(3, 4),
    label=integers(3, high=4),
    margin=1.0,
    regularization_coefficient=0.5,
    use_linear=False,
    _grad=(),
)
