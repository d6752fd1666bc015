"""Digits with the NumPy interface: arrays, data and a network of one's own under `npx.set_np`.

The network is written twice: by hand with mx.np and the gradients that it records, and as a
HybridBlock, which is compiled. Both are checked on the test images.

    python examples/gluon/numpy_interface.py [--epochs 5] [--tiny]
"""

from __future__ import annotations

import argparse

import digits_data

import baryon as mx
from baryon import autograd, gluon, np, npx
from baryon.gluon import nn

npx.set_np()


def softmax_loss(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross entropy of each sample, in NumPy's words."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return log_sums - npx.pick(shifted, labels)


def by_hand(batches: gluon.data.DataLoader, epochs: int, lr: float) -> list[np.ndarray]:
    """Two layers of plain arrays, trained by gradient descent."""
    shapes = (28 * 28, 64), (64, 10)
    weights = [np.random.normal(scale=shape[0] ** -0.5, size=shape) for shape in shapes]
    for w in weights:
        w.attach_grad()
    for epoch in range(epochs):
        total = np.zeros(())
        for images, labels in batches:
            with autograd.record():
                loss = softmax_loss(scores_of(weights, images), labels).mean()
            loss.backward()
            for w in weights:
                w -= lr * w.grad
            total += loss
        print(f"by hand    epoch {epoch + 1:2}: loss {total.item() / len(batches):.4f}")
    return weights


def scores_of(weights: list[np.ndarray], images: np.ndarray) -> np.ndarray:
    """The hand-made network."""
    first, second = weights
    return npx.relu(images.reshape(len(images), -1) @ first) @ second


class Residual(gluon.HybridBlock):
    """A dense layer beside which its input passes, scaled by a learnt number without axes."""

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(units)
            self.scale = self.params.get("scale", shape=(), init="ones")

    def hybrid_forward(self, F, x, scale):
        return x * scale + F.npx.relu(self.dense(x))


def by_gluon(batches: gluon.data.DataLoader, epochs: int, lr: float) -> gluon.Block:
    """The same task with Gluon's layers, hybridized."""
    net = nn.HybridSequential()
    net.add(nn.Flatten(), nn.Dense(64, activation="relu"), Residual(64), nn.Dense(10))
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": lr / 100})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        for images, labels in batches:
            with autograd.record():
                loss = loss_of(net(images), labels).mean()
            loss.backward()
            trainer.step(1)
            total += loss.item()
        print(f"by Gluon   epoch {epoch + 1:2}: loss {total / len(batches):.4f}")
    return net


def accuracy(score, batches: gluon.data.DataLoader) -> float:
    """Share of the images that are recognised."""
    hits = [(score(x).argmax(axis=1) == y.astype("int64")).mean().item() for x, y in batches]
    return sum(hits) / len(hits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    epochs = 1 if options.tiny else options.epochs
    npx.random.seed(1)
    train = digits_data.loader(True, options.batch_size, options.tiny)
    test = digits_data.loader(False, 200, options.tiny)
    weights = by_hand(train, epochs, options.lr)
    print(f"by hand : test accuracy {accuracy(lambda x: scores_of(weights, x), test):.3f}")
    net = by_gluon(train, epochs, options.lr)
    print(f"by Gluon: test accuracy {accuracy(net, test):.3f}")


if __name__ == "__main__":
    main()
