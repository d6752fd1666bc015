"""A training step of the MLP written in NumPy by hand, with memory taken once."""

from __future__ import annotations

from ..workloads import gluon
from ..workloads.base import CHECKED_STEPS, LEARNING_RATE, MOMENTUM
from .base import Prepared, prepares, repeat


@prepares("gluon.mlp", "hand")
def train(numpy: object, arrays: dict) -> Prepared:
    """Forward, backward, and SGD with momentum, each into arrays that stay."""
    np, net = numpy, gluon.NETS["mlp"]
    label, rows = arrays["label"].astype(int), np.arange(net.batch)
    layers = range(len(net.widths) - 1)
    weights = [arrays[f"dense{i}_weight"].copy() for i in layers]
    biases = [arrays[f"dense{i}_bias"].copy() for i in layers]
    params = [*weights, *biases]
    grads, speeds = [np.empty_like(p) for p in params], [np.zeros_like(p) for p in params]
    values = [arrays["data"], *(np.empty((net.batch, w), np.float32) for w in net.widths[1:])]
    heads = [np.empty_like(v) for v in values]

    def forward() -> None:
        for i in layers:
            np.matmul(values[i], weights[i].T, out=values[i + 1])
            values[i + 1] += biases[i]
            if i + 1 < len(layers):
                np.maximum(values[i + 1], 0, out=values[i + 1])

    def loss() -> float:
        """Of the scores; leaves the gradient by them in the last head."""
        head = heads[-1]
        np.subtract(values[-1], values[-1].max(1, keepdims=True), out=head)
        np.exp(head, out=head)
        head /= head.sum(1, keepdims=True)
        found = -np.log(head[rows, label]).mean()
        head[rows, label] -= 1
        head /= net.batch
        return found

    def backward() -> None:
        for i in reversed(layers):
            np.matmul(heads[i + 1].T, values[i], out=grads[i])
            np.sum(heads[i + 1], axis=0, out=grads[len(layers) + i])
            if i:
                np.matmul(heads[i + 1], weights[i], out=heads[i])
                heads[i] *= values[i] > 0

    def step() -> float:
        forward()
        found = loss()
        backward()
        for param, grad, speed in zip(params, grads, speeds):  # noqa: B905
            grad *= LEARNING_RATE
            speed *= MOMENTUM
            speed -= grad
            param += speed
        return found

    return Prepared([float(step()) for _ in range(CHECKED_STEPS)], repeat(step))
