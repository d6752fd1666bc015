"""Training residual networks in MXNet's API."""

from __future__ import annotations

from ..workloads import resnet
from . import mx_train
from .base import Prepared, prepares
from .mx_eager import arrays_of
from .mx_train import STATIC


def gluon_network(mx: object, net: resnet.Net) -> object:
    """The network as a HybridBlock, its parameters named as the Symbol's."""
    nn = mx.gluon.nn

    def convolution(name: str, filters: int, size: int, stride: int) -> object:
        pair = nn.HybridSequential(prefix="")
        with pair.name_scope():
            pair.add(
                nn.Conv2D(filters, size, stride, size // 2, use_bias=False, prefix=f"{name}_conv_"),
                nn.BatchNorm(epsilon=resnet.EPS, prefix=f"{name}_norm_"),
            )
        return pair

    class Residual(mx.gluon.HybridBlock):
        def __init__(self, block: resnet.Block) -> None:
            super().__init__(prefix="")
            self.widens = block.widens
            with self.name_scope():
                self.first = convolution(f"{block.name}_1", block.filters, 3, block.stride)
                self.second = convolution(f"{block.name}_2", block.filters, 3, 1)
                if block.widens:
                    side = (f"{block.name}_side", block.filters, 1, block.stride)
                    self.side = convolution(*side)

        def hybrid_forward(self, F: object, x: object) -> object:  # noqa: N803
            y = self.second(F.Activation(self.first(x), act_type="relu"))
            return F.Activation(y + (self.side(x) if self.widens else x), act_type="relu")

    model = nn.HybridSequential(prefix="")
    with model.name_scope():
        model.add(convolution("stem", *net.stem), nn.Activation("relu"))
        if net.pooled:
            model.add(nn.MaxPool2D(3, 2, 1))
        model.add(*map(Residual, resnet.blocks(net)))
        model.add(nn.GlobalAvgPool2D(), nn.Dense(net.classes, prefix="fc_"))
    return model


def gluon_train(mx: object, arrays: dict, net: resnet.Net, hybrid: bool) -> Prepared:
    """A step as users of Gluon write it."""
    values = arrays_of(mx, arrays)
    model = gluon_network(mx, net)
    model.initialize()
    model(values["data"])
    for name, parameter in model.collect_params().items():
        if name in values:
            parameter.set_data(values[name])
    if hybrid:
        model.hybridize(**STATIC)
    return mx_train.imperative(mx, model, arrays)


def _declare(net: resnet.Net) -> None:
    prepares(f"{net.name}.train", "symbol")(
        lambda mx, arrays: mx_train.symbolic(mx, arrays, resnet.symbol(mx.sym, net))
    )
    for way, hybrid in (("block", False), ("hybrid", True)):
        prepares(f"{net.name}.train", way)(
            lambda mx, arrays, hybrid=hybrid: gluon_train(mx, arrays, net, hybrid)
        )


for _net in resnet.NETS:
    _declare(_net)
