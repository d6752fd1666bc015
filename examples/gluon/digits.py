"""A convolutional network on digits, in an imperative and in a hybrid loop.

The loop is the same; `hybridize` turns the recorded Python into one compiled graph.

    python examples/gluon/digits.py [--way imperative|hybrid|both] [--epochs 5] [--tiny]
"""

from __future__ import annotations

import argparse
import time

import digits_data

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn


def network() -> nn.HybridSequential:
    """Two convolutions, two dense layers."""
    net = nn.HybridSequential(prefix="digits_")
    with net.name_scope():
        net.add(
            nn.Conv2D(20, kernel_size=5, activation="relu"),
            nn.MaxPool2D(),
            nn.Conv2D(50, kernel_size=5, activation="relu"),
            nn.MaxPool2D(),
            nn.Dense(200, activation="relu"),
            nn.Dropout(0.3),
            nn.Dense(10),
        )
    return net


def accuracy(net: gluon.Block, batches: gluon.data.DataLoader) -> float:
    """Share of the images that are recognised."""
    metric = mx.metric.Accuracy()
    for images, labels in batches:
        metric.update([labels], [net(images)])
    return metric.get()[1]


def train(way: str, options: argparse.Namespace) -> float:
    """Train one network; its accuracy on the test images."""
    mx.random.seed(1)
    net = network()
    net.initialize(mx.init.Xavier())
    if way == "hybrid":
        net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": options.lr})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    batches = digits_data.loader(True, options.batch_size, options.tiny)
    for epoch in range(options.epochs):
        began, images_seen, total = time.perf_counter(), 0, 0.0
        for images, labels in batches:
            with autograd.record():
                loss = loss_of(net(images), labels)
            loss.backward()
            trainer.step(len(images))
            images_seen += len(images)
            total += float(loss.sum().asscalar())
        seconds = time.perf_counter() - began
        print(
            f"{way:<10} epoch {epoch + 1:2}: loss {total / images_seen:.4f}, "
            f"{images_seen / seconds:6.0f} images/s"
        )
    return accuracy(net, digits_data.loader(False, 200, options.tiny))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=["imperative", "hybrid", "both"], default="both")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 2
    for way in ["imperative", "hybrid"] if options.way == "both" else [options.way]:
        print(f"{way}: test accuracy {train(way, options):.3f}")


if __name__ == "__main__":
    main()
