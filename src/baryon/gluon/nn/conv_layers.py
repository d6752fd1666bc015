"""Convolution, pooling and padding layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..block import HybridBlock
from ..utils import ArgumentError
from .activations import Activation
from .pool_layers import (
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    require_layout,
    spatial,
)

__all__ = [
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "ReflectionPad2D",
]

Sizes = int | Sequence[int]


class _Conv(HybridBlock):
    """Convolution or transposed convolution over any number of axes."""

    def __init__(
        self,
        channels: int,
        kernel_size: tuple[int, ...],
        strides: Sizes,
        padding: Sizes,
        dilation: Sizes,
        groups: int,
        layout: str,
        in_channels: int = 0,
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        op_name: str = "Convolution",
        adj: Sizes | None = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        axes = len(kernel_size)
        self._channels = channels
        self._in_channels = in_channels
        self._op_name = op_name
        self._kwargs = {
            "kernel": kernel_size,
            "stride": spatial(strides, axes, "strides"),
            "dilate": spatial(dilation, axes, "dilation"),
            "pad": spatial(padding, axes, "padding"),
            "num_filter": channels,
            "num_group": groups,
            "no_bias": not use_bias,
            "layout": layout,
        }
        if adj is not None:
            self._kwargs["adj"] = spatial(adj, axes, "output_padding")
        shape = self._weight_shape(channels, in_channels, kernel_size, groups, layout)
        with self.name_scope():
            self.weight = self.params.get(
                "weight", shape=shape, init=weight_initializer, allow_deferred_init=True
            )
            self.bias = (
                self.params.get(
                    "bias", shape=(channels,), init=bias_initializer, allow_deferred_init=True
                )
                if use_bias
                else None
            )
            self.act = (
                None if activation is None else Activation(activation, prefix=activation + "_")
            )

    def _weight_shape(
        self, channels: int, in_channels: int, kernel: tuple, groups: int, layout: str
    ) -> tuple[int, ...]:
        """Shape of the weight, with 0 for channels that are not known yet."""
        for what, count in (("channels", channels), ("in_channels", in_channels)):
            if groups < 1 or count % groups:
                raise ArgumentError(
                    f"{type(self).__name__}: {what} {count} must be divisible by groups {groups}"
                )
        outer, inner = channels, in_channels // groups
        if self._op_name == "Deconvolution":
            outer, inner = in_channels, channels // groups
        return (outer, *kernel, inner) if layout.endswith("C") else (outer, inner, *kernel)

    def _alias(self) -> str:
        return "conv"

    def __repr__(self) -> str:
        k, shape, axes = self._kwargs, self.weight.shape, len(self._kwargs["kernel"])
        text = f"{shape[1] or None} -> {shape[0]}, kernel_size={k['kernel']}, stride={k['stride']}"
        for label, key, usual in (
            ("padding", "pad", (0,) * axes),
            ("dilation", "dilate", (1,) * axes),
            ("groups", "num_group", 1),
        ):
            if k[key] != usual:
                text += f", {label}={k[key]}"
        if self.bias is None:
            text += ", bias=False"
        if self.act is not None:
            text += f", {self.act}"
        return f"{type(self).__name__}({text})"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """The operator ``Convolution`` or ``Deconvolution``."""
        inputs = (x, weight) if bias is None else (x, weight, bias)
        out = getattr(F, self._op_name)(*inputs, name="fwd", **self._kwargs)
        return out if self.act is None else self.act(out)


class Conv1D(_Conv):
    """1-d convolution; data is in layout NCW.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv1D(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8))).shape
    (1, 4, 6)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCW",), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 1, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv2D(_Conv):
    """2-d convolution; data is in layout NCHW or NHWC.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv2D(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 4, 6, 6)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: Sizes = (0, 0),
        dilation: Sizes = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 2, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv3D(_Conv):
    """3-d convolution; data is in layout NCDHW or NDHWC.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv3D(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 4, 6, 6, 6)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1, 1),
        padding: Sizes = (0, 0, 0),
        dilation: Sizes = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 3, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv1DTranspose(_Conv):
    """1-d transposed convolution; data is in layout NCW.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    output_padding     : added to the output's size at its end.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv1DTranspose(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8))).shape
    (1, 4, 10)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCW",), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 1, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name="Deconvolution",
            adj=output_padding,
            **kwargs,
        )


class Conv2DTranspose(_Conv):
    """2-d transposed convolution; data is in layout NCHW or NHWC.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    output_padding     : added to the output's size at its end.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv2DTranspose(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 4, 10, 10)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: Sizes = (0, 0),
        output_padding: Sizes = (0, 0),
        dilation: Sizes = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 2, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name="Deconvolution",
            adj=output_padding,
            **kwargs,
        )


class Conv3DTranspose(_Conv):
    """3-d transposed convolution; data is in layout NCDHW or NDHWC.

    channels           : number of output channels.
    kernel_size        : size of the window; a number or one for each axis.
    strides, padding, dilation : likewise.
    output_padding     : added to the output's size at its end.
    groups             : channels fall into so many groups that do not see each other.
    activation         : name of an activation that follows.
    in_channels        : input channels; 0 to find them in the first forward pass.

    >>> layer = mx.gluon.nn.Conv3DTranspose(4, 3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 4, 10, 10, 10)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1, 1),
        padding: Sizes = (0, 0, 0),
        output_padding: Sizes = (0, 0, 0),
        dilation: Sizes = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "convolution")
        super().__init__(
            channels,
            spatial(kernel_size, 3, "kernel_size"),
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name="Deconvolution",
            adj=output_padding,
            **kwargs,
        )


class ReflectionPad2D(HybridBlock):
    """Pads the last two axes of NCHW data by reflection at the edges.

    padding : a number of pixels, or the operator ``Pad``'s 8 numbers (before and after each axis).

    >>> mx.gluon.nn.ReflectionPad2D(1)(mx.nd.ones((1, 1, 3, 3))).shape
    (1, 1, 5, 5)
    """

    def __init__(self, padding: int | Sequence[int] = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(padding, int):
            padding = (0, 0, 0, 0, padding, padding, padding, padding)
        if len(padding) != 8:
            raise ArgumentError(f"padding must be a number or 8 of them, got {padding}")
        self._padding = tuple(padding)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``Pad``."""
        return F.pad(x, mode="reflect", pad_width=self._padding)
