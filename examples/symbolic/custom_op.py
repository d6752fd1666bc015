"""A softmax with its loss gradient written in Python, inside a symbol that Module trains.

python examples/symbolic/custom_op.py [--epochs 5] [--tiny]
"""

from __future__ import annotations

import argparse
import logging

import digits_data
import numpy as np

import baryon as mx
from baryon import sym


class Softmax(mx.operator.CustomOp):
    """Probabilities forward; backward the gradient of the cross-entropy with the labels."""

    def forward(self, is_train, req, in_data, out_data, aux):
        scores = in_data[0].asnumpy()
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.assign(out_data[0], req[0], mx.nd.array(p / p.sum(axis=1, keepdims=True)))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        labels = in_data[1].asnumpy().astype(int)
        p = out_data[0].asnumpy()
        p[np.arange(len(labels)), labels] -= 1
        self.assign(in_grad[0], req[0], mx.nd.array(p))
        self.assign(in_grad[1], req[1], 0)


@mx.operator.register("example_softmax")
class SoftmaxProp(mx.operator.CustomOpProp):
    """Inputs, outputs and shapes of `Softmax`."""

    def __init__(self):
        super().__init__(need_top_grad=False)

    def list_arguments(self):
        return ["data", "label"]

    def list_outputs(self):
        return ["output"]

    def infer_shape(self, in_shape):
        return [in_shape[0], (in_shape[0][0],)], [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return Softmax()


def network(loss: str) -> sym.Symbol:
    """A perceptron that ends in our operator or in the built-in one."""
    x = sym.FullyConnected(sym.Flatten(sym.Variable("data")), num_hidden=64, name="fc1")
    x = sym.FullyConnected(sym.Activation(x, act_type="relu"), num_hidden=10, name="fc2")
    if loss == "builtin":
        return sym.SoftmaxOutput(x, name="softmax")
    label = sym.Variable("softmax_label")
    return sym.Custom(data=x, label=label, op_type="example_softmax", name="softmax")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="few images, one epoch")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    probabilities = {}
    for loss in ("custom", "builtin"):
        mx.random.seed(1)
        batches, test = digits_data.iterators(64, options.tiny)
        module = mx.mod.Module(network(loss))
        module.fit(
            batches,
            eval_data=test,
            initializer=mx.init.Xavier(),
            optimizer_params={"learning_rate": 0.1},
            num_epoch=1 if options.tiny else options.epochs,
        )
        probabilities[loss] = module.predict(test).asnumpy()
    worst = np.abs(probabilities["custom"] - probabilities["builtin"]).max()
    print(f"largest difference between our operator's and the built-in one's outputs: {worst:.1e}")
    if worst > 1e-2:
        raise SystemExit("the two losses train differently")


if __name__ == "__main__":
    main()
