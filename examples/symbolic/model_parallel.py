"""One network over two contexts: its first layers on one, its last on the other.

python examples/symbolic/model_parallel.py [--epochs 3] [--tiny]
"""

from __future__ import annotations

import argparse
import logging

import digits_data
import numpy as np

import baryon as mx
from baryon import sym


def network() -> sym.Symbol:
    """A perceptron in two parts, named by the attribute ``ctx_group``."""
    with mx.AttrScope(ctx_group="low"):
        x = sym.FullyConnected(sym.Flatten(sym.Variable("data")), num_hidden=64, name="fc1")
        x = sym.Activation(x, act_type="relu")
    with mx.AttrScope(ctx_group="high"):
        x = sym.FullyConnected(x, num_hidden=10, name="fc2")
        return sym.SoftmaxOutput(x, name="softmax")


def train(places: dict[str, mx.Context] | None, options: argparse.Namespace) -> mx.mod.Module:
    """Train with the parts in these places, from the same first values on the same batches."""
    mx.random.seed(1)
    batches, test = digits_data.iterators(64, options.tiny)
    module = mx.mod.Module(network(), group2ctxs=places)
    module.fit(
        batches,
        eval_data=test,
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9},
        num_epoch=1 if options.tiny else options.epochs,
    )
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="few images, one epoch")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    whole = train(None, options)
    parts = train({"low": mx.cpu(0), "high": mx.cpu(1)}, options)
    executor = parts._exec_group.execs[0]
    for name in ("fc1_weight", "fc2_weight"):
        print(f"{name} is on {executor.arg_dict[name].context}")
    print(f"the outputs are on {executor.outputs[0].context}")
    for name, value in whole.get_params()[0].items():
        if not np.array_equal(value.asnumpy(), parts.get_params()[0][name].asnumpy()):
            raise SystemExit(f"{name}: training in parts is not training as a whole")
    print("training in parts is training as a whole, bit for bit")


if __name__ == "__main__":
    main()
