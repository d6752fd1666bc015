"""Image files packed into records, and a network trained on them through worker processes.

The digits become PNG files in a folder for each class; `baryon.im2rec` lists and packs them; an
`ImageRecordDataset`, transforms and a `DataLoader` with workers feed the training.

    python examples/gluon/image_records.py [--epochs 3] [--workers 2] [--tiny]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import baryon as mx
from baryon import autograd, gluon, im2rec, pixels
from baryon.gluon import nn
from baryon.gluon.data import DataLoader
from baryon.gluon.data.vision import ImageRecordDataset, transforms


def write_images(folder: Path, train: bool, count: int | None) -> None:
    """A PNG file for each digit, in a folder named like its class."""
    images, labels = mx.io.embedded_mnist(train=train)
    for i, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
        path = folder / str(label) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels.encode(image, ".png"))


def packed(folder: Path, part: str, count: int | None) -> Path:
    """The record file of a part of the digits."""
    write_images(folder / part, part == "train", count)
    prefix, root = str(folder / f"{part}_set"), str(folder / part)
    im2rec.main([prefix, root, "--list", "--recursive"])
    im2rec.main([prefix, root, "--encoding", ".png", "--color", "0", "--num-thread", "2"])
    return Path(f"{prefix}.rec")


def network() -> nn.HybridSequential:
    """Two convolutions and two dense layers."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(16, 5, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(32, 5, activation="relu"),
        nn.MaxPool2D(),
        nn.Dense(64, activation="relu"),
        nn.Dense(10),
    )
    net.initialize(mx.init.Xavier())
    net.hybridize()
    return net


def accuracy(net: nn.HybridSequential, batches: DataLoader) -> float:
    """Share of the images that are recognised."""
    metric = mx.metric.Accuracy()
    for images, labels in batches:
        metric.update([labels], [net(images)])
    return metric.get()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    mx.random.seed(1)
    np.random.seed(1)
    count = 200 if options.tiny else None
    # Crops at a random place, a pixel or two off the middle, in place of the whole image.
    training = transforms.Compose(
        [transforms.RandomResizedCrop(28, (0.8, 1.0), (0.9, 1.1)), transforms.ToTensor()]
    )
    with tempfile.TemporaryDirectory() as name:
        files = {part: packed(Path(name), part, count) for part in ("train", "test")}
        train = ImageRecordDataset(files["train"], flag=0).transform_first(training)
        test = ImageRecordDataset(files["test"], flag=0).transform_first(transforms.ToTensor())
        batches = DataLoader(train, 50, shuffle=True, num_workers=options.workers)
        net, loss_of = network(), gluon.loss.SoftmaxCrossEntropyLoss()
        trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 2e-3})
        for epoch in range(1 if options.tiny else options.epochs):
            for images, labels in batches:
                with autograd.record():
                    loss = loss_of(net(images), labels.astype("float32"))
                loss.backward()
                trainer.step(len(images))
            found = accuracy(net, DataLoader(test, 200, num_workers=options.workers))
            print(f"epoch {epoch}: test accuracy {found:.3f}")


if __name__ == "__main__":
    main()
