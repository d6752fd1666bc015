"""What all modules are: a training loop over methods that subclasses define or override."""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import metric
from .. import ndarray as nd
from ..base import _as_list
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc, DataIter  # noqa: F401 - MXNet's names here
from ..ndarray import NDArray
from .inputs import Shapes, _check_input_names, _check_names_match, _parse_data_desc  # noqa: F401
from .interface import ModuleInterface

# What batch and evaluation callbacks are given.
BatchEndParam = namedtuple("BatchEndParams", ["epoch", "nbatch", "eval_metric", "locals"])

Callback = Callable[..., Any]


class BaseModule(ModuleInterface):
    """Base of the modules: what they must define, and `fit`, `score` and `predict` over that.

    A module is bound to shapes (`bind`), gets values (`init_params`) and an optimizer
    (`init_optimizer`), and then does `forward`, `backward` and `update` batch by batch. The flags
    ``binded``, ``params_initialized`` and ``optimizer_initialized`` tell how far it is.

    >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    >>> model = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    >>> data = mx.io.NDArrayIter(np.eye(4), np.array([0, 1, 1, 0]), batch_size=4)
    >>> model.fit(data, num_epoch=20, optimizer_params={"learning_rate": 1.0})
    >>> model.score(data, "acc")
    [('accuracy', 1.0)]
    """

    # ---- the training loop -----------------------------------------------------------------------

    def forward_backward(self, data_batch: DataBatch) -> None:
        """`forward` in training mode, then `backward`."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def _train_on(self, data_batch: DataBatch) -> None:
        """One step of `fit`."""
        self.forward_backward(data_batch)
        self.update()

    def fit(
        self,
        train_data: Any,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Callback | Sequence[Callback] | None = None,
        batch_end_callback: Callback | Sequence[Callback] | None = None,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        eval_end_callback: Callback | Sequence[Callback] | None = None,
        eval_batch_end_callback: Callback | Sequence[Callback] | None = None,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_rebind: bool = False,
        force_init: bool = False,
        begin_epoch: int = 0,
        num_epoch: int | None = None,
        validation_metric: Any = None,
        monitor: Any = None,
        sparse_row_id_fn: Callable[..., Any] | None = None,
    ) -> None:
        """Train on an iterator for the epochs from ``begin_epoch`` up to ``num_epoch``.

        Binds and initializes first, where that has not been done. After each epoch the training
        metric is logged, parameters are synchronised over contexts, ``epoch_end_callback(epoch,
        symbol, arg_params, aux_params)`` is called, and ``eval_data``, if any, is scored.

        eval_metric, validation_metric : metrics, or what `metric.create` makes them from.
        batch_end_callback : called with a `BatchEndParam` after each batch.
        eval_end_callback, eval_batch_end_callback : as in `score`.
        initializer, arg_params, aux_params, allow_missing, force_init : as in `init_params`.
        """
        if num_epoch is None:
            raise AssertionError("please specify number of epochs")
        self.bind(
            data_shapes=train_data.provide_data,
            label_shapes=train_data.provide_label,
            for_training=True,
            force_rebind=force_rebind,
        )
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(
            initializer=initializer,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
        )
        self.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=optimizer_params)
        eval_metric = metric.create(eval_metric)
        if validation_metric is None:
            validation_metric = eval_metric
        for epoch in range(begin_epoch, num_epoch):
            began = time.time()
            values = self._train_epoch(
                epoch, train_data, eval_metric, batch_end_callback, monitor, sparse_row_id_fn
            )
            for name, value in values:
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - began)
            arg_now, aux_now = self.get_params()  # contexts may differ in auxiliary states
            self.set_params(arg_now, aux_now)
            for callback in _callbacks(epoch_end_callback):
                callback(epoch, self.symbol, arg_now, aux_now)
            if eval_data is not None:
                values = self.score(
                    eval_data,
                    validation_metric,
                    score_end_callback=eval_end_callback,
                    batch_end_callback=eval_batch_end_callback,
                    epoch=epoch,
                )
                for name, value in values:
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def _train_epoch(
        self,
        epoch: int,
        train_data: Any,
        eval_metric: metric.EvalMetric,
        batch_end_callback: Any,
        monitor: Any,
        sparse_row_id_fn: Any,
    ) -> list[tuple[str, float]]:
        """One pass over the data; the metric's values, whatever callbacks did to its local sums."""
        eval_metric.reset()
        batches = iter(train_data)
        batch = next(batches, None)
        if batch is None:  # it was used up before
            train_data.reset()
            batches = iter(train_data)
            batch = next(batches, None)
        if batch is None:
            raise ValueError("the training data have no batch")
        nbatch = 0
        values: list[tuple[str, float]] = []
        while batch is not None:
            if monitor is not None:
                monitor.tic()
            self._train_on(batch)
            several = isinstance(batch, list)
            labels = [b.label for b in batch] if several else batch.label
            self.update_metric(eval_metric, labels, pre_sliced=several)
            following = next(batches, None)
            if following is not None:
                self.prepare(following, sparse_row_id_fn=sparse_row_id_fn)
            if monitor is not None:
                monitor.toc_print()
            if following is None:
                values = eval_metric.get_global_name_value()
            _call(batch_end_callback, self, epoch, nbatch, eval_metric, batch)
            batch = following
            nbatch += 1
        return values

    def score(
        self,
        eval_data: Any,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Callback | Sequence[Callback] | None = None,
        score_end_callback: Callback | Sequence[Callback] | None = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Callable[..., Any] | None = None,
    ) -> list[tuple[str, float]]:
        """The metric over an iterator, or its first ``num_batch`` batches, as (name, value) pairs.

        The callbacks are given a `BatchEndParam` after each batch and at the end.
        """
        self._require_params()
        eval_metric = metric.create(eval_metric)
        eval_metric.reset()
        count, batch = 0, None
        for batch in self._batches(eval_data, num_batch, reset, sparse_row_id_fn):
            several = isinstance(batch, list)
            labels = [b.label for b in batch] if several else batch.label
            self.update_metric(eval_metric, labels, pre_sliced=several)
            _call(batch_end_callback, self, epoch, count, eval_metric, batch)
            count += 1
        _call(score_end_callback, self, epoch, count, eval_metric, batch)
        return eval_metric.get_global_name_value()

    def _batches(
        self, eval_data: Any, num_batch: int | None, reset: bool, sparse_row_id_fn: Any
    ) -> Iterator[Any]:
        """The batches of an iterator, each after its forward pass."""
        if reset:
            eval_data.reset()
        for count, batch in enumerate(eval_data):
            if count == num_batch:
                break
            self.prepare(batch, sparse_row_id_fn=sparse_row_id_fn)
            self.forward(batch, is_train=False)
            yield batch

    def iter_predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        reset: bool = True,
        sparse_row_id_fn: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[list[NDArray], int, DataBatch]]:
        """Yield (outputs without padding, batch number, batch) for each batch of an iterator.

        The outputs are views of memory that the next batch overwrites.
        """
        self._require_params()
        for count, batch in enumerate(self._batches(eval_data, num_batch, reset, sparse_row_id_fn)):
            pad = batch.pad or 0
            yield [out[: out.shape[0] - pad] for out in self.get_outputs()], count, batch

    def predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Callable[..., Any] | None = None,
    ) -> Any:
        """Outputs for an iterator, padding removed, or for one array.

        They are joined along the first axis: one array, or a list where there are several outputs
        (or with ``always_output_list``). ``merge_batches=False`` gives a list of lists by batch.
        """
        self._require_params()
        if isinstance(eval_data, NDArray | np.ndarray):
            data = nd.array(eval_data) if isinstance(eval_data, np.ndarray) else eval_data
            self.forward(DataBatch([data]), is_train=False)
            return self.get_outputs()[0].copy()
        if not hasattr(eval_data, "reset") or not hasattr(eval_data, "__iter__"):
            raise ValueError("eval_data must be of type NDArray or DataIter")
        found = [
            [out.copy() for out in outs]
            for outs, _, _ in self.iter_predict(eval_data, num_batch, reset, sparse_row_id_fn)
        ]
        if not found or not merge_batches:
            return found
        if any(len(outs) != len(found[0]) for outs in found):
            raise AssertionError(
                "Cannot merge batches, as num of outputs is not the same in mini-batches. "
                "Maybe bucketing is used?"
            )
        merged = [nd.concatenate(list(outs)) for outs in zip(*found, strict=True)]
        return merged[0] if len(merged) == 1 and not always_output_list else merged


def _callbacks(given: Callback | Sequence[Callback] | None) -> Sequence[Callback]:
    return [] if given is None else _as_list(given)


def _call(
    given: Any, module: BaseModule, epoch: int, nbatch: int, eval_metric: Any, batch: Any
) -> None:
    """Call batch callbacks. ``locals`` are what MXNet's have that callbacks use."""
    if given is None:
        return
    known = {"self": module, "epoch": epoch, "nbatch": nbatch, "eval_metric": eval_metric,
             "data_batch": batch, "eval_batch": batch}  # fmt: skip
    params = BatchEndParam(epoch, nbatch, eval_metric, known)
    for callback in _callbacks(given):
        callback(params)
