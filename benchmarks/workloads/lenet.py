"""A training step of LeNet on 64 images of 28x28: forward, loss, backward, SGD with momentum."""

from __future__ import annotations

import numpy as np

from .base import Workload, best, floats

SEED, BATCH, CLASSES = 4, 64, 10
CONVOLUTIONS = (("conv1", 20), ("conv2", 50))
SHAPES = {
    "conv1": (20, 1, 5, 5),
    "conv2": (50, 20, 5, 5),
    "fc1": (500, 800),
    "fc2": (CLASSES, 500),
}
PARAMETERS = tuple(f"{layer}_{kind}" for layer in SHAPES for kind in ("weight", "bias"))


def arrays() -> dict[str, np.ndarray]:
    """`data`, `label`, and the parameters: Glorot-uniform weights and zero biases."""
    rng = np.random.RandomState(SEED)
    values = {
        "data": floats(rng, BATCH, 1, 28, 28, low=0),
        "label": rng.randint(0, CLASSES, BATCH).astype(np.float32),
    }
    for layer, shape in SHAPES.items():
        window = int(np.prod(shape[2:]))
        bound = float(np.sqrt(6 / (window * (shape[0] + shape[1]))))
        values[f"{layer}_weight"] = floats(rng, *shape, low=-bound, high=bound)
        values[f"{layer}_bias"] = np.zeros(shape[0], np.float32)
    return values


def symbol(sym: object) -> object:
    """The network as a Symbol of the given `sym` module, with a softmax head."""
    x = sym.var("data")
    for name, filters in CONVOLUTIONS:
        x = sym.Convolution(x, kernel=(5, 5), num_filter=filters, name=name)
        x = sym.Activation(x, act_type="relu")
        x = sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max")
    x = sym.FullyConnected(x, num_hidden=500, name="fc1")
    x = sym.Activation(x, act_type="relu")
    x = sym.FullyConnected(x, num_hidden=CLASSES, name="fc2")
    return sym.SoftmaxOutput(x, name="softmax")


WAYS = ("baryon/symbol", "baryon/block", "baryon/hybrid")
WORKLOADS = (
    Workload(
        "lenet",
        "LeNet training step, batch 64, SGD with momentum",
        arrays,
        (*WAYS, "torch/eager", "torch/compile", "mxnet/symbol", "mxnet/hybrid", "jax/jit"),
        tuple(best(0.6, way) for way in WAYS),
    ),
)
