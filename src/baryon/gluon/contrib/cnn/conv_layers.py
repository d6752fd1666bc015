"""Deformable convolutions."""

from __future__ import annotations

from typing import Any

from ...block import HybridBlock
from ...nn import Activation
from ...nn.pool_layers import spatial
from ...utils import ArgumentError

__all__ = ["DeformableConvolution", "ModulatedDeformableConvolution"]

Sizes = int | tuple[int, ...]


class _Deformable(HybridBlock):
    """A convolution that finds where to read by another one, of the same window."""

    _numbers = 2  # for each position of the window: how far to move down and right

    def __init__(
        self,
        channels: int,
        kernel_size: Sizes = (1, 1),
        strides: Sizes = (1, 1),
        padding: Sizes = (0, 0),
        dilation: Sizes = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        op_name: str | None = None,
        adj: Any = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        if layout != "NCHW" or adj is not None:
            raise ArgumentError(
                f"{type(self).__name__}: expected layout NCHW and no adj, got {layout}, {adj}"
            )
        self._channels, self._in_channels = channels, in_channels
        self._op_name = op_name or type(self).__name__
        window = {
            "kernel": spatial(kernel_size, 2, "kernel_size"),
            "stride": spatial(strides, 2, "strides"),
            "dilate": spatial(dilation, 2, "dilation"),
            "pad": spatial(padding, 2, "padding"),
            "num_group": groups,
            "layout": layout,
        }
        self._groups = num_deformable_group
        area = window["kernel"][0] * window["kernel"][1]
        offsets = self._numbers * area * num_deformable_group
        self._offset = {**window, "num_filter": offsets, "no_bias": not offset_use_bias}
        self._conv = {
            **window,
            "num_filter": channels,
            "no_bias": not use_bias,
            "num_deformable_group": num_deformable_group,
        }
        inner = (in_channels // groups, *window["kernel"])
        with self.name_scope():
            for name, count, has_bias, weight_init, bias_init in self._parts(
                (
                    "offset",
                    offsets,
                    offset_use_bias,
                    offset_weight_initializer,
                    offset_bias_initializer,
                ),
                ("deformable_conv", channels, use_bias, weight_initializer, bias_initializer),
            ):
                self._make(f"{name}_weight", (count, *inner), weight_init)
                if has_bias:
                    self._make(f"{name}_bias", (count,), bias_init)
            self.act = (
                None if activation is None else Activation(activation, prefix=f"{activation}_")
            )

    def _parts(self, *parts: tuple) -> tuple:
        """The two convolutions in the order in which their Parameters are made."""
        return parts

    def _make(self, name: str, shape: tuple, init: Any) -> None:
        setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """Offsets from `x`, then the convolution that reads there."""
        biases = [b for b in (offset_bias,) if b is not None]
        offset = F.Convolution(x, offset_weight, *biases, cudnn_off=True, **self._offset)
        biases = [b for b in (deformable_conv_bias,) if b is not None]
        operator = getattr(F.contrib, self._op_name)
        inputs = (x, *self._places(F, offset), deformable_conv_weight, *biases)
        out = operator(*inputs, name="fwd", **self._conv)
        return out if self.act is None else self.act(out)

    def _places(self, F: Any, offset: Any) -> tuple:
        """What the operator is told of the places."""
        return (offset,)


class DeformableConvolution(_Deformable):
    """2-d convolution whose window is bent by learnt offsets (Dai et al., 2017).

    Arguments as in ``nn.Conv2D``; the offsets start at zero, as an ordinary convolution.

    num_deformable_group : the channels fall into so many groups with offsets of their own.

    >>> layer = mx.gluon.contrib.cnn.DeformableConvolution(4, kernel_size=3, padding=1)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 5, 5))).shape
    (1, 4, 5, 5)
    """

    def _alias(self) -> str:
        return "deformable_conv"

    def __repr__(self) -> str:
        conv = self._conv
        inputs, outputs = self.deformable_conv_weight.shape[1] * conv["num_group"], self._channels
        text = f"{inputs or None} -> {outputs}, kernel_size={conv['kernel']}"
        text += f", stride={conv['stride']}"
        for label, key, usual in (
            ("padding", "pad", (0, 0)),
            ("dilation", "dilate", (1, 1)),
            ("groups", "num_group", 1),
            ("bias", "no_bias", False),
        ):
            if conv[key] != usual:
                text += f", {label}={conv[key] if label != 'bias' else False}"
        return f"{type(self).__name__}({text}{f', {self.act}' if self.act is not None else ''})"


class ModulatedDeformableConvolution(_Deformable):
    """Deformable convolution that also weighs each place it reads (Zhu et al., 2019).

    Arguments as in `DeformableConvolution`; the weights start at 1.

    >>> layer = mx.gluon.contrib.cnn.ModulatedDeformableConvolution(4, kernel_size=3)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((1, 2, 5, 5))).shape
    (1, 4, 3, 3)
    """

    _numbers = 3

    def _alias(self) -> str:
        return "modulated_deformable_conv"

    def _parts(self, *parts: tuple) -> tuple:
        return parts[::-1]

    def _places(self, F: Any, offset: Any) -> tuple:
        moved = self._offset["num_filter"] * 2 // 3
        where = F.slice_axis(offset, axis=1, begin=0, end=moved)
        weight = F.slice_axis(offset, axis=1, begin=moved, end=None)
        return where, F.sigmoid(weight) * 2
