"""Initializers that draw from baryon's random stream."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import Initializer, register


def _draw(sampler: Callable[..., NDArray], first: float, second: float, arr: NDArray) -> None:
    """Fill an array with draws, made in float32 for dtypes that the samplers lack."""
    if arr.dtype in (np.float16, np.float32, np.float64):
        sampler(first, second, shape=arr.shape, dtype=arr.dtype, ctx=arr.context, out=arr)
    else:
        arr[:] = sampler(first, second, shape=arr.shape, ctx=arr.context).astype(arr.dtype)


def _uniform(scale: float, arr: NDArray) -> None:
    _draw(nd.random.uniform, -scale, scale, arr)


def _normal(sigma: float, arr: NDArray) -> None:
    _draw(nd.random.normal, 0, sigma, arr)


@register
class Uniform(Initializer):
    """Uniform in ``[-scale, scale)``.

    >>> x = mx.nd.empty((100,))
    >>> mx.init.Uniform(0.1)(mx.init.InitDesc("fc_weight"), x)
    >>> bool(x.abs().max() <= 0.1)
    True
    """

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, _: str, arr: NDArray) -> None:
        _uniform(self.scale, arr)


@register
class Normal(Initializer):
    """Normal with mean 0 and standard deviation ``sigma``.

    >>> x = mx.nd.empty((10000,))
    >>> mx.init.Normal(2.0)(mx.init.InitDesc("fc_weight"), x)
    >>> round(float(np.std(x.asnumpy())), 1)
    2.0
    """

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, _: str, arr: NDArray) -> None:
        _normal(self.sigma, arr)


@register
class Orthogonal(Initializer):
    """``scale`` times a matrix with orthonormal rows or columns (Saxe et al. 2014).

    The array counts as a matrix of shape ``(shape[0], rest)``.

    >>> x = mx.nd.empty((2, 3))
    >>> mx.init.Orthogonal(scale=1.0)(mx.init.InitDesc("fc_weight"), x)
    >>> mx.nd.dot(x, x.T).asnumpy().round(3) + 0.0
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, _: str, arr: NDArray) -> None:
        matrix = (arr.shape[0], int(np.prod(arr.shape[1:])))
        if self.rand_type == "uniform":
            draws = nd.random.uniform(-1.0, 1.0, shape=matrix)
        elif self.rand_type == "normal":
            draws = nd.random.normal(0.0, 1.0, shape=matrix)
        else:
            raise ValueError(f"rand_type must be 'uniform' or 'normal', got {self.rand_type!r}")
        left, _s, right = np.linalg.svd(draws.asnumpy().astype("float64"), full_matrices=False)
        basis = left if left.shape == matrix else right
        arr[:] = (self.scale * basis).reshape(arr.shape)


@register
class Xavier(Initializer):
    """Draws scaled by the numbers of inputs and outputs (Glorot and Bengio 2010).

    The scale is ``sqrt(magnitude / factor)``; the factor is the average (``"avg"``) of the fan-in
    and fan-out, or one of them (``"in"``, ``"out"``). ``rnd_type`` is ``"uniform"`` (the scale is
    the bound) or ``"gaussian"`` (it is the standard deviation).

    >>> x = mx.nd.empty((4, 8))
    >>> mx.init.Xavier()(mx.init.InitDesc("fc_weight"), x)
    >>> bool(x.abs().max() <= (3 / ((4 + 8) / 2)) ** 0.5)
    True
    """

    def __init__(
        self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3
    ) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ValueError(
                f"Xavier initializer cannot be applied to vector {name}. It requires at least 2D."
            )
        window = int(np.prod(shape[2:]))
        fan_in, fan_out = shape[1] * window, shape[0] * window
        factors = {"avg": (fan_in + fan_out) / 2.0, "in": fan_in, "out": fan_out}
        if self.factor_type not in factors:
            raise ValueError(f"Incorrect factor type {self.factor_type!r}: avg, in or out")
        scale = sqrt(self.magnitude / factors[self.factor_type])
        if self.rnd_type == "uniform":
            _uniform(scale, arr)
        elif self.rnd_type == "gaussian":
            _normal(scale, arr)
        else:
            raise ValueError(f"Unknown random type {self.rnd_type!r}: uniform or gaussian")


@register
class MSRAPrelu(Xavier):
    """`Xavier` for PReLU networks: Gaussian, magnitude ``2 / (1 + slope**2)`` (He et al. 2015).

    >>> x = mx.nd.empty((100, 100))
    >>> mx.init.MSRAPrelu()(mx.init.InitDesc("fc_weight"), x)
    >>> round(float(np.std(x.asnumpy())), 2)  # sqrt(2 / (1 + 0.25 ** 2) / 100)
    0.14
    """

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}
