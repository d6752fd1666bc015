"""`Estimator`: fit a Block to data, with handlers called along the way."""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from typing import Any

from ....context import Context, cpu, gpu, num_gpus
from ....metric import EvalMetric
from ....metric import Loss as metric_loss
from ...data import DataLoader
from ...loss import Loss as gluon_loss
from ...trainer import Trainer
from ...utils import split_and_load
from ._events import Handlers, _check_event_handlers
from .batch_processor import BatchProcessor
from .event_handler import (
    BatchBegin,
    BatchEnd,
    EpochBegin,
    EpochEnd,
    GradientUpdateHandler,
    LoggingHandler,
    MetricHandler,
    StoppingHandler,
    TrainBegin,
    TrainEnd,
    ValidationHandler,
)
from .utils import _check_handler_metric_ref, _check_metrics, _suggest_metric_for_loss

__all__ = [
    "BatchBegin",
    "BatchEnd",
    "Estimator",
    "EpochBegin",
    "EpochEnd",
    "TrainBegin",
    "TrainEnd",
    "split_and_load",
]


class Estimator:
    """Trains and evaluates a Block.

    net             : the network.                    loss : a gluon Loss of predictions and labels.
    train_metrics   : metrics; by default accuracy where the loss is that of a classifier. The
                      mean loss is always one more.
    val_metrics     : metrics of evaluations; by default copies of `train_metrics`.
    initializer     : for Parameters that are not initialized yet.
    trainer         : a Trainer; by default SGD with learning rate 0.001.
    context         : a Context or several; by default the first GPU if there is one.
    val_net, val_loss : used in evaluations in place of `net` and `loss`.
    batch_processor : what to do with a batch, see `BatchProcessor`.

    >>> net = mx.gluon.nn.Dense(2, in_units=3)
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    >>> data = mx.gluon.data.ArrayDataset(np.eye(3, dtype="float32"), np.array([0.0, 1.0, 0.0]))
    >>> loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    >>> estimator = mx.gluon.contrib.estimator.Estimator(net, loss, trainer=trainer)
    >>> estimator.logger.setLevel("WARNING")
    >>> estimator.fit(mx.gluon.data.DataLoader(data, batch_size=3), epochs=40)
    >>> [metric.get()[0] for metric in estimator.train_metrics]
    ['training accuracy', 'training softmaxcrossentropyloss']
    >>> estimator.train_metrics[0].get()[1]
    1.0
    """

    logger: logging.Logger = None  # type: ignore[assignment]

    def __init__(
        self,
        net: Any,
        loss: gluon_loss,
        train_metrics: Any = None,
        val_metrics: Any = None,
        initializer: Any = None,
        trainer: Trainer | None = None,
        context: Context | list[Context] | None = None,
        val_net: Any = None,
        val_loss: gluon_loss | None = None,
        batch_processor: BatchProcessor | None = None,
    ) -> None:
        self.net = net
        self.loss = _check_loss(loss)
        self._train_metrics = _check_metrics(train_metrics)
        self._val_metrics = _check_metrics(val_metrics)
        self._complete_metrics()
        self.val_loss = self.loss if val_loss is None else _check_loss(val_loss)
        self.val_net = self.net if val_net is None else val_net
        self.logger = logging.Logger("Estimator", logging.INFO)
        self.logger.addHandler(logging.StreamHandler(sys.stdout))
        self.context = _check_context(context)
        self._initialize(initializer)
        self.trainer = self._check_trainer(trainer)
        self.batch_processor = _check_batch_processor(batch_processor)
        self.max_epoch: int | None = None
        self.max_batch: int | None = None
        self.batch_axis = 0

    # ---- checks ----------------------------------------------------------------------------------

    def _complete_metrics(self) -> None:
        """Add default metrics, and say in every metric's name what it is of."""
        if not self._train_metrics:
            suggested = _suggest_metric_for_loss(self.loss)
            self._train_metrics = [] if suggested is None else [suggested]
        if not self._val_metrics:
            self._val_metrics = [copy.deepcopy(metric) for metric in self._train_metrics]
        name = self.loss.name.rstrip("0123456789")
        for kind, metrics in (("training", self._train_metrics), ("validation", self._val_metrics)):
            metrics.append(metric_loss(name))
            for metric in metrics:
                metric.name = f"{kind} {metric.name}"

    def _initialize(self, initializer: Any) -> None:
        params = self.net.collect_params().values()
        started = [p._data is not None or bool(p._deferred_init) for p in params]
        if all(started):
            if initializer is not None:
                warnings.warn(
                    "the network is initialized already, so `initializer` is not used; call "
                    "net.initialize(init=..., force_reinit=True) to start afresh",
                    stacklevel=3,
                )
            return
        for param, done in zip(params, started, strict=True):
            if not done:
                options = {} if initializer is None else {"default_init": initializer}
                param.initialize(ctx=self.context, **options)

    def _check_trainer(self, trainer: Any) -> Trainer:
        if trainer is None:
            warnings.warn(
                "No trainer specified, default SGD optimizer with learning rate 0.001 is used.",
                stacklevel=3,
            )
            return Trainer(self.net.collect_params(), "sgd", {"learning_rate": 0.001})
        if not isinstance(trainer, Trainer):
            raise ValueError(
                f"Trainer must be a Gluon Trainer instance, refer to gluon.Trainer:{trainer}"
            )
        return trainer

    # ---- metrics ---------------------------------------------------------------------------------

    @property
    def train_metrics(self) -> list[EvalMetric]:
        """Metrics of the training, the mean loss last."""
        return self._train_metrics

    @property
    def val_metrics(self) -> list[EvalMetric]:
        """Metrics of evaluations, the mean loss last."""
        return self._val_metrics

    # ---- running ---------------------------------------------------------------------------------

    def evaluate(
        self, val_data: DataLoader, batch_axis: int = 0, event_handlers: Any = None
    ) -> None:
        """Update `val_metrics` on a DataLoader."""
        _check_loader(val_data)
        handlers = self._handlers(event_handlers, self._validation_handlers)
        handlers.call("epoch_begin", self)
        for batch in val_data:
            handlers.call("batch_begin", self, batch=batch)
            _, label, pred, loss = self.batch_processor.evaluate_batch(self, batch, batch_axis)
            handlers.call("batch_end", self, batch=batch, pred=pred, label=label, loss=loss)
        handlers.call("epoch_end", self)

    def fit(
        self,
        train_data: DataLoader,
        val_data: DataLoader | None = None,
        epochs: int | None = None,
        event_handlers: Any = None,
        batches: int | None = None,
        batch_axis: int = 0,
    ) -> None:
        """Train on a DataLoader for a number of `epochs` or of `batches`.

        val_data       : evaluated after every epoch.
        event_handlers : handlers; what is not among them (stopping, metrics, validation, updates,
                         logging) gets a default one.
        """
        _check_loader(train_data)
        if bool(epochs) == bool(batches):
            raise ValueError("fit: give one of epochs and batches, how long to train")
        self.max_epoch = epochs
        self.max_batch = batches
        self.batch_axis = batch_axis
        handlers = self._handlers(event_handlers, lambda given: self._defaults(given, val_data))
        handlers.call("train_begin", self)
        done = False
        while not done:
            handlers.call("epoch_begin", self)
            done = self._fit_epoch(train_data, handlers)
            done |= handlers.call("epoch_end", self)
        handlers.call("train_end", self)

    def _fit_epoch(self, train_data: DataLoader, handlers: Handlers) -> bool:
        """Train on all batches, or until a handler has enough; whether one has."""
        batch = None
        for batch in train_data:
            handlers.call("batch_begin", self, batch=batch)
            _, label, pred, loss = self.batch_processor.fit_batch(self, batch, self.batch_axis)
            if handlers.call("batch_end", self, batch=batch, pred=pred, label=label, loss=loss):
                return True
        if batch is None:
            raise ValueError("fit: the DataLoader gives no batches")
        return False

    # ---- handlers --------------------------------------------------------------------------------

    def _handlers(self, given: Any, defaults: Any) -> Handlers:
        """The handlers given and those of `defaults` of which no kind is among them."""
        handlers = _check_event_handlers(given)
        for made in defaults(handlers):
            if not any(isinstance(handler, type(made)) for handler in handlers):
                handlers = [*handlers, made]
        known = [*self._train_metrics, *self._val_metrics]
        for handler in handlers:
            _check_handler_metric_ref(handler, known)
        return Handlers(handlers)

    def _defaults(self, given: list, val_data: DataLoader | None) -> list:
        made: list = [
            StoppingHandler(self.max_epoch, self.max_batch),
            GradientUpdateHandler(),
            MetricHandler(self._train_metrics),
            LoggingHandler(metrics=self._train_metrics),
        ]
        if val_data is not None:
            _check_loader(val_data)
            made.append(ValidationHandler(val_data, self.evaluate))
        return made

    def _validation_handlers(self, given: list) -> list:
        return [MetricHandler(self._val_metrics), LoggingHandler(metrics=self._val_metrics)]


def _check_loss(loss: Any) -> gluon_loss:
    if not isinstance(loss, gluon_loss):
        raise ValueError(f"loss must be a Loss, refer to gluon.loss.Loss:{loss}")
    return loss


def _check_context(context: Any) -> list[Context]:
    if context is None:
        if num_gpus() > 1:
            warnings.warn("gpu(0) alone is used; give `context` a list to use more", stacklevel=3)
        return [gpu(0)] if num_gpus() else [cpu()]
    found = [context] if isinstance(context, Context) else context
    if not isinstance(found, (list, tuple)) or not all(isinstance(c, Context) for c in found):
        raise ValueError(
            f"context must be a Context or a list of Context, for example mx.cpu() or "
            f"[mx.gpu(0), mx.gpu(1)], refer to mxnet.Context:{context}"
        )
    return list(found)


def _check_batch_processor(processor: Any) -> BatchProcessor:
    if processor is None:
        return BatchProcessor()
    if not all(callable(getattr(processor, n, None)) for n in ("fit_batch", "evaluate_batch")):
        raise ValueError(
            "Customized Batch Processor must contain fit_batch() and evaluate_batch() methods"
        )
    return processor


def _check_loader(data: Any) -> None:
    if not isinstance(data, DataLoader):
        raise ValueError(
            f"an Estimator reads a gluon.data.DataLoader, got {type(data).__name__}; put arrays "
            f"into one by way of gluon.data.ArrayDataset"
        )
