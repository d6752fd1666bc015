"""Losses, stated once for NDArrays, Symbols and graph entries.

Each takes predictions, labels and an optional weight for every sample, and returns one value a
sample: the mean over all axes but `batch_axis`, unless it says otherwise. `gluon.loss` has them as
Blocks; on Symbols they make the heads of a `Module` (through ``sym.make_loss``).
"""

from __future__ import annotations

import math
from typing import Any

from .base import MXNetError, numeric_types
from .ndarray import NDArray
from .ops.op import Op, get

__all__ = [
    "cosine_embedding",
    "ctc",
    "hinge",
    "huber",
    "kl_divergence",
    "l1",
    "l2",
    "logistic",
    "poisson_nll",
    "sigmoid_cross_entropy",
    "smoothed_deep_metric",
    "softmax_cross_entropy",
    "triplet",
]


class _Catalogue:
    """Operators as attributes, whatever the tensors are."""

    def __getattr__(self, name: str) -> Op:
        if name.startswith("__"):  # what tools that inspect modules ask for
            raise AttributeError(name)
        found = self.__dict__[name] = get(name)
        return found


_op: Any = _Catalogue()


def weighted(loss: Any, weight: float | None = None, sample_weight: Any = None) -> Any:
    """A loss times a number and times a weight for each sample (broadcast)."""
    if sample_weight is not None:
        loss = _op.broadcast_mul(loss, sample_weight)
    if weight is not None:
        if not isinstance(weight, numeric_types):
            raise MXNetError(f"weight must be a number, got {weight!r}")
        loss = loss * weight
    return loss


def _mean(loss: Any, batch_axis: int) -> Any:
    """One value a sample."""
    return _op.mean(loss, axis=batch_axis, exclude=True)


def _like(x: Any, y: Any) -> Any:
    return _op.reshape_like(x, y)


def _softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return _op.Activation(x, act_type="softrelu")


def l2(
    pred: Any, label: Any, sample_weight: Any = None, *, weight: float = 1.0, batch_axis: int = 0
) -> Any:
    """Half the squared difference, ``weight / 2 * (label - pred)^2``.

    >>> mx.loss.l2(mx.nd.array([[1.0, 3.0]]), mx.nd.array([[1.0, 1.0]])).asnumpy()
    array([1.], dtype=float32)
    """
    loss = _op.square(_like(label, pred) - pred)
    return _mean(weighted(loss, weight / 2, sample_weight), batch_axis)


def l1(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """Absolute difference ``|label - pred|``.

    >>> mx.loss.l1(mx.nd.array([[1.0, 3.0]]), mx.nd.array([[1.0, 1.0]])).asnumpy()
    array([1.], dtype=float32)
    """
    loss = _op.abs(_like(label, pred) - pred)
    return _mean(weighted(loss, weight, sample_weight), batch_axis)


def huber(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    rho: float = 1.0,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """Squared below `rho` and linear above: ``d^2 / (2 rho)`` or ``d - rho / 2``, d = |difference|.

    >>> mx.loss.huber(mx.nd.array([[1.0], [4.0]]), mx.nd.array([[0.5], [1.0]])).asnumpy()
    array([0.125, 2.5  ], dtype=float32)
    """
    d = _op.abs(_like(label, pred) - pred)
    loss = _op.where(d > rho, d - 0.5 * rho, (0.5 / rho) * _op.square(d))
    return _mean(weighted(loss, weight, sample_weight), batch_axis)


def sigmoid_cross_entropy(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    pos_weight: Any = None,
    *,
    from_sigmoid: bool = False,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """Binary cross entropy of logits, or of probabilities (`from_sigmoid`); labels in [0, 1].

    pos_weight : weight of the positive term, broadcast over `pred`.

    >>> mx.loss.sigmoid_cross_entropy(mx.nd.array([[0.0]]), mx.nd.array([[1.0]])).asnumpy().round(4)
    array([0.6931], dtype=float32)
    """
    label = _like(label, pred)
    if from_sigmoid:
        positive = _op.log(pred + 1e-12) * label
        if pos_weight is not None:
            positive = _op.broadcast_mul(positive, pos_weight)
        loss = -(positive + _op.log(1.0 - pred + 1e-12) * (1.0 - label))
    elif pos_weight is None:
        loss = _op.relu(pred) - pred * label + _softplus(-_op.abs(pred))
    else:
        factor = 1 + _op.broadcast_mul(pos_weight - 1, label)
        loss = pred - pred * label + factor * (_softplus(-_op.abs(pred)) + _op.relu(-pred))
    return _mean(weighted(loss, weight, sample_weight), batch_axis)


def softmax_cross_entropy(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    axis: int = -1,
    sparse_label: bool = True,
    from_logits: bool = False,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """Cross entropy of a softmax along `axis` against class indices, or distributions.

    sparse_label : whether labels are class indices.
    from_logits  : whether `pred` holds log-probabilities already.

    >>> mx.loss.softmax_cross_entropy(mx.nd.array([[0.0, 0.0]]), mx.nd.array([1])).asnumpy()
    array([0.6931472], dtype=float32)
    """
    if sparse_label and not from_logits and isinstance(pred, NDArray):
        loss = _op._cross_entropy(pred, label, axis=axis)  # (which symbol files do not know)
        return _mean(weighted(loss, weight, sample_weight), batch_axis)
    if not from_logits:
        pred = _op.log_softmax(pred, axis=axis)
    if sparse_label:
        loss = -_op.pick(pred, label, axis=axis, keepdims=True)
    else:
        loss = -_op.sum(pred * _like(label, pred), axis=axis, keepdims=True)
    return _mean(weighted(loss, weight, sample_weight), batch_axis)


def kl_divergence(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    from_logits: bool = True,
    axis: int = -1,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """Kullback-Leibler divergence ``label * (log(label) - pred)``, summed over a sample.

    from_logits : whether `pred` holds log-probabilities; otherwise their softmax is taken.
    """
    if not from_logits:
        pred = _op.log_softmax(pred, axis=axis)
    loss = weighted(label * (_op.log(label + 1e-12) - pred), weight, sample_weight)
    return _op.sum(loss, axis=batch_axis, exclude=True)


def hinge(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    margin: float = 1.0,
    power: int = 1,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """``max(0, margin - pred * label)`` to a power of 1 or 2; labels are -1 or 1.

    >>> mx.loss.hinge(mx.nd.array([[0.5], [2.0]]), mx.nd.array([[1.0], [1.0]])).asnumpy()
    array([0.5, 0. ], dtype=float32)
    """
    loss = _op.relu(margin - pred * _like(label, pred))
    if power == 2:
        loss = _op.square(loss)
    return _mean(weighted(loss, weight, sample_weight), batch_axis)


def logistic(
    pred: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    label_format: str = "signed",
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """``log(1 + exp(-pred * label))`` for labels -1 and 1 ("signed") or 0 and 1 ("binary")."""
    if label_format == "signed":
        label = (label + 1.0) / 2.0
    return sigmoid_cross_entropy(pred, label, sample_weight, weight=weight, batch_axis=batch_axis)


def triplet(
    pred: Any,
    positive: Any,
    negative: Any,
    sample_weight: Any = None,
    *,
    margin: float = 1.0,
    weight: float | None = None,
    batch_axis: int = 0,
) -> Any:
    """``max(0, |positive - pred|^2 - |negative - pred|^2 + margin)``, sums over a sample."""
    near = _op.square(_like(positive, pred) - pred)
    far = _op.square(_like(negative, pred) - pred)
    loss = _op.sum(near - far, axis=batch_axis, exclude=True)
    return weighted(_op.relu(loss + margin), weight, sample_weight)


def poisson_nll(
    pred: Any,
    target: Any,
    sample_weight: Any = None,
    epsilon: float = 1e-8,
    *,
    from_logits: bool = True,
    compute_full: bool = False,
    weight: float | None = None,
) -> Any:
    """Negative log-likelihood of counts under a Poisson distribution; the mean over everything.

    from_logits  : whether `pred` is the logarithm of the rate.
    compute_full : whether to add Stirling's approximation of ``log(target!)``.
    """
    target = _like(target, pred)
    rate, log = (_op.exp(pred), pred) if from_logits else (pred, _op.log(pred + epsilon))
    loss = rate - target * log
    if compute_full:
        stirling = target * _op.log(target) - target + 0.5 * _op.log(2 * target * math.pi)
        loss = loss + _op.where(target > 1, stirling, _op.zeros_like(target))
    return _op.mean(weighted(loss, weight, sample_weight))


def cosine_embedding(
    input1: Any,
    input2: Any,
    label: Any,
    sample_weight: Any = None,
    *,
    margin: float = 0.0,
    weight: float | None = None,
) -> Any:
    """``1 - cos`` for pairs labelled 1, ``max(0, cos - margin)`` for those labelled -1; (N, 1)."""
    input1 = _like(input1, input2)
    column = {"shape": (-1, 1)}
    norms = [_op.reshape(_op.norm(x, axis=-1), **column) for x in (input1, input2)]
    dots = _op.reshape(_op.sum(input1 * input2, axis=-1), **column)
    cosine = dots / _op.clip(norms[0] * norms[1], a_min=1e-12, a_max=3.4e38)
    label = _op.reshape(label, **column)
    loss = (1 - cosine) * (label == 1) + _op.relu(cosine - margin) * (label == -1)
    return weighted(loss, weight, sample_weight)


def ctc(
    pred: Any,
    label: Any,
    pred_lengths: Any = None,
    label_lengths: Any = None,
    sample_weight: Any = None,
    *,
    layout: str = "NTC",
    label_layout: str = "NT",
    weight: float | None = None,
) -> Any:
    """Connectionist temporal classification (Graves et al., 2006); the last class is the blank.

    layout, label_layout : axes of `pred` ("NTC" or "TNC") and `label` ("NT" or "TN").
    """
    if layout == "NTC":
        pred = _op.swapaxes(pred, dim1=0, dim2=1)
    if label_layout == "TN":
        label = _op.swapaxes(label, dim1=0, dim2=1)
    lengths = [x for x in (pred_lengths, label_lengths) if x is not None]
    loss = _op.CTCLoss(
        pred,
        label,
        *lengths,
        use_data_lengths=pred_lengths is not None,
        use_label_lengths=label_lengths is not None,
        blank_label="last",
    )
    return weighted(loss, weight, sample_weight)


def smoothed_deep_metric(
    x1: Any, x2: Any, identity: Any, *, smoothing: float = 0.3, weight: float | None = 1.0
) -> Any:
    """Smoothed deep metric learning (Bonadiman et al., 2019) on a batch of matching rows.

    identity : the identity matrix of the batch's size.
    """
    size = identity.shape[0]
    cross = _op.dot(x1, x2, transpose_b=True)
    squares = [_op.sum(_op.square(x), axis=1, keepdims=True) for x in (x1, x2)]
    distances = _op.broadcast_add(squares[0], _op.transpose(squares[1])) - 2 * cross
    labels = identity * (1 - smoothing) + (1 - identity) * (smoothing / (size - 1))
    return kl_divergence(_op.log_softmax(-distances, axis=1), labels, weight=weight)
