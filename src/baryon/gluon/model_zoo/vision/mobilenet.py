"""MobileNets."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...block import HybridBlock
from ._common import CPU, ROOT, Contexts, Network, conv_bn, loaded, named

__all__ = [
    "MobileNet",
    "MobileNetV2",
    "get_mobilenet",
    "get_mobilenet_v2",
    "mobilenet0_25",
    "mobilenet0_5",
    "mobilenet0_75",
    "mobilenet1_0",
    "mobilenet_v2_0_25",
    "mobilenet_v2_0_5",
    "mobilenet_v2_0_75",
    "mobilenet_v2_1_0",
]

# Version 1: (output channels, stride) of the depthwise separable convolutions.
_SEPARABLE = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)
# Version 2: (expansion, output channels, blocks, stride of the first block).
_BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class RELU6(HybridBlock):
    """The rectifier bounded by 6."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``clip``."""
        return F.clip(x, 0, 6, name="relu6")


class LinearBottleneck(HybridBlock):
    """Inverted residual block (Sandler et al., 2018): expand, filter each channel, project.

    in_channels, channels : input and output channels.
    t                     : expansion, how many times `in_channels` are filtered.
    stride                : of the filters; at 1, and with as many channels, the input is added.
    """

    def __init__(self, in_channels: int, channels: int, t: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_shortcut = stride == 1 and in_channels == channels
        wide = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            self.out.add(*conv_bn(wide, 1), RELU6())
            self.out.add(*conv_bn(wide, 3, stride, 1, groups=wide), RELU6())
            self.out.add(*conv_bn(channels, 1))

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The projection, plus the input where shapes allow."""
        out = self.out(x)
        return F.elemwise_add(out, x) if self.use_shortcut else out


class MobileNet(Network):
    """Network of depthwise separable convolutions (Howard et al., 2017).

    multiplier : factor on all numbers of channels.

    >>> net = mx.gluon.model_zoo.vision.MobileNet(0.25, classes=10)
    >>> net.initialize()
    >>> net(mx.nd.zeros((1, 3, 32, 32))).shape
    (1, 10)
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            width = int(32 * multiplier)
            self._add(width, 3, 2, 1)
            for channels, stride in _SEPARABLE:
                self._add(width, 3, stride, 1, width)
                width = int(channels * multiplier)
                self._add(width, 1)
            self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)

    def _add(self, *conv: int) -> None:
        self.features.add(*conv_bn(*conv), nn.Activation("relu"))


class MobileNetV2(Network):
    """Network of inverted residual blocks (Sandler et al., 2018).

    multiplier : factor on all numbers of channels.

    >>> net = mx.gluon.model_zoo.vision.MobileNetV2(0.25, classes=10)
    >>> net.initialize()
    >>> net(mx.nd.zeros((1, 3, 32, 32))).shape
    (1, 10)
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                self._add_features(multiplier)
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())

    def _add_features(self, multiplier: float) -> None:
        width = int(32 * multiplier)
        self.features.add(*conv_bn(width, 3, 2, 1), RELU6())
        for expansion, channels, count, first in _BOTTLENECKS:
            for i in range(count):
                before, width = width, int(channels * multiplier)
                stride = first if i == 0 else 1
                self.features.add(LinearBottleneck(before, width, expansion, stride))
        last = int(1280 * multiplier) if multiplier > 1 else 1280
        self.features.add(*conv_bn(last, 1), RELU6(), nn.GlobalAvgPool2D())


def _version(multiplier: float) -> str:
    """How the names of files write a multiplier: 1.0, 0.75, 0.5."""
    text = f"{multiplier:.2f}"
    return text[:-1] if text.endswith("0") else text


def get_mobilenet(
    multiplier: float,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """A MobileNet; published for the multipliers 1.0, 0.75, 0.5 and 0.25.

    pretrained : read parameters from the folder `root` onto `ctx`.
    """
    name = f"mobilenet{_version(multiplier)}"
    return loaded(MobileNet(multiplier, **kwargs), name, pretrained, ctx, root)


def get_mobilenet_v2(
    multiplier: float,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """A MobileNetV2; published for the multipliers 1.0, 0.75, 0.5 and 0.25.

    pretrained : read parameters from the folder `root` onto `ctx`.
    """
    name = f"mobilenetv2_{_version(multiplier)}"
    return loaded(MobileNetV2(multiplier, **kwargs), name, pretrained, ctx, root)


mobilenet1_0 = named("mobilenet1_0", "MobileNet", get_mobilenet, 1.0)
mobilenet0_75 = named("mobilenet0_75", "MobileNet of width 0.75", get_mobilenet, 0.75)
mobilenet0_5 = named("mobilenet0_5", "MobileNet of width 0.5", get_mobilenet, 0.5)
mobilenet0_25 = named("mobilenet0_25", "MobileNet of width 0.25", get_mobilenet, 0.25)
mobilenet_v2_1_0 = named("mobilenet_v2_1_0", "MobileNetV2", get_mobilenet_v2, 1.0)
mobilenet_v2_0_75 = named("mobilenet_v2_0_75", "MobileNetV2 of width 0.75", get_mobilenet_v2, 0.75)
mobilenet_v2_0_5 = named("mobilenet_v2_0_5", "MobileNetV2 of width 0.5", get_mobilenet_v2, 0.5)
mobilenet_v2_0_25 = named("mobilenet_v2_0_25", "MobileNetV2 of width 0.25", get_mobilenet_v2, 0.25)
