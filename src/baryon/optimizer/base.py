"""What all optimizers share: rates and decays per parameter, update counts, the registry."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .. import ndarray as nd
from ..dtypes import bfloat16, dtype_name
from ..lr_scheduler import LRScheduler
from ..ndarray import NDArray

_LOW_PRECISION = frozenset({np.float16, bfloat16.type})
# Arrays handed to one multi-tensor operator; results do not depend on it.
AGGREGATE = 64


def is_low_precision(weight: NDArray) -> bool:
    """Whether an array is float16 or bfloat16, so that a float32 master copy helps."""
    return weight.dtype in _LOW_PRECISION


def as_lists(*values: Any) -> tuple[list, ...]:
    """Each argument as a list, whether one array or several are updated at once."""
    if isinstance(values[0], list | tuple):
        return tuple(list(value) for value in values)
    return tuple([value] for value in values)


class Optimizer:
    """Base of the optimizers.

    A parameter is known by its index (an int, or a key of a kvstore). Its learning rate is
    ``learning_rate`` times its multiplier, its weight decay ``wd`` times its multiplier; the
    multipliers come from ``param_dict``, else from ``set_lr_mult``/``set_wd_mult`` and the
    attributes ``__lr_mult__`` and ``__wd_mult__`` of ``sym``. Names that end neither in ``_weight``
    nor in ``_gamma`` are not decayed.

    Subclasses define ``create_state(index, weight)`` and ``update(index, weight, grad, state)``;
    those that set ``aggregate_num`` > 0 are handed lists of up to that many parameters.

    Parameters
    ----------
    rescale_grad : factor on gradients before anything else, usually 1 / batch size.
    param_idx2name : names of the parameters by index.
    wd : weight decay (L2 coefficient).
    clip_gradient : bound on the absolute value of rescaled gradients; None for none.
    learning_rate : default 0.01, or the scheduler's base rate.
    lr_scheduler : its ``base_lr`` becomes ``learning_rate`` where that is given.
    sym : Symbol whose attributes hold multipliers.
    begin_num_update : number of updates already done.
    multi_precision : keep float32 copies of float16 and bfloat16 weights.
    param_dict : Gluon parameters by index; their ``lr_mult`` and ``wd_mult`` are used.

    >>> class Plain(mx.optimizer.Optimizer):
    ...     def update(self, index, weight, grad, state):
    ...         self._update_count(index)
    ...         weight -= self._get_lr(index) * grad
    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> Plain(learning_rate=0.25).update(0, weight, grad, None)
    >>> weight.asnumpy()
    array([0.5], dtype=float32)
    """

    opt_registry: ClassVar[dict[str, type[Optimizer]]] = {}

    def __init__(
        self,
        rescale_grad: float = 1.0,
        param_idx2name: Mapping[Any, str] | None = None,
        wd: float = 0.0,
        clip_gradient: float | None = None,
        learning_rate: float | None = None,
        lr_scheduler: LRScheduler | None = None,
        sym: Any = None,
        begin_num_update: int = 0,
        multi_precision: bool = False,
        param_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        self.rescale_grad = rescale_grad
        self.lr_scheduler = lr_scheduler
        self.lr = self._initial_rate(learning_rate, lr_scheduler)
        self.wd = wd
        self.lr_mult: dict[Any, float] = {}
        self.wd_mult: dict[Any, float] = {}
        self.begin_num_update = begin_num_update
        self.num_update = begin_num_update
        self._all_index_update_counts: dict[int, dict[Any, int]] = {0: {}}
        self._index_update_count = self._all_index_update_counts[0]
        self.clip_gradient = clip_gradient
        self.multi_precision = multi_precision
        self.aggregate_num = 0
        if not isinstance(param_idx2name or {}, Mapping):
            raise AssertionError("param_idx2name should be a dict of param indexes to names.")
        self.idx2name = dict(param_idx2name or {})
        self.sym_info = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.param_dict = param_dict if param_dict else {}
        self.allow_np_array = False
        self.set_lr_mult({})
        self.set_wd_mult({})

    @staticmethod
    def _initial_rate(learning_rate: float | None, scheduler: LRScheduler | None) -> float | None:
        if scheduler is None:
            return 0.01 if learning_rate is None else learning_rate
        if learning_rate is not None and scheduler.base_lr != learning_rate:
            scheduler.base_lr = learning_rate
        return learning_rate

    # ---- registry --------------------------------------------------------------------------------

    @staticmethod
    def register(klass: type[Optimizer]) -> type[Optimizer]:
        """Make a class creatable by its lower-cased name; usable as a decorator."""
        if not (isinstance(klass, type) and issubclass(klass, Optimizer)):
            raise AssertionError(f"Can only register subclasses of Optimizer, got {klass!r}")
        name = klass.__name__.lower()
        old = Optimizer.opt_registry.get(name)
        if old is not None and old is not klass:
            warnings.warn(
                f"WARNING: New optimizer {klass.__module__}.{klass.__name__} is overriding "
                f"existing optimizer {old.__module__}.{old.__name__}",
                stacklevel=2,
            )
        Optimizer.opt_registry[name] = klass
        return klass

    @staticmethod
    def create_optimizer(name: str, **kwargs: Any) -> Optimizer:
        """An optimizer by its registered name; ValueError for an unknown one."""
        if not isinstance(name, str):
            raise TypeError(f"optimizer name must be a string, got {type(name).__name__}")
        klass = Optimizer.opt_registry.get(name.lower())
        if klass is None:
            known = ", ".join(sorted(Optimizer.opt_registry))
            raise ValueError(f"Cannot find optimizer {name}; known: {known}")
        return klass(**kwargs)

    # ---- what subclasses define ------------------------------------------------------------------

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """The state of one parameter: None, an array or a tuple of arrays."""

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """As `create_state`, with a float32 copy of the weight in front where one is kept."""
        if is_low_precision(weight):
            if self.multi_precision:
                master = weight.astype("float32")
                return (master, self.create_state(index, master))
            warnings.warn(
                f"Accumulating with {dtype_name(weight.dtype)} in optimizer can lead to poor "
                "accuracy or slow convergence. Consider using multi_precision=True option of the "
                f"{type(self).__name__} optimizer",
                stacklevel=3,
            )
        return self.create_state(index, weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Change ``weight`` and ``state`` in place by one step; lists update several parameters."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, on the float32 copy of low-precision weights, which is then rounded back."""
        for i, w, g, s in zip(*as_lists(index, weight, grad, state), strict=True):
            if self.multi_precision and is_low_precision(w):
                master, inner = s
                self.update(i, master, g.astype("float32"), inner)
                nd.cast(master, dtype=dtype_name(w.dtype), out=w)
            else:
                self.update(i, w, g, s)

    # ---- rates and counts ------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The current rate, before multipliers."""
        return self.lr if self.lr_scheduler is None else self.lr_scheduler(self.num_update)

    def set_learning_rate(self, lr: float) -> None:
        """Set the rate; raises UserWarning where a scheduler rules it."""
        if self.lr_scheduler is not None:
            raise UserWarning(
                "LRScheduler of the optimizer has already been defined. Note that "
                "set_learning_rate can mutate the value of the learning rate of the optimizer "
                "only when the LRScheduler of the optimizer is undefined."
            )
        self.lr = lr

    def set_lr_scale(self, args_lrscale: Mapping[Any, float]) -> None:
        """Gone since MXNet 0.8: use `set_lr_mult`."""
        raise DeprecationWarning("set_lr_scale is deprecated, use set_lr_mult")

    def set_lr_mult(self, args_lr_mult: Mapping[Any, float]) -> None:
        """Set the learning rate multipliers by index or name, over those of the symbol."""
        self.lr_mult = {**self._symbol_multipliers("__lr_mult__"), **args_lr_mult}

    def set_wd_mult(self, args_wd_mult: Mapping[Any, float]) -> None:
        """Set the decay multipliers by index or name, over the symbol's and the default by name."""
        plain = {n: 0.0 for n in self.idx2name.values() if not self._decays(n)}
        self.wd_mult = {**plain, **self._symbol_multipliers("__wd_mult__"), **args_wd_mult}

    @staticmethod
    def _decays(name: str) -> bool:
        return name.endswith(("_weight", "_gamma"))

    def _symbol_multipliers(self, key: str) -> dict[str, float]:
        if not self.sym_info:
            return {}
        attributes, arguments = self.sym_info
        return {n: float(attributes[n][key]) for n in arguments if key in attributes.get(n, {})}

    def _set_current_context(self, device_id: int) -> None:
        """Count the updates of each device apart: they hold copies of the same parameters."""
        counts = self._all_index_update_counts.setdefault(device_id, {})
        self._index_update_count = counts

    def _update_count(self, index: Any) -> None:
        counts = self._index_update_count
        for i in index if isinstance(index, list | tuple) else [index]:
            count = counts.get(i, self.begin_num_update) + 1
            counts[i] = count
            if count > self.num_update:
                self.num_update = count

    def _multipliers(self, indices: Sequence[Any], attribute: str) -> list[float]:
        """The factors ``lr_mult`` or ``wd_mult`` of parameters."""
        params, table, names = self.param_dict, getattr(self, attribute), self.idx2name
        return [
            getattr(params[i], attribute)
            if i in params
            else (table[i] if i in table else table.get(names.get(i), 1.0))
            for i in indices
        ]

    def _get_lrs(self, indices: Sequence[Any]) -> list[float]:
        rate = self.learning_rate
        return [rate * factor for factor in self._multipliers(indices, "lr_mult")]

    def _get_wds(self, indices: Sequence[Any]) -> list[float]:
        return [self.wd * factor for factor in self._multipliers(indices, "wd_mult")]

    def _get_lr(self, index: Any) -> float:
        return self._get_lrs([index])[0]

    def _get_wd(self, index: Any) -> float:
        return self._get_wds([index])[0]

    def _step(self, index: Any) -> tuple[float, float, int]:
        """Count an update of one parameter: its learning rate, decay and update number."""
        self._update_count(index)
        return self._get_lr(index), self._get_wd(index), self._index_update_count[index]

    def _common(self, clip: str = "clip_gradient") -> dict[str, float]:
        """The attributes that every update operator takes."""
        common = {"rescale_grad": self.rescale_grad}
        if self.clip_gradient:
            common[clip] = self.clip_gradient
        return common

    def _rescaled(self, grad: NDArray, decay: NDArray | None = None) -> NDArray:
        """The rescaled gradient (plus a decay term), clipped: for rules without an operator."""
        grad = grad * self.rescale_grad
        if decay is not None:
            grad = grad + decay
        if self.clip_gradient is not None:
            grad = nd.clip(grad, -self.clip_gradient, self.clip_gradient)
        return grad

    # ---- pickling --------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["param_dict"]  # parameters are saved apart
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.param_dict = {}
        # One dictionary under two names: pickles of older versions keep two equal ones.
        counts = self.__dict__.setdefault("_all_index_update_counts", {})
        if not any(c is self._index_update_count for c in counts.values()):
            counts[0] = self._index_update_count


def zeros_like(weight: NDArray, stype: str = "default") -> NDArray:
    """A zero state of the weight's shape, dtype and device."""
    return nd.zeros(weight.shape, ctx=weight.context, dtype=dtype_name(weight.dtype), stype=stype)


register = Optimizer.register


def create(name: str | Optimizer, **kwargs: Any) -> Optimizer:
    """An optimizer by name with its parameters.

    >>> mx.optimizer.create("sgd", learning_rate=0.5, momentum=0.9).learning_rate
    0.5
    """
    return Optimizer.create_optimizer(name, **kwargs)


@register
class Test(Optimizer):
    """``weight += rescale_grad * grad``, for tests: the state keeps the last weight."""

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """The state of one parameter, zeros at first."""
        return zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """One step of the rule, in place."""
        weight += grad * self.rescale_grad
        state[:] = weight
