"""Inference with convolutional networks: ResNet-50, VGG-16 and MobileNetV2 on images of 224 x 224.

He et al., 2015, arXiv:1512.03385; Simonyan and Zisserman, 2014, arXiv:1409.1556; Sandler et al.,
2018, arXiv:1801.04381.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from .base import Bar, Workload, best, floats

CLASSES, IMAGE, EPS = 1000, (3, 224, 224), 1e-5


@dataclass(frozen=True)
class Layer:
    """A convolution with batch norm or bias, then an activation (``relu``, ``relu6`` or none)."""

    name: str
    channels: int
    filters: int
    size: int
    stride: int = 1
    groups: int = 1
    act: str = ""
    norm: bool = True


@dataclass(frozen=True)
class Block:
    """Layers in a row. `adds`: their sum with the input (through `side`, if there is one), then
    `act`. `pool`: kernel, stride and padding of maxima at the end.
    """

    layers: tuple[Layer, ...]
    adds: bool = False
    side: Layer | None = None
    act: str = ""
    pool: tuple[int, int, int] | None = None

    def all(self) -> Iterator[Layer]:
        """Every layer of the block."""
        yield from self.layers
        if self.side is not None:
            yield self.side


@dataclass(frozen=True)
class Net:
    """Blocks, then a mean over space or not, then dense layers of these sizes."""

    name: str
    blocks: tuple[Block, ...]
    mean: bool
    dense: tuple[tuple[int, int], ...]


STAGES = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def resnet(depth: int) -> Net:
    """Pairs of 3 x 3 up to 34 layers, bottlenecks from 50 on; the stride is at a block's first
    convolution, as in the paper.
    """
    stem, wider = Layer("stem", 3, 64, 7, 2, act="relu"), 4 if depth >= 50 else 1
    blocks, before = [Block((stem,), pool=(3, 2, 1))], 64
    for stage, count in enumerate(STAGES[depth]):
        width = 64 << stage
        for i in range(count):
            name, stride, filters = f"s{stage}b{i}", 2 if stage and not i else 1, wider * width
            first = Layer(f"{name}_1", before, width, 1 if wider > 1 else 3, stride, act="relu")
            second = Layer(f"{name}_2", width, width, 3, act="relu" if wider > 1 else "")
            last = (Layer(f"{name}_3", width, filters, 1),) if wider > 1 else ()
            changes = stride > 1 or before != filters
            side = Layer(f"{name}_side", before, filters, 1, stride) if changes else None
            blocks.append(Block((first, second, *last), True, side, "relu"))
            before = filters
    return Net(f"resnet{depth}", tuple(blocks), True, ((before, CLASSES),))


def vgg16() -> Net:
    """Windows of 3 x 3 and three dense layers."""
    blocks, before = [], 3
    for stage, (filters, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers = []
        for i in range(count):
            layers.append(Layer(f"s{stage}c{i}", before, filters, 3, act="relu", norm=False))
            before = filters
        blocks.append(Block(tuple(layers), pool=(2, 2, 0)))
    return Net("vgg16", tuple(blocks), False, ((25088, 4096), (4096, 4096), (4096, CLASSES)))


def mobilenetv2() -> Net:
    """Inverted residuals."""
    blocks, before = [Block((Layer("stem", 3, 32, 3, 2, act="relu6"),))], 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
    for stage, (factor, filters, count, stride) in enumerate(
        (*stages, (6, 160, 3, 2), (6, 320, 1, 1))
    ):
        for i in range(count):
            name, width, step = f"s{stage}b{i}", before * factor, 1 if i else stride
            layers = [Layer(f"{name}_1", before, width, 1, act="relu6")] if factor > 1 else []
            layers.append(Layer(f"{name}_2", width, width, 3, step, groups=width, act="relu6"))
            layers.append(Layer(f"{name}_3", width, filters, 1))
            blocks.append(Block(tuple(layers), adds=step == 1 and before == filters))
            before = filters
    blocks.append(Block((Layer("last", before, 1280, 1, act="relu6"),)))
    return Net("mobilenetv2", tuple(blocks), True, ((1280, CLASSES),))


def symbol(sym: object, net: Net) -> object:
    """The network as a Symbol of the given `sym` module."""

    def activated(x: object, act: str) -> object:
        if act == "relu6":
            return sym.clip(x, a_min=0, a_max=6)
        return sym.Activation(x, act_type=act) if act else x

    def layer(x: object, one: Layer) -> object:
        window = {"kernel": (one.size,) * 2, "stride": (one.stride,) * 2}
        x = sym.Convolution(
            x,
            **window,
            pad=(one.size // 2,) * 2,
            num_filter=one.filters,
            num_group=one.groups,
            no_bias=one.norm,
            name=f"{one.name}_conv",
        )
        if one.norm:
            x = sym.BatchNorm(x, fix_gamma=False, eps=EPS, name=f"{one.name}_norm")
        return activated(x, one.act)

    x = sym.var("data")
    for block in net.blocks:
        y = x
        for one in block.layers:
            y = layer(y, one)
        if block.adds:
            y = y + (x if block.side is None else layer(x, block.side))
        x = activated(y, block.act)
        if block.pool:
            size, stride, pad = block.pool
            window = {"kernel": (size, size), "stride": (stride, stride), "pad": (pad, pad)}
            x = sym.Pooling(x, pool_type="max", **window)
    if net.mean:
        x = sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg")
    x = sym.Flatten(x)
    for i, (_, units) in enumerate(net.dense):
        x = sym.FullyConnected(x, num_hidden=units, name=f"fc{i}")
        if i + 1 < len(net.dense):
            x = sym.Activation(x, act_type="relu")
    return x


def arrays(net: Net, batch: int) -> dict[str, np.ndarray]:
    """`data` and the parameters; every layer keeps the size of what passes through it."""
    rng = np.random.RandomState(6)

    def normal(*shape: int, scale: float) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    values = {"data": floats(rng, batch, *IMAGE)}
    for one in (layer for block in net.blocks for layer in block.all()):
        depth = one.channels // one.groups
        shape, name = (one.filters, depth, one.size, one.size), one.name
        values[f"{name}_conv_weight"] = normal(*shape, scale=(2 / (depth * one.size**2)) ** 0.5)
        if one.norm:
            values[f"{name}_norm_gamma"] = floats(rng, one.filters, low=0.4, high=0.8)
            values[f"{name}_norm_beta"] = normal(one.filters, scale=0.1)
            values[f"{name}_norm_moving_mean"] = normal(one.filters, scale=0.1)
            values[f"{name}_norm_moving_var"] = floats(rng, one.filters, low=0.5, high=1.5)
        else:
            values[f"{name}_conv_bias"] = normal(one.filters, scale=0.1)
    for i, (before, units) in enumerate(net.dense):
        values[f"fc{i}_weight"] = normal(units, before, scale=(2 / before) ** 0.5)
        values[f"fc{i}_bias"] = normal(units, scale=0.1)
    return values


PEERS = (
    *("torch/eager", "torch/channels_last", "torch/compile", "mxnet/symbol", "mxnet/fused"),
    *("ort/session", "openvino/model", "jax/jit"),
)
BATCHES, DEPTHS = (1, 4, 16, 64, 128), tuple(STAGES)
RUNS = {
    **{f"resnet50.b{batch}": (resnet(50), batch) for batch in BATCHES},
    **{f"resnet{depth}.b1": (resnet(depth), 1) for depth in DEPTHS},
    "vgg16.b1": (vgg16(), 1),
    "mobilenetv2.b1": (mobilenetv2(), 1),
}


def workload(name: str, bars: tuple[Bar, ...] = (), peers: tuple[str, ...] = PEERS) -> Workload:
    """Inference with one of `RUNS`."""
    net, batch = RUNS[name]
    step = f"{net.name} inference, batch {batch} of 224x224"
    return Workload(name, step, lambda: arrays(net, batch), ("baryon/symbol", *peers), bars)


WORKLOADS = (
    workload("resnet50.b1", (best(0.85, "baryon/symbol"),)),
    workload(
        "resnet50.b16",
        (best(0.85, "baryon/symbol"), best(0.8, "baryon/symbol", "growth")),
    ),
    workload("vgg16.b1", (best(0.65, "baryon/symbol"),)),
    workload("mobilenetv2.b1", (best(0.9, "baryon/symbol"),)),
)
