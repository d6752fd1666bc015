"""What the convolutions of any number of axes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..block import HybridBlock
from ..utils import ArgumentError
from .activations import Activation
from .pool_layers import spatial

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
