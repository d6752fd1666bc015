"""`LoggingHandler`: the progress of training as lines of a log."""

from __future__ import annotations

import time
from typing import Any

from ._events import BatchBegin, BatchEnd, EpochBegin, EpochEnd, TrainBegin, TrainEnd
from .utils import _check_metrics


class LoggingHandler(TrainBegin, TrainEnd, EpochBegin, EpochEnd, BatchBegin, BatchEnd):
    """Writes settings, times and metrics to the Estimator's logger.

    log_interval : "epoch", or a number of batches after which to write too.
    metrics      : metrics to write.
    """

    def __init__(
        self,
        log_interval: int | str = "epoch",
        metrics: Any = None,
        priority: float = float("inf"),
    ) -> None:
        if not isinstance(log_interval, int) and log_interval != "epoch":
            raise ValueError("log_interval must be either an integer or string 'epoch'")
        self.metrics = _check_metrics(metrics)
        self.batch_index = 0
        self.current_epoch = 0
        self.processed_samples = 0
        self.priority = priority
        self.log_interval = log_interval
        self.log_interval_time = 0.0

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write the optimizer, its learning rate and how long training is to last."""
        self.train_start = time.time()
        self.current_epoch = self.batch_index = self.processed_samples = 0
        name = type(estimator.trainer.optimizer).__name__
        rate = estimator.trainer.learning_rate
        estimator.logger.info(
            "Training begin: using optimizer %s with current learning rate %.4f", name, rate
        )
        if estimator.max_epoch:
            estimator.logger.info("Train for %d epochs.", estimator.max_epoch)
        else:
            estimator.logger.info("Train for %d batches.", estimator.max_batch)

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write the total time and the metrics."""
        seconds = time.time() - self.train_start
        estimator.logger.info(
            "Train finished using total %ds with %d epochs. %s",
            seconds,
            self.current_epoch,
            self._values(),
        )

    def epoch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write that an epoch or an evaluation begins."""
        self.epoch_start = time.time()
        if self._validates(estimator):
            estimator.logger.info("Validation Begin")
            return
        estimator.logger.info(
            "[Epoch %d] Begin, current learning rate: %.4f",
            self.current_epoch,
            estimator.trainer.learning_rate,
        )

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write the time of the epoch and the metrics."""
        estimator.logger.info(
            "[Epoch %d] Finished in %.3fs, %s",
            self.current_epoch,
            time.time() - self.epoch_start,
            self._values(),
        )
        self.current_epoch += 1
        self.batch_index = 0

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Take the time."""
        self.batch_start = time.time()

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Write the time since the last such line and the metrics, if it is time."""
        if self.log_interval == "epoch":
            return
        self.log_interval_time += time.time() - self.batch_start
        self.processed_samples += kwargs["batch"][0].shape[estimator.batch_axis]
        if self.batch_index % self.log_interval == 0:
            estimator.logger.info(
                "[Epoch %d][Batch %d][Samples %d] time/interval: %.3fs %s",
                self.current_epoch,
                self.batch_index,
                self.processed_samples,
                self.log_interval_time,
                self._values(),
            )
            self.log_interval_time = 0.0
        self.batch_index += 1

    def _validates(self, estimator: Any) -> bool:
        known = set(map(id, estimator.val_metrics))
        return bool(self.metrics) and all(id(metric) in known for metric in self.metrics)

    def _values(self) -> str:
        pairs = [metric.get() for metric in self.metrics]
        return ", ".join(f"{name}: {value:.4f}" for name, value in pairs)
