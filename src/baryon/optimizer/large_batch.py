"""SGD for large batches: layer-wise rates (LARS) and warm-up with gradient accumulation (LBSGD)."""

from __future__ import annotations

from typing import Any

from ..ndarray import NDArray
from .base import AGGREGATE, register
from .sgd import SGD, Momentum, sgd_update_all


@register
class LARS(SGD):
    """SGD with a rate for each layer (You, Gitman and Ginsburg 2017).

    The rate of a layer is ``lr * eta * |weight| / (|grad| + wd * |weight| + eps)``; parameters
    whose names end in gamma, beta or bias keep ``lr``. ``momentum_correction`` scales the momentum
    by the change of the learning rate.

    >>> weight, grad = mx.nd.array([3.0, 4.0]), mx.nd.array([0.0, 1.0])
    >>> lars = mx.optimizer.LARS(learning_rate=1.0, eta=0.5)
    >>> lars.update(0, weight, grad, lars.create_state(0, weight))
    >>> weight.asnumpy().round(3)
    array([3. , 1.5], dtype=float32)
    """

    def __init__(
        self,
        momentum: float = 0.0,
        lazy_update: bool = True,
        eta: float = 0.001,
        eps: float = 0,
        momentum_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, lazy_update=lazy_update, **kwargs)
        self.aggregate_num = AGGREGATE
        self.momentum_correction = momentum_correction
        self.eta = eta
        self.eps = eps
        self.skip = 0
        self.last_lr: float | None = None
        self.cur_lr: float | None = None

    @staticmethod
    def _decays(name: str) -> bool:
        return name.endswith("_weight")

    def _get_lrs(self, indices: Any) -> list[float]:
        rate = self.learning_rate
        self.last_lr = rate if self.cur_lr is None else self.cur_lr
        self.cur_lr = rate
        return super()._get_lrs(indices)

    def _trusted(self, index: Any, weight: NDArray, grad: NDArray, lr: float, wd: float) -> float:
        """The rate of one layer."""
        if str(self.idx2name.get(index, index)).endswith(("gamma", "beta", "bias")):
            return lr
        size = weight.astype("float32").norm().asscalar()
        slope = grad.astype("float32").norm().asscalar() * self.rescale_grad
        if not (size > 0 and slope > 0):
            return lr
        return float(lr * self.eta * size / (slope + wd * size + self.eps))

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
        wds = self._get_wds(indices)
        each = zip(indices, weights, grads, self._get_lrs(indices), wds, strict=True)
        lrs = [self._trusted(*layer) for layer in each]
        momentum = self.momentum
        if self.momentum_correction and self.last_lr:
            momentum *= self.cur_lr / self.last_lr
        sgd_update_all(
            weights, grads, states, lrs, wds, mixed=mixed, momentum=momentum, **self._common()
        )


@register
class LBSGD(Momentum):
    """SGD that sums gradients over ``batch_scale`` calls and warms the learning rate up.

    ``warmup_strategy``: ``"linear"``, ``"power2"`` or ``"sqrt"`` raise the rate from 1 to
    ``batch_scale`` times over ``warmup_epochs``; ``"lars"`` scales it by
    ``sqrt(|weight|^2 / (|grad|^2 + wd * |weight|^2))``, kept within 0.01 and 100.

    >>> weight, grad = mx.nd.array([1.0]), mx.nd.array([2.0])
    >>> sgd = mx.optimizer.LBSGD(learning_rate=0.25, batch_scale=2, warmup_epochs=0)
    >>> for _ in range(2):  # gradients are summed, and the second call steps
    ...     sgd.update(0, weight, grad, sgd.create_state(0, weight))
    >>> weight.asnumpy()
    array([0.], dtype=float32)
    """

    def __init__(
        self,
        momentum: float = 0.0,
        multi_precision: bool = False,
        warmup_strategy: str = "linear",
        warmup_epochs: int = 5,
        batch_scale: float = 1,
        updates_per_epoch: int = 32,
        begin_epoch: int = 0,
        num_epochs: int = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(multi_precision=multi_precision, **kwargs)
        self.momentum = momentum
        self.warmup_strategy = warmup_strategy
        self.warmup_epochs = warmup_epochs
        self.batch_scale = batch_scale
        self.updates_per_epoch = updates_per_epoch
        self.init_updates = begin_epoch * updates_per_epoch
        self.num_epochs = num_epochs
        self.lbmult = 1
        self.cumgrads: dict[Any, dict[str, Any]] = {}
        self.adaptive = False
        self.admult = 1

    def _warmup(self, done: int) -> float:
        """The factor on the rate after ``done`` calls."""
        total = self.warmup_epochs * self.updates_per_epoch
        top = float(self.batch_scale)
        if done >= total:
            return top
        if total <= 1:
            return 1.0
        curves = {"linear": 1.0, "power2": 2.0, "sqrt": 0.5}
        if self.warmup_strategy not in curves:
            return 1.0
        return 1.0 + (top - 1) * (done / total) ** curves[self.warmup_strategy]

    @staticmethod
    def _layer_factor(weight: NDArray, grad: NDArray, wd: float) -> float:
        size = float((weight * weight).sum().asscalar())
        slope = float((grad * grad).sum().asscalar())
        return min(max((size / (slope + wd * size + 1e-18)) ** 0.5, 0.01), 100.0)

    def _accumulate(self, index: Any, grad: NDArray) -> tuple[NDArray, int]:
        """Add a gradient to those kept for the parameter: the sum and the count of calls."""
        kept = self.cumgrads.get(index, {"cum_grad": 0, "num_cums": self.init_updates})
        total = grad if isinstance(kept["cum_grad"], int) else kept["cum_grad"] + grad
        count = kept["num_cums"] + 1
        full = count % self.batch_scale == 0
        self.cumgrads[index] = {"cum_grad": 0 if full else total, "num_cums": count}
        return total, count

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray | None) -> None:
        """One step of the rule, in place."""
        lr, wd, _ = self._step(index)
        total, count = self._accumulate(index, grad)
        if count % self.batch_scale:
            return
        if self.batch_scale > 1:
            total = total / self.batch_scale
        if self.warmup_strategy == "lars":
            self.lbmult = self._layer_factor(weight, total, wd)
        else:
            self.lbmult = self._warmup(count)
        sgd_update_all(
            [weight],
            [total],
            [state],
            [lr * self.lbmult],
            [wd],
            mixed=False,
            momentum=self.momentum,
            **self._common(),
        )
