"""Adam and its family."""

from __future__ import annotations

from math import sqrt
from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import Optimizer, as_lists, is_low_precision, register, zeros_like
from .by_operator import ByOperator, Call


class _TwoMoments(Optimizer):
    """An optimizer whose state is a running mean of the gradient and one of its size."""

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        stype = self._state_stype(weight)
        return (zeros_like(weight, stype), zeros_like(weight, stype))

    def _state_stype(self, weight: NDArray) -> str:
        """How the states of a weight are stored."""
        return "default"


@register
class Adam(ByOperator, _TwoMoments):
    """Adam (Kingma and Ba 2015), with weight decay added to the gradient.

    ``weight -= lr * sqrt(1 - beta2**t) / (1 - beta1**t) * mean / (sqrt(var) + epsilon)``

    Source: the operator ``adam_update``. ``lazy_update`` touches only the rows that a row-sparse
    gradient has.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> adam = mx.optimizer.Adam(learning_rate=0.25)
    >>> adam.update(0, weight, grad, adam.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        lazy_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lazy_update = lazy_update

    def _state_stype(self, weight: NDArray) -> str:
        return weight.stype if self.lazy_update else "default"

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, t = self._step(index)
        attrs = {
            "lr": lr * sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t),
            "wd": wd,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "lazy_update": self.lazy_update,
            **self._common(),
        }
        return Call("adam_update", tuple(state), attrs)


@register
class AdamW(_TwoMoments):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    ``weight -= lr_t * mean / (sqrt(var) + epsilon) + lr * wd * weight`` with ``lr_t`` the bias-
    corrected rate (``lr`` itself when ``correct_bias`` is False). MXNet 1.9.1 has its operators,
    ``contrib.adamw_update`` and ``contrib.mp_adamw_update``; the class follows MXNet 2.

    >>> weight, grad = mx.nd.ones((2,)), mx.nd.zeros((2,))
    >>> adamw = mx.optimizer.create("adamw", learning_rate=0.5, wd=0.5)
    >>> adamw.update(0, weight, grad, adamw.create_state(0, weight))
    >>> weight.asnumpy()
    array([0.75, 0.75], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        correct_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.correct_bias = correct_bias

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """As `create_state`, with the float32 copy of a low-precision weight."""
        if self.multi_precision and is_low_precision(weight):
            master = weight.astype("float32")
            return (*self.create_state(index, master), master)
        return super().create_state_multi_precision(index, weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple) -> None:
        """One step of the rule, in place."""
        self._update(index, weight, grad, state, nd._internal._adamw_update)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, through float32 copies of low-precision weights."""
        for i, w, g, s in zip(*as_lists(index, weight, grad, state), strict=True):
            mixed = self.multi_precision and is_low_precision(w)
            operator = nd._internal._mp_adamw_update if mixed else nd._internal._adamw_update
            self._update(i, w, g, s, operator)

    def _update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple, operator: Any):
        lr, wd, t = self._step(index)
        rate = lr
        if self.correct_bias:
            rate = lr * sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
        settings = self._common()
        # The operator decays by eta * wd; so eta = 1 and lr goes into both factors.
        operator(
            weight,
            grad,
            *state,
            nd.full((1,), settings.pop("rescale_grad"), ctx=weight.context),
            out=weight,
            lr=rate,
            wd=wd * lr,
            eta=1.0,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            **settings,
        )


@register
class Adamax(_TwoMoments):
    """Adam with the infinity norm (Kingma and Ba 2015, section 7).

    ``mean = beta1 * mean + (1 - beta1) * g; u = max(beta2 * u, |g|);``
    ``weight -= lr / (1 - beta1**t) * mean / u``

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> adamax = mx.optimizer.Adamax(learning_rate=0.25)
    >>> adamax.update(0, weight, grad, adamax.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(
        self, learning_rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple) -> None:
        """One step of the rule, in place."""
        lr, wd, t = self._step(index)
        lr /= 1.0 - self.beta1**t
        grad = self._rescaled(grad, weight * wd)
        mean, largest = state
        mean[:] = mean * self.beta1 + grad * (1.0 - self.beta1)
        largest[:] = nd.maximum(largest * self.beta2, nd.abs(grad))
        weight -= mean / largest * lr


@register
class Nadam(_TwoMoments):
    """Adam with Nesterov momentum (Dozat 2016).

    As in MXNet, the momentum schedule is one product for all parameters of the optimizer.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> nadam = mx.optimizer.Nadam(learning_rate=0.25)
    >>> nadam.update(0, weight, grad, nadam.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.736], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        self.m_schedule = 1.0

    def _momentum(self, t: int) -> float:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.schedule_decay))

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple) -> None:
        """One step of the rule, in place."""
        lr, wd, t = self._step(index)
        grad = self._rescaled(grad, weight * wd)
        now, following = self._momentum(t), self._momentum(t + 1)
        self.m_schedule *= now
        mean, var = state
        mean[:] = mean * self.beta1 + grad * (1.0 - self.beta1)
        var[:] = var * self.beta2 + grad * grad * (1.0 - self.beta2)
        ahead = mean * (following / (1.0 - self.m_schedule * following))
        bar = grad * ((1.0 - now) / (1.0 - self.m_schedule)) + ahead
        size = nd.sqrt(var / (1.0 - self.beta2**t)) + self.epsilon
        weight -= bar / size * lr


@register
class FTML(ByOperator):
    """Follow the moving leader (Zheng and Kwok 2017; operator ``ftml_update``).

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> ftml = mx.optimizer.FTML(learning_rate=0.25)
    >>> ftml.update(0, weight, grad, ftml.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(
        self, beta1: float = 0.6, beta2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """The state of one parameter, zeros at first."""
        return (zeros_like(weight), zeros_like(weight), zeros_like(weight))

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, t = self._step(index)
        attrs = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}
        attrs |= {"lr": lr, "wd": wd, "t": t, **self._common(clip="clip_grad")}
        return Call("ftml_update", tuple(state), attrs)


@register
class LAMB(_TwoMoments):
    """Layer-wise adaptive moments for large batches (You et al. 2020).

    Operators ``lamb_update_phase1`` and ``lamb_update_phase2`` and their ``mp_`` forms.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> lamb = mx.optimizer.LAMB(learning_rate=0.25)
    >>> lamb.update(0, weight, grad, lamb.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        lower_bound: float | None = None,
        upper_bound: float | None = None,
        bias_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.bias_correction = bias_correction

    def _state_stype(self, weight: NDArray) -> str:
        return weight.stype

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """One step of the rule, in place."""
        for i, w, g, s in zip(*as_lists(index, weight, grad, state), strict=True):
            self._update(i, w, g, s, None)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, through float32 copies of low-precision weights."""
        for i, w, g, s in zip(*as_lists(index, weight, grad, state), strict=True):
            if self.multi_precision and is_low_precision(w):
                self._update(i, w, g, s[1], s[0])
            else:
                self._update(i, w, g, s, None)

    def _update(
        self, index: Any, weight: NDArray, grad: NDArray, state: tuple, master: NDArray | None
    ) -> None:
        lr, wd, t = self._step(index)
        settings = {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
            "t": t,
            "wd": wd,
            **self._common(),
        }
        bounds = {"lower_bound": self.lower_bound, "upper_bound": self.upper_bound}
        bounds = {name: bound for name, bound in bounds.items() if bound}
        if master is None:
            direction = nd.lamb_update_phase1(weight, grad, *state, **settings)
            norms = (weight.norm(), direction.norm())
            nd.lamb_update_phase2(weight, direction, *norms, out=weight, lr=lr, **bounds)
        else:
            direction = nd.mp_lamb_update_phase1(weight, grad, *state, master, **settings)
            norms = (master.norm(), direction.norm())
            nd.mp_lamb_update_phase2(weight, direction, *norms, master, out=weight, lr=lr, **bounds)
