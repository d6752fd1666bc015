"""The moments of training at which an Estimator calls its handlers."""

from __future__ import annotations

from typing import Any


class EventHandler:
    """The base of all handlers; those with a lower ``priority`` (default 0) are called first."""


class TrainBegin(EventHandler):
    """Handlers that are called before the first batch."""

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called once before training."""


class TrainEnd(EventHandler):
    """Handlers that are called after the last batch."""

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called once after training."""


class EpochBegin(EventHandler):
    """Handlers that are called before every epoch."""

    def epoch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called before each epoch, and before an evaluation."""


class EpochEnd(EventHandler):
    """Handlers that are called after every epoch; they may end the training.

    >>> net = mx.gluon.nn.Dense(1, in_units=2)
    >>> net.initialize(mx.init.Zero())
    >>> module = mx.gluon.contrib.estimator
    >>> loss, trainer = mx.gluon.loss.L2Loss(), mx.gluon.Trainer(net.collect_params(), "sgd")
    >>> estimator = module.Estimator(net, loss, mx.metric.MAE(), trainer=trainer)
    >>> estimator.logger.setLevel("WARNING")
    >>> pairs = mx.gluon.data.ArrayDataset(np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
    >>> class Count(module.EpochEnd):
    ...     epochs = 0
    ...     def epoch_end(self, estimator, *args, **kwargs):
    ...         self.epochs += 1
    >>> count = Count()
    >>> estimator.fit(mx.gluon.data.DataLoader(pairs, 4), epochs=3, event_handlers=[count])
    >>> count.epochs
    3
    """

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool | None:
        """Called after each epoch, and after an evaluation; True ends the training."""
        return False


class BatchBegin(EventHandler):
    """Handlers that are called before every batch."""

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called with the keyword `batch`."""


class BatchEnd(EventHandler):
    """Handlers that are called after every batch; they may end the training."""

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool | None:
        """Called with the keywords `batch`, `pred`, `label` and `loss`; True ends the training."""
        return False


EVENTS = {
    "train_begin": TrainBegin,
    "epoch_begin": EpochBegin,
    "batch_begin": BatchBegin,
    "batch_end": BatchEnd,
    "epoch_end": EpochEnd,
    "train_end": TrainEnd,
}


class Handlers:
    """Handlers sorted by event and priority."""

    def __init__(self, handlers: list[EventHandler]) -> None:
        ordered = sorted(handlers, key=lambda h: getattr(h, "priority", 0))
        self._by_event = {
            event: [h for h in ordered if isinstance(h, kind)] for event, kind in EVENTS.items()
        }

    def call(self, event: str, estimator: Any, **facts: Any) -> bool:
        """Call every handler of an event; whether one of them wants to end the training."""
        answers = [getattr(h, event)(estimator, **facts) for h in self._by_event[event]]
        return any(answers)


def _check_event_handlers(handlers: Any) -> list[EventHandler]:
    """Handlers as a list; ValueError for anything that is none."""
    if handlers is None:
        return []
    if isinstance(handlers, EventHandler):
        return [handlers]
    handlers = list(handlers)
    if not all(isinstance(handler, EventHandler) for handler in handlers):
        raise ValueError(
            f"handlers must be an EventHandler or a list of EventHandler, got: {handlers}"
        )
    return handlers
