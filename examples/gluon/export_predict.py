"""Train, export to JSON, and predict in a process that imports only `baryon.sym`.

python examples/gluon/export_predict.py [--epochs 3] [--tiny]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn

PREDICTOR = """
import sys
import numpy as np
from baryon import cpu, nd, sym

stem, images, out = sys.argv[1:]
graph, saved = sym.load(f"{stem}-symbol.json"), nd.load(f"{stem}-0000.params")
named = {key.split(":", 1)[1]: value for key, value in saved.items()}
args = {name: named[name] for name in graph.list_arguments() if name in named}
states = {name: named[name] for name in graph.list_auxiliary_states()}
data = nd.array(np.load(images))
executor = graph.bind(cpu(), {**args, "data": data}, aux_states=states)
np.save(out, executor.forward(is_train=False)[0].asnumpy())
print("imported gluon:", "baryon.gluon" in sys.modules)
"""


def network() -> nn.HybridSequential:
    """A small convolutional network with normalization, whose statistics are exported too."""
    net = nn.HybridSequential()
    for channels in (16, 32):
        net.add(nn.Conv2D(channels, 3, 2, 1), nn.BatchNorm(), nn.Activation("relu"))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 1
    mx.random.seed(1)
    net = network()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 3e-3})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(options.epochs):
        for images, labels in digits_data.loader(True, 64, options.tiny):
            with autograd.record():
                loss = loss_of(net(images), labels)
            loss.backward()
            trainer.step(len(images))
        print(f"epoch {epoch + 1}: loss {float(loss.mean().asscalar()):.4f}")

    images, labels = digits_data.arrays(train=False, tiny=options.tiny)
    want = net(mx.nd.array(images)).asnumpy()
    with tempfile.TemporaryDirectory() as folder:
        stem, given, out = (str(Path(folder) / name) for name in ("net", "images.npy", "out.npy"))
        net.export(stem)
        np.save(given, images)
        subprocess.run([sys.executable, "-c", PREDICTOR, stem, given, out], check=True)
        got = np.load(out)
    print(f"largest difference of the predictions: {np.abs(got - want).max():g}")
    print(f"test accuracy {np.mean(got.argmax(axis=1) == labels):.3f}")
    if not np.allclose(got, want, atol=1e-4):
        raise SystemExit("the exported network does not predict what the network does")


if __name__ == "__main__":
    main()
