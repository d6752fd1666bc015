"""SqueezeNets."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...block import HybridBlock
from ...contrib.nn import HybridConcurrent
from ...utils import ArgumentError
from ._common import CPU, ROOT, Contexts, Network, loaded, named

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1"]

# Version -> (channels and kernel of the first convolution, squeezed channels of the fire modules;
# 0 stands for pooling).
_LAYERS = {
    "1.0": ((96, 7), (0, 16, 16, 32, 0, 32, 48, 48, 64, 0, 64)),
    "1.1": ((64, 3), (0, 16, 16, 0, 32, 32, 0, 48, 48, 64, 64)),
}


def _conv_relu(channels: int, kernel: int, padding: int = 0) -> HybridBlock:
    pair = nn.HybridSequential(prefix="")
    pair.add(nn.Conv2D(channels, kernel, padding=padding), nn.Activation("relu"))
    return pair


def _fire(squeezed: int) -> HybridBlock:
    """1x1 convolution to few channels, then 1x1 and 3x3 convolutions to many, side by side."""
    expand = HybridConcurrent(axis=1, prefix="")
    module = nn.HybridSequential(prefix="")
    module.add(_conv_relu(squeezed, 1))
    expand.add(_conv_relu(4 * squeezed, 1), _conv_relu(4 * squeezed, 3, 1))
    module.add(expand)
    return module


class SqueezeNet(Network):
    """Network of fire modules (Iandola et al., 2016); images of 224 pixels.

    version : "1.0", as in the paper, or "1.1", which computes less.
    """

    def __init__(self, version: str, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if version not in _LAYERS:
            raise ArgumentError(f"Unsupported SqueezeNet version {version}: 1.0 or 1.1 expected")
        (channels, kernel), modules = _LAYERS[version]
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(channels, kernel, 2), nn.Activation("relu"))
            for squeezed in modules:
                self.features.add(
                    _fire(squeezed) if squeezed else nn.MaxPool2D(3, 2, ceil_mode=True)
                )
            self.features.add(nn.Dropout(0.5))
            self.output = nn.HybridSequential(prefix="")
            self.output.add(
                nn.Conv2D(classes, 1), nn.Activation("relu"), nn.AvgPool2D(13), nn.Flatten()
            )


def get_squeezenet(
    version: str,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """SqueezeNet "1.0" or "1.1"; `pretrained` reads parameters from `root` onto `ctx`."""
    net = SqueezeNet(version, **kwargs)
    return loaded(net, f"squeezenet{version}", pretrained, ctx, root)


squeezenet1_0 = named("squeezenet1_0", "SqueezeNet 1.0", get_squeezenet, "1.0")
squeezenet1_1 = named("squeezenet1_1", "SqueezeNet 1.1", get_squeezenet, "1.1")
