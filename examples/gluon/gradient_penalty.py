"""WGAN with a gradient penalty (Gulrajani et al., 2017) on points around a circle.

The critic's loss holds the norm of its own gradient with respect to its input, so its update needs
gradients of gradients: `autograd.grad(..., create_graph=True)`.

    python examples/gluon/gradient_penalty.py [--steps 2000] [--tiny]
"""

from __future__ import annotations

import argparse

import numpy as np

import baryon as mx
from baryon import autograd, gluon, nd
from baryon.gluon import nn

BATCH, CRITIC_STEPS, PENALTY = 128, 5, 1.0


def mlp(outputs: int, prefix: str) -> nn.HybridSequential:
    """Three dense layers."""
    net = nn.HybridSequential(prefix=prefix)
    with net.name_scope():
        net.add(nn.Dense(64, activation="tanh"), nn.Dense(64, activation="tanh"), nn.Dense(outputs))
    return net


def circle(count: int) -> nd.NDArray:
    """Points near eight places on the unit circle."""
    angles = np.random.randint(0, 8, count) * np.pi / 4
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return nd.array(points + 0.05 * np.random.randn(count, 2))


def penalty(critic: gluon.Block, real: nd.NDArray, made: nd.NDArray) -> nd.NDArray:
    """How far the critic's slope is from 1 between real and made points."""
    mix = nd.random.uniform(shape=(len(real), 1))
    between = mix * real + (1 - mix) * made
    between.attach_grad()
    with autograd.record():
        score = critic(between)
        (slope,) = autograd.grad([score], [between], create_graph=True, retain_graph=True)
        return ((slope.square().sum(axis=1) + 1e-12).sqrt() - 1).square()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--tiny", action="store_true", help="a few steps, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.steps = 20
    mx.random.seed(1)
    np.random.seed(1)
    generator, critic = mlp(2, "generator_"), mlp(1, "critic_")
    adam = {"learning_rate": 1e-3, "beta1": 0.5, "beta2": 0.9}
    trainers = []
    for net in (generator, critic):
        net.initialize(mx.init.Xavier())
        net.hybridize()
        trainers.append(gluon.Trainer(net.collect_params(), "adam", adam))

    def noise() -> nd.NDArray:
        return nd.random.normal(shape=(BATCH, 4))

    for step in range(1, options.steps + 1):
        for _ in range(CRITIC_STEPS):
            real, made = circle(BATCH), generator(noise())
            with autograd.record():
                steepness = penalty(critic, real, made)
                distance = critic(real) - critic(made)
                loss = PENALTY * steepness - distance.reshape(-1)
            loss.backward()
            trainers[1].step(BATCH)
        with autograd.record():
            loss = -critic(generator(noise()))
        loss.backward()
        trainers[0].step(BATCH)
        if step % max(options.steps // 10, 1) == 0:
            print(
                f"step {step:5}: Wasserstein distance {float(distance.mean().asscalar()):.4f}, "
                f"penalty {float(steepness.mean().asscalar()):.4f}"
            )
    radius = generator(nd.random.normal(shape=(1000, 4))).norm(axis=1).asnumpy()
    print(f"distance of made points from the centre: {radius.mean():.3f} (1 is right)")


if __name__ == "__main__":
    main()
