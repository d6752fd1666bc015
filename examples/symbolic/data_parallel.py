"""One batch over two contexts: the same training as on one, with two copies of the parameters.

python examples/symbolic/data_parallel.py [--epochs 3] [--kvstore device] [--tiny]
"""

from __future__ import annotations

import argparse
import logging

import digits_data
import numpy as np

import baryon as mx
from baryon import sym


def network() -> sym.Symbol:
    """A small perceptron; tanh, so that differences of rounding stay small."""
    x = sym.FullyConnected(sym.Flatten(sym.Variable("data")), num_hidden=64, name="fc1")
    x = sym.FullyConnected(sym.Activation(x, act_type="tanh"), num_hidden=10, name="fc2")
    return sym.SoftmaxOutput(x, name="softmax")


def train(contexts: list[mx.Context], options: argparse.Namespace) -> mx.mod.Module:
    """Train from the same first values on the same batches."""
    mx.random.seed(1)
    batches, test = digits_data.iterators(64, options.tiny)
    module = mx.mod.Module(network(), context=contexts)
    module.fit(
        batches,
        eval_data=test,
        kvstore=options.kvstore,
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9},
        num_epoch=1 if options.tiny else options.epochs,
    )
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--kvstore", choices=["local", "device"], default="device")
    parser.add_argument("--tiny", action="store_true", help="few images, one epoch")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    one = train([mx.cpu(0)], options)
    two = train([mx.cpu(0), mx.cpu(1)], options)
    parts = two.get_outputs(merge_multi_context=False)[0]
    print("outputs by context: " + ", ".join(f"{x.shape} on {x.context}" for x in parts))
    worst = max(
        float(np.abs(value.asnumpy() - two.get_params()[0][name].asnumpy()).max())
        for name, value in one.get_params()[0].items()
    )
    print(f"largest difference of a parameter between one and two contexts: {worst:.1e}")
    if worst > 1e-3:
        raise SystemExit("training on two contexts is not training on one")


if __name__ == "__main__":
    main()
