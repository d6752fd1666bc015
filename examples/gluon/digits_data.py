"""The digits that the examples in this folder train on."""

from __future__ import annotations

import numpy as np

import baryon as mx
from baryon.gluon.data import ArrayDataset, DataLoader


def arrays(train: bool, tiny: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 1, 28, 28) as float32 in [0, 1], and labels (n,) as float32."""
    images, labels = mx.io.embedded_mnist(train=train)
    if tiny:
        images, labels = images[:256], labels[:256]
    return images[:, None].astype("float32") / 255, labels.astype("float32")


def loader(train: bool, batch_size: int, tiny: bool = False) -> DataLoader:
    """Batches of images and labels; the training ones are shuffled and full."""
    last = "discard" if train else "keep"
    return DataLoader(
        ArrayDataset(*arrays(train, tiny)), batch_size, shuffle=train, last_batch=last
    )
