"""A single-shot detector: it learns to find bright squares and discs in noise.

Anchors from `MultiBoxPrior`, targets from `MultiBoxTarget`, boxes from `MultiBoxDetection`.

    python examples/gluon/detector.py [--steps 300] [--tiny]
"""

from __future__ import annotations

import argparse

import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn

SIZE, CLASSES = 32, 2
SIZES, RATIOS = (0.25, 0.4), (1,)


def scenes(rng: np.random.Generator, count: int) -> tuple[mx.nd.NDArray, mx.nd.NDArray]:
    """Images (count, 1, 32, 32) with one shape each, and labels: class, corners in parts."""
    images = rng.uniform(0, 0.3, (count, 1, SIZE, SIZE))
    labels = np.empty((count, 1, 5))
    y, x = np.mgrid[:SIZE, :SIZE]
    for image, label in zip(images, labels, strict=True):
        kind, half = rng.integers(CLASSES), rng.integers(4, 7)
        cx, cy = rng.integers(half, SIZE - half, 2)
        inside = np.maximum(abs(x - cx), abs(y - cy)) < half
        if kind == 1:
            inside = (x - cx) ** 2 + (y - cy) ** 2 < half**2
        image[0][inside] += 0.7
        label[0] = [kind, *(np.array([cx - half, cy - half, cx + half, cy + half]) / SIZE)]
    return mx.nd.array(images), mx.nd.array(labels)


class Detector(gluon.HybridBlock):
    """Features at every eighth pixel, from which classes and offsets of anchors are predicted."""

    def __init__(self) -> None:
        super().__init__()
        boxes = len(SIZES) + len(RATIOS) - 1
        self.body = nn.HybridSequential()
        for channels in (16, 32, 32):
            self.body.add(nn.Conv2D(channels, 3, padding=1), nn.BatchNorm())
            self.body.add(nn.Activation("relu"), nn.MaxPool2D())
        self.classes = nn.Conv2D(boxes * (CLASSES + 1), 3, padding=1)
        self.offsets = nn.Conv2D(boxes * 4, 3, padding=1)

    def hybrid_forward(self, F, x):
        x = self.body(x)
        anchors = F.contrib.MultiBoxPrior(x, sizes=SIZES, ratios=RATIOS)
        scores = F.transpose(self.classes(x), axes=(0, 2, 3, 1)).reshape((0, -1, CLASSES + 1))
        offsets = F.flatten(F.transpose(self.offsets(x), axes=(0, 2, 3, 1)))
        return anchors, F.transpose(scores, axes=(0, 2, 1)), offsets


def train(net: Detector, rng: np.random.Generator, steps: int) -> None:
    """Train on new scenes in every step."""
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 3e-3})
    class_loss = gluon.loss.SoftmaxCrossEntropyLoss(axis=1)
    box_loss = gluon.loss.HuberLoss()
    for step in range(steps):
        images, labels = scenes(rng, 32)
        with autograd.record():
            anchors, scores, offsets = net(images)
            with autograd.pause():
                wanted, mask, kinds = mx.nd.contrib.MultiBoxTarget(
                    anchors, labels, scores, negative_mining_ratio=3, negative_mining_thresh=0.5
                )
                counts = (kinds >= 0).expand_dims(1).transpose((0, 2, 1))  # ignored ones do not
            loss = class_loss(scores, mx.nd.relu(kinds), counts) * 4
            loss = loss + box_loss(offsets * mask, wanted * mask) * 10
        loss.backward()
        trainer.step(len(images))
        if step % 50 == 0:
            print(f"step {step}: loss {float(loss.mean().asscalar()):.3f}")


def score(net: Detector, rng: np.random.Generator, count: int) -> float:
    """Share of the scenes whose best detection has the right class and overlaps by half."""
    images, labels = scenes(rng, count)
    anchors, scores, offsets = net(images)
    found = mx.nd.contrib.MultiBoxDetection(
        mx.nd.softmax(scores, axis=1), offsets, anchors, nms_threshold=0.45
    )
    best, label = found[:, 0], labels[:, 0]
    overlaps = [
        mx.nd.contrib.box_iou(a.reshape((1, 4)), b.reshape((1, 4))).asnumpy().item()
        for a, b in zip(best[:, 2:], label[:, 1:], strict=True)
    ]
    right = (best[:, 0] == label[:, 0]).asnumpy() > 0
    return float((right & (np.array(overlaps) > 0.5)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--tiny", action="store_true", help="a few steps, for a quick check")
    options = parser.parse_args()
    steps, count = (5, 8) if options.tiny else (options.steps, 200)
    mx.random.seed(1)
    rng = np.random.default_rng(1)
    net = Detector()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    train(net, rng, steps)
    print(f"found {score(net, rng, count):.1%} of the shapes")


if __name__ == "__main__":
    main()
