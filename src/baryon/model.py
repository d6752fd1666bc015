"""Checkpoints, and `FeedForward`, the training class before modules (``mxnet.model``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import metric
from .base import MXNetError, _as_list
from .callback import LogValidationMetricsCallback
from .checkpoint import load_checkpoint, load_params, save_checkpoint
from .context import Context, current_context
from .initializer import Initializer, Uniform
from .io import DataDesc, DataIter, NDArrayIter, ResizeIter  # noqa: F401 - DataDesc: MXNet's

# Programs import these four from here.
from .kvstore.training import create_kvstore as _create_kvstore  # noqa: F401
from .kvstore.training import initialize_kvstore as _initialize_kvstore  # noqa: F401
from .kvstore.training import update_params as _update_params  # noqa: F401
from .kvstore.training import update_params_on_kvstore as _update_params_on_kvstore  # noqa: F401
from .module import BucketingModule, Module
from .module.base_module import BatchEndParam
from .ndarray import NDArray
from .symbol import Symbol

__all__ = [
    "BatchEndParam",
    "FeedForward",
    "load_checkpoint",
    "load_params",
    "save_checkpoint",
]


class FeedForward:
    """A network that is fitted to arrays or iterators; superseded by `Module`, on which it stands.

    Parameters
    ----------
    symbol : the network, or a function that makes it from ``default_bucket_key``.
    ctx : a context or several (default: the current one).
    num_epoch, epoch_size : epochs to train; batches an epoch (default: all).
    optimizer, initializer : a name or an Optimizer, with its parameters in ``kwargs``.
    numpy_batch_size : batch size for arrays.
    arg_params, aux_params, allow_extra_params : first values; whether some may be of no use.
    begin_epoch : number of the first epoch.

    >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    >>> net = mx.sym.SoftmaxOutput(net, name="softmax")
    >>> model = mx.model.FeedForward(net, num_epoch=20, learning_rate=1.0, numpy_batch_size=4)
    >>> model.fit(np.eye(4), np.array([0, 1, 1, 0]))
    >>> model.predict(np.eye(4)).argmax(axis=1)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        symbol: Any,
        ctx: Context | Sequence[Context] | None = None,
        num_epoch: int | None = None,
        epoch_size: int | None = None,
        optimizer: Any = "sgd",
        initializer: Initializer = Uniform(0.01),  # noqa: B008 - MXNet's default
        numpy_batch_size: int = 128,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
        begin_epoch: int = 0,
        **kwargs: Any,
    ) -> None:
        if isinstance(symbol, Symbol):
            self.symbol, self.sym_gen = symbol, None
        elif callable(symbol):
            self.symbol, self.sym_gen = None, symbol
        else:
            raise TypeError(f"symbol must be a Symbol or a function, got {type(symbol).__name__}")
        self.arg_params = arg_params
        self.aux_params = aux_params
        self.allow_extra_params = allow_extra_params
        if arg_params is not None and self.symbol is not None:
            self._check_arguments()
        self.ctx = [current_context()] if ctx is None else _as_list(ctx)
        self.num_epoch = num_epoch
        self.epoch_size = epoch_size
        self.kwargs = kwargs.copy()
        self.optimizer = optimizer
        self.initializer = initializer
        self.numpy_batch_size = numpy_batch_size
        self.begin_epoch = begin_epoch

    def _check_arguments(self) -> None:
        """ValueError for values that the symbol has no argument for, or their removal."""
        for kind, names in (
            ("arg_params", set(self.symbol.list_arguments())),
            ("aux_params", set(self.symbol.list_auxiliary_states())),
        ):
            given = getattr(self, kind) or {}
            extra = sorted(set(given) - names)
            if extra and not self.allow_extra_params:
                raise ValueError(f"{kind}: the symbol has no {extra[0]!r}")
            setattr(self, kind, {n: v for n, v in given.items() if n in names})

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # ---- data ------------------------------------------------------------------------------------

    def _init_iter(self, X: Any, y: Any, is_train: bool) -> Any:
        """An iterator over arrays, or the iterator that was given."""
        if not isinstance(X, np.ndarray | NDArray):
            if not isinstance(X, DataIter) and not hasattr(X, "provide_data"):
                raise TypeError("X must be DataIter, NDArray or numpy.ndarray")
            return X
        if y is None:
            if is_train:
                raise ValueError("y must be specified when X is numpy.ndarray")
            y = np.zeros(X.shape[0], "float32")
        y = np.asarray(y.asnumpy() if isinstance(y, NDArray) else y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.reshape(-1)
        if y.ndim != 1 or y.shape[0] != X.shape[0]:
            raise ValueError(
                f"Label must be 1D or 2D (with 2nd dimension being 1), one for each of the "
                f"{X.shape[0]} samples; got shape {y.shape}"
            )
        size = min(X.shape[0], self.numpy_batch_size)
        ending = "roll_over" if is_train else "pad"
        return NDArrayIter(X, y, size, shuffle=is_train, last_batch_handle=ending)

    def _init_eval_iter(self, eval_data: Any) -> Any:
        """As `_init_iter` for a pair (X, y), an iterator or None."""
        if isinstance(eval_data, tuple | list) and len(eval_data) == 2:
            if eval_data[0] is None:
                raise ValueError("Eval data is NONE")
            if eval_data[1] is None and isinstance(eval_data[0], DataIter):
                return eval_data[0]
            return self._init_iter(np.array(_plain(eval_data[0])), _plain(eval_data[1]), False)
        if eval_data is not None and not hasattr(eval_data, "provide_data"):
            raise TypeError("Eval data must be DataIter, or NDArray/numpy.ndarray/list pair (X, y)")
        return eval_data

    # ---- training and use ------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        logger: Any = None,
        work_load_list: Sequence[float] | None = None,
        monitor: Any = None,
        eval_end_callback: Any = LogValidationMetricsCallback(),  # noqa: B008 - MXNet's default
        eval_batch_end_callback: Any = None,
    ) -> None:
        """Train on an iterator, or on arrays ``X`` and ``y``; arguments as in `BaseModule.fit`."""
        data = self._init_iter(X, y, is_train=True)
        eval_data = self._init_eval_iter(eval_data)
        data.reset()
        if isinstance(eval_end_callback, LogValidationMetricsCallback):
            eval_end_callback = None  # modules log the same by themselves
        if self.epoch_size is not None:
            data = ResizeIter(data, self.epoch_size, reset_internal=False)
        module = self._training_module(data, logger or logging, work_load_list)
        module.fit(
            data,
            eval_data,
            eval_metric=eval_metric,
            epoch_end_callback=epoch_end_callback,
            batch_end_callback=batch_end_callback,
            kvstore=kvstore,
            optimizer=self.optimizer,
            optimizer_params=self.kwargs,
            eval_end_callback=eval_end_callback,
            eval_batch_end_callback=eval_batch_end_callback,
            initializer=self.initializer,
            arg_params=self.arg_params,
            aux_params=self.aux_params,
            allow_missing=True,
            begin_epoch=self.begin_epoch,
            num_epoch=self.num_epoch,
            monitor=monitor,
        )
        self.arg_params, self.aux_params = module.get_params()
        self.symbol = module.symbol

    def _training_module(self, data: Any, logger: Any, loads: Any) -> Module | BucketingModule:
        """A module for an iterator's inputs."""
        names = [[desc[0] for desc in given] for given in (data.provide_data, data.provide_label)]
        options = {"logger": logger, "context": self.ctx, "work_load_list": loads}
        if self.sym_gen is None:
            return Module(self.symbol, *names, **options)
        return BucketingModule(
            lambda key: (self.sym_gen(key), *names), data.default_bucket_key, **options
        )

    def _predictor(self, data: Any) -> Module:
        """A module with the current values, bound to an iterator's data."""
        if self.symbol is None or self.arg_params is None:
            raise MXNetError("FeedForward has no parameters yet: call fit, or give arg_params")
        shapes = {desc[0]: desc[1] for desc in data.provide_data}
        inferred, _, _ = self.symbol.infer_shape_partial(**shapes)
        arguments = dict(zip(self.symbol.list_arguments(), inferred, strict=True))
        labels = [n for n in arguments if n not in shapes and n not in self.arg_params]
        module = Module(self.symbol, [*shapes], labels, context=self.ctx[0])
        module.bind(data.provide_data, [(n, arguments[n]) for n in labels], for_training=False)
        module.init_params(None, self.arg_params, self.aux_params, allow_extra=True)
        return module

    def predict(
        self, X: Any, num_batch: int | None = None, return_data: bool = False, reset: bool = True
    ) -> Any:
        """Outputs as numpy arrays (one, or a list), for arrays or an iterator.

        return_data : also return the data and labels: ``(outputs, data, labels)``.
        """
        source = self._init_iter(X, None, is_train=False)
        predicted = self._predictor(source).iter_predict(source, num_batch, reset)
        found: list[tuple[list, list, list]] = []
        for outputs, _, batch in predicted:
            kept = batch.data[0].shape[0] - (batch.pad or 0)
            inputs = [
                [x[:kept].asnumpy() for x in part or ()] for part in (batch.data, batch.label)
            ]
            found.append(([x.asnumpy() for x in outputs], *inputs))
        joined = [_joined(part) for part in zip(*found, strict=True)]
        return tuple(joined) if return_data else joined[0]

    def score(
        self,
        X: Any,
        eval_metric: Any = "acc",
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        reset: bool = True,
    ) -> Any:
        """The value of a metric (a list for several) over arrays or an iterator."""
        source = self._init_iter(X, None, is_train=False)
        eval_metric = metric.create(eval_metric)
        module = self._predictor(source)
        module.score(source, eval_metric, num_batch, batch_end_callback, reset=reset)
        return eval_metric.get()[1]

    # ---- files -----------------------------------------------------------------------------------

    def save(self, prefix: str, epoch: int | None = None, remove_amp_cast: bool = True) -> None:
        """Save a checkpoint, by default as the last epoch's."""
        if epoch is None:
            epoch = self.num_epoch
        if epoch is None:
            raise AssertionError("give the epoch, or num_epoch to the class")
        save_checkpoint(
            prefix, epoch, self.symbol, self.arg_params, self.aux_params, remove_amp_cast
        )

    @staticmethod
    def load(
        prefix: str, epoch: int, ctx: Context | Sequence[Context] | None = None, **kwargs: Any
    ) -> FeedForward:
        """A model from a checkpoint, to predict with or to train on."""
        symbol, args, auxs = load_checkpoint(prefix, epoch)
        return FeedForward(
            symbol, ctx=ctx, arg_params=args, aux_params=auxs, begin_epoch=epoch, **kwargs
        )

    @staticmethod
    def create(
        symbol: Any,
        X: Any,
        y: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        num_epoch: int | None = None,
        epoch_size: int | None = None,
        optimizer: Any = "sgd",
        initializer: Initializer = Uniform(0.01),  # noqa: B008 - MXNet's default
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        logger: Any = None,
        work_load_list: Sequence[float] | None = None,
        eval_end_callback: Any = LogValidationMetricsCallback(),  # noqa: B008 - MXNet's default
        eval_batch_end_callback: Any = None,
        **kwargs: Any,
    ) -> FeedForward:
        """A model, fitted at once; arguments as for the class and `fit`."""
        model = FeedForward(
            symbol,
            ctx=ctx,
            num_epoch=num_epoch,
            epoch_size=epoch_size,
            optimizer=optimizer,
            initializer=initializer,
            **kwargs,
        )
        model.fit(
            X,
            y,
            eval_data=eval_data,
            eval_metric=eval_metric,
            epoch_end_callback=epoch_end_callback,
            batch_end_callback=batch_end_callback,
            kvstore=kvstore,
            logger=logger,
            work_load_list=work_load_list,
            eval_end_callback=eval_end_callback,
            eval_batch_end_callback=eval_batch_end_callback,
        )
        return model


def _plain(values: Any) -> Any:
    return values.asnumpy() if isinstance(values, NDArray) else values


def _joined(batches: Sequence[list[np.ndarray]]) -> Any:
    """Arrays joined over batches: one, or a list where there are several a batch."""
    joined = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    return joined[0] if len(joined) == 1 else joined
