"""Training residual networks in PyTorch."""

from __future__ import annotations

from ..workloads import resnet
from .torch_train import batch, training


def network(torch: object, arrays: dict, net: resnet.Net) -> object:
    """The network with the given values."""
    nn = torch.nn

    def convolution(name: str, stride: int) -> object:
        weight = torch.tensor(arrays[f"{name}_conv_weight"])
        filters, channels, size, _ = weight.shape
        layer = nn.Conv2d(channels, filters, size, stride, size // 2, bias=False)
        with torch.no_grad():
            layer.weight.copy_(weight)
        return nn.Sequential(layer, nn.BatchNorm2d(filters, eps=resnet.EPS))

    class Residual(nn.Module):
        def __init__(self, block: resnet.Block) -> None:
            super().__init__()
            self.first = convolution(f"{block.name}_1", block.stride)
            self.second = convolution(f"{block.name}_2", 1)
            self.side = convolution(f"{block.name}_side", block.stride) if block.widens else None

        def forward(self, x: object) -> object:
            y = self.second(torch.relu(self.first(x)))
            return torch.relu(y + (x if self.side is None else self.side(x)))

    head = nn.Linear(net.stages[-1][0], net.classes)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(arrays["fc_weight"]))
        head.bias.copy_(torch.tensor(arrays["fc_bias"]))
    layers = [convolution("stem", net.stem[2]), nn.ReLU()]
    if net.pooled:
        layers.append(nn.MaxPool2d(3, 2, 1))
    layers += [Residual(block) for block in resnet.blocks(net)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def _declare(net: resnet.Net) -> None:
    training(
        f"{net.name}.train",
        ("eager", "channels_last", "compile"),
        lambda torch, arrays: (network(torch, arrays, net), *batch(torch, arrays)),
    )


for _net in resnet.NETS:
    _declare(_net)
