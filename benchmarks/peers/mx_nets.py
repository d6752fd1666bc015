"""Networks in MXNet's API, which baryon shares: one adapter serves both."""

from __future__ import annotations

from ..workloads import lenet, tiny_hybrid
from . import mx_train
from .base import Prepared, digest, prepares, repeat
from .mx_eager import arrays_of
from .mx_train import STATIC


@prepares("tiny_hybrid", "hybrid")
def tiny(mx: object, arrays: dict) -> Prepared:
    """One hybridized call, static where the peer can."""
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    for _ in range(tiny_hybrid.LAYERS):
        net.add(nn.Dense(tiny_hybrid.WIDTH, activation="relu", in_units=tiny_hybrid.WIDTH))
    net.initialize()
    for i in range(tiny_hybrid.LAYERS):
        net[i].weight.set_data(mx.nd.array(arrays[f"weight{i}"]))
        net[i].bias.set_data(mx.nd.array(arrays[f"bias{i}"]))
    net.hybridize(**STATIC)
    x = mx.nd.array(arrays["x"])
    return Prepared(digest(net(x).asnumpy()), repeat(lambda: net(x).wait_to_read()))


@prepares("lenet", "symbol")
def symbolic(mx: object, arrays: dict) -> Prepared:
    """A bound executor."""
    return mx_train.symbolic(mx, arrays, lenet.symbol(mx.sym))


def _layers(mx: object, block: object) -> object:
    """LeNet as a Gluon network of class `block`'s kind, of children only."""
    nn = mx.gluon.nn
    with block.name_scope():
        for _, filters in lenet.CONVOLUTIONS:
            block.add(nn.Conv2D(filters, kernel_size=5, activation="relu"), nn.MaxPool2D(2, 2))
        block.add(nn.Dense(500, activation="relu"), nn.Dense(lenet.CLASSES))
    return block


def _gluon(mx: object, arrays: dict, net: object) -> Prepared:
    values = arrays_of(mx, arrays)
    net.initialize()
    net(values["data"])
    for layer, name in ((0, "conv1"), (2, "conv2"), (4, "fc1"), (5, "fc2")):
        net[layer].weight.set_data(values[f"{name}_weight"])
        net[layer].bias.set_data(values[f"{name}_bias"])
    return mx_train.imperative(mx, net, arrays)


@prepares("lenet", "block")
def imperative(mx: object, arrays: dict) -> Prepared:
    """Recorded call by call."""
    return _gluon(mx, arrays, _layers(mx, mx.gluon.nn.Sequential()))


@prepares("lenet", "hybrid")
def hybridized(mx: object, arrays: dict) -> Prepared:
    """Traced once; the loss stays outside the traced graph, as users write it."""
    net = _layers(mx, mx.gluon.nn.HybridSequential())
    net.hybridize(**STATIC)
    return _gluon(mx, arrays, net)
