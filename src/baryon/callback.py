"""Things to call after a batch or an epoch: speed, progress, checkpoints, logs.

Batch callbacks take a ``BatchEndParam`` (``epoch``, ``nbatch``, ``eval_metric``, ``locals``); epoch
callbacks take ``(epoch, symbol, arg_params, aux_params)``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from .checkpoint import save_checkpoint

__all__ = [
    "LogValidationMetricsCallback",
    "ProgressBar",
    "Speedometer",
    "do_checkpoint",
    "log_train_metric",
    "module_checkpoint",
]


def module_checkpoint(
    mod: Any, prefix: str, period: int = 1, save_optimizer_states: bool = False
) -> Callable[..., None]:
    """An epoch callback that saves a module every ``period`` epochs as ``prefix-EPOCH.params``.

    >>> import os, tempfile
    >>> prefix = os.path.join(tempfile.mkdtemp(), "model")
    >>> model = mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.var("data"), name="softmax"))
    >>> data = mx.io.NDArrayIter(np.zeros((8, 2)), np.zeros(8), batch_size=2)
    >>> save = mx.callback.module_checkpoint(model, prefix)
    >>> model.fit(data, num_epoch=2, epoch_end_callback=save)
    >>> sorted(os.listdir(os.path.dirname(prefix)))
    ['model-0001.params', 'model-0002.params', 'model-symbol.json']
    """
    period = max(1, int(period))

    def callback(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % period == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return callback


def do_checkpoint(prefix: str, period: int = 1) -> Callable[..., None]:
    """An epoch callback that saves symbol and parameters every ``period`` epochs.

    >>> import os, tempfile
    >>> prefix = os.path.join(tempfile.mkdtemp(), "model")
    >>> save = mx.callback.do_checkpoint(prefix, period=2)
    >>> for epoch in range(4):
    ...     save(epoch, mx.sym.var("x"), {"x": mx.nd.ones((1,))}, {})
    >>> sorted(os.listdir(os.path.dirname(prefix)))
    ['model-0002.params', 'model-0004.params', 'model-symbol.json']
    """
    period = max(1, int(period))

    def callback(iter_no: int, sym: Any, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % period == 0:
            save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return callback


def log_train_metric(period: int, auto_reset: bool = False) -> Callable[[Any], None]:
    """A batch callback that logs the metric every ``period`` batches."""

    def callback(param: Any) -> None:
        if param.nbatch % period == 0 and param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info(
                    "Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value
                )
            if auto_reset:
                param.eval_metric.reset_local()

    return callback


class Speedometer:
    """Batch callback that logs samples/s and the metric every ``frequent`` batches.

    ``auto_reset`` restarts the metric's local sums after each log, so that values are of the last
    batches; otherwise they are of the epoch so far.

    >>> model = mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.var("data"), name="softmax"))
    >>> data = mx.io.NDArrayIter(np.zeros((8, 2)), np.zeros(8), batch_size=2)
    >>> model.fit(data, num_epoch=1, batch_end_callback=mx.callback.Speedometer(2, frequent=2))
    """

    def __init__(self, batch_size: int, frequent: int = 50, auto_reset: bool = True) -> None:
        self.batch_size = batch_size
        self.frequent = frequent
        self.auto_reset = auto_reset
        self.tic: float | None = None
        self.last_count = 0

    def __call__(self, param: Any) -> None:
        """Note the batch, and log if its turn has come."""
        count = param.nbatch
        if self.last_count > count:  # a new epoch
            self.tic = None
        self.last_count = count
        if self.tic is None:
            self.tic = time.perf_counter()
        elif count % self.frequent == 0:
            seconds = max(time.perf_counter() - self.tic, 1e-9)
            self._log(param, count, self.frequent * self.batch_size / seconds)
            self.tic = time.perf_counter()

    def _log(self, param: Any, count: int, speed: float) -> None:
        if param.eval_metric is None:
            logging.info("Iter[%d] Batch [%d]\tSpeed: %.2f samples/sec", param.epoch, count, speed)
            return
        pairs = param.eval_metric.get_name_value()
        first = 0
        if self.auto_reset:
            param.eval_metric.reset_local()
            first = count - self.frequent
        values = "".join(f"\t{name}={value:f}" for name, value in pairs)
        logging.info(
            "Epoch[%d] Batch [%d-%d]\tSpeed: %.2f samples/sec%s",
            param.epoch,
            first,
            count,
            speed,
            values,
        )


class ProgressBar:
    """Batch callback that draws a bar of ``total`` batches: by tqdm if installed, else plainly.

    ``length`` is the width of the bar in characters.
    """

    def __init__(self, total: int, length: int = 80) -> None:
        self.total = total
        self.bar_len = length
        self._bar: Any = None
        self._epoch: Any = None

    def __call__(self, param: Any) -> None:
        """Draw the bar at a batch."""
        done = min(param.nbatch, self.total)
        try:
            from tqdm import tqdm
        except ImportError:
            self._draw(done)
            return
        if self._bar is None or self._epoch != param.epoch:
            self.close()
            self._bar = tqdm(
                total=self.total, desc=f"epoch {param.epoch}", ncols=self.bar_len + 40, leave=True
            )
            self._epoch = param.epoch
        self._bar.update(done - self._bar.n)
        if done >= self.total:
            self.close()

    def close(self) -> None:
        """End the current bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _draw(self, done: int) -> None:
        filled = round(self.bar_len * done / self.total)
        bar = "=" * filled + "-" * (self.bar_len - filled)
        end = "\n" if done >= self.total else "\r"
        sys.stderr.write(f"[{bar}] {-(-100 * done // self.total)}%{end}")
        sys.stderr.flush()


class LogValidationMetricsCallback:
    """Evaluation callback that logs each metric of the validation set."""

    def __call__(self, param: Any) -> None:
        """Log the values of the metric."""
        if param.eval_metric is None:
            return
        for name, value in param.eval_metric.get_name_value():
            logging.info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)
