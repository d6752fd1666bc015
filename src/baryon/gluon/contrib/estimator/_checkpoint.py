"""`CheckpointHandler`: models and optimizer states in files while training goes on."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import numpy as np

from ....metric import EvalMetric
from ..._block import Block
from ...hybrid_block import HybridBlock
from ._events import BatchEnd, EpochEnd, TrainBegin
from ._monitor import _REQUIRED, comparison, worst


class CheckpointHandler(TrainBegin, BatchEnd, EpochEnd):
    """Saves the network and the Trainer's states every so many epochs or batches.

    Files are called ``PREFIX-epochEbatchB.params`` and ``.states``; a hybridized network also
    gets ``PREFIX-symbol.json``, once.

    model_dir       : folder for the files; it is made if need be.
    monitor         : a metric to judge the best model by, see `save_best`.
    verbose         : whether to write to the log what is saved.
    save_best       : keep the best model so far as ``PREFIX-best`` too.
    mode            : "min" or "max", the metric's better direction; "auto" means "max".
    max_checkpoints : how many to keep; the oldest of this training are deleted.
    resume_from_checkpoint : go on from the newest checkpoint in `model_dir`, if there is one;
                      the epochs or batches asked of ``fit`` count from the very beginning.
    """

    def __init__(
        self,
        model_dir: str,
        model_prefix: str = "model",
        monitor: EvalMetric | None = None,
        verbose: int = 0,
        save_best: bool = False,
        mode: str = "auto",
        epoch_period: int | None = 1,
        batch_period: int | None = None,
        max_checkpoints: int = 5,
        resume_from_checkpoint: bool = False,
    ) -> None:
        self.monitor = monitor
        self.verbose = verbose
        self.model_dir = model_dir
        self.model_prefix = model_prefix
        self.save_best = save_best
        self.epoch_period = epoch_period
        self.batch_period = batch_period
        self.max_checkpoints = max_checkpoints
        self.resume_from_checkpoint = resume_from_checkpoint
        self.saved_checkpoints: list[str] = []
        self.current_batch = self.current_epoch = 0
        if save_best:
            if not isinstance(monitor, EvalMetric):
                raise ValueError(f"To save best model only, {_REQUIRED}")
            self.monitor_op = comparison(monitor, mode, "ModelCheckpoint")
            self.best = worst(self.monitor_op)
        os.makedirs(model_dir, exist_ok=True)

    # ---- events ----------------------------------------------------------------------------------

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start counting, or go on from a checkpoint."""
        self._batches_done = self._epochs_done = 0  # in this training
        self._symbol_saved = False
        self.saved_checkpoints = []
        self.current_batch = self.current_epoch = 0
        if self.save_best:
            self.best = worst(self.monitor_op)
        if self.resume_from_checkpoint:
            self._resume(estimator)

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Save if it is time."""
        self._save_symbol(estimator)
        self._batches_done += 1
        if self.batch_period and self._batches_done % self.batch_period == 0:
            self._save(estimator)
        self.current_batch += 1

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Save if it is time."""
        self._epochs_done += 1
        if self.epoch_period and self._epochs_done % self.epoch_period == 0:
            self._save(estimator)
        self.current_epoch += 1

    # ---- saving ----------------------------------------------------------------------------------

    def _log(self, estimator: Any, message: str, *args: Any) -> None:
        if self.verbose:
            message = f"[Epoch %d] CheckpointHandler: {message}"
            estimator.logger.info(message, self.current_epoch, *args)

    def _path(self, name: str) -> str:
        return os.path.join(self.model_dir, name)

    def _save(self, estimator: Any) -> None:
        name = f"{self.model_prefix}-epoch{self.current_epoch}batch{self.current_batch}"
        self._write(estimator, name)
        self._log(estimator, "saved %s in %s", name, self.model_dir)
        if name not in self.saved_checkpoints:
            self.saved_checkpoints.append(name)
        while len(self.saved_checkpoints) > self.max_checkpoints:
            self._delete(self.saved_checkpoints.pop(0))
        if self.save_best:
            self._save_best(estimator)

    def _save_best(self, estimator: Any) -> None:
        name, value = self.monitor.get()
        if np.isnan(value):
            warnings.warn(
                f"{name} has no value, so the best model is not saved; give CheckpointHandler a "
                f"metric that every period updates",
                stacklevel=2,
            )
            return
        if not self.monitor_op(value, self.best):
            self._log(estimator, "%s did not improve from %.5f", name, self.best)
            return
        self._write(estimator, f"{self.model_prefix}-best")
        self._log(estimator, "%s improved from %.5f to %.5f", name, self.best, value)
        self.best = value

    def _write(self, estimator: Any, name: str) -> None:
        estimator.net.save_parameters(self._path(f"{name}.params"))
        estimator.trainer.save_states(self._path(f"{name}.states"))

    def _delete(self, name: str) -> None:
        for ending in ("params", "states"):
            path = self._path(f"{name}.{ending}")
            if os.path.exists(path):
                os.remove(path)

    def _save_symbol(self, estimator: Any) -> None:
        """Save the graph after the first forward pass, which is what draws it."""
        if self._symbol_saved:
            return
        self._symbol_saved = True
        path = self._path(f"{self.model_prefix}-symbol.json")
        net: Block = estimator.net
        if isinstance(net, HybridBlock) and net._cached_graph:
            net._cached_graph[1].save(path)
        elif self.verbose:
            estimator.logger.info(
                "%s is not saved: only a HybridBlock after hybridize() has a graph", path
            )

    # ---- resuming --------------------------------------------------------------------------------

    def _resume(self, estimator: Any) -> None:
        found = self._newest()
        if found is None:
            estimator.logger.info(
                "CheckpointHandler: no checkpoint of %s in %s, training from scratch",
                self.model_prefix,
                self.model_dir,
            )
            return
        epoch, batch = found
        what = "epoch" if estimator.max_epoch else "batch"
        limit = estimator.max_epoch or estimator.max_batch
        left = limit - (epoch if what == "epoch" else batch) - 1
        if left <= 0:
            raise ValueError(
                f"Found checkpoint with maximum number of {what} {limit} reached, please specify "
                f"resume_from_checkpoint=False (default value) to train from scratch."
            )
        if what == "epoch":
            estimator.max_epoch = left
        else:
            estimator.max_batch = left
        self.current_epoch = epoch + 1
        self.current_batch = batch + (1 if self.batch_period else 0)  # counted from 0 in batch_end
        name = f"{self.model_prefix}-epoch{epoch}batch{batch}"
        estimator.net.load_parameters(self._path(f"{name}.params"), ctx=estimator.context)
        estimator.trainer.load_states(self._path(f"{name}.states"))
        estimator.logger.warning(
            "CheckpointHandler: resumed from epoch %d batch %d, training on for %d (%s)",
            epoch,
            batch,
            left,
            what,
        )

    def _newest(self) -> tuple[int, int] | None:
        """Epoch and batch of the newest checkpoint with both its files."""
        pattern = re.compile(re.escape(self.model_prefix) + r"-epoch(\d+)batch(\d+)\.params")
        names = set(os.listdir(self.model_dir))
        matches = [m for m in map(pattern.fullmatch, names) if m]
        whole = [m for m in matches if m[0].removesuffix("params") + "states" in names]
        return max(((int(m[1]), int(m[2])) for m in whole), default=None)
