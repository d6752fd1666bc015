"""Residual networks v1 as Symbols (He et al., 2015, arXiv:1512.03385): what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from .base import Bar, Workload, best, floats, times

EPS = 1e-5


@dataclass(frozen=True)
class Net:
    """Sizes of one network and of the images it sees.

    stem   : filters, kernel and stride of the first convolution.    pooled : maxima after it.
    stages : filters and first stride of each stage.                 blocks : in each stage.
    """

    name: str
    batch: int
    image: tuple[int, int, int]
    classes: int
    stem: tuple[int, int, int]
    pooled: bool
    stages: tuple[tuple[int, int], ...]
    blocks: int


RESNET20 = Net("resnet20", 128, (3, 32, 32), 10, (16, 3, 1), False, ((16, 1), (32, 2), (64, 2)), 3)
RESNET18 = Net(
    *("resnet18", 16, (3, 224, 224), 1000, (64, 7, 2), True),
    ((64, 1), (128, 2), (256, 2), (512, 2)),
    2,
)
NETS = (RESNET20, RESNET18)


@dataclass(frozen=True)
class Block:
    """One residual block; `widens` where its shortcut is a convolution."""

    name: str
    before: int
    filters: int
    stride: int

    @property
    def widens(self) -> bool:
        """Whether the number of channels changes."""
        return self.filters != self.before


def blocks(net: Net) -> Iterator[Block]:
    """All blocks in order."""
    before = net.stem[0]
    for stage, (filters, stride) in enumerate(net.stages):
        for i in range(net.blocks):
            yield Block(f"s{stage}b{i}", before, filters, stride if i == 0 else 1)
            before = filters


# ---- as a Symbol -------------------------------------------------------------------------------


def _convolution(sym: object, x: object, name: str, filters: int, size: int, stride: int) -> object:
    x = sym.Convolution(
        x,
        kernel=(size, size),
        stride=(stride, stride),
        pad=(size // 2, size // 2),
        num_filter=filters,
        no_bias=True,
        name=f"{name}_conv",
    )
    return sym.BatchNorm(x, fix_gamma=False, eps=EPS, name=f"{name}_norm")


def _relu(sym: object, x: object) -> object:
    return sym.Activation(x, act_type="relu")


def _block(sym: object, x: object, block: Block) -> object:
    y = _relu(sym, _convolution(sym, x, f"{block.name}_1", block.filters, 3, block.stride))
    y = _convolution(sym, y, f"{block.name}_2", block.filters, 3, 1)
    if block.widens:
        x = _convolution(sym, x, f"{block.name}_side", block.filters, 1, block.stride)
    return _relu(sym, y + x)


def symbol(sym: object, net: Net) -> object:
    """The network as a Symbol of the given `sym` module, with a softmax head."""
    x = _relu(sym, _convolution(sym, sym.var("data"), "stem", *net.stem))
    if net.pooled:
        x = sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")
    for block in blocks(net):
        x = _block(sym, x, block)
    x = sym.Flatten(sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg"))
    x = sym.FullyConnected(x, num_hidden=net.classes, name="fc")
    return sym.SoftmaxOutput(x, name="softmax")


# ---- values ------------------------------------------------------------------------------------


def convolutions(net: Net) -> Iterator[tuple[str, int, int, int]]:
    """Name, channels, filters and kernel size of every convolution."""
    yield "stem", net.image[0], *net.stem[:2]
    for block in blocks(net):
        yield f"{block.name}_1", block.before, block.filters, 3
        yield f"{block.name}_2", block.filters, block.filters, 3
        if block.widens:
            yield f"{block.name}_side", block.before, block.filters, 1


def arrays(net: Net) -> dict[str, np.ndarray]:
    """`data`, `label`, and the parameters: He-normal weights, scales of one, zero biases."""
    rng = np.random.RandomState(5)
    values = {
        "data": floats(rng, net.batch, *net.image),
        "label": rng.randint(0, net.classes, net.batch).astype(np.float32),
    }
    for name, channels, filters, size in convolutions(net):
        scale = np.sqrt(2 / (channels * size * size))
        weight = rng.standard_normal((filters, channels, size, size)) * scale
        values[f"{name}_conv_weight"] = weight.astype(np.float32)
        values[f"{name}_norm_gamma"] = np.ones(filters, np.float32)
        values[f"{name}_norm_beta"] = np.zeros(filters, np.float32)
    last = net.stages[-1][0]
    bound = float(np.sqrt(6 / (last + net.classes)))
    values["fc_weight"] = floats(rng, net.classes, last, low=-bound, high=bound)
    values["fc_bias"] = np.zeros(net.classes, np.float32)
    return values


PEERS = ("torch/eager", "torch/channels_last", "torch/compile", "mxnet/symbol", "jax/jit")
WAYS = ("baryon/symbol", "baryon/hybrid", "baryon/block")


def _workload(net: Net, at_most: float, *more: Bar) -> Workload:
    size = "x".join(map(str, net.image[1:]))
    return Workload(
        f"{net.name}.train",
        f"{net.name} training step, batch {net.batch} of {size}, SGD with momentum",
        lambda: arrays(net),
        (*WAYS, *PEERS),
        tuple(best(at_most, way) for way in WAYS[:2])
        + (times(1.0, "baryon/block", "torch/eager"), *more),
    )


WORKLOADS = (
    _workload(RESNET20, 0.6, times(1.1, "baryon/block", "baryon/hybrid")),
    _workload(RESNET18, 0.75, *(best(0.7, way, "growth") for way in WAYS[:2])),
)
