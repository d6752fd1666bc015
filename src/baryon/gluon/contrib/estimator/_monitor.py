"""Watching whether a metric improves: `EarlyStoppingHandler` and what checkpoints need."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ....metric import EvalMetric
from ._events import EpochEnd, TrainBegin, TrainEnd

_REQUIRED = (
    "please provide one of the metric objects from estimator.train_metrics and "
    "estimator.val_metrics as monitor."
)


def comparison(monitor: EvalMetric, mode: str, what: str) -> np.ufunc:
    """How a metric's new value compares with its best where it has improved.

    mode : "min", "max", or "auto", which is "max" and says so.
    """
    if mode not in ("auto", "min", "max"):
        warnings.warn(f"{what} mode {mode} is unknown, fallback to auto mode. ", stacklevel=4)
    if mode == "min":
        return np.less
    if mode != "max":
        warnings.warn(
            f"{monitor.get()[0]} counts as improved when it grows; give mode='min' if it should "
            f"shrink, mode='max' to silence this warning",
            stacklevel=4,
        )
    return np.greater


def worst(operator: np.ufunc) -> float:
    """The value that any other improves on."""
    return np.inf if operator is np.less else -np.inf


class EarlyStoppingHandler(TrainBegin, EpochEnd, TrainEnd):
    """Ends the training once a metric has not improved for some epochs.

    monitor   : one of the Estimator's metrics.
    min_delta : the least change that counts as an improvement.
    patience  : epochs without improvement that are accepted.
    mode      : "min" or "max", the metric's better direction; "auto" means "max".
    baseline  : a value that the metric has to improve on first.

    >>> net = mx.gluon.nn.Dense(1, in_units=2)
    >>> net.initialize(mx.init.Zero())
    >>> module = mx.gluon.contrib.estimator
    >>> loss, trainer = mx.gluon.loss.L2Loss(), mx.gluon.Trainer(net.collect_params(), "sgd")
    >>> estimator = module.Estimator(net, loss, mx.metric.MAE(), trainer=trainer)
    >>> estimator.logger.setLevel("WARNING")
    >>> pairs = mx.gluon.data.ArrayDataset(np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
    >>> stop = module.EarlyStoppingHandler(estimator.train_metrics[0], mode="min", min_delta=1)
    >>> estimator.fit(mx.gluon.data.DataLoader(pairs, 4), epochs=9, event_handlers=[stop])
    >>> stop.current_epoch
    2
    """

    def __init__(
        self,
        monitor: EvalMetric,
        min_delta: float = 0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
    ) -> None:
        if not isinstance(monitor, EvalMetric):
            raise ValueError(_REQUIRED[0].upper() + _REQUIRED[1:])
        self.monitor = monitor
        self.baseline = baseline
        self.patience = patience
        self.min_delta = min_delta
        self.monitor_op = comparison(monitor, mode, "EarlyStopping")
        self._start()

    def _start(self) -> None:
        self.wait = self.stopped_epoch = self.current_epoch = 0
        self.stop_training = False
        self.best = worst(self.monitor_op) if self.baseline is None else self.baseline

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Forget earlier values."""
        self._start()

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether patience is at its end."""
        name, value = self.monitor.get()
        if np.isnan(value):
            warnings.warn(
                f"{name} has no value; give EarlyStoppingHandler a metric that every epoch updates",
                stacklevel=2,
            )
        else:
            self._take(value)
        self.current_epoch += 1
        return self.stop_training

    def _take(self, value: float) -> None:
        needed = -self.min_delta if self.monitor_op is np.greater else self.min_delta
        if self.monitor_op(value + needed, self.best):
            self.best = value
            self.wait = 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = self.current_epoch
            self.stop_training = True

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write to the log why the training ended."""
        if self.stop_training:
            estimator.logger.info(
                "[Epoch %d] EarlyStoppingHandler: early stopping due to %s not improving",
                self.stopped_epoch,
                self.monitor.get()[0],
            )
