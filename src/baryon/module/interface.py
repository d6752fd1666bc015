"""What a module defines, beneath the training loop of `BaseModule`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..checkpoint import load_named, save_named
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc
from ..metric import EvalMetric
from ..ndarray import NDArray
from ..symbol import Symbol
from .inputs import Shapes


class ModuleInterface:
    """The methods of modules; those that raise NotImplementedError are for subclasses to define."""

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = False
        self.for_training = False
        self.inputs_need_grad = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self._symbol: Symbol | None = None

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
        """Get ready for the next batch; called before its forward pass.

        sparse_row_id_fn : tells the rows of row_sparse parameters that the batch reads, to stores
                           that hand out these alone; here every context holds all rows.
        """

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

    def update_metric(self, eval_metric: EvalMetric, labels: Any, pre_sliced: bool = False) -> None:
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
        shared_module: ModuleInterface | None = None,
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
