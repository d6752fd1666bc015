"""What a store is to trainers and modules, its registry, and how stores are made by name."""

from __future__ import annotations

from typing import Any, ClassVar

from ..base import MXNetError, _as_list
from ..context import num_gpus
from ..ndarray import NDArray

# Stores of one process. What they compute is the same; the names say where MXNet adds up.
LOCAL = ("local", "local_update_cpu", "local_allreduce_cpu")
DEVICE = ("device", "local_allreduce_device", "nccl")


class KVStoreBase:
    """What Trainer and Module ask of a store; `register` makes a subclass creatable by its name.

    >>> @mx.kv.KVStoreBase.register
    ... class Nothing(mx.kv.KVStoreBase):
    ...     pass
    >>> type(mx.kv.create("nothing")).__name__
    'Nothing'
    """

    OPTIMIZER = "optimizer"
    kv_registry: ClassVar[dict[str, type[KVStoreBase]]] = {}

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy ``value`` to every array of ``out``, on all workers."""
        raise NotImplementedError

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Add up the arrays of ``value`` over contexts and workers, into ``out`` or in place."""
        raise NotImplementedError

    def set_optimizer(self, optimizer: Any) -> None:
        """Let the store update its arrays with an optimizer."""
        raise NotImplementedError

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Whether the store has a capability, such as ``KVStoreBase.OPTIMIZER``."""
        raise NotImplementedError

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the optimizer's states to a file."""
        raise NotImplementedError

    def load_optimizer_states(self, fname: str) -> None:
        """Read the optimizer's states from a file."""
        raise NotImplementedError

    @property
    def type(self) -> str:
        """The name of the kind of store."""
        raise NotImplementedError

    @property
    def rank(self) -> int:
        """The number of this worker."""
        raise NotImplementedError

    @property
    def num_workers(self) -> int:
        """The number of workers."""
        raise NotImplementedError

    @staticmethod
    def register(klass: type[KVStoreBase]) -> type[KVStoreBase]:
        """Make a class creatable by its lower-cased name; usable as a decorator."""
        if not (isinstance(klass, type) and issubclass(klass, KVStoreBase)):
            raise TypeError(f"register expects a subclass of KVStoreBase, got {klass!r}")
        KVStoreBase.kv_registry[klass.__name__.lower()] = klass
        return klass


@KVStoreBase.register
class TestStore(KVStoreBase):
    """A store of one worker that only copies and adds: for tests of trainers."""

    __test__ = False  # pytest would collect the name

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy ``value`` to every array of ``out``."""
        for target in _as_list(out):
            target[:] = value

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Add up ``value`` into every array of ``out``, or in place."""
        values = _as_list(value)
        total = add(values)
        for target in values if out is None else _as_list(out):
            target[:] = total

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Whether the store has a capability: it runs no optimizer."""
        return _known(capability) != KVStoreBase.OPTIMIZER

    @property
    def type(self) -> str:
        """``"teststore"``."""
        return "teststore"

    @property
    def rank(self) -> int:
        """Always 0."""
        return 0

    @property
    def num_workers(self) -> int:
        """Always 1."""
        return 1


def _known(capability: str) -> str:
    if capability.lower() != KVStoreBase.OPTIMIZER:
        raise ValueError(f"Unknown capability: {capability}")
    return capability.lower()


def add(values: list[NDArray]) -> NDArray:
    """The sum of arrays, made on the first one's context; that array itself if it is alone."""
    total = values[0]
    for value in values[1:]:
        total = total + value.as_in_context(total.context)
    return total


def create(name: str = "local") -> KVStoreBase:
    """A store by name: ``"local"``, ``"device"``, their aliases, or a registered class.

    Stores over several machines (``"dist_sync"``, …) and other packages' are not available:
    MXNetError says so. MXNet takes unknown names for ``"local"``; here they are errors too.

    >>> kv = mx.kv.create("local")
    >>> kv.init("w", mx.nd.ones((2,)))
    >>> kv.push("w", [mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, 4.0])])
    >>> out = mx.nd.zeros((2,))
    >>> kv.pull("w", out=out)
    >>> out.asnumpy()
    array([4., 6.], dtype=float32)
    """
    from .kvstore import KVStore

    if not isinstance(name, str):
        raise TypeError("name must be a string")
    name = name.lower()
    if name in KVStoreBase.kv_registry:
        return KVStoreBase.kv_registry[name]()
    if name == "nccl" and not num_gpus():
        raise MXNetError(
            "kvstore 'nccl' adds up gradients of GPUs, and there is none; use 'device'"
        )
    if name in LOCAL + DEVICE:
        return KVStore(name)
    if name.startswith("dist") or name in ("p3", "horovod", "byteps"):
        raise MXNetError(
            f"kvstore {name!r} works across machines, which is not supported; "
            "use 'local' or 'device' for the contexts of one process"
        )
    known = ", ".join((*LOCAL, *DEVICE, *KVStoreBase.kv_registry))
    raise MXNetError(f"unknown kvstore {name!r}; there are {known}")
