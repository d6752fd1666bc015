"""`SequentialModule`: modules in a chain, each fed with the outputs of the one before."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from .base_module import BaseModule
from .inputs import Shapes
from .parameters import Params


class SequentialModule(BaseModule):
    """A chain of modules: outputs of one are the data of the next.

    `add` takes what is special about a module: ``take_labels=True`` where it reads the labels,
    ``auto_wiring=True`` where its data names should be used whatever the outputs are called.

    >>> first = mx.mod.Module(mx.sym.relu(mx.sym.var("data")), label_names=None)
    >>> second = mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.var("data"), name="softmax"))
    >>> model = mx.mod.SequentialModule().add(first).add(second, take_labels=True, auto_wiring=True)
    >>> model.bind([("data", (2, 3))], [("softmax_label", (2,))])
    >>> model.output_shapes
    [('softmax_output', (2, 3))]
    """

    META_TAKE_LABELS = "take_labels"
    META_AUTO_WIRING = "auto_wiring"
    _META_KEYS: ClassVar[set[str]] = {META_TAKE_LABELS, META_AUTO_WIRING}

    def __init__(self, logger: Any = logging) -> None:
        super().__init__(logger)
        self._modules: list[BaseModule] = []
        self._metas: list[dict[str, Any]] = []
        self._data_shapes: Shapes | None = None
        self._label_shapes: Shapes | None = None

    def add(self, module: BaseModule, **kwargs: Any) -> SequentialModule:
        """Append a module; itself, so that calls chain."""
        for key in kwargs:
            if key not in self._META_KEYS:
                raise AssertionError(f'Unknown meta "{key}", a typo?')
        self._modules.append(module)
        self._metas.append(kwargs)
        self.binded = self.params_initialized = self.optimizer_initialized = False
        return self

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:
        """Names of the first module's data."""
        return self._modules[0].data_names if self._modules else []

    @property
    def output_names(self) -> list[str]:
        """Names of the last module's outputs."""
        return self._modules[-1].output_names if self._modules else []

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the first module's data."""
        self._require_bound()
        return self._modules[0].data_shapes

    @property
    def label_shapes(self) -> Any:
        """The labels' shapes as given to `bind`; None where no module takes labels."""
        self._require_bound()
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of the last module's outputs."""
        self._require_bound()
        return self._modules[-1].output_shapes

    def _require_bound(self) -> None:
        if not self.binded:
            raise AssertionError("call bind first")

    # ---- parameters ------------------------------------------------------------------------------

    def get_params(self) -> tuple[Params, Params]:
        """The parameters of all modules, by name."""
        self._require_params()
        args: Params = {}
        auxs: Params = {}
        for module in self._modules:
            arg, aux = module.get_params()
            args.update(arg)
            auxs.update(aux)
        return args, auxs

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """As `Module.init_params`, for all; AssertionError where two have parameters of one name.

        The values may be those of all modules: each takes its own.
        """
        if self.params_initialized and not force_init:
            return
        self._require_bound()
        for module in self._modules:
            module.init_params(
                initializer, arg_params, aux_params, allow_missing, force_init, allow_extra=True
            )
        self._check_names()
        if not allow_extra and arg_params:
            known = {n for m in self._modules for n in m.get_params()[0]}
            extra = sorted(set(arg_params) - known)
            if extra and allow_missing:
                raise ValueError(f"no module has a parameter {extra[0]!r}")
        self.params_initialized = True

    def _check_names(self) -> None:
        owners: dict[str, int] = {}
        for i, module in enumerate(self._modules):
            for name in (n for params in module.get_params() for n in params):
                if name in owners:
                    raise AssertionError(
                        f"Duplicated parameter names: {name} in layer {i} ({type(module)}) is "
                        f"already used in layer {owners[name]}"
                    )
                owners[name] = i

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
        """Bind the modules one after the other, each to the shapes of the last one's outputs."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise AssertionError("inputs_need_grad needs for_training")
        if shared_module is not None:
            raise AssertionError("Shared module is not supported")
        if not self._modules:
            raise AssertionError("Attempting to bind an empty SequentialModule")
        self.binded = True
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        shapes, takes = data_shapes, False
        for i, (module, meta) in enumerate(zip(self._modules, self._metas, strict=True)):
            labels = label_shapes if meta.get(self.META_TAKE_LABELS) else None
            takes = takes or labels is not None
            if meta.get(self.META_AUTO_WIRING):
                pairs = zip(module.data_names, shapes, strict=True)
                shapes = [(name, desc[1]) for name, desc in pairs]
            module.bind(
                data_shapes=shapes,
                label_shapes=labels,
                for_training=for_training,
                inputs_need_grad=for_training and (inputs_need_grad or i > 0),
                force_rebind=force_rebind,
                grad_req=grad_req,
            )
            shapes = module.output_shapes
        self._label_shapes = label_shapes if takes else None

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """An optimizer for each module."""
        self._require_params()
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        for module in self._modules:
            module.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        self.optimizer_initialized = True

    # ---- computation -----------------------------------------------------------------------------

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute through the chain."""
        self._require_params()
        batch = copy.copy(data_batch)  # its data are replaced from module to module
        for i, module in enumerate(self._modules):
            module.forward(batch, is_train)
            if i + 1 == len(self._modules):
                break
            batch.data = module.get_outputs()
            if getattr(data_batch, "provide_data", None) is not None:
                names = [name for name, _ in module.output_shapes]
                batch.provide_data = [
                    (name, x.shape) for name, x in zip(names, batch.data, strict=True)
                ]

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients back through the chain."""
        self._require_params()
        for i, module in reversed([*enumerate(self._modules)]):
            module.backward(out_grads)
            if i:
                out_grads = module.get_input_grads()

    def update(self) -> None:
        """Update the parameters of all modules."""
        if not self.optimizer_initialized:
            raise AssertionError("call init_optimizer first")
        for module in self._modules:
            module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Outputs of the last module."""
        self._require_params()
        return self._modules[-1].get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Gradients of the first module's data."""
        self._require_params()
        if not self.inputs_need_grad:
            raise AssertionError("bind with inputs_need_grad=True to get gradients of the inputs")
        return self._modules[0].get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Feed a metric with the outputs of the modules that take labels."""
        self._require_params()
        for meta, module in zip(self._metas, self._modules, strict=True):
            if meta.get(self.META_TAKE_LABELS):
                module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` see all modules."""
        self._require_bound()
        for module in self._modules:
            module.install_monitor(mon)
