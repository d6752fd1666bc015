"""A convolutional network on digits, in an imperative loop, a hybrid one, and by an Estimator.

The first two loops are the same; `hybridize` turns the recorded Python into one compiled graph. An
Estimator has the loop inside and calls handlers along the way.

    python examples/gluon/digits.py [--way imperative|hybrid|estimator|all] [--epochs 5] [--tiny]
"""

from __future__ import annotations

import argparse
import time

import digits_data

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn
from baryon.gluon.contrib.estimator import EarlyStoppingHandler, Estimator

WAYS = ("imperative", "hybrid", "estimator")


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


def estimate(options: argparse.Namespace) -> float:
    """Let an Estimator train a network until it stops improving; its test accuracy."""
    mx.random.seed(1)
    net = network()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": options.lr})
    estimator = Estimator(net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer=trainer)
    patience = EarlyStoppingHandler(estimator.val_metrics[0], mode="max", patience=2)
    tests = digits_data.loader(False, 200, options.tiny)
    batches = digits_data.loader(True, options.batch_size, options.tiny)
    estimator.fit(batches, tests, epochs=options.epochs, event_handlers=[patience])
    return accuracy(net, tests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=[*WAYS, "all"], default="all")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 2
    for way in WAYS if options.way == "all" else [options.way]:
        found = estimate(options) if way == "estimator" else train(way, options)
        print(f"{way}: test accuracy {found:.3f}")


if __name__ == "__main__":
    main()
