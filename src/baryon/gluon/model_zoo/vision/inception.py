"""Inception v3."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...block import HybridBlock
from ...contrib.nn import HybridConcurrent
from ._common import CPU, ROOT, Contexts, Network, conv_bn, loaded

__all__ = ["Inception3", "inception_v3"]

# Convolutions are (channels, kernel, stride, padding); the last two may be left out.
_ROW, _COLUMN = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
_SPLIT = ((384, (1, 3), 1, (0, 1)), (384, (3, 1), 1, (1, 0)))


def _module_a(pooled: int) -> list[list]:
    """5x5 filters, factorized 5x5 filters, and pooling."""
    return [
        [(64, 1)],
        [(48, 1), (64, 5, 1, 2)],
        [(64, 1), (96, 3, 1, 1), (96, 3, 1, 1)],
        ["avg", (pooled, 1)],
    ]


def _module_c(n: int) -> list[list]:
    """7x7 filters factorized into rows and columns."""
    return [
        [(192, 1)],
        [(n, 1), (n, *_ROW), (192, *_COLUMN)],
        [(n, 1), (n, *_COLUMN), (n, *_ROW), (n, *_COLUMN), (192, *_ROW)],
        ["avg", (192, 1)],
    ]


# The two reductions of the image, and the module whose branches split once more.
_MODULE_B = [[(384, 3, 2)], [(64, 1), (96, 3, 1, 1), (96, 3, 2)], ["max"]]
_MODULE_D = [
    [(192, 1), (320, 3, 2)],
    [(192, 1), (192, *_ROW), (192, *_COLUMN), (192, 3, 2)],
    ["max"],
]
_MODULE_E = [
    [(320, 1)],
    [[(384, 1)], "split"],
    [[(448, 1), (384, 3, 1, 1)], "split"],
    ["avg", (192, 1)],
]
_MODULES = (
    ("A1_", _module_a(32)),
    ("A2_", _module_a(64)),
    ("A3_", _module_a(64)),
    ("B_", _MODULE_B),
    ("C1_", _module_c(128)),
    ("C2_", _module_c(160)),
    ("C3_", _module_c(160)),
    ("C4_", _module_c(192)),
    ("D_", _MODULE_D),
    ("E1_", _MODULE_E),
    ("E2_", _MODULE_E),
)
_STEM = ((32, 3, 2), (32, 3), (64, 3, 1, 1), "max", (80, 1), (192, 3), "max")


def _layer(spec: Any) -> HybridBlock:
    """The Block of a specification: a convolution, a pooling, a list, or a split."""
    if spec == "avg":
        return nn.AvgPool2D(pool_size=3, strides=1, padding=1)
    if spec == "max":
        return nn.MaxPool2D(pool_size=3, strides=2)
    if spec == "split":
        return _concurrent([[conv] for conv in _SPLIT], "")
    if isinstance(spec, list):
        return _sequential(*map(_layer, spec))
    return _sequential(*conv_bn(*spec, epsilon=0.001), nn.Activation("relu"))


def _sequential(*layers: HybridBlock) -> HybridBlock:
    row = nn.HybridSequential(prefix="")
    row.add(*layers)
    return row


def _concurrent(branches: list, prefix: str) -> HybridBlock:
    module = HybridConcurrent(axis=1, prefix=prefix)
    with module.name_scope():
        module.add(*map(_layer, branches))
    return module


def make_aux(classes: int) -> HybridBlock:
    """The auxiliary classifier of the paper, for features of 17x17 pixels."""
    return _sequential(
        nn.AvgPool2D(pool_size=5, strides=3),
        _layer((128, 1)),
        _layer((768, 5)),
        nn.Flatten(),
        nn.Dense(classes),
    )


class Inception3(Network):
    """Inception v3 (Szegedy et al., 2016); images of 299 pixels."""

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(*map(_layer, _STEM))
            for prefix, branches in _MODULES:
                self.features.add(_concurrent(branches, prefix))
            self.features.add(nn.AvgPool2D(pool_size=8), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


def inception_v3(
    pretrained: bool = False, ctx: Contexts = CPU, root: str = ROOT, **kwargs: Any
) -> HybridBlock:
    """Inception v3; `pretrained` reads parameters from the folder `root` onto `ctx`."""
    return loaded(Inception3(**kwargs), "inceptionv3", pretrained, ctx, root)
