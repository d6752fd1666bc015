"""Gradient descent and its close kin: momentum, Nesterov, sign, Langevin, delay-compensated."""

from __future__ import annotations

from operator import is_
from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import AGGREGATE, Optimizer, as_lists, is_low_precision, register, zeros_like
from .by_operator import ByOperator, Call, Calls


def _sgd_call(state: Any, mixed: bool, attrs: dict[str, float]) -> Call:
    """The operator of one parameter's step, with momentum if that is among the attributes."""
    name = ("mp_" if mixed else "") + ("sgd_mom_update" if "momentum" in attrs else "sgd_update")
    if not mixed:
        return Call(name, () if state is None else (state,), attrs)
    return Call(name, tuple([a for a in state if a is not None]), attrs)


def sgd_update_all(
    weights: list[NDArray],
    grads: list[NDArray],
    states: list[Any],
    lrs: list[float],
    wds: list[float],
    *,
    mixed: bool,
    momentum: float,
    lazy: bool = True,
    **common: float,
) -> None:
    """One step of SGD on several parameters of one dtype: one operator call for all of them.

    ``states`` holds momentum arrays (or None), or with ``mixed`` pairs (momentum, float32 weight).
    """
    has_momentum = momentum != 0.0
    if has_momentum:
        common["momentum"] = momentum
    name = ("mp_" if mixed else "") + ("sgd_mom_update" if has_momentum else "sgd_update")
    groups = []
    for weight, grad, state in zip(weights, grads, states, strict=True):
        extra = state if mixed else (state,)
        groups.append([weight, grad, *(s for s in extra if s is not None)])
    if len(groups) == 1 or any(x.stype != "default" for x in (*weights, *grads)):
        update = getattr(nd, name)
        for group, lr, wd in zip(groups, lrs, wds, strict=True):
            update(*group, out=group[0], lr=lr, wd=wd, lazy_update=lazy, **common)
        return
    update = getattr(nd, "multi_" + name)
    data = [array for group in groups for array in group]
    # Tuples: attributes that can be hashed and are seen again need not be read again.
    rates = {"lrs": tuple(lrs), "wds": tuple(wds)}
    update(*data, out=weights, num_weights=len(weights), **rates, **common)


class Momentum(Optimizer):
    """An optimizer whose state is a momentum array, or None without momentum."""

    momentum: float

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """The state of one parameter, zeros at first."""
        return zeros_like(weight, self._state_stype(weight)) if self.momentum != 0.0 else None

    def _state_stype(self, weight: NDArray) -> str:
        """How the state of a weight is stored."""
        return "default"


class MixedMomentum(Momentum):
    """As `Momentum`; low-precision weights have the state (momentum, float32 weight)."""

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """As `create_state`, with the float32 copy of a low-precision weight."""
        if self.multi_precision and is_low_precision(weight):
            master = weight.astype("float32")
            return (self.create_state(index, master), master)
        return super().create_state_multi_precision(index, weight)


@register
class SGD(ByOperator, MixedMomentum):
    """Stochastic gradient descent, with momentum (Polyak 1964).

    ``m = momentum * m - lr * (rescale_grad * grad + wd * weight); weight += m``

    Source: the operators ``sgd_update``, ``sgd_mom_update``, their ``mp_`` and ``multi_`` forms.

    >>> weight, grad = mx.nd.array([1.0, 2.0]), mx.nd.array([1.0, -1.0])
    >>> sgd = mx.optimizer.SGD(learning_rate=0.5)
    >>> sgd.update(0, weight, grad, sgd.create_state(0, weight))
    >>> weight.asnumpy()
    array([0.5, 2.5], dtype=float32)
    """

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggregate_num = AGGREGATE
        self.momentum = momentum
        self.lazy_update = lazy_update

    _mixes = True
    _last: tuple[tuple, list, Calls] | None = None  # what was asked of `calls`, states and answer

    def _state_stype(self, weight: NDArray) -> str:
        return weight.stype if self.lazy_update else "default"

    def calls(self, indices: list, weights: list[NDArray], states: list) -> Calls:
        """The calls that make a step of these parameters, all counted before the first.

        While neither rates nor states change they are those of the last step.
        """
        self._update_count(indices)
        common = self._common() | ({"momentum": self.momentum} if self.momentum != 0.0 else {})
        lrs, wds = self._get_lrs(indices), self._get_wds(indices)
        asked = (common, lrs, wds)
        if self._last is not None and not self.multi_precision:
            before, its, made = self._last
            if before == asked and len(its) == len(states) and all(map(is_, its, states)):
                return made
        rates = list(zip(lrs, wds, strict=True))
        attrs = {(lr, wd): {**common, "lr": lr, "wd": wd} for lr, wd in set(rates)}
        made = Calls(
            _sgd_call(s, self._is_mixed(w), attrs[rate])
            for w, s, rate in zip(weights, states, rates, strict=True)
        )
        self._last = (asked, list(states), made)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        return self.calls([index], [weight], [state])[0]

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """One step of the rule, in place."""
        self._update(*as_lists(index, weight, grad, state), mixed=False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, through float32 copies of low-precision weights."""
        indices, weights, grads, states = as_lists(index, weight, grad, state)
        mixed = self.multi_precision and is_low_precision(weights[0])
        self._update(indices, weights, grads, states, mixed=mixed)

    def _update(
        self,
        indices: list,
        weights: list[NDArray],
        grads: list[NDArray],
        states: list,
        *,
        mixed: bool,
    ) -> None:
        self._update_count(indices)
        sgd_update_all(
            weights,
            grads,
            states,
            self._get_lrs(indices),
            self._get_wds(indices),
            mixed=mixed,
            momentum=self.momentum,
            lazy=self.lazy_update,
            **self._common(),
        )


@register
class ccSGD(SGD):  # noqa: N801 - MXNet's name
    """`SGD` under the name it had when it was a C++ optimizer of its own."""


@register
class NAG(ByOperator, MixedMomentum):
    """Nesterov's accelerated gradient (operators ``nag_mom_update``, ``mp_nag_mom_update``).

    ``m = momentum * m - lr * g; weight += momentum * m - lr * g``, with
    ``g = rescale_grad * grad + wd * weight``.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> nag = mx.optimizer.NAG(learning_rate=0.25, momentum=0.5)
    >>> nag.update(0, weight, grad, nag.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.25], dtype=float32)
    """

    def __init__(self, momentum: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    _mixes = True

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, _ = self._step(index)
        attrs = {"lr": lr, "wd": wd, **self._common()}
        if self.momentum == 0.0:
            return _sgd_call(state, mixed, attrs)
        name, arrays = ("mp_nag_mom_update", state) if mixed else ("nag_mom_update", (state,))
        return Call(name, arrays, attrs | {"momentum": self.momentum})


@register
class Signum(ByOperator, Momentum):
    """Steps of the sign of the gradient, or of its momentum (Bernstein et al. 2018).

    Operators ``signsgd_update`` and ``signum_update``; ``wd_lh`` is a decoupled weight decay.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> signum = mx.optimizer.Signum(learning_rate=0.25)
    >>> signum.update(0, weight, grad, signum.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum
        self.wd_lh = wd_lh

    def _state_stype(self, weight: NDArray) -> str:
        return weight.stype

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, _ = self._step(index)
        attrs = {"lr": lr, "wd": wd, **self._common()}
        if state is None:
            return Call("signsgd_update", (), attrs)
        attrs |= {"momentum": self.momentum} | ({"wd_lh": self.wd_lh} if self.wd_lh else {})
        return Call("signum_update", (state,), attrs)


@register
class SGLD(Optimizer):
    """Stochastic gradient Langevin dynamics (Welling and Teh 2011).

    ``weight -= lr / 2 * (rescale_grad * grad + wd * weight) + Normal(0, sqrt(lr))``

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> sgld = mx.optimizer.SGLD(learning_rate=0.01)
    >>> sgld.update(0, weight, grad, sgld.create_state(0, weight))
    >>> weight.shape
    (1,)
    """

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: None) -> None:
        """One step of the rule, in place."""
        lr, wd, _ = self._step(index)
        step = (self._rescaled(grad) + weight * wd) * (-lr / 2)
        noise = nd.random.normal(
            0, lr**0.5, shape=weight.shape, dtype=weight.dtype, ctx=weight.context
        )
        weight += step + noise


@register
class DCASGD(Optimizer):
    """Delay-compensated asynchronous SGD (Zheng et al. 2017).

    ``m = momentum * m - lr * (g + wd * weight + lamda * g * g * (weight - previous))``

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> dcasgd = mx.optimizer.DCASGD(learning_rate=0.25)
    >>> dcasgd.update(0, weight, grad, dcasgd.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.5], dtype=float32)
    """

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.weight_previous: dict[Any, NDArray] = {}
        self.lamda = lamda

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray | None, NDArray]:
        """The state of one parameter, zeros at first."""
        return (zeros_like(weight) if self.momentum else None, weight.copy())

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple) -> None:
        """One step of the rule, in place."""
        lr, wd, _ = self._step(index)
        momentum, previous = state
        grad = self._rescaled(grad)
        step = (grad + weight * wd + grad * grad * (weight - previous) * self.lamda) * -lr
        if momentum is not None:
            momentum[:] = momentum * self.momentum + step
            step = momentum
        previous[:] = weight
        weight += step
