"""What the families of networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .... import context
from ....context import Context
from ... import nn
from ...block import HybridBlock
from ..model_store import ROOT, get_model_file

CPU = context.cpu()
Contexts = Context | list[Context]

__all__ = ["CPU", "ROOT", "Contexts", "Network", "conv_bn", "loaded", "named"]


class Network(HybridBlock):
    """Features of an image (N, 3, H, W), and classes from features."""

    features: HybridBlock
    output: HybridBlock

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Scores of the classes, (N, classes)."""
        return self.output(self.features(x))


def conv_bn(
    channels: int,
    kernel_size: int | tuple[int, int],
    strides: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
    epsilon: float = 1e-5,
) -> list[HybridBlock]:
    """A convolution without bias and its batch normalization."""
    return [
        nn.Conv2D(channels, kernel_size, strides, padding, groups=groups, use_bias=False),
        nn.BatchNorm(epsilon=epsilon),
    ]


def loaded(net: HybridBlock, name: str, pretrained: bool, ctx: Any, root: str) -> HybridBlock:
    """The network, with its pretrained parameters if they are asked for."""
    if pretrained:
        net.load_parameters(get_model_file(name, root=root), ctx=ctx)
    return net


def named(name: str, what: str, build: Callable, *args: Any) -> Callable:
    """The function ``name(**kwargs)`` that calls ``build(*args, **kwargs)``."""

    def make(**kwargs: Any) -> HybridBlock:
        return build(*args, **kwargs)

    make.__name__ = make.__qualname__ = name
    make.__module__ = build.__module__
    make.__doc__ = f"{what}; further arguments are those of `{build.__name__}`."
    return make
