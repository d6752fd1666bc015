"""Networks in PyTorch."""

from __future__ import annotations

from ..workloads import lenet, tiny_hybrid
from .base import Prepared, digest, prepares
from .torch_train import batch, training


def _set(torch: object, layer: object, weight: object, bias: object) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))


@prepares("tiny_hybrid", "eager")
def tiny(torch: object, arrays: dict) -> Prepared:
    """A plain call without gradients."""
    nn, layers = torch.nn, []
    for i in range(tiny_hybrid.LAYERS):
        layer = nn.Linear(tiny_hybrid.WIDTH, tiny_hybrid.WIDTH)
        _set(torch, layer, arrays[f"weight{i}"], arrays[f"bias{i}"])
        layers += [layer, nn.ReLU()]
    net, x = nn.Sequential(*layers), torch.tensor(arrays["x"])

    def loop(n: int) -> None:
        with torch.no_grad():
            for _ in range(n):
                net(x)

    return Prepared(digest(net(x).detach().numpy()), loop)


def network(torch: object, arrays: dict) -> object:
    """LeNet with the given values."""
    nn, layers, before = torch.nn, [], 1
    for name, filters in lenet.CONVOLUTIONS:
        layer = nn.Conv2d(before, filters, 5)
        _set(torch, layer, arrays[f"{name}_weight"], arrays[f"{name}_bias"])
        layers += [layer, nn.ReLU(), nn.MaxPool2d(2, 2)]
        before = filters
    fc1, fc2 = nn.Linear(800, 500), nn.Linear(500, lenet.CLASSES)
    for name, layer in (("fc1", fc1), ("fc2", fc2)):
        _set(torch, layer, arrays[f"{name}_weight"], arrays[f"{name}_bias"])
    return nn.Sequential(*layers, nn.Flatten(), fc1, nn.ReLU(), fc2)


training(
    "lenet",
    ("eager", "compile"),
    lambda torch, arrays: (network(torch, arrays), *batch(torch, arrays)),
)
