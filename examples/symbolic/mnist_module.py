"""An MLP and LeNet on digits by `Module.fit`, from MNIST's own files.

python examples/symbolic/mnist_module.py [--network mlp|lenet|both] [--epochs 10] [--tiny]
"""

from __future__ import annotations

import argparse
import logging

import baryon as mx
from baryon import sym


def mlp() -> sym.Symbol:
    """Two hidden layers."""
    x = sym.Flatten(sym.Variable("data"))
    for i, units in enumerate((128, 64)):
        x = sym.FullyConnected(x, num_hidden=units, name=f"fc{i}")
        x = sym.Activation(x, act_type="relu", name=f"relu{i}")
    x = sym.FullyConnected(x, num_hidden=10, name="fc2")
    return sym.SoftmaxOutput(x, name="softmax")


def lenet() -> sym.Symbol:
    """Two convolutions, two dense layers (LeCun et al. 1998)."""
    x = sym.Variable("data")
    for i, filters in enumerate((20, 50)):
        x = sym.Convolution(x, kernel=(5, 5), num_filter=filters, name=f"conv{i}")
        x = sym.Activation(x, act_type="tanh", name=f"tanh{i}")
        x = sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{i}")
    x = sym.FullyConnected(sym.Flatten(x), num_hidden=500, name="fc0")
    x = sym.FullyConnected(sym.Activation(x, act_type="tanh"), num_hidden=10, name="fc1")
    return sym.SoftmaxOutput(x, name="softmax")


def files(part: str, batch_size: int, tiny: bool) -> mx.io.MNISTIter:
    """Batches from a pair of IDX files; a part of them when tiny."""
    folder = mx.io.EMBEDDED_MNIST
    return mx.io.MNISTIter(
        image=folder / f"{part}-images-idx3-ubyte.gz",
        label=folder / f"{part}-labels-idx1-ubyte.gz",
        batch_size=batch_size,
        shuffle=part == "train",
        num_parts=8 if tiny else 1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["mlp", "lenet", "both"], default="both")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--tiny", action="store_true", help="few images, one epoch")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    epochs = 1 if options.tiny else options.epochs
    chosen = {"mlp": mlp, "lenet": lenet}
    for name in chosen if options.network == "both" else [options.network]:
        mx.random.seed(1)
        train = files("train", options.batch_size, options.tiny)
        test = files("t10k", options.batch_size, options.tiny)
        module = mx.mod.Module(chosen[name]())
        module.fit(
            train,
            eval_data=test,
            eval_metric=["acc", "ce"],
            initializer=mx.init.Xavier(),
            optimizer="sgd",
            optimizer_params={"learning_rate": options.lr, "momentum": 0.9},
            batch_end_callback=mx.callback.Speedometer(options.batch_size, 20),
            num_epoch=epochs,
        )
        print(f"{name}: test accuracy {module.score(test, 'acc')[0][1]:.3f}")


if __name__ == "__main__":
    main()
