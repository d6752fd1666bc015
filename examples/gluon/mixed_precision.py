"""Training in 16 bits with parameters in 32, a loss scale, and inference in 16 bits.

python examples/gluon/mixed_precision.py [--dtype bfloat16] [--epochs 3] [--tiny]
"""

from __future__ import annotations

import argparse

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.contrib import amp
from baryon.gluon import nn


def network() -> nn.HybridSequential:
    """A convolution with a norm, and two dense layers."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(16, 5, 2),
        nn.BatchNorm(),
        nn.Activation("relu"),
        nn.Dense(64, activation="relu"),
        nn.Dense(10),
    )
    net.initialize(mx.init.Xavier())
    net.hybridize()
    return net


def accuracy(net: gluon.HybridBlock, tiny: bool) -> float:
    """Share of the test images that are recognised."""
    metric = mx.metric.Accuracy()
    for images, labels in digits_data.loader(False, 100, tiny):
        metric.update([labels], [net(images)])
    return metric.get()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float16", "bfloat16"], default="bfloat16")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    mx.random.seed(1)
    np.random.seed(1)

    amp.init(options.dtype)  # layers called from now on cast their inputs
    net = network()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 2e-3})
    amp.init_trainer(trainer)
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(1 if options.tiny else options.epochs):
        total = 0.0
        batches = digits_data.loader(True, 64, options.tiny)
        for images, labels in batches:
            with autograd.record():
                loss = loss_of(net(images), labels)
                with amp.scale_loss(loss, trainer) as scaled:
                    autograd.backward(scaled)
            trainer.step(len(images))  # passed over where gradients overflow
            total += float(loss.mean().asscalar())
        print(f"epoch {epoch}: loss {total / len(batches):.3f}")
    found = accuracy(net, options.tiny)
    print(f"trained in {options.dtype}: accuracy {found:.3f}")
    kinds = {np.dtype(p.dtype).name for p in net.collect_params().values()}
    assert kinds == {"float32"}

    # A copy for inference, whose large parameters are stored in 16 bits.
    made = amp.convert_hybrid_block(net, options.dtype, ctx=mx.cpu(), cast_optional_params=True)
    print(f"converted: accuracy {accuracy(made, options.tiny):.3f}")
    assert abs(accuracy(made, options.tiny) - found) < 0.05


if __name__ == "__main__":
    main()
