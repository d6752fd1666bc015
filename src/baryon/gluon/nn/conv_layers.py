"""Convolution, pooling and padding layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..block import HybridBlock
from ..utils import ArgumentError
from ._convolution import Sizes, _Conv
from .activations import Activation  # noqa: F401 - MXNet has it here
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
