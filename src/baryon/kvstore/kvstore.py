"""The store of one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ndarray as nd
from ..base import MXNetError, _as_list
from ..files import write_atomically
from ..ndarray import NDArray
from ..optimizer import Optimizer, Updater, get_updater
from . import collective
from .base import DEVICE, KVStoreBase, _known, add
from .compression import TwoBit

Update = Callable[[Any, NDArray, NDArray], None]


class KVStore(KVStoreBase):
    """Arrays by key, in one process: `push` adds up over contexts, `pull` hands out.

    A pushed sum replaces the stored array, or is given to the updater with it. Keys are integers or
    strings, one kind a store. All methods take one key, or a list of keys with a list of values;
    several arrays for one key (one a context) are a list. ``priority`` has no effect.

    handle : the store's type, such as ``"local"``; `create` makes stores.

    >>> store = mx.kv.create("local")
    >>> store.init("weight", mx.nd.zeros((2,)))
    >>> store.push("weight", [mx.nd.ones((2,)), mx.nd.ones((2,))])  # from two contexts
    >>> out = mx.nd.empty((2,))
    >>> store.pull("weight", out=out)
    >>> out.asnumpy()
    array([2., 2.], dtype=float32)
    """

    def __init__(self, handle: str) -> None:
        self.handle = handle
        self._arrays: dict[Any, NDArray] = {}
        self._updater: Update | Updater | None = None
        self._compression: TwoBit | None = None

    @property
    def type(self) -> str:
        """The name with which the store was made."""
        return self.handle

    @property
    def rank(self) -> int:
        """The number of this process: 0."""
        return 0

    @property
    def num_workers(self) -> int:
        """The number of processes: 1."""
        return 1

    def is_capable(self, capability: str) -> bool:
        """Whether the store has a capability: it runs optimizers; ValueError for unknown ones."""
        return bool(_known(capability))

    # ---- values ----------------------------------------------------------------------------------

    def init(self, key: Any, value: Any) -> None:
        """Store first values; MXNetError for keys that are stored already."""
        for k, values in _pairs(key, value).items():
            self._check_kind(k)
            if k in self._arrays or len(values) > 1:
                raise MXNetError(f"kvstore: duplicate init of key {k!r}")
            self._arrays[k] = values[0].copy()

    def _remove(self, key: Any) -> None:
        """Forget a key's array, but no state of its updates: `init` may give it another."""
        del self._arrays[key]

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Add up the values of each key; store the sums, or update the stored arrays with them."""
        pairs = _pairs(key, value)
        stored = {k: self._stored(k) for k in pairs}
        sums = self._sums(pairs)
        for k, total in sums.items():
            _check_shape(k, stored[k], total)
        if self._updater is not None:  # it works where the stored arrays lie
            sums = {k: total.as_in_context(stored[k].context) for k, total in sums.items()}
        if isinstance(self._updater, Updater):  # all at once: it may update them together
            self._updater([*sums], [*sums.values()], [*stored.values()])
            return
        for k, total in sums.items():
            if self._updater is not None:
                self._updater(k, total, stored[k])
            elif total.stype != stored[k].stype:
                self._arrays[k] = total.copy()
            else:
                stored[k][:] = total

    def _sums(self, pairs: Mapping[Any, list[NDArray]]) -> dict[Any, NDArray]:
        """The sum of each key's values on the first one's context, of GPUs' all at once."""
        grouped = [k for k, values in pairs.items() if self._collective(values)]
        found = dict(zip(grouped, collective.reduce([pairs[k] for k in grouped]), strict=True))
        return {k: found[k] if k in found else self._sum(k, v) for k, v in pairs.items()}

    def _collective(self, arrays: Sequence[NDArray]) -> bool:
        """Whether NCCL serves these arrays, one a GPU."""
        return self.type in DEVICE and self._compression is None and collective.serves(arrays)

    def _sum(self, key: Any, values: list[NDArray]) -> NDArray:
        if self._compression is not None:
            if any(v.stype != "default" for v in values):
                raise MXNetError(f"kvstore: key {key!r}: sparse gradients cannot be compressed")
            values = [self._compression((key, i), v) for i, v in enumerate(values)]
        return add(values)

    def pull(
        self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True
    ) -> None:
        """Copy the stored array of each key into its arrays in ``out``."""
        if out is None:
            raise AssertionError("pull needs out")
        groups = []
        for k, targets in _pairs(key, out).items():
            stored = self._stored(k)
            own = [t for t in targets if t.context == stored.context]
            others = [t for t in targets if t.context != stored.context]
            group = [own[0] if own else stored, *others]
            grouped = self._collective(group)
            groups += [group] if grouped else []
            for target in own if grouped else targets:
                stored.copyto(target)
        collective.broadcast(groups)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """`push`, then `pull` into ``out``, or into ``value`` itself."""
        pairs = _pairs(key, value) if self._updater is None and out is None else {}
        if pairs and all(map(self._collective, pairs.values())):
            for k, values in pairs.items():
                _check_shape(k, self._stored(k), values[0])
            collective.all_reduce(list(pairs.values()))
            for k, values in pairs.items():
                self._stored(k)[:] = values[0]
            return
        self.push(key, value, priority)
        self.pull(key, value if out is None else out, priority)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """`init`, then `pull` into ``out``."""
        self.init(key, value)
        self.pull(key, out, priority)

    def row_sparse_pull(
        self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None
    ) -> None:
        """Copy rows of the stored array of each key into ``out``, which then stores these only.

        row_ids : arrays of row numbers, one for all of ``out`` or one for each of its arrays.

        >>> kv = mx.kv.create("local")
        >>> kv.init("w", mx.nd.ones((4, 2)))
        >>> out = mx.nd.sparse.zeros("row_sparse", (4, 2))
        >>> kv.row_sparse_pull("w", out=out, row_ids=mx.nd.array([3, 1, 3]))
        >>> out.indices.asnumpy()
        array([1, 3])
        """
        if out is None or row_ids is None:
            raise AssertionError("row_sparse_pull needs out and row_ids")
        outs = _pairs(key, out)
        single = isinstance(row_ids, NDArray)
        rows = {k: [row_ids] * len(o) for k, o in outs.items()} if single else _pairs(key, row_ids)
        for k, targets in outs.items():
            stored = self._stored(k)
            each = rows[k] * len(targets) if len(rows[k]) == 1 else rows[k]
            for target, ids in zip(targets, each, strict=True):
                target[:] = nd.sparse.retain(stored.as_in_context(target.context), ids)

    # ---- updates ---------------------------------------------------------------------------------

    def set_optimizer(self, optimizer: Optimizer) -> None:
        """Update stored arrays with an optimizer at each push."""
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"set_optimizer expects an Optimizer, got {type(optimizer).__name__}")
        self._updater = get_updater(optimizer)

    def set_updater(self, updater: Update) -> None:
        """Call ``updater(key, pushed, stored)`` at each push; it changes ``stored`` in place."""
        self._updater = updater

    _set_updater = set_updater

    def set_gradient_compression(self, compression_params: Mapping[str, Any]) -> None:
        """Quantise what is pushed to two bits with error feedback, as slow links would need.

        compression_params : ``{"type": "2bit", "threshold": 0.5}``. Only for ``"device"`` stores.
        """
        if self.type not in DEVICE:
            raise MXNetError("Gradient compression is not supported for this type of kvstore")
        if not isinstance(compression_params, Mapping):
            raise TypeError(f"compression_params must be a dict, got {compression_params!r}")
        self._compression = TwoBit.from_params(compression_params)

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states, and with ``dump_optimizer`` the optimizer, to a file, atomically."""
        write_atomically(fname, [self._states("save").get_states(dump_optimizer)])

    def load_optimizer_states(self, fname: str) -> None:
        """Read what `save_optimizer_states` wrote."""
        updater = self._states("load")
        with open(fname, "rb") as file:
            updater.set_states(file.read())

    def _states(self, what: str) -> Updater:
        if not isinstance(self._updater, Updater):
            raise AssertionError(f"Cannot {what} states: set_optimizer was not called")
        return self._updater

    # ---- keys ------------------------------------------------------------------------------------

    def _stored(self, key: Any) -> NDArray:
        self._check_kind(key)
        if key not in self._arrays:
            raise MXNetError(f"kvstore: key {key!r} has not been initialized")
        return self._arrays[key]

    def _check_kind(self, key: Any) -> None:
        """MXNetError where integer and string keys meet in one store."""
        other = next(iter(self._arrays), key)
        if isinstance(other, str) != isinstance(key, str):
            raise MXNetError(f"kvstore: mixed key types are not allowed: {other!r} and {key!r}")


def _pairs(keys: Any, values: Any) -> dict[Any, list[NDArray]]:
    """All arrays of each key; repeated keys join theirs."""
    if not isinstance(keys, list | tuple):
        keys, values = [keys], [values]
    kinds = {str if isinstance(k, str) else int for k in keys}
    if len(kinds) > 1:
        raise AssertionError("inconsistent types of keys detected.")
    if len(keys) != len(values):
        raise AssertionError(f"kvstore: {len(keys)} keys for {len(values)} values")
    found: dict[Any, list[NDArray]] = {}
    for key, value in zip(keys, values, strict=True):
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise AssertionError(f"unexpected type for keys: {type(key)}")
        arrays = _as_list(value)
        _check_arrays(key, arrays)
        found.setdefault(key, []).extend(arrays)
    return found


def _check_shape(key: Any, stored: NDArray, pushed: NDArray) -> None:
    if pushed.shape != stored.shape:
        raise MXNetError(f"kvstore: key {key!r} holds shape {stored.shape}, got {pushed.shape}")


def _check_arrays(key: Any, arrays: Sequence[Any]) -> None:
    for x in arrays:
        if not isinstance(x, NDArray):
            raise TypeError(f"kvstore: key {key!r} needs NDArrays, got {type(x).__name__}")
