"""Metrics for an Estimator: chosen by its loss, and checked."""

from __future__ import annotations

from typing import Any

from ....metric import Accuracy, CompositeEvalMetric, EvalMetric
from ...loss import SoftmaxCrossEntropyLoss

_UNKNOWN = (
    "Event handler {} refers to a metric {} that the Estimator does not update; use the metrics "
    "from estimator.train_metrics and estimator.val_metrics"
)


def _check_metrics(metrics: Any) -> list[EvalMetric]:
    """Metrics as a list; ValueError for anything that is none."""
    if isinstance(metrics, CompositeEvalMetric):
        return [inner for metric in metrics.metrics for inner in _check_metrics(metric)]
    if isinstance(metrics, EvalMetric):
        return [metrics]
    metrics = list(metrics or [])
    for metric in metrics:
        if not isinstance(metric, EvalMetric):
            raise ValueError(f"metrics must be a Metric or a list of Metric, got {metric!r}")
    return metrics


def _check_handler_metric_ref(handler: Any, known_metrics: list[EvalMetric]) -> None:
    """ValueError if a handler watches a metric that the Estimator does not update."""
    watched = [getattr(handler, "monitor", None), *_items(getattr(handler, "metrics", None))]
    for metric in watched:
        if isinstance(metric, EvalMetric) and not any(metric is known for known in known_metrics):
            raise ValueError(_UNKNOWN.format(type(handler).__name__, metric))


def _items(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _suggest_metric_for_loss(loss: Any) -> EvalMetric | None:
    """Accuracy for the loss of classifiers, else None."""
    return Accuracy() if isinstance(loss, SoftmaxCrossEntropyLoss) else None
