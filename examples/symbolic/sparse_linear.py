"""Logistic regression on sparse data: LibSVM text, csr batches, row_sparse weight and gradient.

python examples/symbolic/sparse_linear.py [--optimizer adam|sgd|ftrl|adagrad] [--epochs 5] [--tiny]

Each sample has a few of many features, as texts have words. Of the weight only the rows of a
batch's features have a gradient, and with lazy updates only these move.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import baryon as mx
from baryon import sym

RATES = {"adam": 0.01, "sgd": 2.0, "ftrl": 0.5, "adagrad": 0.2}


def write_libsvm(path: Path, samples: int, features: int, truth: np.ndarray, seed: int) -> None:
    """Samples of 20 features of Zipf-like frequency, as lines ``label index:value ...``."""
    rng = np.random.RandomState(seed)
    with open(path, "w") as file:
        for _ in range(samples):
            found = np.unique((features * rng.rand(20) ** 3).astype(int))
            values = rng.rand(len(found)).round(4)
            label = int(truth[found] @ values > 0)
            entries = " ".join(f"{i}:{v}" for i, v in zip(found, values, strict=True))
            file.write(f"{label} {entries}\n")


def model(features: int) -> sym.Symbol:
    """Two classes, one weight a feature and class."""
    data = sym.Variable("data", stype="csr")
    weight = sym.Variable("weight", shape=(features, 2), stype="row_sparse")
    bias = sym.Variable("bias", shape=(2,))
    scores = sym.broadcast_add(sym.sparse.dot(data, weight), bias)
    return sym.SoftmaxOutput(scores, name="softmax")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", choices=[*RATES], default="adam")
    parser.add_argument("--features", type=int, default=20000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--tiny", action="store_true", help="few samples, one epoch")
    options = parser.parse_args()
    epochs, samples = (1, 512) if options.tiny else (options.epochs, 20000)
    truth = np.random.RandomState(0).randn(options.features)
    folder = Path(tempfile.mkdtemp())
    for seed, (name, count) in enumerate((("train", samples), ("test", samples // 4)), 1):
        write_libsvm(folder / name, count, options.features, truth, seed)
    train, test = (
        mx.io.LibSVMIter(
            data_libsvm=folder / name, data_shape=(options.features,), batch_size=options.batch_size
        )
        for name in ("train", "test")
    )
    module = mx.mod.Module(model(options.features))
    module.bind(train.provide_data, train.provide_label)
    mx.random.seed(1)
    module.init_params(mx.init.Normal(0.01))
    settings = {"learning_rate": RATES[options.optimizer], "wd": 0.0}
    module.init_optimizer(optimizer=options.optimizer, optimizer_params=settings)
    metric = mx.metric.create(["acc", "ce"])
    for epoch in range(epochs):
        train.reset()
        metric.reset()
        start = time.perf_counter()
        for batch in train:
            module.forward_backward(batch)
            module.update()
            module.update_metric(metric, batch.label)
        speed = samples / (time.perf_counter() - start)
        print(f"epoch {epoch}: {speed:.0f} samples/s", *metric.get_name_value())
    print(f"test accuracy {module.score(test, 'acc')[0][1]:.3f}")


if __name__ == "__main__":
    main()
