"""Handlers of an Estimator's events."""

from __future__ import annotations

from ....metric import CompositeEvalMetric, EvalMetric
from ....metric import Loss as metric_loss
from ._checkpoint import CheckpointHandler
from ._events import (
    BatchBegin,
    BatchEnd,
    EpochBegin,
    EpochEnd,
    EventHandler,
    TrainBegin,
    TrainEnd,
)
from ._handlers import GradientUpdateHandler, MetricHandler, StoppingHandler, ValidationHandler
from ._logging import LoggingHandler
from ._monitor import EarlyStoppingHandler

__all__ = [
    "BatchBegin",
    "BatchEnd",
    "CheckpointHandler",
    "CompositeEvalMetric",
    "EarlyStoppingHandler",
    "EpochBegin",
    "EpochEnd",
    "EvalMetric",
    "EventHandler",
    "GradientUpdateHandler",
    "LoggingHandler",
    "MetricHandler",
    "StoppingHandler",
    "TrainBegin",
    "TrainEnd",
    "ValidationHandler",
    "metric_loss",
]
