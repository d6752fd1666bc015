"""What all modules are: a training loop over methods that subclasses define or override."""

from __future__ import annotations

import logging
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import metric
from .. import ndarray as nd
from ..base import _as_list
from ..checkpoint import load_named, save_named
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from ..symbol import Symbol
from .inputs import Shapes, _check_input_names, _check_names_match, _parse_data_desc  # noqa: F401

# What batch and evaluation callbacks are given.
BatchEndParam = namedtuple("BatchEndParams", ["epoch", "nbatch", "eval_metric", "locals"])

Callback = Callable[..., Any]


class BaseModule:
    """Base of the modules: what they must define, and `fit`, `score` and `predict` over that.

    A module is bound to shapes (`bind`), gets values (`init_params`) and an optimizer
    (`init_optimizer`), and then does `forward`, `backward` and `update` batch by batch. The flags
    ``binded``, ``params_initialized`` and ``optimizer_initialized`` tell how far it is.
    """

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = False
        self.for_training = False
        self.inputs_need_grad = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self._symbol: Symbol | None = None

    # ---- the training loop -----------------------------------------------------------------------

    def forward_backward(self, data_batch: DataBatch) -> None:
        """`forward` in training mode, then `backward`."""
        self.forward(data_batch, is_train=True)
        self.backward()

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
            self.forward_backward(batch)
            self.update()
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
        for count, batch in enumerate(
            self._batches(eval_data, num_batch, reset, sparse_row_id_fn)
        ):
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

    def _require_params(self) -> None:
        if not (self.binded and self.params_initialized):
            raise AssertionError("call bind and init_params first")

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def symbol(self) -> Symbol | None:
        """The symbol, where the module has one."""
        return self._symbol

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        raise NotImplementedError

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        raise NotImplementedError

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data inputs; the module must be bound."""
        raise NotImplementedError

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels, None or empty where there are none; after `bind`."""
        raise NotImplementedError

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output; the module must be bound."""
        raise NotImplementedError

    # ---- parameters ------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of arguments and auxiliary states by name."""
        raise NotImplementedError

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give parameters their first values: the given ones, else the initializer's.

        allow_missing : whether the initializer may fill what the given values lack.
        force_init    : do it though it was done already.
        allow_extra   : whether values may be given that the module has no parameter for.
        """
        raise NotImplementedError

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray],
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set parameters; flags as in `init_params`, and what is missing keeps its value."""
        self.init_params(
            initializer=None,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )

    def save_params(self, fname: str) -> None:
        """Save all parameters to a file."""
        save_named(fname, *self.get_params())

    def load_params(self, fname: str) -> None:
        """Set parameters from what `save_params` wrote."""
        self.set_params(*load_named(fname))

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Values of the states, for modules that have some."""
        self._require_params()
        if merge_multi_context:
            raise AssertionError("a module without states has none to merge")
        return []

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states to arrays or to one number, for modules that have some."""
        self._require_params()
        if states or value:
            raise AssertionError("this module has no states")

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` see all executors."""
        raise NotImplementedError

    # ---- computation -----------------------------------------------------------------------------

    def prepare(
        self, data_batch: DataBatch, sparse_row_id_fn: Callable[..., Any] | None = None
    ) -> None:
        """Get ready for the next batch; called before its forward pass."""

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs; ``is_train`` defaults to ``for_training``."""
        raise NotImplementedError

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; ``out_grads`` are those of the outputs where these are no losses."""
        raise NotImplementedError

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Outputs of the last forward pass, joined over contexts or a list by context each."""
        raise NotImplementedError

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Gradients of the data inputs, for modules bound with ``inputs_need_grad``."""
        raise NotImplementedError

    def update(self) -> None:
        """Update the parameters by the optimizer and the gradients of the last batch."""
        raise NotImplementedError

    def update_metric(
        self, eval_metric: metric.EvalMetric, labels: Any, pre_sliced: bool = False
    ) -> None:
        """Feed a metric with labels and the last outputs.

        pre_sliced : whether ``labels`` is a list by context.
        """
        raise NotImplementedError

    # ---- binding ---------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Shapes,
        label_shapes: Shapes | None = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: BaseModule | None = None,
        grad_req: Any = "write",
    ) -> None:
        """Make executors for these shapes.

        inputs_need_grad : also compute gradients of the data inputs.
        force_rebind     : bind again if bound already.
        shared_module    : module whose parameters and memory are used, as for buckets.
        grad_req         : ``"write"``, ``"add"`` or ``"null"``, for all, a list or by name.
        """
        raise NotImplementedError

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Choose a store and an optimizer (a name with its parameters, or an object)."""
        raise NotImplementedError


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
