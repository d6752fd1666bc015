"""The updater: an optimizer together with the states of the parameters it has met."""

from __future__ import annotations

import pickle
from typing import Any

from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from .base import Optimizer, as_lists
from .compiled import update_together
from .states import loads

_Group = tuple[list, list, list, list]


class Updater:
    """Callable ``updater(index, grad, weight)`` that keeps states by index; lists are welcome.

    Parameters are updated by one program where the optimizer works by operators; those of one dtype
    are handed together to other optimizers that can aggregate.

    >>> weight = mx.nd.ones((2,))
    >>> updater = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.5))
    >>> updater(0, mx.nd.ones((2,)), weight)
    >>> weight.asnumpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.states: dict[Any, Any] = {}
        self.states_synced: dict[Any, bool] = {}
        self.aggregate_updates = optimizer.aggregate_num > 0

    def __call__(self, index: Any, grad: Any, weight: Any) -> None:
        """Update ``weight`` by ``grad``, creating states at first sight."""
        indices, grads, weights = as_lists(index, grad, weight)
        if not weights:
            return
        states = self.states_of(indices, weights)
        if update_together(self.optimizer, indices, weights, grads, states):
            return
        update = self.optimizer.update_multi_precision
        if not self.aggregate_updates:
            for i, w, g in zip(indices, weights, grads, strict=True):
                update(i, w, g, self.states[i])
            return
        for group in self._groups(indices, weights, grads):
            update(*group)

    def states_of(self, indices: list, weights: list[NDArray]) -> list[Any]:
        """The states of parameters that are about to be updated, made at first sight."""
        self.optimizer._set_current_context(weights[0].context.device_id)
        for i, w in zip(indices, weights, strict=True):
            if i not in self.states:
                self.states[i] = self.optimizer.create_state_multi_precision(i, w)
                self.states_synced[i] = True
            elif not self.states_synced[i]:
                self.states[i] = self.sync_state_context(self.states[i], w.context)
                self.states_synced[i] = True
        return [self.states[i] for i in indices]

    def _groups(self, indices: list, weights: list[NDArray], grads: list[NDArray]) -> list[_Group]:
        """The parameters in groups of one dtype and at most ``aggregate_num`` members."""
        open_groups: dict[Any, _Group] = {}
        groups: list[_Group] = []
        for i, w, g in zip(indices, weights, grads, strict=True):
            group = open_groups.get(w.dtype)
            if group is None or len(group[0]) >= self.optimizer.aggregate_num:
                group = open_groups[w.dtype] = ([], [], [], [])
                groups.append(group)
            for member, value in zip(group, (i, w, g, self.states[i]), strict=True):
                member.append(value)
        return groups

    def sync_state_context(self, state: Any, context: Context) -> Any:
        """A state with its arrays on ``context``."""
        if isinstance(state, NDArray):
            return state.as_in_context(context)
        if isinstance(state, tuple | list):
            return type(state)(self.sync_state_context(s, context) for s in state)
        return state

    def set_states(self, states: bytes) -> None:
        """Take the states (and the optimizer, if saved) from `get_states`' or MXNet's bytes.

        Raises MXNetError for bytes that are no state file, or that name other classes than arrays,
        optimizers and schedulers; nothing else a pickle may name is ever loaded.
        """
        loaded = loads(states)
        optimizer = self.optimizer
        if isinstance(loaded, tuple) and len(loaded) == 2:
            loaded, optimizer = loaded
        if not isinstance(loaded, dict) or not isinstance(optimizer, Optimizer):
            raise MXNetError(
                "optimizer states must be a dict of states, or that and an optimizer, "
                f"got {type(loaded).__name__}"
            )
        self.states = loaded
        self.optimizer = optimizer
        self.aggregate_updates = optimizer.aggregate_num > 0
        self.states_synced = dict.fromkeys(loaded, False)

    def get_states(self, dump_optimizer: bool = False) -> bytes:
        """The states, with ``dump_optimizer`` also the optimizer, as bytes for `set_states`."""
        return pickle.dumps((self.states, self.optimizer) if dump_optimizer else self.states)


def get_updater(optimizer: Optimizer) -> Updater:
    """An `Updater` of an optimizer.

    >>> update = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.25))
    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> update(0, grad, weight)  # it makes and keeps the states by index
    >>> weight.asnumpy()
    array([0.5], dtype=float32)
    """
    return Updater(optimizer)
