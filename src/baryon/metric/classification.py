"""Metrics of classifiers: right or wrong, and how probable the truth was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .base import EvalMetric, alias, as_numpy, check_label_shapes, ratio, register

Names = Sequence[str] | None


@register
@alias("acc")
class Accuracy(EvalMetric):
    """Share of predictions that equal the label.

    Predictions are class indices of the label's shape, or scores with classes along ``axis``.

    >>> metric = mx.metric.Accuracy()
    >>> metric.update([mx.nd.array([1, 0])], [mx.nd.array([[0.1, 0.9], [0.2, 0.8]])])
    >>> metric.get()
    ('accuracy', 0.5)
    """

    def __init__(
        self,
        axis: int = 1,
        name: str = "accuracy",
        output_names: Names = None,
        label_names: Names = None,
    ) -> None:
        super().__init__(name, output_names, label_names, axis=axis, has_global_stats=True)
        self.axis = axis

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            scores, truth = as_numpy(pred), as_numpy(label)
            if scores.shape != truth.shape:
                scores = scores.argmax(axis=self.axis)
            guess = scores.astype("int32").ravel()
            truth = truth.astype("int32").ravel()
            check_label_shapes(truth, guess)
            self._add(int((guess == truth).sum()), len(guess))


@register
@alias("top_k_accuracy", "top_k_acc")
class TopKAccuracy(EvalMetric):
    """Share of samples whose label is among the ``top_k`` highest scores.

    >>> metric = mx.metric.TopKAccuracy(top_k=2)
    >>> metric.update([mx.nd.array([2, 0])], [mx.nd.array([[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]])])
    >>> metric.get()
    ('top_k_accuracy_2', 0.5)
    """

    def __init__(
        self,
        top_k: int = 1,
        name: str = "top_k_accuracy",
        output_names: Names = None,
        label_names: Names = None,
    ) -> None:
        if top_k <= 1:
            raise AssertionError("Please use Accuracy if top_k is no more than 1")
        super().__init__(
            f"{name}_{top_k}", output_names, label_names, top_k=top_k, has_global_stats=True
        )
        self.top_k = top_k

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            scores = as_numpy(pred).astype("float32")
            truth = as_numpy(label).astype("int32").ravel()
            if scores.ndim > 2:
                raise AssertionError("Predictions should be no more than 2 dims")
            check_label_shapes(truth, scores)
            if scores.ndim == 1:  # already class indices
                hits = scores.astype("int32") == truth
            else:
                top = min(self.top_k, scores.shape[1])
                best = numpy.argpartition(scores, -top, axis=1)[:, -top:]
                hits = (best == truth[:, None]).any(axis=1)
            self._add(int(hits.sum()), len(truth))


def _chosen(label: Any, pred: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The probability of each label, and the labels, as numpy vectors."""
    truth = as_numpy(label).ravel().astype("int64")
    probabilities = as_numpy(pred)
    if probabilities.ndim < 2 or probabilities.shape[0] != truth.shape[0]:
        raise AssertionError(f"labels {truth.shape} do not match predictions {probabilities.shape}")
    return probabilities[numpy.arange(truth.shape[0]), truth], truth


class _LogProbability(EvalMetric):
    """Mean of ``-log(p + eps)`` over the probabilities p of the labels."""

    def __init__(self, eps: float, name: str, output_names: Names, label_names: Names) -> None:
        super().__init__(name, output_names, label_names, eps=eps, has_global_stats=True)
        self.eps = eps

    def update(self, labels: Any, preds: Any) -> None:
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            chosen, truth = _chosen(label, pred)
            self._add(float((-numpy.log(chosen + self.eps)).sum()), len(truth))


@register
@alias("ce")
class CrossEntropy(_LogProbability):
    """Mean of ``-log(p + eps)``, p the predicted probability of the label.

    >>> metric = mx.metric.CrossEntropy()
    >>> metric.update([mx.nd.array([1])], [mx.nd.array([[0.5, 0.5]])])
    >>> round(metric.get()[1], 4)
    0.6931
    """

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "cross-entropy",
        output_names: Names = None,
        label_names: Names = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
@alias("nll_loss")
class NegativeLogLikelihood(_LogProbability):
    """`CrossEntropy` under another name.

    >>> metric = mx.metric.NegativeLogLikelihood()
    >>> metric.update([mx.nd.array([1])], [mx.nd.array([[0.5, 0.5]])])
    >>> round(metric.get()[1], 4)
    0.6931
    """

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "nll-loss",
        output_names: Names = None,
        label_names: Names = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
class Perplexity(EvalMetric):
    """``exp`` of the mean cross-entropy, without the samples labelled ``ignore_label``.

    Labels are those of the predictions with classes along the last axis (``axis`` must name it).

    >>> metric = mx.metric.Perplexity(ignore_label=None)
    >>> metric.update([mx.nd.array([1])], [mx.nd.array([[0.75, 0.25]])])
    >>> round(metric.get()[1], 4)
    4.0
    """

    def __init__(
        self,
        ignore_label: int | None,
        axis: int = -1,
        name: str = "perplexity",
        output_names: Names = None,
        label_names: Names = None,
    ) -> None:
        super().__init__(
            name, output_names, label_names, ignore_label=ignore_label, has_global_stats=True
        )
        self.ignore_label = ignore_label
        self.axis = axis

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        if len(labels) != len(preds):
            raise AssertionError(f"{len(labels)} labels for {len(preds)} predictions")
        loss, count = 0.0, 0
        for label, pred in zip(labels, preds, strict=True):
            scores = numpy.moveaxis(as_numpy(pred), self.axis, -1)
            truth = as_numpy(label).astype("int64").ravel()
            if truth.size * scores.shape[-1] != scores.size:
                raise AssertionError(f"shape mismatch: {label.shape} vs. {pred.shape}")
            rows = scores.reshape(-1, scores.shape[-1])
            chosen = rows[numpy.arange(truth.size), truth]
            if self.ignore_label is not None:
                chosen = chosen[truth != self.ignore_label]
            loss -= float(numpy.log(numpy.maximum(chosen, 1e-10)).sum())
            count += chosen.size
        self._add(loss, count)

    def get(self) -> tuple[str, float]:
        """``(name, value)`` of the local value."""
        return (self.name, float(numpy.exp(ratio(self.sum_metric, self.num_inst))))

    def get_global(self) -> tuple[str, float]:
        """``(name, value)`` since `reset`."""
        return (self.name, float(numpy.exp(ratio(self.global_sum_metric, self.global_num_inst))))
