"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...block import HybridBlock
from ...utils import ArgumentError
from ._common import CPU, ROOT, Contexts, Network, loaded, named

__all__ = [
    "BasicBlockV1",
    "BasicBlockV2",
    "BottleneckV1",
    "BottleneckV2",
    "ResNetV1",
    "ResNetV2",
    "get_resnet",
    "resnet101_v1",
    "resnet101_v2",
    "resnet152_v1",
    "resnet152_v2",
    "resnet18_v1",
    "resnet18_v2",
    "resnet34_v1",
    "resnet34_v2",
    "resnet50_v1",
    "resnet50_v2",
]


def _conv(channels: int, kernel: int, stride: int = 1, in_channels: int = 0) -> nn.Conv2D:
    """A convolution that keeps the size (over the stride), without bias."""
    return nn.Conv2D(channels, kernel, stride, kernel // 2, use_bias=False, in_channels=in_channels)


def _conv3x3(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    """MXNet's name for `_conv` of kernel 3, which programs import."""
    return _conv(channels, 3, stride, in_channels)


class _BlockV1(HybridBlock):
    """Residual block whose activation follows the sum; Parameters take the outer scope's names."""

    def __init__(
        self,
        channels: int,
        stride: int,
        downsample: bool = False,
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.body = nn.HybridSequential(prefix="")
        self._fill_body(channels, stride, in_channels)
        self.downsample = None
        if downsample:
            self.downsample = nn.HybridSequential(prefix="")
            self.downsample.add(_conv(channels, 1, stride, in_channels), nn.BatchNorm())

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The body's output plus the (downsampled) input, rectified."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.Activation(self._sum(shortcut, self.body(x)), act_type="relu")


class BasicBlockV1(_BlockV1):
    """Two 3x3 convolutions and a shortcut (He et al., 2016).

    channels    : output channels.      stride : of the first convolution.
    downsample  : whether the shortcut is a 1x1 convolution, for another shape.
    in_channels : input channels.

    >>> block = mx.gluon.model_zoo.vision.BasicBlockV1(8, 2, downsample=True)
    >>> block.initialize()
    >>> block(mx.nd.zeros((1, 4, 6, 6))).shape
    (1, 8, 3, 3)
    """

    def _fill_body(self, channels: int, stride: int, in_channels: int) -> None:
        self.body.add(
            _conv(channels, 3, stride, in_channels),
            nn.BatchNorm(),
            nn.Activation("relu"),
            _conv(channels, 3, 1, channels),
            nn.BatchNorm(),
        )

    def _sum(self, shortcut: Any, body: Any) -> Any:
        return shortcut + body


class BottleneckV1(_BlockV1):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (He et al., 2016); arguments: `BasicBlockV1`."""

    def _fill_body(self, channels: int, stride: int, in_channels: int) -> None:
        narrow = channels // 4
        self.body.add(
            nn.Conv2D(narrow, 1, stride),
            nn.BatchNorm(),
            nn.Activation("relu"),
            _conv(narrow, 3, 1, narrow),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.Conv2D(channels, 1),
            nn.BatchNorm(),
        )

    def _sum(self, shortcut: Any, body: Any) -> Any:
        return body + shortcut  # the other way round than in basic blocks, as saved graphs have it


class _BlockV2(HybridBlock):
    """Residual block whose normalizations and activations precede the convolutions."""

    def __init__(
        self,
        channels: int,
        stride: int,
        downsample: bool = False,
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        convs = self._convs(channels, stride, in_channels)
        self._count = len(convs)
        for i, arguments in enumerate(convs, 1):
            setattr(self, f"bn{i}", nn.BatchNorm())
            setattr(self, f"conv{i}", _conv(*arguments))
        self.downsample = _conv(channels, 1, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The body's output plus the shortcut, which leaves after the first activation."""
        shortcut = x
        for i in range(1, self._count + 1):
            x = F.Activation(getattr(self, f"bn{i}")(x), act_type="relu")
            if i == 1 and self.downsample is not None:
                shortcut = self.downsample(x)
            x = getattr(self, f"conv{i}")(x)
        return x + shortcut


class BasicBlockV2(_BlockV2):
    """Two pre-activated 3x3 convolutions (He et al., "Identity Mappings", 2016).

    Arguments as in `BasicBlockV1`.
    """

    def _convs(self, channels: int, stride: int, in_channels: int) -> list[tuple]:
        return [(channels, 3, stride, in_channels), (channels, 3, 1, channels)]


class BottleneckV2(_BlockV2):
    """Pre-activated 1x1, 3x3 and 1x1 convolutions (He et al., "Identity Mappings", 2016).

    Arguments as in `BasicBlockV1`.
    """

    def _convs(self, channels: int, stride: int, in_channels: int) -> list[tuple]:
        narrow = channels // 4
        return [(narrow, 1), (narrow, 3, stride, narrow), (channels, 1)]


class _ResNet(Network):
    """A stem and stages of residual blocks."""

    def _add_stem(self, channels: int, thumbnail: bool) -> None:
        """The layers before the stages: for images of 32 pixels one convolution."""
        if thumbnail:
            self.features.add(_conv(channels, 3))
            return
        self.features.add(
            _conv(channels, 7, 2), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(3, 2, 1)
        )

    def _add_stages(self, block: type, layers: Sequence[int], channels: Sequence[int]) -> None:
        """All residual blocks; each stage but the first halves the image."""
        for i, count in enumerate(layers):
            before, after = channels[i], channels[i + 1]
            stage = nn.HybridSequential(prefix=f"stage{i + 1}_")
            with stage.name_scope():
                stride = 1 if i == 0 else 2
                stage.add(block(after, stride, after != before, in_channels=before, prefix=""))
                for _ in range(count - 1):
                    stage.add(block(after, 1, False, in_channels=after, prefix=""))
            self.features.add(stage)


def _require_stages(layers: Sequence[int], channels: Sequence[int]) -> None:
    if len(layers) != len(channels) - 1:
        raise ArgumentError(
            f"ResNet: {len(layers)} stages need {len(layers) + 1} numbers of channels (the first "
            f"is the stem's), got {len(channels)}"
        )


class ResNetV1(_ResNet):
    """Residual network (He et al., 2016).

    block     : `BasicBlockV1` or `BottleneckV1`.
    layers    : numbers of blocks of the stages.
    channels  : channels of the stem and of the stages.
    thumbnail : whether images are small (32 pixels instead of 224).

    >>> zoo = mx.gluon.model_zoo.vision
    >>> net = zoo.ResNetV1(zoo.BasicBlockV1, [1, 1], [8, 8, 16], classes=10, thumbnail=True)
    >>> net.initialize()
    >>> net(mx.nd.zeros((1, 3, 8, 8))).shape
    (1, 10)
    """

    def __init__(
        self,
        block: type,
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_stages(layers, channels)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.Dense(classes, in_units=channels[-1])


class ResNetV2(_ResNet):
    """Residual network with pre-activation (He et al., "Identity Mappings", 2016).

    Arguments as in `ResNetV1`, with `BasicBlockV2` or `BottleneckV2`.
    """

    def __init__(
        self,
        block: type,
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_stages(layers, channels)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.BatchNorm(scale=False, center=False))
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(
                nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten()
            )
            self.output = nn.Dense(classes, in_units=channels[-1])


_BASIC, _BOTTLENECK = (64, 64, 128, 256, 512), (64, 256, 512, 1024, 2048)
# Depth -> (kind of block, blocks of the stages, channels).
_LAYERS = {
    18: (0, (2, 2, 2, 2), _BASIC),
    34: (0, (3, 4, 6, 3), _BASIC),
    50: (1, (3, 4, 6, 3), _BOTTLENECK),
    101: (1, (3, 4, 23, 3), _BOTTLENECK),
    152: (1, (3, 8, 36, 3), _BOTTLENECK),
}
_VERSIONS = {
    1: (ResNetV1, (BasicBlockV1, BottleneckV1)),
    2: (ResNetV2, (BasicBlockV2, BottleneckV2)),
}


def get_resnet(
    version: int,
    num_layers: int,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """A ResNet of version 1 or 2 with 18, 34, 50, 101 or 152 layers.

    pretrained : read parameters from the folder `root` onto `ctx`.
    kwargs     : of `ResNetV1`, such as ``classes=10`` or ``thumbnail=True``.

    >>> net = mx.gluon.model_zoo.vision.get_resnet(1, 18, classes=10, thumbnail=True)
    >>> len(net.collect_params())
    98
    """
    if num_layers not in _LAYERS:
        raise ArgumentError(
            f"Invalid number of layers: {num_layers}. Options are {sorted(_LAYERS)}"
        )
    if version not in _VERSIONS:
        raise ArgumentError(f"Invalid resnet version: {version}. Options are 1 and 2.")
    kind, layers, channels = _LAYERS[num_layers]
    network, blocks = _VERSIONS[version]
    net = network(blocks[kind], layers, channels, **kwargs)
    return loaded(net, f"resnet{num_layers}_v{version}", pretrained, ctx, root)


resnet18_v1 = named("resnet18_v1", "ResNet of 18 layers", get_resnet, 1, 18)
resnet34_v1 = named("resnet34_v1", "ResNet of 34 layers", get_resnet, 1, 34)
resnet50_v1 = named("resnet50_v1", "ResNet of 50 layers", get_resnet, 1, 50)
resnet101_v1 = named("resnet101_v1", "ResNet of 101 layers", get_resnet, 1, 101)
resnet152_v1 = named("resnet152_v1", "ResNet of 152 layers", get_resnet, 1, 152)
resnet18_v2 = named("resnet18_v2", "ResNet V2 of 18 layers", get_resnet, 2, 18)
resnet34_v2 = named("resnet34_v2", "ResNet V2 of 34 layers", get_resnet, 2, 34)
resnet50_v2 = named("resnet50_v2", "ResNet V2 of 50 layers", get_resnet, 2, 50)
resnet101_v2 = named("resnet101_v2", "ResNet V2 of 101 layers", get_resnet, 2, 101)
resnet152_v2 = named("resnet152_v2", "ResNet V2 of 152 layers", get_resnet, 2, 152)
