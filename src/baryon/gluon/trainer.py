"""`Trainer`: an optimizer applied to Parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import optimizer
from ..base import MXNetError
from ..context import Context
from ..files import write_atomically
from ..kvstore import KVStore, KVStoreBase, create
from ..kvstore.training import create_kvstore, initialize_kvstore
from .parameter import Parameter, ParameterDict
from .utils import ArgumentError

__all__ = ["KVStore", "Trainer"]


class Trainer:
    """Updates Parameters with an optimizer after each backward pass.

    params             : Parameters, as a dictionary (taken in the order of their names) or list.
    optimizer          : name of an optimizer or an `Optimizer`.
    optimizer_params   : its keyword arguments, when it is given by name.
    kvstore            : the store that adds up gradients over several contexts: a name, a store
                         or None. A name makes none for a single context; without a store every
                         context goes its own way.
    compression_params : how the store compresses gradients, ``{"type": "2bit", "threshold": 0.5}``.
    update_on_kvstore  : whether the store updates the Parameters and hands them out, rather than
                         add up gradients for updates on each context. By default it does where it
                         can; `allreduce_grads` and `update` need False.

    >>> net = mx.gluon.nn.Dense(1, in_units=2, weight_initializer="ones")
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    >>> with mx.autograd.record():
    ...     loss = net(mx.nd.array([[1.0, 2.0]]))
    >>> loss.backward()
    >>> trainer.step(batch_size=1)
    >>> net.weight.data().asnumpy()
    array([[0.5, 0. ]], dtype=float32)
    """

    def __init__(
        self,
        params: ParameterDict | Mapping[str, Parameter] | Sequence[Parameter],
        optimizer: Any,
        optimizer_params: Mapping[str, Any] | None = None,
        kvstore: str | KVStoreBase | None = "device",
        compression_params: Mapping[str, Any] | None = None,
        update_on_kvstore: bool | None = None,
    ) -> None:
        self._params = _as_parameters(params)
        self._param2idx = {param.name: i for i, param in enumerate(self._params)}
        for param in self._params:
            param._trainer = self
        self._compression_params = compression_params
        self._scale = float((optimizer_params or {}).get("rescale_grad", 1.0))
        self._init_optimizer(optimizer, dict(optimizer_params or {}))
        if isinstance(kvstore, str):
            create(kvstore)  # an unknown name is an error at once
        self._kvstore_options = (kvstore, update_on_kvstore)
        self._kvstore: KVStoreBase | None = None
        self._update_on_kvstore = update_on_kvstore
        self._kv_initialized = False
        self._stored: set[int] = set()  # Parameters that the store has met
        self._contexts = self._check_contexts()
        self._amp_loss_scaler: Any = None  # of mixed precision; amp.init_trainer makes one

    def _init_optimizer(self, chosen: Any, options: dict[str, Any]) -> None:
        params = dict(enumerate(self._params))
        if isinstance(chosen, optimizer.Optimizer):
            if options:
                raise ArgumentError(
                    "optimizer_params must be None if optimizer is an instance of Optimizer "
                    "instead of str"
                )
            self._optimizer = chosen
            self._optimizer.param_dict = params
        else:
            self._optimizer = optimizer.create(chosen, param_dict=params, **options)
        self._updaters: list = []

    # ---- properties ------------------------------------------------------------------------------

    @property
    def optimizer(self) -> Any:
        """The optimizer."""
        return self._optimizer

    @property
    def learning_rate(self) -> float:
        """The current learning rate, before Parameters' own factors."""
        return self._optimizer.learning_rate

    def set_learning_rate(self, lr: float) -> None:
        """Change the learning rate; UserWarning if a scheduler sets it."""
        self._optimizer.set_learning_rate(lr)

    # ---- the store -------------------------------------------------------------------------------

    def _init_kvstore(self) -> None:
        """Make the store and the updaters, once Parameters have their contexts."""
        self._contexts = self._check_contexts()
        kvstore, asked = self._kvstore_options
        arrays = {p.name: p._copies()[0] for p in self._params if p._data is not None}
        store, update = create_kvstore(kvstore, len(self._contexts), arrays)
        if any(p.stype != "default" for p in self._params):
            if kvstore is None:
                raise TypeError("Cannot create 'None' KVStore with row_sparse parameters.")
            if asked is False:
                raise ValueError(
                    "Cannot set update_on_kvstore=False when sparse weights are present."
                )
        elif any(p.grad_stype != "default" for p in self._params):
            update = False  # the rows of a gradient are fewer than those of the weight
        if asked is not None:
            if asked and (store is None or not store.is_capable(KVStoreBase.OPTIMIZER)):
                raise ValueError(
                    f"Trainer: update_on_kvstore=True needs a store that updates; kvstore="
                    f"{kvstore!r} with {len(self._contexts)} context(s) gives none"
                )
            update = asked
        if store is not None and self._compression_params:
            store.set_gradient_compression(self._compression_params)
        if update:
            store.set_optimizer(self._optimizer)
        self._updaters = [optimizer.get_updater(self._optimizer) for _ in self._contexts]
        self._kvstore, self._update_on_kvstore = store, update
        self._kv_initialized = True

    def _check_contexts(self) -> list[Context]:
        """The contexts of all Parameters; MXNetError if they differ."""
        contexts = None
        for param in self._params:
            found = param.list_ctx()
            if contexts is not None and contexts != found:
                raise MXNetError(
                    f"All Parameters must be initialized on the same set of contexts, but "
                    f"Parameter {param.name} is initialized on {found} while previous Parameters "
                    f"are initialized on {contexts}."
                )
            contexts = found
        return contexts or []

    def _trained(self) -> list[tuple[int, Parameter]]:
        """The Parameters with gradients, numbered."""
        return [(i, p) for i, p in enumerate(self._params) if p.grad_req != "null"]

    def _prepare(self) -> None:
        """Be ready for a step: every trained Parameter has its arrays, and the store has it too."""
        if not self._kv_initialized:
            for _, param in self._trained():
                param.list_grad()  # DeferredInitializationError names those without a shape
            self._init_kvstore()
        if self._kvstore is None:
            return
        new = [(i, p._copies()) for i, p in self._trained() if i not in self._stored]
        update = bool(self._update_on_kvstore)
        for i, data in new:
            initialize_kvstore(self._kvstore, [data], {i: data[0]}, [i], update)
            self._stored.add(i)

    def _forget(self, param: Parameter) -> None:
        """Let the store take the new value of a Parameter that was changed from outside."""
        index = self._param2idx[param.name]
        if not self._update_on_kvstore or index not in self._stored:
            return
        if not isinstance(self._kvstore, KVStore):
            raise MXNetError(
                f"Parameter '{param.name}' cannot be set while a kvstore of type "
                f"{self._kvstore.type!r} updates it; give the Trainer update_on_kvstore=False"
            )
        self._kvstore._remove(index)
        self._stored.discard(index)

    def _require_own_updates(self, method: str) -> None:
        if self._update_on_kvstore:
            raise ArgumentError(
                f"{method}() when parameters are updated on kvstore is not supported; give the "
                f"Trainer update_on_kvstore=False"
            )

    # ---- training --------------------------------------------------------------------------------

    def step(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Add up gradients over contexts, divide by `batch_size` and update all Parameters.

        ignore_stale_grad : whether Parameters without a new gradient are passed over; otherwise
                            they raise UserWarning. A store that updates asks of none.
        """
        self._optimizer.rescale_grad = self._scale / batch_size
        self._prepare()
        if self._update_on_kvstore and self._overflowed():
            return
        self._allreduce_grads()
        if not self._update_on_kvstore:
            self._update(ignore_stale_grad)

    def allreduce_grads(self) -> None:
        """Add up gradients over contexts, without an update: to clip them before `update`."""
        self._prepare()
        self._require_own_updates("allreduce_grads")
        self._allreduce_grads()

    def update(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Update all Parameters from their gradients as they are; follows `allreduce_grads`."""
        self._prepare()
        self._require_own_updates("update")
        self._optimizer.rescale_grad = self._scale / batch_size
        self._update(ignore_stale_grad)

    def _allreduce_grads(self) -> None:
        store = self._kvstore
        if store is None:
            return
        if self._update_on_kvstore and isinstance(store, KVStore):  # all in one update
            keys, params = zip(*self._trained(), strict=True)
            store.pushpull(
                list(keys), [p.list_grad() for p in params], out=[p._copies() for p in params]
            )
            return
        for i, param in self._trained():
            grads = param.list_grad()
            target = param._copies() if self._update_on_kvstore else grads
            store.pushpull(i, grads, out=target, priority=-i)

    def _overflowed(self) -> bool:
        """Whether mixed precision passes over this step, whose gradients are not finite."""
        scaler = self._amp_loss_scaler
        return scaler is not None and scaler.has_overflow(self._params)

    def _update(self, ignore_stale_grad: bool = False) -> None:
        if self._overflowed():
            return
        batches: list[tuple[list, list, list]] = [([], [], []) for _ in self._updaters]
        for i, param in self._trained():
            for batch, array, grad in zip(
                batches, param._copies(), param.list_grad(), strict=False
            ):
                leaf = array._node
                if not leaf.fresh:
                    if ignore_stale_grad:
                        continue
                    raise _stale(param, array)
                leaf.fresh = False
                indices, grads, arrays = batch
                indices.append(i)
                grads.append(grad)
                arrays.append(array)
        for updater, batch in zip(self._updaters, batches, strict=True):
            if batch[0]:
                updater(*batch)

    # ---- files -----------------------------------------------------------------------------------

    def _all_updaters(self) -> list:
        """The updaters that hold states: the store's, or one a context."""
        if not self._kv_initialized:
            self._init_kvstore()
        if not self._update_on_kvstore:
            return self._updaters
        updater = getattr(self._kvstore, "_updater", None)
        if updater is None:
            raise MXNetError(f"a kvstore of type {self._kvstore.type!r} does not show its states")
        return [updater]

    def save_states(self, fname: str) -> None:
        """Write the optimizer with its states (momentum, counts) to a file, atomically."""
        updater = self._all_updaters()[0]
        kept, self._optimizer.param_dict = self._optimizer.param_dict, {}
        try:
            states = updater.get_states(dump_optimizer=True)
        finally:
            self._optimizer.param_dict = kept
        write_atomically(fname, [states])

    def load_states(self, fname: str) -> None:
        """Read what `save_states` wrote; training goes on exactly as it would have."""
        updaters = self._all_updaters()
        with open(fname, "rb") as file:
            states = file.read()
        for updater in updaters:
            updater.set_states(states)
            updater.optimizer = updaters[0].optimizer
        self._optimizer = updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))


def _as_parameters(params: Any) -> list[Parameter]:
    """The Parameters of a dictionary, in the order of names, or of a list."""
    if isinstance(params, (dict, ParameterDict)):
        params = [params[name] for name in sorted(params.keys())]
    if not isinstance(params, (list, tuple)):
        raise ValueError(
            f"First argument must be a list or dict of Parameters, got {type(params)}."
        )
    for param in params:
        if not isinstance(param, Parameter):
            raise ValueError(
                f"First argument must be a list or dict of Parameters, got list of {type(param)}."
            )
    return list(params)


def _stale(param: Parameter, array: Any) -> UserWarning:
    return UserWarning(
        f"Gradient of Parameter `{param.name}` on context {array.context} has not been updated by "
        f"backward since last `step`. This could mean a bug in your model that made it only use a "
        f"subset of the Parameters (Blocks) for this iteration. If you are intentionally only "
        f"using a subset, call step with ignore_stale_grad=True to suppress this warning and skip "
        f"updating of Parameters with stale gradient"
    )
