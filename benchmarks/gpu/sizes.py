"""Sizes of the workloads: those that are measured, and tiny ones for dry runs without a GPU."""

from __future__ import annotations

from typing import NamedTuple


class Sizes(NamedTuple):
    """What every contestant computes."""

    images: tuple[int, int] = (128, 224)  # batch and side, of ResNet-50
    stages: tuple[int, ...] = (3, 4, 6, 3)
    text: tuple[int, int] = (32, 128)  # batch and length, of BERT-base
    bert: tuple[int, int, int, int] = (12, 768, 12, 30522)  # layers, width, heads, words
    mlp: tuple[int, ...] = (64, 784, 128, 64, 10)  # batch and widths
    digits: int = 64  # batch of LeNet
    lstm: tuple[int, int, int, int] = (35, 20, 650, 10000)  # steps, batch, width, words
    pointwise: int = 1 << 26  # elements
    small: int = 16  # elements of an eager call


FULL = Sizes()
TINY = Sizes(
    images=(2, 32),
    stages=(1, 1, 1, 1),
    text=(2, 8),
    bert=(1, 16, 2, 50),
    mlp=(4, 12, 8, 6, 3),
    digits=2,
    lstm=(3, 2, 8, 20),
    pointwise=1 << 10,
)
