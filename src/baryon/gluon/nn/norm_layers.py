"""Normalization layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dtypes import as_dtype
from ..block import HybridBlock


class _BatchNorm(HybridBlock):
    """Batch normalization, with or without a rectifier after it."""

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {
            "axis": axis,
            "eps": epsilon,
            "momentum": momentum,
            "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
        }
        self._axis = axis
        if in_channels:
            self.in_channels = in_channels
        statistics = {"grad_req": "null", "differentiable": False}
        self.gamma = self._channel("gamma", gamma_initializer, in_channels, _trained(scale))
        self.beta = self._channel("beta", beta_initializer, in_channels, _trained(center))
        self.running_mean = self._channel(
            "running_mean", running_mean_initializer, in_channels, statistics
        )
        self.running_var = self._channel(
            "running_var", running_variance_initializer, in_channels, statistics
        )

    def _channel(self, name: str, init: Any, in_channels: int, options: dict) -> Any:
        """A Parameter with one element a channel."""
        return self.params.get(
            name, shape=(in_channels,), init=init, allow_deferred_init=True, **options
        )

    def cast(self, dtype: Any) -> None:
        """Convert to another dtype; statistics of half precision data stay float32."""
        super().cast("float32" if as_dtype(dtype) == np.float16 else dtype)

    def __repr__(self) -> str:
        facts = ", ".join(f"{key}={value}" for key, value in self._kwargs.items())
        return f"{type(self).__name__}({facts}, in_channels={self.gamma.shape[0] or None})"

    def hybrid_forward(
        self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any
    ) -> Any:
        """Normalize over all axes but the channels'."""
        operator = self._operator(F)
        return operator(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)

    def _operator(self, F: Any) -> Any:
        """The operator that does it."""
        return F.BatchNorm


class BatchNorm(_BatchNorm):
    """Batch normalization (Ioffe and Szegedy, 2015).

    axis             : the channels.            momentum : of the running statistics.
    epsilon          : added to the variance.
    center, scale    : whether beta and gamma are trained.
    use_global_stats : whether training too normalizes by the running statistics.
    in_channels      : number of channels; 0 to find it in the first forward pass.

    >>> layer = mx.gluon.nn.BatchNorm()
    >>> layer.initialize()
    >>> layer(mx.nd.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """


class BatchNormReLU(_BatchNorm):
    """Batch normalization followed by a rectifier; arguments as in `BatchNorm`.

    >>> layer = mx.gluon.nn.BatchNormReLU(epsilon=0)
    >>> layer.initialize()
    >>> layer(mx.nd.array([[-1.0], [2.0]])).asnumpy()
    array([[0.],
           [2.]], dtype=float32)
    """

    def _operator(self, F: Any) -> Any:
        return F.contrib.BatchNormWithReLU


class _Affine(HybridBlock):
    """A layer whose result is scaled by gamma and shifted by beta."""

    _facts: dict[str, Any]

    def _make_affine(
        self, size: int, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any
    ) -> None:
        self._center, self._scale = center, scale
        for name, init, trained in (
            ("gamma", gamma_initializer, scale),
            ("beta", beta_initializer, center),
        ):
            param = self.params.get(
                name,
                grad_req="write" if trained else "null",
                shape=(size,),
                init=init,
                allow_deferred_init=True,
            )
            setattr(self, name, param)

    def __repr__(self) -> str:
        facts = ", ".join(f"{key}={value}" for key, value in self._facts.items())
        return f"{type(self).__name__}({facts})"


class _AxisNorm(_Affine):
    """A layer with a gamma and a beta for each place along an axis."""

    @property
    def _facts(self) -> dict[str, Any]:
        return {
            "eps": self._epsilon,
            "axis": self._axis,
            "center": self._center,
            "scale": self._scale,
            "in_channels": self.gamma.shape[0],
        }


class LayerNorm(_AxisNorm):
    """Layer normalization (Ba et al., 2016): over one axis, for each position by itself.

    >>> layer = mx.gluon.nn.LayerNorm()
    >>> layer.initialize()
    >>> layer(mx.nd.array([[1.0, 3.0]])).asnumpy().round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._axis, self._epsilon = axis, epsilon
        self._make_affine(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """The operator ``LayerNorm``."""
        return F.LayerNorm(data, gamma, beta, axis=self._axis, eps=self._epsilon)


class InstanceNorm(_AxisNorm):
    """Instance normalization (Ulyanov et al., 2016): each sample and channel by itself.

    >>> layer = mx.gluon.nn.InstanceNorm()
    >>> layer.initialize()
    >>> layer(mx.nd.array([[[1.0, 3.0]]])).asnumpy().round(3)
    array([[[-1.,  1.]]], dtype=float32)
    """

    def __init__(
        self,
        axis: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._axis, self._epsilon = axis, epsilon
        self._make_affine(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any) -> Any:
        """The operator ``InstanceNorm``, with the channels brought to axis 1."""
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        x = F.swapaxes(x, dim1=1, dim2=self._axis)
        out = F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        return F.swapaxes(out, dim1=1, dim2=self._axis)


class GroupNorm(_Affine):
    """Group normalization (Wu and He, 2018): channels (axis 1) in groups, each sample by itself.

    As in MXNet, gamma and beta have one element a group.

    >>> layer = mx.gluon.nn.GroupNorm(num_groups=2)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((2, 4, 3))).shape
    (2, 4, 3)
    """

    def __init__(
        self,
        num_groups: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._facts = {
            "eps": epsilon,
            "num_groups": num_groups,
            "center": center,
            "scale": scale,
        }
        self._make_affine(num_groups, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """The operator ``GroupNorm``."""
        facts = self._facts
        return F.GroupNorm(data, gamma, beta, num_groups=facts["num_groups"], eps=facts["eps"])


def _trained(active: bool) -> dict[str, Any]:
    """Options of a Parameter that is trained or fixed."""
    return {"grad_req": "write" if active else "null", "differentiable": active}
