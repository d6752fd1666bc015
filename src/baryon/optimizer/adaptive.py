"""Rates adapted to each element by the history of its gradient."""

from __future__ import annotations

from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import Optimizer, register, zeros_like
from .by_operator import ByOperator, Call


@register
class AdaGrad(Optimizer):
    """AdaGrad (Duchi, Hazan and Singer 2011).

    ``history += g**2; weight -= lr * (g / sqrt(history + eps) + wd * weight)``

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> adagrad = mx.optimizer.AdaGrad(learning_rate=0.25)
    >>> adagrad.update(0, weight, grad, adagrad.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.75], dtype=float32)
    """

    def __init__(self, eps: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """The state of one parameter, zeros at first."""
        return zeros_like(weight, weight.stype)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """One step of the rule, in place; of a row_sparse gradient its rows, without decay."""
        lr, wd, _ = self._step(index)
        if grad.stype == "row_sparse":
            settings = {"epsilon": self.float_stable_eps, "lr": lr, "wd": wd, **self._common()}
            nd.sparse.adagrad_update(weight, grad, state, out=weight, **settings)
            return
        grad = self._rescaled(grad)
        state += grad * grad
        step = grad / nd.sqrt(state + self.float_stable_eps) + weight * wd
        weight -= step * lr


@register
class AdaDelta(Optimizer):
    """AdaDelta (Zeiler 2012): steps in the units of the weights; the learning rate is not used.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> adadelta = mx.optimizer.AdaDelta(epsilon=0.01)
    >>> adadelta.update(0, weight, grad, adadelta.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.688], dtype=float32)
    """

    def __init__(self, rho: float = 0.90, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The state of one parameter, zeros at first."""
        return (zeros_like(weight), zeros_like(weight))

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: tuple) -> None:
        """One step of the rule, in place."""
        _, wd, _ = self._step(index)
        grad = self._rescaled(grad)
        sizes, steps = state
        sizes[:] = sizes * self.rho + grad * grad * (1.0 - self.rho)
        step = nd.sqrt(steps + self.epsilon) / nd.sqrt(sizes + self.epsilon) * grad
        steps[:] = steps * self.rho + step * step * (1.0 - self.rho)
        weight -= step + weight * wd


@register
class RMSProp(ByOperator):
    """RMSProp (Tieleman and Hinton 2012), or with ``centered`` the form of Graves (2013).

    Operators ``rmsprop_update`` and ``rmspropalex_update``. ``gamma1`` is the decay of the squared
    gradient; ``gamma2`` the momentum of the centered form; ``clip_weights`` bounds the weights.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> rmsprop = mx.optimizer.RMSProp(learning_rate=0.25, gamma1=0.75)
    >>> rmsprop.update(0, weight, grad, rmsprop.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        gamma1: float = 0.9,
        gamma2: float = 0.9,
        epsilon: float = 1e-8,
        centered: bool = False,
        clip_weights: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.epsilon = epsilon
        self.centered = centered
        self.clip_weights = clip_weights

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, ...]:
        """The state of one parameter, zeros at first."""
        count = 3 if self.centered else 1
        return tuple(zeros_like(weight, weight.stype) for _ in range(count))

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, _ = self._step(index)
        attrs = {"gamma1": self.gamma1, "epsilon": self.epsilon, "lr": lr, "wd": wd}
        attrs |= self._common()
        if self.clip_weights:
            attrs["clip_weights"] = self.clip_weights
        if self.centered:
            return Call("rmspropalex_update", tuple(state), attrs | {"gamma2": self.gamma2})
        return Call("rmsprop_update", tuple(state), attrs)


@register
class Ftrl(ByOperator):
    """Follow the regularized leader, proximal (McMahan et al. 2013; operator ``ftrl_update``).

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> ftrl = mx.optimizer.Ftrl(learning_rate=0.5, lamda1=0.0)
    >>> ftrl.update(0, weight, grad, ftrl.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([0.333], dtype=float32)
    """

    def __init__(
        self, lamda1: float = 0.01, learning_rate: float = 0.1, beta: float = 1, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.lamda1 = lamda1
        self.beta = beta

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The state of one parameter, zeros at first."""
        return (zeros_like(weight, weight.stype), zeros_like(weight, weight.stype))

    def _call(self, index: Any, weight: NDArray, state: Any, mixed: bool) -> Call:
        lr, wd, _ = self._step(index)
        attrs = {"lamda1": self.lamda1, "beta": self.beta, "lr": lr, "wd": wd}
        return Call("ftrl_update", tuple(state), attrs | self._common())
