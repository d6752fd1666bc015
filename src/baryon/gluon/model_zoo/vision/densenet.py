"""DenseNets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...block import HybridBlock
from ...contrib.nn import HybridConcurrent, Identity
from ._common import CPU, ROOT, Contexts, Network, loaded, named

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]

# Depth -> (channels of the stem, growth, layers of the blocks).
_LAYERS = {
    121: (64, 32, (6, 12, 24, 16)),
    161: (96, 48, (6, 12, 36, 24)),
    169: (64, 32, (6, 12, 32, 32)),
    201: (64, 32, (6, 12, 48, 32)),
}


def _bn_relu_conv(channels: int, kernel: int) -> list[HybridBlock]:
    """A pre-activated convolution that keeps the size."""
    conv = {"padding": kernel // 2, "use_bias": False}
    return [nn.BatchNorm(), nn.Activation("relu"), nn.Conv2D(channels, kernel, **conv)]


def _dense_layer(growth: int, bn_size: int, dropout: float) -> HybridBlock:
    """Its input, and `growth` new channels computed from all of it."""
    new = nn.HybridSequential(prefix="")
    new.add(*_bn_relu_conv(bn_size * growth, 1), *_bn_relu_conv(growth, 3))
    if dropout:
        new.add(nn.Dropout(dropout))
    layer = HybridConcurrent(axis=1, prefix="")
    layer.add(Identity(), new)
    return layer


class DenseNet(Network):
    """Network whose layers see all layers before them (Huang et al., 2017); 224-pixel images.

    num_init_features : channels of the stem.
    growth_rate       : channels that each layer adds.
    block_config      : numbers of layers of the blocks; between two, channels and size are halved.
    bn_size           : how many times `growth_rate` wide the 1x1 convolutions are.
    dropout           : rate of dropout after each layer.
    """

    def __init__(
        self,
        num_init_features: int,
        growth_rate: int,
        block_config: Sequence[int],
        bn_size: int = 4,
        dropout: float = 0,
        classes: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                nn.Conv2D(num_init_features, 7, 2, 3, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("relu"),
                nn.MaxPool2D(3, 2, 1),
            )
            width = num_init_features
            for i, count in enumerate(block_config, 1):
                if i > 1:
                    width //= 2
                    transition = nn.HybridSequential(prefix="")
                    transition.add(*_bn_relu_conv(width, 1), nn.AvgPool2D(2, 2))
                    self.features.add(transition)
                stage = nn.HybridSequential(prefix=f"stage{i}_")
                with stage.name_scope():
                    stage.add(*[_dense_layer(growth_rate, bn_size, dropout) for _ in range(count)])
                self.features.add(stage)
                width += count * growth_rate
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.AvgPool2D(7), nn.Flatten())
            self.output = nn.Dense(classes)


def get_densenet(
    num_layers: int,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """A DenseNet of 121, 161, 169 or 201 layers.

    pretrained : read parameters from the folder `root` onto `ctx`.
    """
    net = DenseNet(*_LAYERS[num_layers], **kwargs)
    return loaded(net, f"densenet{num_layers}", pretrained, ctx, root)


densenet121 = named("densenet121", "DenseNet of 121 layers", get_densenet, 121)
densenet161 = named("densenet161", "DenseNet of 161 layers", get_densenet, 161)
densenet169 = named("densenet169", "DenseNet of 169 layers", get_densenet, 169)
densenet201 = named("densenet201", "DenseNet of 201 layers", get_densenet, 201)
