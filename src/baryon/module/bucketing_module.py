"""`BucketingModule`: one module for each shape of network, all over the same parameters."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import symbol as sym
from ..checkpoint import load_params
from ..context import Context, cpu
from ..files import write_atomically
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc
from ..name import NameManager  # noqa: F401 - MXNet's name here
from ..ndarray import NDArray
from .base_module import BaseModule
from .inputs import Shapes, _check_input_names
from .module import Module
from .parameters import Params

SymGen = Callable[[Any], tuple[sym.Symbol, Sequence[str], Sequence[str]]]


class BucketingModule(BaseModule):
    """A module for each bucket (such as a sentence length), over shared parameters and memory.

    Batches name their bucket by ``bucket_key`` and its shapes by ``provide_data`` and
    ``provide_label``.

    sym_gen : makes ``(symbol, data_names, label_names)`` for a bucket's key.
    default_bucket_key : the largest bucket, whose memory the others use; it has all parameters.

    >>> def sym_gen(length):
    ...     net = mx.sym.sum(mx.sym.var("data"), axis=1, keepdims=True)
    ...     return mx.sym.LinearRegressionOutput(net, name="softmax"), ("data",), ("softmax_label",)
    >>> model = mx.mod.BucketingModule(sym_gen, default_bucket_key=8)
    >>> model.bind([("data", (2, 8))], [("softmax_label", (2, 1))])
    >>> model.init_params()
    >>> shapes = [mx.io.DataDesc("data", (2, 3))], [mx.io.DataDesc("softmax_label", (2, 1))]
    >>> data = [mx.nd.ones((2, 3))], [mx.nd.zeros((2, 1))]
    >>> model.forward(mx.io.DataBatch(*data, None, None, 3, *shapes), is_train=False)
    >>> model.get_outputs()[0].asnumpy()
    array([[3.],
           [3.]], dtype=float32)
    """

    def __init__(
        self,
        sym_gen: SymGen,
        default_bucket_key: Any = None,
        logger: Any = logging,
        context: Context | Sequence[Context] = cpu(0),  # noqa: B008 - MXNet's default
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(logger)
        if default_bucket_key is None:
            raise AssertionError("default_bucket_key must be given")
        self._default_bucket_key = default_bucket_key
        self._sym_gen = sym_gen
        symbol, data_names, label_names = sym_gen(default_bucket_key)
        for names, what, needed in (
            (data_names, "data", True),
            (label_names, "label", False),
            (state_names, "state", True),
            (fixed_param_names, "fixed_param", True),
        ):
            _check_input_names(symbol, list(names or ()), what, needed)
        self._options = {
            "context": context,
            "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names,
            "state_names": state_names,
            "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }
        self._monitor: Any = None
        self._params: tuple[Params, Params] | None = None
        self._reset_bind()

    def _reset_bind(self) -> None:
        self.binded = False
        self._buckets: dict[Any, Module] = {}
        self._curr_module: Module | None = None
        self._curr_bucket_key: Any = None

    def _make(self, bucket_key: Any) -> Module:
        symbol, data_names, label_names = self._sym_gen(bucket_key)
        return Module(symbol, data_names, label_names, logger=self.logger, **self._options)

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def _current(self) -> Module:
        if not self.binded:
            raise AssertionError("call bind first")
        return self._curr_module

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs of the current bucket."""
        if self.binded:
            return self._current.data_names
        return list(self._sym_gen(self._default_bucket_key)[1])

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of the current bucket."""
        if self.binded:
            return self._current.output_names
        return self._sym_gen(self._default_bucket_key)[0].list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data inputs of the current bucket."""
        return self._current.data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels of the current bucket."""
        return self._current.label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output of the current bucket."""
        return self._current.output_shapes

    @property
    def symbol(self) -> sym.Symbol:
        """The symbol of the current bucket."""
        return self._current.symbol

    # ---- parameters ------------------------------------------------------------------------------

    def get_params(self) -> tuple[Params, Params]:
        """Arguments and auxiliary states by name."""
        self._require_params()
        return self._current.get_params()

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """As `Module.init_params`."""
        if self.params_initialized and not force_init:
            return
        self._current.init_params(
            initializer, arg_params, aux_params, allow_missing, force_init, allow_extra
        )
        self.params_initialized = True

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray],
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """As `Module.set_params`."""
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. set_params call ignored.",
                stacklevel=2,
            )
            return
        self._current.set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """As `Module.get_states`."""
        self._require_params()
        return self._current.get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """As `Module.set_states`."""
        self._require_params()
        self._current.set_states(states, value)

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
        """Bind the default bucket to these shapes."""
        if shared_module is not None:
            raise AssertionError("shared_module for BucketingModule is not supported")
        kept = self.get_params() if self.params_initialized and self.binded else self._params
        if force_rebind:
            self._reset_bind()
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self._grad_req = grad_req
        module = self._make(self._default_bucket_key)
        module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, grad_req=grad_req)
        self._buckets[self._default_bucket_key] = module
        self._curr_module, self._curr_bucket_key = module, self._default_bucket_key
        self.binded = True
        if kept is not None:
            self.set_params(*kept)
            self._params = None

    def switch_bucket(
        self, bucket_key: Any, data_shapes: Shapes, label_shapes: Shapes | None = None
    ) -> None:
        """Go over to a bucket, which is bound when it is met first."""
        current = self._current
        if bucket_key not in self._buckets:
            module = self._make(bucket_key)
            module.bind(
                data_shapes,
                label_shapes,
                current.for_training,
                current.inputs_need_grad,
                shared_module=self._buckets[self._default_bucket_key],
                grad_req=self._grad_req,
            )
            if self._monitor is not None:
                module.install_monitor(self._monitor)
            self._buckets[bucket_key] = module
        chosen = self._buckets[bucket_key]
        # The buckets share one copy of the values that wait to be read back from the executors.
        chosen._params_dirty = chosen._params_dirty or current._params_dirty
        self._curr_module, self._curr_bucket_key = chosen, bucket_key

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Choose an optimizer for all buckets, as `Module.init_optimizer`."""
        self._require_params()
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        current = self._current
        current.init_optimizer(kvstore, optimizer, optimizer_params, force_init=force_init)
        for module in self._buckets.values():
            if module is not current:
                module.borrow_optimizer(current)
        self.optimizer_initialized = True

    # ---- computation -----------------------------------------------------------------------------

    def prepare(
        self, data_batch: DataBatch, sparse_row_id_fn: Callable[..., Any] | None = None
    ) -> None:
        """Bind the bucket of the next batch, if it is new."""
        self._require_params()
        before = self._curr_bucket_key
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._curr_module.prepare(data_batch, sparse_row_id_fn)
        self._curr_module, self._curr_bucket_key = self._buckets[before], before

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch in its bucket."""
        self._require_params()
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        module = self._curr_module
        if self.optimizer_initialized and not module.optimizer_initialized:
            module.borrow_optimizer(self._buckets[self._default_bucket_key])
        module.forward(data_batch, is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients in the current bucket."""
        self._require_params()
        self._current.backward(out_grads)

    def update(self) -> None:
        """Update the parameters by the optimizer."""
        self._current.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Outputs of the last forward pass."""
        self._require_params()
        return self._current.get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Gradients of the data inputs."""
        self._require_params()
        return self._current.get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Feed a metric with labels and the last outputs."""
        self._require_params()
        self._current.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` see the executors of all buckets."""
        self._monitor = mon
        for module in {id(m): m for m in (self._current, *self._buckets.values())}.values():
            module.install_monitor(mon)

    # ---- files -----------------------------------------------------------------------------------

    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Save the buckets' symbols met so far, by key, and the parameters.

        Keys of integers are listed in ``prefix.buckets``, from which MXNet knows what to load.
        """
        self._require_params()
        for key, module in self._buckets.items():
            text = module.symbol.tojson(remove_amp_cast)
            write_atomically(f"{prefix}-{key}-symbol.json", [text.encode()])
        self.save_params(f"{prefix}-{epoch:04d}.params")
        keys = np.array([*self._buckets])
        if keys.dtype.kind == "i":
            nd.save(f"{prefix}.buckets", [nd.array(keys, dtype="int32")])

    @staticmethod
    def load(
        prefix: str,
        epoch: int,
        sym_gen: SymGen | None = None,
        default_bucket_key: Any = None,
        **kwargs: Any,
    ) -> BucketingModule:
        """A module with saved parameters; bind it before use."""
        args, auxs = load_params(prefix, epoch)
        return BucketingModule._with_params(sym_gen, default_bucket_key, args, auxs, kwargs)

    @staticmethod
    def load_dict(
        sym_dict: Mapping[Any, sym.Symbol] | None = None,
        sym_gen: SymGen | None = None,
        default_bucket_key: Any = None,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        **kwargs: Any,
    ) -> BucketingModule:
        """A module with given parameters; bind it before use.

        sym_dict : symbols by bucket, for a default bucket whose symbol was changed, say quantized.
        """
        if sym_dict is not None and sym_gen is not None:
            made = sym_gen

            def sym_gen(key: Any) -> tuple:
                symbol, data_names, label_names = made(key)
                return sym_dict.get(key, symbol), data_names, label_names

        return BucketingModule._with_params(
            sym_gen, default_bucket_key, dict(arg_params or {}), dict(aux_params or {}), kwargs
        )

    @staticmethod
    def _with_params(
        sym_gen: SymGen | None, key: Any, args: Params, auxs: Params, options: dict[str, Any]
    ) -> BucketingModule:
        if sym_gen is None or key is None:
            raise AssertionError("sym_gen and default_bucket_key must be given")
        made = BucketingModule(sym_gen, key, **options)
        made._params = args, auxs
        return made
