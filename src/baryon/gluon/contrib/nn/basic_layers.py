"""Branches that run side by side, sub-pixel convolution's shuffle, sparse embeddings."""

from __future__ import annotations

from typing import Any

from .... import ndarray
from ...block import Block, HybridBlock
from ...nn import BatchNorm, HybridSequential, Sequential
from ...utils import ArgumentError

__all__ = [
    "Concurrent",
    "HybridConcurrent",
    "Identity",
    "PixelShuffle1D",
    "PixelShuffle2D",
    "PixelShuffle3D",
    "SparseEmbedding",
    "SyncBatchNorm",
]


class Concurrent(Sequential):
    """Blocks that all get the same input; their outputs are concatenated along `axis`.

    >>> net = mx.gluon.contrib.nn.Concurrent(axis=1)
    >>> net.add(mx.gluon.nn.Dense(2), mx.gluon.nn.Dense(3))
    >>> net.initialize()
    >>> net(mx.nd.ones((4, 5))).shape
    (4, 5)
    """

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """The outputs side by side."""
        return ndarray.concat(*[block(x) for block in self], dim=self.axis)


class HybridConcurrent(HybridSequential):
    """HybridBlocks that all get the same input; their outputs are concatenated along `axis`.

    >>> net = mx.gluon.contrib.nn.HybridConcurrent(axis=1)
    >>> net.add(mx.gluon.nn.Flatten(), mx.gluon.contrib.nn.Identity())
    >>> net(mx.nd.ones((4, 5))).shape
    (4, 10)
    """

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The outputs side by side."""
        return F.concat(*[block(x) for block in self], dim=self.axis)


class Identity(HybridBlock):
    """Gives its input back: the shortcut branch of a `HybridConcurrent`.

    >>> mx.gluon.contrib.nn.Identity()(mx.nd.ones(2)).asnumpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """`x` itself."""
        return x


class SparseEmbedding(Block):
    """Rows of a table, looked up by index; the table and its gradient are row_sparse.

    input_dim : number of rows.      output_dim : length of a row.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {
            "input_dim": input_dim,
            "output_dim": output_dim,
            "dtype": dtype,
            "sparse_grad": True,
        }
        self.weight = self.params.get(
            "weight",
            shape=(input_dim, output_dim),
            init=weight_initializer,
            dtype=dtype,
            grad_stype="row_sparse",
            stype="row_sparse",
        )

    def __repr__(self) -> str:
        k = self._kwargs
        return f"{type(self).__name__}({k['input_dim']} -> {k['output_dim']}, {k['dtype']})"

    def forward(self, x: Any) -> Any:
        """The operator ``Embedding``, with the rows that `x` names."""
        weight = self.weight.row_sparse_data(x)
        return ndarray.Embedding(x, weight, name="fwd", **self._kwargs)


class SyncBatchNorm(BatchNorm):
    """Batch normalization whose statistics are shared by all devices of one step.

    num_devices : how many devices there are; default: all of them.

    One process computes on one device here, where this equals `BatchNorm`.

    >>> layer = mx.gluon.contrib.nn.SyncBatchNorm(in_channels=3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    def __init__(
        self,
        in_channels: int = 0,
        num_devices: int | None = None,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            1,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )
        del self._kwargs["axis"]
        self._kwargs |= {"ndev": num_devices or 1, "key": self.prefix}

    def _operator(self, F: Any) -> Any:
        return F.contrib.SyncBatchNorm


class _PixelShuffle(HybridBlock):
    """Moves blocks of channels into space: upsampling by `factor` along each spatial axis."""

    _axes: int

    def __init__(self, factor: int | tuple[int, ...]) -> None:
        super().__init__()
        count = self._axes
        factors = (factor,) * count if isinstance(factor, int) else tuple(factor)
        if len(factors) != count:
            raise ArgumentError(f"wrong length {len(factors)}: expected {count} factors")
        self._factors = tuple(int(f) for f in factors)

    def __repr__(self) -> str:
        shown = self._factors[0] if self._axes == 1 else self._factors
        return f"{type(self).__name__}({shown})"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """(N, C * prod(f), W, ...) to (N, C, W * f, ...)."""
        axes, factors = self._axes, self._factors
        channels = 1
        for f in factors:
            channels *= f
        # Split the channels into (C, f1, f2, ...), one factor after the other.
        x = F.reshape(x, shape=(0, -4, -1, channels, *[0] * axes))
        rest = channels
        for i, f in enumerate(factors[:-1]):
            rest //= f
            x = F.reshape(x, shape=(*[0] * (2 + i), -4, f, rest, *[0] * axes))
        # (N, C, f1, f2, ..., W1, W2, ...) to (N, C, W1, f1, W2, f2, ...)
        pairs = [axis for i in range(axes) for axis in (2 + axes + i, 2 + i)]
        x = F.transpose(x, axes=(0, 1, *pairs))
        return F.reshape(x, shape=(0, 0, *[-3] * axes))


class PixelShuffle1D(_PixelShuffle):
    """Sub-pixel upsampling (Shi et al., 2016) of (N, C * f, W) to (N, C, W * f).

    >>> mx.gluon.contrib.nn.PixelShuffle1D(2)(mx.nd.zeros((1, 8, 3))).shape
    (1, 4, 6)
    """

    _axes = 1


class PixelShuffle2D(_PixelShuffle):
    """Sub-pixel upsampling (Shi et al., 2016) of (N, C * f1 * f2, H, W) to (N, C, H * f1, W * f2).

    >>> mx.gluon.contrib.nn.PixelShuffle2D((2, 3))(mx.nd.zeros((1, 12, 3, 5))).shape
    (1, 2, 6, 15)
    """

    _axes = 2


class PixelShuffle3D(_PixelShuffle):
    """Sub-pixel upsampling (Shi et al., 2016) of (N, C * f1 * f2 * f3, D, H, W).

    >>> mx.gluon.contrib.nn.PixelShuffle3D((2, 3, 4))(mx.nd.zeros((1, 48, 3, 5, 7))).shape
    (1, 2, 6, 15, 28)
    """

    _axes = 3
