"""AlexNet."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...block import HybridBlock
from ._common import CPU, ROOT, Contexts, Network, loaded

__all__ = ["AlexNet", "alexnet"]

# (channels, kernel, stride, padding, whether pooling follows)
_LAYERS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


class AlexNet(Network):
    """AlexNet in one column (Krizhevsky, "One weird trick", 2014); images of 224 pixels.

    >>> net = mx.gluon.model_zoo.vision.AlexNet(classes=10)
    >>> net.initialize()
    >>> net(mx.nd.zeros((1, 3, 64, 64))).shape
    (1, 10)
    """

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            for channels, kernel, stride, padding, pool in _LAYERS:
                self.features.add(nn.Conv2D(channels, kernel, stride, padding, activation="relu"))
                if pool:
                    self.features.add(nn.MaxPool2D(pool_size=3, strides=2))
            self.features.add(nn.Flatten())
            for _ in range(2):
                self.features.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


def alexnet(
    pretrained: bool = False, ctx: Contexts = CPU, root: str = ROOT, **kwargs: Any
) -> HybridBlock:
    """AlexNet; `pretrained` reads parameters from the folder `root` onto `ctx`."""
    return loaded(AlexNet(**kwargs), "alexnet", pretrained, ctx, root)
