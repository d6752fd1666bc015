"""The optimizer's half of `Module`: its choice, its store, its updates and its files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from .. import optimizer as opt
from ..context import Context
from ..files import write_atomically
from ..kvstore.training import (
    create_kvstore,
    initialize_kvstore,
    update_params,
    update_params_on_kvstore,
)
from .base_module import BaseModule
from .executor_group import DataParallelExecutorGroup


class OptimizedModule(BaseModule):
    """A module whose parameters an optimizer updates, directly or in a store."""

    _context: list[Context]
    _exec_group: DataParallelExecutorGroup | None
    _params_dirty: bool

    def _start_without_optimizer(self, compression_params: Mapping[str, Any] | None) -> None:
        self._compression_params = compression_params
        self._optimizer: opt.Optimizer | None = None
        self._kvstore: Any = None
        self._update_on_kvstore: bool | None = None
        self._updater: opt.Updater | None = None
        self._preload_opt_states: str | None = None

    def _require_optimizer(self) -> None:
        if not self.optimizer_initialized:
            raise AssertionError("call init_optimizer first")

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Choose a store and an optimizer, which divides gradients by the batch size.

        optimizer : a name, with ``optimizer_params`` (a dict or pairs), or an `Optimizer`.
        """
        self._require_params()
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        if self._params_dirty:
            self._sync_params_from_devices()
        kvstore, on_kvstore = create_kvstore(kvstore, len(self._context), self._arg_params)
        self._optimizer = self._make_optimizer(optimizer, dict(optimizer_params), on_kvstore)
        self._kvstore, self._update_on_kvstore, self._updater = kvstore, on_kvstore, None
        if kvstore is not None:
            if self._compression_params:
                kvstore.set_gradient_compression(self._compression_params)
            if on_kvstore:
                kvstore.set_optimizer(self._optimizer)
            initialize_kvstore(
                kvstore,
                self._exec_group.param_arrays,
                self._arg_params,
                self._param_names,
                on_kvstore,
            )
        if not on_kvstore:
            self._updater = opt.get_updater(self._optimizer)
        self.optimizer_initialized = True
        if self._preload_opt_states is not None:
            self.load_optimizer_states(self._preload_opt_states)
            self._preload_opt_states = None

    def _make_optimizer(
        self, chosen: Any, params: dict[str, Any], on_kvstore: bool
    ) -> opt.Optimizer:
        batch_size = self._exec_group.batch_size
        rescale_grad = 1.0 / batch_size if batch_size else 1.0
        count = 1 if on_kvstore else len(self._context)
        names = {i * count + k: n for k in range(count) for i, n in enumerate(self._param_names)}
        if isinstance(chosen, str):
            params.setdefault("rescale_grad", rescale_grad)
            return opt.create(chosen, sym=self.symbol, param_idx2name=names, **params)
        if not isinstance(chosen, opt.Optimizer):
            raise AssertionError(
                f"optimizer must be a name or an Optimizer, got {type(chosen).__name__}"
            )
        if chosen.rescale_grad != rescale_grad:
            warnings.warn(
                "Optimizer created manually outside Module but rescale_grad is not normalized to "
                f"1.0/batch_size/num_workers ({chosen.rescale_grad} vs. {rescale_grad}). "
                "Is this intended?",
                stacklevel=3,
            )
        if not chosen.idx2name:
            chosen.idx2name = names
        return chosen

    def borrow_optimizer(self, shared_module: OptimizedModule) -> None:
        """Use another module's optimizer, store and updater."""
        shared_module._require_optimizer()
        self._optimizer = shared_module._optimizer
        self._kvstore = shared_module._kvstore
        self._update_on_kvstore = shared_module._update_on_kvstore
        self._updater = shared_module._updater
        self.optimizer_initialized = True

    def update(self) -> None:
        """Update the parameters by the optimizer."""
        self._require_optimizer()
        self._params_dirty = True
        group = self._exec_group
        if self._update_on_kvstore:
            update_params_on_kvstore(
                group.param_arrays, group.grad_arrays, self._kvstore, group.param_names
            )
        else:
            update_params(
                group.param_arrays,
                group.grad_arrays,
                self._updater,
                len(self._context),
                self._kvstore,
                group.param_names,
            )

    def save_optimizer_states(self, fname: str) -> None:
        """Save the optimizer's states (not its update counts, as MXNet)."""
        self._require_optimizer()
        if self._update_on_kvstore:
            self._kvstore.save_optimizer_states(fname)
        else:
            write_atomically(fname, [self._updater.get_states()])

    def load_optimizer_states(self, fname: str) -> None:
        """Load what `save_optimizer_states` wrote."""
        self._require_optimizer()
        if self._update_on_kvstore:
            self._kvstore.load_optimizer_states(fname)
            return
        with open(fname, "rb") as file:
            self._updater.set_states(file.read())
