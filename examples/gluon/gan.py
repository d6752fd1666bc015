"""A small DCGAN (Radford et al., 2016) that draws digits.

python examples/gluon/gan.py [--epochs 20] [--out digits.pgm] [--tiny]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn

NOISE = 64


def generator(width: int) -> nn.HybridSequential:
    """(n, NOISE, 1, 1) of noise to images (n, 1, 28, 28) in [-1, 1]."""
    net = nn.HybridSequential(prefix="generator_")
    with net.name_scope():
        for channels, kernel, stride, padding in (
            (4 * width, 4, 1, 0),  # 4 x 4
            (2 * width, 3, 2, 1),  # 7 x 7
            (width, 4, 2, 1),  # 14 x 14
        ):
            net.add(
                nn.Conv2DTranspose(channels, kernel, stride, padding, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("relu"),
            )
        net.add(nn.Conv2DTranspose(1, 4, 2, 1, activation="tanh"))  # 28 x 28
    return net


def discriminator(width: int) -> nn.HybridSequential:
    """Images to (n, 1): how real they look, as a logit."""
    net = nn.HybridSequential(prefix="discriminator_")
    with net.name_scope():
        net.add(nn.Conv2D(width, 4, 2, 1), nn.LeakyReLU(0.2))
        for channels in (2 * width, 4 * width):
            net.add(nn.Conv2D(channels, 4, 2, 1, use_bias=False), nn.BatchNorm(), nn.LeakyReLU(0.2))
        net.add(nn.Dense(1))
    return net


def write_grid(path: Path, images: np.ndarray, columns: int = 8) -> None:
    """Images in [-1, 1] side by side as a PGM file."""
    rows = len(images) // columns
    tiles = images[: rows * columns, 0].reshape(rows, columns, 28, 28)
    page = tiles.transpose(0, 2, 1, 3).reshape(rows * 28, columns * 28)
    pixels = np.clip((page + 1) * 127.5, 0, 255).astype(np.uint8)
    path.write_bytes(f"P5 {columns * 28} {rows * 28} 255\n".encode() + pixels.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--out", type=Path, help="PGM file for a page of drawn digits")
    parser.add_argument("--tiny", action="store_true", help="a few steps, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs, options.width = 1, 4
    mx.random.seed(1)
    draw, judge = generator(options.width), discriminator(options.width)
    for net in (draw, judge):
        net.initialize(mx.init.Normal(0.02))
        net.hybridize()
    adam = {"learning_rate": 2e-4, "beta1": 0.5}
    drawing = gluon.Trainer(draw.collect_params(), "adam", adam)
    judging = gluon.Trainer(judge.collect_params(), "adam", adam)
    loss_of = gluon.loss.SigmoidBinaryCrossEntropyLoss()

    size = 64
    real, fake = mx.nd.ones((size,)), mx.nd.zeros((size,))
    for epoch in range(options.epochs):
        losses = []
        for images, _ in digits_data.loader(True, size, options.tiny):
            noise = mx.nd.random.normal(shape=(size, NOISE, 1, 1))
            with autograd.record():
                made = draw(noise)
                judged = loss_of(judge(images * 2 - 1), real) + loss_of(judge(made.detach()), fake)
            judged.backward()
            judging.step(size)
            with autograd.record():
                fooled = loss_of(judge(draw(noise)), real)
            fooled.backward()
            drawing.step(size)
            losses.append((float(judged.mean().asscalar()), float(fooled.mean().asscalar())))
        judged_mean, fooled_mean = np.mean(losses, axis=0)
        print(f"epoch {epoch + 1:2}: discriminator {judged_mean:.3f}, generator {fooled_mean:.3f}")
    page = draw(mx.nd.random.normal(shape=(64, NOISE, 1, 1))).asnumpy()
    if not np.isfinite(page).all():
        raise SystemExit("the generator diverged")
    if options.out is not None:
        write_grid(options.out, page)
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
