"""Fine-tuning: features learnt on the digits 0-4 serve a classifier of 5-9.

Three ways to share what was learnt: the Block itself, its Parameters under ``params=``, and a file.

    python examples/gluon/fine_tune.py [--epochs 5] [--tiny]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn
from baryon.gluon.data import ArrayDataset, DataLoader


class Classifier(gluon.HybridBlock):
    """Features of a digit, and five classes from them."""

    def __init__(self, features: gluon.HybridBlock | None = None, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = make_features("features_") if features is None else features
            self.output = nn.Dense(5, prefix="output_")

    def hybrid_forward(self, F, x):
        return self.output(self.features(x))


def make_features(prefix: str, params: gluon.ParameterDict | None = None) -> nn.HybridSequential:
    """Two convolutions and a dense layer; `params` gives them Parameters that exist."""
    net = nn.HybridSequential(prefix=prefix, params=params)
    with net.name_scope():
        net.add(
            nn.Conv2D(16, 5, 2, activation="relu"),
            nn.Conv2D(32, 5, 2, activation="relu"),
            nn.Dense(64, activation="relu"),
        )
    return net


def half(train: bool, high: bool, tiny: bool, count: int | None = None) -> DataLoader:
    """The digits 0-4, or 5-9 with labels from 0; at most `count` of them."""
    images, labels = digits_data.arrays(train, tiny)
    chosen = np.flatnonzero((labels >= 5) == high)[:count]
    dataset = ArrayDataset(images[chosen], labels[chosen] - 5 * high)
    return DataLoader(dataset, 32, shuffle=train)


def train(
    net: Classifier,
    params: gluon.ParameterDict,
    batches: DataLoader,
    epochs: int,
    lr: float = 2e-3,
) -> None:
    """Train some of a network's Parameters."""
    trainer = gluon.Trainer(params, "adam", {"learning_rate": lr})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(epochs):
        for images, labels in batches:
            with autograd.record():
                loss = loss_of(net(images), labels)
            loss.backward()
            trainer.step(len(images), ignore_stale_grad=True)


def accuracy(net: Classifier, batches: DataLoader) -> float:
    """Share of the images that are recognised."""
    metric = mx.metric.Accuracy()
    for images, labels in batches:
        metric.update([labels], [net(images)])
    return metric.get()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="how many digits 5-9 to learn from")
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs, options.count = 2, 60
    mx.random.seed(1)
    np.random.seed(1)
    low = Classifier(prefix="low_")
    low.initialize(mx.init.Xavier())
    low.hybridize()
    train(low, low.collect_params(), half(True, False, options.tiny), options.epochs)
    found = accuracy(low, half(False, False, options.tiny))
    print(f"digits 0-4: test accuracy {found:.3f}")

    few, test = half(True, True, options.tiny, options.count), half(False, True, options.tiny)
    scratch = Classifier(prefix="scratch_")
    scratch.initialize(mx.init.Xavier())
    train(scratch, scratch.collect_params(), few, options.epochs)
    print(f"digits 5-9 from {options.count} images, from scratch:  {accuracy(scratch, test):.3f}")

    # The same Block in another network: what one learns, the other has.
    high = Classifier(features=low.features, prefix="high_")
    high.output.initialize(mx.init.Xavier())
    high.hybridize()
    train(high, high.output.collect_params(), few, options.epochs, lr=3e-2)
    print(f"digits 5-9 from {options.count} images, frozen features: {accuracy(high, test):.3f}")

    # Other Blocks with the same Parameters.
    twin = make_features("low_features_", low.features.collect_params())
    image = mx.nd.array(digits_data.arrays(False, True)[0][:1])
    same = np.allclose(twin(image).asnumpy(), low.features(image).asnumpy(), 1e-4, 1e-5)
    assert same  # but for rounding: one computes call by call, the other as a program

    # A copy by way of a file, trained on as a whole: the first network keeps its own.
    before = low(image).asnumpy()
    copied = Classifier(prefix="copied_")
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "features.params")
        low.features.save_parameters(file)
        copied.features.load_parameters(file)
    copied.output.initialize(mx.init.Xavier())
    copied.features.collect_params().setattr("lr_mult", 0.3)
    train(copied, copied.collect_params(), few, options.epochs)
    print(f"digits 5-9 from {options.count} images, fine-tuned copy: {accuracy(copied, test):.3f}")
    assert np.array_equal(low(image).asnumpy(), before)


if __name__ == "__main__":
    main()
