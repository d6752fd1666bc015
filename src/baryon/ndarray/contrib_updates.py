"""Optimizer updates of `mx.nd.contrib`, which take lists of arrays, and scales as numbers too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.op import get
from .creation import full
from .invoke import invoke
from .ndarray import NDArray

__all__ = [
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]


def _scale(value: Any, like: NDArray) -> NDArray:
    """A factor of gradients as an array on the device of `like`."""
    if isinstance(value, NDArray):
        return value.as_in_context(like.context)
    return full((1,), value, ctx=like.context)


def _interleaved(groups: Sequence[Sequence[NDArray]]) -> list[NDArray]:
    """The arrays of every parameter together, parameter by parameter."""
    return [x for together in zip(*groups, strict=True) for x in together]


def adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    rescale_grad: Any,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: NDArray | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """One step of AdamW (Loshchilov and Hutter, ICLR 2019); see ``_adamw_update``.

    rescale_grad : what multiplies the gradient, a number or an array; if it is not finite, or 0,
    nothing changes.

    >>> w, g, m, v = (mx.nd.ones(2) for _ in range(4))
    >>> mx.nd.contrib.adamw_update(w, g, m, v, 1.0, lr=0.1, eta=1, out=w).asnumpy()
    array([0.9, 0.9], dtype=float32)
    """
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd}
    attrs |= {"clip_gradient": clip_gradient, **kwargs}
    inputs = [weight, grad, mean, var, _scale(rescale_grad, weight)]
    return invoke(get("_adamw_update"), inputs, attrs, out, NDArray)


def mp_adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    weight32: NDArray,
    rescale_grad: Any,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: NDArray | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """`adamw_update` of a weight of 16 bits beside its float32 copy.

    >>> w, g = (mx.nd.ones(2, dtype="float16") for _ in range(2))
    >>> m, v, w32 = (mx.nd.ones(2) for _ in range(3))
    >>> mx.nd.contrib.mp_adamw_update(w, g, m, v, w32, 1.0, lr=0.1, eta=1, out=w).asnumpy()
    array([0.9, 0.9], dtype=float16)
    """
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd}
    attrs |= {"clip_gradient": clip_gradient, **kwargs}
    inputs = [weight, grad, mean, var, weight32, _scale(rescale_grad, weight)]
    return invoke(get("_mp_adamw_update"), inputs, attrs, out, NDArray)


def _multi_adamw(
    name: str, groups: Sequence[Sequence[NDArray]], rescale_grad: Any, size: int, **options: Any
) -> Any:
    out = options.pop("out")
    size = size or len(groups[0])
    inputs = [*_interleaved(groups), _scale(rescale_grad, groups[0][0])]
    return invoke(get(name), inputs, {"num_weights": size, **options}, out, NDArray)


def multi_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    rescale_grad: Any,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Sequence[NDArray] | None = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """`adamw_update` of several weights at once; `size` is their number.

    >>> w, g, m, v = ([mx.nd.ones(2)] for _ in range(4))
    >>> found = mx.nd.contrib.multi_adamw_update(w, g, m, v, 1.0, [0.1], [0.0], [1.0], out=w)
    >>> w[0].asnumpy()
    array([0.9, 0.9], dtype=float32)
    """
    return _multi_adamw(
        "_multi_adamw_update", (weights, grads, mean, var), rescale_grad, size,
        lrs=lrs, wds=wds, etas=etas, out=out, **kwargs,
    )  # fmt: skip


def multi_mp_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    rescale_grad: Any,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Sequence[NDArray] | None = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """`mp_adamw_update` of several weights at once; `size` is their number."""
    return _multi_adamw(
        "_multi_mp_adamw_update", (weights, grads, mean, var, weights32), rescale_grad, size,
        lrs=lrs, wds=wds, etas=etas, out=out, **kwargs,
    )  # fmt: skip


def _multi_lamb(
    name: str, groups: Sequence[Sequence[NDArray]], num_tensors: int, **options: Any
) -> Any:
    out = options.pop("out")
    attrs = {"num_tensors": num_tensors or len(groups[0]), **options}
    return invoke(get(name), _interleaved(groups), attrs, out, NDArray)


def multi_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Sequence[NDArray] | None = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """One step of LAMB (You et al., ICLR 2020) of several weights; see ``_multi_lamb_update``.

    >>> w, g, m, v = ([mx.nd.ones(4)] for _ in range(4))
    >>> found = mx.nd.contrib.multi_lamb_update(w, g, m, v, [1], [0.1], [0.0], out=w)
    >>> w[0].asnumpy().round(2)
    array([0.9, 0.9, 0.9, 0.9], dtype=float32)
    """
    return _multi_lamb(
        "_multi_lamb_update", (weights, grads, mean, var), num_tensors,
        step_count=step_count, learning_rates=lrs, wds=wds, out=out, **kwargs,
    )  # fmt: skip


def multi_mp_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Sequence[NDArray] | None = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """`multi_lamb_update` of weights of 16 bits beside their float32 copies."""
    return _multi_lamb(
        "_multi_mp_lamb_update", (weights, grads, mean, var, weights32), num_tensors,
        step_count=step_count, learning_rates=lrs, wds=wds, out=out, **kwargs,
    )  # fmt: skip
