"""`Module`: a symbol with parameters, on one or several contexts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from ..checkpoint import load_checkpoint
from ..context import Context, cpu
from ..io import DataBatch, DataDesc
from ..optimizer.whole_step import train
from ..symbol import Symbol
from .base_module import BaseModule
from .executor_group import DataParallelExecutorGroup
from .inputs import Shapes, _check_input_names, _parse_data_desc
from .parameters import ParametrizedModule, Params

_PARTS_OF_A_STEP = ("forward", "backward", "forward_backward", "update")


class Module(ParametrizedModule):
    """A symbol with its parameters and optimizer.

    Parameters
    ----------
    symbol : the network, usually with a loss as output.
    data_names, label_names, state_names : which arguments are inputs, and which states that stay
        from batch to batch; all others are parameters.
    context : a context, or several, among which batches are divided by ``work_load_list``.
    fixed_param_names : parameters that are not trained.
    group2ctxs : for each ``ctx_group`` of the symbol, its context (or a list by context).
    compression_params : gradient compression, as `KVStore.set_gradient_compression` takes it.

    >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    >>> mod = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    >>> data = mx.io.NDArrayIter(np.eye(4), np.array([0, 1, 1, 0]), batch_size=2)
    >>> mod.fit(data, num_epoch=20, optimizer_params={"learning_rate": 1.0})
    >>> mod.score(data, "acc")
    [('accuracy', 1.0)]
    """

    def __init__(
        self,
        symbol: Symbol,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] = cpu(0),  # noqa: B008 - MXNet's default
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(logger)
        self._context = [context] if isinstance(context, Context) else list(context)
        self._work_load_list = list(work_load_list or [1] * len(self._context))
        if len(self._work_load_list) != len(self._context):
            raise AssertionError(
                f"work_load_list has {len(self._work_load_list)} entries for "
                f"{len(self._context)} contexts"
            )
        self._group2ctxs = group2ctxs
        self._symbol = symbol
        self._data_names = list(data_names or ())
        self._label_names = list(label_names or ())
        self._state_names = list(state_names or ())
        self._fixed_param_names = list(fixed_param_names or ())
        for names, what, needed in (
            (self._data_names, "data", True),
            (self._label_names, "label", False),
            (self._state_names, "state", True),
            (self._fixed_param_names, "fixed_param", True),
        ):
            _check_input_names(symbol, names, what, needed)
        inputs = {*self._data_names, *self._label_names, *self._state_names}
        self._param_names = [n for n in symbol.list_arguments() if n not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._output_names = symbol.list_outputs()
        self._arg_params: Params | None = None
        self._aux_params: Params | None = None
        self._params_dirty = False  # the executors' values are newer than those kept here
        self._start_without_optimizer(compression_params)
        self._grad_req: Any = None
        self._reset_bind()

    # ---- files -----------------------------------------------------------------------------------

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """A module from a checkpoint; further arguments as for the class.

        load_optimizer_states : whether to read ``prefix-EPOCH.states`` in `init_optimizer`.
        """
        symbol, args, auxs = load_checkpoint(prefix, epoch)
        made = Module(symbol=symbol, **kwargs)
        made._arg_params, made._aux_params = args, auxs
        made.params_initialized = True
        if load_optimizer_states:
            made._preload_opt_states = f"{prefix}-{epoch:04d}.states"
        return made

    def save_checkpoint(
        self,
        prefix: str,
        epoch: int,
        save_optimizer_states: bool = False,
        remove_amp_cast: bool = True,
    ) -> None:
        """Save symbol, parameters and, if wanted, optimizer states as ``prefix-...`` files."""
        self._symbol.save(f"{prefix}-symbol.json", remove_amp_cast)
        stem = f"{prefix}-{epoch:04d}"
        self.save_params(f"{stem}.params")
        logging.info('Saved checkpoint to "%s"', f"{stem}.params")
        if save_optimizer_states:
            self.save_optimizer_states(f"{stem}.states")
            logging.info('Saved optimizer state to "%s"', f"{stem}.states")

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        return self._data_names

    @property
    def label_names(self) -> list[str]:
        """Names of the labels."""
        return self._label_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data inputs."""
        self._require_bound()
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels, None where the module was bound without."""
        self._require_bound()
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output."""
        self._require_bound()
        return self._exec_group.get_output_shapes()

    def _require_bound(self) -> None:
        if not self.binded:
            raise AssertionError("call bind first")

    # ---- binding ---------------------------------------------------------------------------------

    def _reset_bind(self) -> None:
        self.binded = False
        self._exec_group: DataParallelExecutorGroup | None = None
        self._data_shapes: list[DataDesc] | None = None
        self._label_shapes: list[DataDesc] | None = None

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
        """Make executors for these shapes; parameters keep their values."""
        if force_rebind:
            if self.binded and self._params_dirty:
                self._sync_params_from_devices()
            self._reset_bind()
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise AssertionError("inputs_need_grad needs for_training")
        if shared_module is not None and not (
            isinstance(shared_module, Module)
            and shared_module.binded
            and shared_module.params_initialized
        ):
            raise AssertionError("shared_module must be a Module, bound and initialized")
        data, label = _parse_data_desc(
            self._data_names, self._label_names, data_shapes, label_shapes
        )
        self._exec_group = DataParallelExecutorGroup(
            self._symbol,
            self._context,
            self._work_load_list,
            data,
            label,
            self._param_names,
            for_training,
            inputs_need_grad,
            shared_module and shared_module._exec_group,
            logger=self.logger,
            fixed_param_names=self._fixed_param_names,
            grad_req=grad_req,
            state_names=self._state_names,
            group2ctxs=self._group2ctxs,
        )
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self._grad_req, self.binded = grad_req, True
        self._note_shapes(data, label)
        if shared_module is not None:
            self.params_initialized = True
            self._arg_params = shared_module._arg_params
            self._aux_params = shared_module._aux_params
            if shared_module.optimizer_initialized:
                self.borrow_optimizer(shared_module)
        elif self.params_initialized:
            self._exec_group.set_params(self._arg_params, self._aux_params)

    def _note_shapes(self, data: list[DataDesc], label: list[DataDesc] | None) -> None:
        self._data_shapes, self._label_shapes = data, label
        self._bound_data = [tuple(desc.shape) for desc in data]
        self._bound_label = [tuple(desc.shape) for desc in label or ()]

    def reshape(self, data_shapes: Shapes, label_shapes: Shapes | None = None) -> None:
        """Go over to other input shapes; parameters stay, and so do executors for old shapes."""
        self._require_bound()
        data, label = _parse_data_desc(
            self._data_names, self._label_names, data_shapes, label_shapes
        )
        self._exec_group.reshape(data, label)
        self._note_shapes(data, label)

    # ---- computation -----------------------------------------------------------------------------

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch, whose shapes may differ from those bound."""
        self._require_params()
        self._fit_to(data_batch)
        self._exec_group.forward(data_batch, is_train)

    def _train_on(self, data_batch: DataBatch) -> None:
        """One step of `fit`: one program where nobody can look between its parts."""
        if not self._trains_whole() or isinstance(data_batch, list):
            super()._train_on(data_batch)
            return
        self._require_params()
        self._fit_to(data_batch)
        self._exec_group.load(data_batch)
        executor = self._exec_group.execs[0]
        names = [n for n in self._exec_group.param_names if n in executor.arg_dict]
        wanted = [(i, n) for i, n in enumerate(names) if executor.grad_dict[n] is not None]
        if wanted and train(executor, self._updater, *map(list, zip(*wanted, strict=True))):
            self._params_dirty = True
        else:
            super()._train_on(data_batch)

    def _trains_whole(self) -> bool:
        """Whether a step is the executor's passes and the updater's call, as written here."""
        own = type(self) is Module and vars(self).keys().isdisjoint(_PARTS_OF_A_STEP)
        alone = self._kvstore is None and self._updater is not None and len(self._context) == 1
        return own and alone and self.for_training

    def _fit_to(self, data_batch: DataBatch) -> None:
        """Go over to a batch's shapes."""
        if not isinstance(data_batch, list):
            shapes = [x.shape for x in data_batch.data]
            labels = [x.shape for x in data_batch.label or ()]
            if shapes != self._bound_data or (labels and labels != self._bound_label):
                self._refit(data_batch, shapes, labels)

    def _refit(self, batch: DataBatch, shapes: list[tuple], labels: list[tuple]) -> None:
        """Reshape for a batch; where it has no labels, those bound follow its size."""
        if len(shapes) != len(self._data_shapes):
            raise MXNetError(
                f"the module takes {len(self._data_shapes)} data inputs, got {len(shapes)}"
            )
        data = getattr(batch, "provide_data", None) or _like(self._data_shapes, shapes)
        label = getattr(batch, "provide_label", None)
        if not label and self._label_shapes:
            axis = DataDesc.get_batch_axis(self._data_shapes[0].layout)
            sizes = labels or [
                (shapes[0][axis], *desc.shape[1:]) if axis >= 0 else desc.shape
                for desc in self._label_shapes
            ]
            label = _like(self._label_shapes, sizes)
        self.reshape(data, label or None)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; ``out_grads`` are those of the outputs where these are no losses."""
        self._require_params()
        self._exec_group.backward(out_grads)

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Outputs of the last forward pass."""
        self._require_params()
        return self._exec_group.get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Gradients of the data inputs."""
        self._require_params()
        return self._exec_group.get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Feed a metric with labels and the last outputs."""
        self._exec_group.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` see all executors."""
        self._require_bound()
        self._exec_group.install_monitor(mon)


def _like(descs: Sequence[DataDesc], shapes: Sequence[tuple]) -> list[DataDesc]:
    """Descriptions with other shapes."""
    return [
        DataDesc(d.name, shape, d.dtype, d.layout) for d, shape in zip(descs, shapes, strict=True)
    ]
