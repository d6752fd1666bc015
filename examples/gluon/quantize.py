"""A network trained in float32, quantized to 8-bit integers three ways, and compared.

python examples/gluon/quantize.py [--epochs 3] [--tiny]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.contrib import quantization
from baryon.gluon import nn


def lenet() -> nn.HybridSequential:
    """Two convolutions and two dense layers."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(16, 5, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(32, 5, activation="relu"),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dense(128, activation="relu"),
        nn.Dense(10),
    )
    net.initialize(mx.init.Xavier())
    net.hybridize()
    return net


def train(net: gluon.HybridBlock, epochs: int, tiny: bool) -> None:
    """Train with Adam."""
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 2e-3})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(epochs):
        for images, labels in digits_data.loader(True, 64, tiny):
            with autograd.record():
                loss = loss_of(net(images), labels)
            loss.backward()
            trainer.step(len(images))


def accuracy(net: gluon.HybridBlock, tiny: bool) -> float:
    """Share of the test images that are recognised."""
    metric = mx.metric.Accuracy()
    for images, labels in digits_data.loader(False, 100, tiny):
        metric.update([labels], [net(images)])
    return metric.get()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    mx.random.seed(1)
    np.random.seed(1)
    net = lenet()
    train(net, 1 if options.tiny else options.epochs, options.tiny)
    before = accuracy(net, options.tiny)
    print(f"float32: accuracy {before:.3f}")

    # Ranges found by each call itself; the extremes on some images; the cut that loses least.
    modes = ("none", "naive") if options.tiny else ("none", "naive", "entropy")
    for mode in modes:
        made = quantization.quantize_net_v2(
            net,
            calib_mode=mode,
            calib_data=digits_data.loader(True, 64, options.tiny),
            num_calib_examples=256,
        )
        made.hybridize()
        after = accuracy(made, options.tiny)
        print(f"int8, calib_mode={mode!r}: accuracy {after:.3f}")
        assert after > before - 0.02

    with tempfile.TemporaryDirectory() as folder:
        files = made.export(str(Path(folder) / "int8"))[1], net.export(str(Path(folder) / "f32"))[1]
        sizes = [Path(file).stat().st_size / 1024 for file in files]
    print(f"parameters: {sizes[0]:.0f} KB, in float32 {sizes[1]:.0f} KB")


if __name__ == "__main__":
    main()
