"""VGG networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....initializer import Xavier
from ... import nn
from ...block import HybridBlock
from ...utils import ArgumentError
from ._common import CPU, ROOT, Contexts, Network, loaded, named

__all__ = [
    "VGG",
    "get_vgg",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

_FILTERS = (64, 128, 256, 512, 512)
# Depth -> convolutions between two poolings.
_LAYERS = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(Network):
    """Very deep network of 3x3 convolutions (Simonyan and Zisserman, 2015); images of 224 pixels.

    layers     : numbers of convolutions before each pooling.
    filters    : their channels.
    batch_norm : whether each convolution is normalized.

    >>> net = mx.gluon.model_zoo.vision.VGG([1], [8], classes=10)
    >>> net.initialize()
    >>> net(mx.nd.zeros((1, 3, 8, 8))).shape
    (1, 10)
    """

    def __init__(
        self,
        layers: Sequence[int],
        filters: Sequence[int],
        classes: int = 1000,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(layers) != len(filters):
            raise ArgumentError(
                f"VGG: {len(layers)} layers and {len(filters)} filters; expected as many"
            )
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            for count, channels in zip(layers, filters, strict=True):
                for _ in range(count):
                    self._add_conv(channels, batch_norm)
                self.features.add(nn.MaxPool2D(strides=2))
            for _ in range(2):
                self.features.add(
                    nn.Dense(4096, activation="relu", weight_initializer="normal"), nn.Dropout(0.5)
                )
            self.output = nn.Dense(classes, weight_initializer="normal")

    def _add_conv(self, channels: int, batch_norm: bool) -> None:
        init = Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)
        self.features.add(nn.Conv2D(channels, 3, padding=1, weight_initializer=init))
        if batch_norm:
            self.features.add(nn.BatchNorm())
        self.features.add(nn.Activation("relu"))


def get_vgg(
    num_layers: int,
    pretrained: bool = False,
    ctx: Contexts = CPU,
    root: str = ROOT,
    **kwargs: Any,
) -> HybridBlock:
    """A VGG of 11, 13, 16 or 19 layers.

    pretrained : read parameters from the folder `root` onto `ctx`.
    kwargs     : of `VGG`, such as ``batch_norm=True`` or ``classes=10``.
    """
    name = f"vgg{num_layers}" + ("_bn" if kwargs.get("batch_norm") else "")
    return loaded(VGG(_LAYERS[num_layers], _FILTERS, **kwargs), name, pretrained, ctx, root)


def _get_vgg_bn(num_layers: int, **kwargs: Any) -> HybridBlock:
    return get_vgg(num_layers, **{**kwargs, "batch_norm": True})


vgg11 = named("vgg11", "VGG of 11 layers", get_vgg, 11)
vgg13 = named("vgg13", "VGG of 13 layers", get_vgg, 13)
vgg16 = named("vgg16", "VGG of 16 layers", get_vgg, 16)
vgg19 = named("vgg19", "VGG of 19 layers", get_vgg, 19)
vgg11_bn = named("vgg11_bn", "VGG of 11 layers, normalized", _get_vgg_bn, 11)
vgg13_bn = named("vgg13_bn", "VGG of 13 layers, normalized", _get_vgg_bn, 13)
vgg16_bn = named("vgg16_bn", "VGG of 16 layers, normalized", _get_vgg_bn, 16)
vgg19_bn = named("vgg19_bn", "VGG of 19 layers, normalized", _get_vgg_bn, 19)
