"""Optimizers of ``mxnet.optimizer.contrib``."""

from __future__ import annotations

from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray, clip, mean, sqrt, square  # noqa: F401 - MXNet has them here
from .base import Optimizer, register

__all__ = ["GroupAdaGrad"]


@register
class GroupAdaGrad(Optimizer):
    """AdaGrad with one rate a row (Duchi et al. 2011), for embeddings; it takes no weight decay.

    ``history += mean(g**2, axis=1); weight -= lr * g / sqrt(history + eps)``
    """

    def __init__(self, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """The state of one parameter, zeros at first."""
        if len(weight.shape) != 2:
            raise AssertionError(f"GroupAdaGrad needs 2-d weights, got shape {weight.shape}")
        return nd.zeros(
            (weight.shape[0], 1), ctx=weight.context, dtype=weight.dtype, stype=weight.stype
        )

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """One step of the rule, in place."""
        lr, wd, _ = self._step(index)
        if wd != 0:
            raise AssertionError("Weight decay is not supported for GroupAdaGrad")
        if grad.stype == "row_sparse":
            settings = {"epsilon": self.float_stable_eps, "lr": lr, **self._common()}
            nd.contrib.group_adagrad_update(weight, grad, state, out=weight, **settings)
            return
        grad = self._rescaled(grad)
        state += nd.mean(grad * grad, axis=1, keepdims=True)
        weight -= nd.broadcast_div(grad, nd.sqrt(state + self.float_stable_eps)) * lr
