"""Inference with convolutional networks in PyTorch."""

from __future__ import annotations

from ..workloads import convnets
from .torch_train import inference


def network(torch: object, arrays: dict, net: convnets.Net) -> object:
    """The network with the given values."""
    nn = torch.nn
    acts = {"relu": nn.ReLU, "relu6": nn.ReLU6, "": nn.Identity}

    def fill(layer: object, **values: object) -> object:
        with torch.no_grad():
            for name, value in values.items():
                getattr(layer, name).copy_(torch.tensor(value))
        return layer

    def layer(one: convnets.Layer) -> object:
        window = (one.channels, one.filters, one.size, one.stride, one.size // 2)
        convolution = nn.Conv2d(*window, groups=one.groups, bias=not one.norm)
        fill(convolution, weight=arrays[f"{one.name}_conv_weight"])
        if not one.norm:
            fill(convolution, bias=arrays[f"{one.name}_conv_bias"])
            return nn.Sequential(convolution, acts[one.act]())
        norm, stem = nn.BatchNorm2d(one.filters, eps=convnets.EPS), f"{one.name}_norm"
        fill(norm, weight=arrays[f"{stem}_gamma"], bias=arrays[f"{stem}_beta"])
        fill(norm, running_mean=arrays[f"{stem}_moving_mean"])
        fill(norm, running_var=arrays[f"{stem}_moving_var"])
        return nn.Sequential(convolution, norm, acts[one.act]())

    class Block(nn.Module):
        def __init__(self, block: convnets.Block) -> None:
            super().__init__()
            self.block = block
            self.main = nn.Sequential(*map(layer, block.layers))
            self.side = None if block.side is None else layer(block.side)
            self.act = acts[block.act]()
            self.pool = nn.MaxPool2d(*block.pool) if block.pool else nn.Identity()

        def forward(self, x: object) -> object:
            y = self.main(x)
            if self.block.adds:
                y = y + (x if self.side is None else self.side(x))
            return self.pool(self.act(y))

    layers = [*map(Block, net.blocks)]
    layers += [nn.AdaptiveAvgPool2d(1)] if net.mean else []
    layers.append(nn.Flatten())
    for i, (before, units) in enumerate(net.dense):
        values = {"weight": arrays[f"fc{i}_weight"], "bias": arrays[f"fc{i}_bias"]}
        layers.append(fill(nn.Linear(before, units), **values))
        layers += [nn.ReLU()] if i + 1 < len(net.dense) else []
    return nn.Sequential(*layers)


def _declare(name: str, net: convnets.Net) -> None:
    inference(
        name,
        ("eager", "channels_last", "compile"),
        lambda torch, arrays: (network(torch, arrays, net), torch.tensor(arrays["data"])),
    )


for _name, (_net, _) in convnets.RUNS.items():
    _declare(_name, _net)
