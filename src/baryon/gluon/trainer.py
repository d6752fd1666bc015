"""`Trainer`: an optimizer applied to Parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import ndarray, optimizer
from ..base import MXNetError
from ..context import Context
from .parameter import Parameter, ParameterDict
from .utils import ArgumentError, replace_file

__all__ = ["Trainer"]

# Stores of one process: what they do across its contexts is done here.
_LOCAL_STORES = (
    "local",
    "device",
    "local_allreduce_cpu",
    "local_allreduce_device",
    "local_update_cpu",
    "nccl",
)


class Trainer:
    """Updates Parameters with an optimizer after each backward pass.

    params               : Parameters, as a dictionary (taken in the order of their names) or list.
    optimizer            : name of an optimizer or an `Optimizer`.
    optimizer_params     : its keyword arguments, when it is given by name.
    kvstore              : how gradients of several contexts are added up: a name, a KVStore or
                           None. All names of one process ("local", "device") mean the same.
    compression_params   : options of gradient compression; only a KVStore object can obey them.
    update_on_kvstore    : accepted; updates are always made here, on each context.

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
        kvstore: Any = "device",
        compression_params: Mapping[str, Any] | None = None,
        update_on_kvstore: bool | None = None,
    ) -> None:
        self._params = _as_parameters(params)
        self._param2idx = {param.name: i for i, param in enumerate(self._params)}
        for param in self._params:
            param._trainer = self
        self._compression_params = compression_params
        self._scale = float((optimizer_params or {}).get("rescale_grad", 1.0))
        self._contexts: list[Context] | None = None
        self._init_optimizer(optimizer, dict(optimizer_params or {}))
        self._kvstore = _as_store(kvstore, compression_params)
        self._update_on_kvstore = update_on_kvstore
        self._pushed: set[int] = set()

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

    # ---- training --------------------------------------------------------------------------------

    def step(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Add up gradients over contexts, divide by `batch_size` and update all Parameters.

        ignore_stale_grad : whether Parameters without a new gradient are passed over; otherwise
                            they raise UserWarning.
        """
        self._optimizer.rescale_grad = self._scale / batch_size
        self._allreduce_grads()
        self._update(ignore_stale_grad)

    def allreduce_grads(self) -> None:
        """Add up gradients over contexts, without an update: to clip them before `update`."""
        self._allreduce_grads()

    def update(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Update all Parameters from their gradients as they are; follows `allreduce_grads`."""
        self._optimizer.rescale_grad = self._scale / batch_size
        self._update(ignore_stale_grad)

    def _allreduce_grads(self) -> None:
        for i, param in enumerate(self._params):
            if param.grad_req == "null":
                continue
            if self._kvstore is not None:
                self._reduce_with_store(i, param)
            elif len(param.list_ctx()) > 1:
                grads = param.list_grad()
                total = ndarray.add_n(*[g.as_in_context(grads[0].context) for g in grads])
                for grad in grads:
                    total.copyto(grad)

    def _reduce_with_store(self, index: int, param: Parameter) -> None:
        if index not in self._pushed:
            self._kvstore.init(index, param.list_data()[0])
            self._pushed.add(index)
        grads = param.list_grad()
        self._kvstore.pushpull(index, grads, out=grads, priority=-index)

    def _make_updaters(self) -> None:
        """One updater a context, once Parameters have their contexts."""
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
        self._contexts = contexts or []
        self._updaters = [optimizer.get_updater(self._optimizer) for _ in self._contexts]

    def _update(self, ignore_stale_grad: bool = False) -> None:
        if not self._updaters:
            self._make_updaters()
        batches: list[tuple[list, list, list]] = [([], [], []) for _ in self._updaters]
        for i, param in enumerate(self._params):
            if param.grad_req == "null":
                continue
            for batch, array, grad in zip(
                batches, param.list_data(), param.list_grad(), strict=False
            ):
                leaf = array._node
                if not leaf.fresh:
                    if ignore_stale_grad:
                        continue
                    raise _stale(param, array)
                leaf.fresh = False
                for part, value in zip(batch, (i, grad, array), strict=True):
                    part.append(value)
        for updater, batch in zip(self._updaters, batches, strict=True):
            if batch[0]:
                updater(*batch)

    # ---- files -----------------------------------------------------------------------------------

    def save_states(self, fname: str) -> None:
        """Write the optimizer with its states (momentum, counts) to a file, atomically."""
        if not self._updaters:
            self._make_updaters()
        kept, self._optimizer.param_dict = self._optimizer.param_dict, {}
        try:
            states = self._updaters[0].get_states(dump_optimizer=True)
        finally:
            self._optimizer.param_dict = kept
        temporary = f"{fname}.part"
        with open(temporary, "wb") as file:
            file.write(states)
        replace_file(temporary, fname)

    def load_states(self, fname: str) -> None:
        """Read what `save_states` wrote; training goes on exactly as it would have."""
        if not self._updaters:
            self._make_updaters()
        with open(fname, "rb") as file:
            states = file.read()
        for updater in self._updaters:
            updater.set_states(states)
            updater.optimizer = self._updaters[0].optimizer
        self._optimizer = self._updaters[0].optimizer
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


def _as_store(kvstore: Any, compression: Mapping[str, Any] | None) -> Any:
    """A KVStore object, or None where this process adds up gradients by itself."""
    if kvstore is None or kvstore in _LOCAL_STORES:
        return None
    if isinstance(kvstore, str) or not hasattr(kvstore, "pushpull"):
        raise MXNetError(
            f"kvstore {kvstore!r} is not one of None, {', '.join(_LOCAL_STORES)} or a KVStore"
        )
    if compression:
        kvstore.set_gradient_compression(compression)
    return kvstore


def _stale(param: Parameter, array: Any) -> UserWarning:
    return UserWarning(
        f"Gradient of Parameter `{param.name}` on context {array.context} has not been updated by "
        f"backward since last `step`. This could mean a bug in your model that made it only use a "
        f"subset of the Parameters (Blocks) for this iteration. If you are intentionally only "
        f"using a subset, call step with ignore_stale_grad=True to suppress this warning and skip "
        f"updating of Parameters with stale gradient"
    )
