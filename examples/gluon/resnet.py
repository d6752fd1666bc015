"""ResNet-20, as He et al. (2016) trained it on CIFAR, with augmentation, on digits of that size.

Digits are put on 32x32 pixels with three channels; each batch is shifted at random by up to 4
pixels, as CIFAR's images are cropped. The learning rate warms up and falls along a cosine.

    python examples/gluon/resnet.py [--epochs 10] [--depth 20] [--tiny]
"""

from __future__ import annotations

import argparse
import time

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon.model_zoo.vision import BasicBlockV1, ResNetV1


def cifar_resnet(depth: int) -> gluon.HybridBlock:
    """The paper's network of 6n + 2 layers for small images."""
    if (depth - 2) % 6:
        raise SystemExit(f"--depth must be 6n + 2, got {depth}")
    blocks = (depth - 2) // 6
    return ResNetV1(BasicBlockV1, [blocks] * 3, [16, 16, 32, 64], classes=10, thumbnail=True)


def as_cifar(images: mx.nd.NDArray) -> mx.nd.NDArray:
    """(n, 1, 28, 28) in [0, 1] to (n, 3, 32, 32) around zero."""
    padded = mx.nd.pad(images, mode="constant", pad_width=(0, 0, 0, 0, 2, 2, 2, 2))
    return mx.nd.broadcast_axis((padded - 0.13) / 0.31, axis=1, size=3)


def shifted(images: mx.nd.NDArray, most: int = 4) -> mx.nd.NDArray:
    """The images, each padded and cropped back at a place of its own."""
    size = images.shape[2]
    wide = mx.nd.pad(images, mode="constant", pad_width=(0, 0, 0, 0, *(most,) * 4)).asnumpy()
    out = np.empty(images.shape, np.float32)
    for i, (y, x) in enumerate(np.random.randint(0, 2 * most + 1, (len(out), 2))):
        out[i] = wide[i, :, y : y + size, x : x + size]
    return mx.nd.array(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--imperative", action="store_true", help="do not hybridize")
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs, options.depth, options.batch_size, options.lr = 2, 8, 32, 0.05
    mx.random.seed(1)
    np.random.seed(1)
    net = cifar_resnet(options.depth)
    net.initialize(mx.init.MSRAPrelu())
    if not options.imperative:
        net.hybridize(static_alloc=True, static_shape=True)
    batches = digits_data.loader(True, options.batch_size, options.tiny)
    steps = options.epochs * len(batches)
    schedule = mx.lr_scheduler.CosineScheduler(
        steps, base_lr=options.lr, final_lr=0, warmup_steps=steps // 10
    )
    sgd = {"lr_scheduler": schedule, "momentum": 0.9, "wd": 1e-4}
    trainer = gluon.Trainer(net.collect_params(), "sgd", sgd)
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(options.epochs):
        began, seen, total = time.perf_counter(), 0, 0.0
        for images, labels in batches:
            images = shifted(as_cifar(images))
            with autograd.record():
                loss = loss_of(net(images), labels)
            loss.backward()
            trainer.step(len(images))
            seen += len(images)
            total += float(loss.sum().asscalar())
        rate = seen / (time.perf_counter() - began)
        metric = mx.metric.Accuracy()
        for images, labels in digits_data.loader(False, 200, options.tiny):
            metric.update([labels], [net(as_cifar(images))])
        print(
            f"epoch {epoch + 1:2}: loss {total / seen:.4f}, test accuracy {metric.get()[1]:.3f}, "
            f"{rate:5.0f} images/s"
        )


if __name__ == "__main__":
    main()
