"""How a training loop uses a store: made, filled, and asked for sums or updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import settings
from ..ndarray import NDArray
from .base import KVStoreBase, create
from .kvstore import KVStore

# Larger arrays are updated on each context rather than once in a "local" store.
_BIG_ARRAY = 16 * 1024 * 1024

Copies = Sequence[Sequence[NDArray | None]]  # for each parameter, one array a context


def create_kvstore(
    kvstore: str | KVStoreBase | None, num_device: int, arg_params: Mapping[str, NDArray]
) -> tuple[KVStoreBase | None, bool]:
    """The store to train with, and whether it runs the optimizer.

    There is none for ``None``, and for a name where there is one context only.
    """
    if not isinstance(kvstore, str | KVStoreBase | None):
        raise TypeError("kvstore must be KVStore, str or None")
    update = settings.get("MXNET_UPDATE_ON_KVSTORE")
    if isinstance(kvstore, str):
        if num_device == 1 and "dist" not in kvstore:
            return None, False
        if kvstore == "local":
            largest = max((math.prod(p.shape) for p in arg_params.values()), default=0)
            update = update and largest <= _BIG_ARRAY
        kvstore = create(kvstore)
    if kvstore is None:
        return None, False
    return kvstore, update and kvstore.is_capable(KVStoreBase.OPTIMIZER)


def initialize_kvstore(
    kvstore: KVStoreBase,
    param_arrays: Copies,
    arg_params: Mapping[str, NDArray],
    param_names: Sequence[str],
    update_on_kvstore: bool,
) -> None:
    """Store the values of all parameters, and copy them to every context."""
    for name, copies in zip(param_names, param_arrays, strict=True):
        if not update_on_kvstore and isinstance(kvstore, KVStore):
            kvstore.init(name, arg_params[name])
        else:
            kvstore.broadcast(name, arg_params[name], out=copies)


def update_params_on_kvstore(
    param_arrays: Copies, grad_arrays: Copies, kvstore: KVStoreBase, param_names: Sequence[str]
) -> None:
    """Let the store add up the gradients, update, and hand the new values to all contexts."""
    wanted = _with_gradients(param_names, grad_arrays, param_arrays)
    if isinstance(kvstore, KVStore):
        if wanted:
            names, grads, params = zip(*wanted, strict=True)
            kvstore.pushpull(names, grads, out=params)
        return
    for i, (name, grads, params) in enumerate(wanted):
        kvstore.pushpull(name, grads, out=params, priority=-i)


def update_params(
    param_arrays: Copies,
    grad_arrays: Copies,
    updater: Callable[[Any, Any, Any], None],
    num_device: int,
    kvstore: KVStoreBase | None = None,
    param_names: Sequence[str] | None = None,
) -> None:
    """Update each context's parameters, after the store, if any, added up the gradients.

    A parameter's index for the updater is its number times `num_device` plus the context's.
    """
    if kvstore is not None:
        keys = range(len(grad_arrays)) if param_names is None else param_names
        for i, (key, grads, _) in enumerate(_with_gradients(keys, grad_arrays, param_arrays)):
            kvstore.pushpull(key, grads, priority=-i)
    for k in range(num_device):
        found = [
            (i * num_device + k, grads[k], params[k])
            for i, (grads, params) in enumerate(zip(grad_arrays, param_arrays, strict=True))
            if grads[k] is not None
        ]
        if found:
            updater(*map(list, zip(*found, strict=True)))


def _with_gradients(keys: Sequence[Any], grad_arrays: Copies, param_arrays: Copies) -> list[tuple]:
    """(key, gradients, parameters) of those that have gradients."""
    each = zip(keys, grad_arrays, param_arrays, strict=True)
    return [entry for entry in each if entry[1][0] is not None]
