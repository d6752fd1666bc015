"""LeNet on real digits, declared as a Symbol and written as a Block, then exported and reloaded.

The same network is trained three ways from the same initial values on the same batches: a Symbol
bound to an executor, a Block recorded imperatively, and a HybridBlock hybridized. The three loss
curves agree to rounding. The hybridized one is exported, loaded back twice, drawn and summarised.

    python examples/mnist_two_ways.py [--epochs 15] [--out lenet]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

import baryon as mx
from baryon import autograd, gluon, nd, sym
from baryon.gluon import nn

BATCH, SEED, COMPARED_STEPS = 64, 42, 100
LAYERS = ("conv1", "conv2", "fc1", "fc2")


# ---- the network, written three ways -------------------------------------------------------------


def lenet_symbol() -> sym.Symbol:
    """Declared: a graph of operators on variables."""
    x = sym.var("data")
    for name, filters in (("conv1", 20), ("conv2", 50)):
        x = sym.Convolution(x, kernel=(5, 5), num_filter=filters, name=name)
        x = sym.Activation(x, act_type="tanh")
        x = sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max")
    x = sym.FullyConnected(x, num_hidden=500, name="fc1")
    x = sym.Activation(x, act_type="tanh")
    x = sym.FullyConnected(x, num_hidden=10, name="fc2")
    return sym.SoftmaxOutput(x, name="softmax")


class LeNet(gluon.Block):
    """Imperative: ordinary Python that computes as it runs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv1 = nn.Conv2D(20, kernel_size=5, activation="tanh")
            self.conv2 = nn.Conv2D(50, kernel_size=5, activation="tanh")
            self.pool = nn.MaxPool2D(pool_size=2, strides=2)
            self.fc1 = nn.Dense(500, activation="tanh")
            self.fc2 = nn.Dense(10)

    def forward(self, x):
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        return self.fc2(self.fc1(x))


class HybridLeNet(gluon.HybridBlock):
    """Hybrid: imperative while you debug, one compiled graph once hybridized."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv1 = nn.Conv2D(20, kernel_size=5, activation="tanh")
            self.conv2 = nn.Conv2D(50, kernel_size=5, activation="tanh")
            self.pool = nn.MaxPool2D(pool_size=2, strides=2)
            self.fc1 = nn.Dense(500, activation="tanh")
            self.fc2 = nn.Dense(10)

    def hybrid_forward(self, F, x):
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        return self.fc2(self.fc1(x))


# ---- data and start values -----------------------------------------------------------------------


def initial_values(symbol: sym.Symbol) -> dict[str, nd.NDArray]:
    """Xavier weights and zero biases, by the Symbol's argument names."""
    shapes, _, _ = symbol.infer_shape(data=(BATCH, 1, 28, 28))
    values = {}
    for name, shape in zip(symbol.list_arguments(), shapes, strict=True):
        if name not in ("data", "softmax_label"):
            values[name] = nd.zeros(shape)
            mx.init.Xavier()(mx.init.InitDesc(name), values[name])
    return values


def digits(train: bool) -> tuple[np.ndarray, np.ndarray]:
    """The embedded MNIST images as float32 in [0, 1], shape (N, 1, 28, 28), and their labels."""
    images, labels = mx.io.embedded_mnist(train=train)
    return images.reshape(-1, 1, 28, 28).astype("float32") / 255, labels.astype("float32")


def batches(train: bool) -> mx.io.NDArrayIter:
    """Batches in an order fixed by the seed."""
    images, labels = digits(train)
    if train:
        order = np.random.RandomState(SEED).permutation(len(images))
        images, labels = images[order], labels[order]
    return mx.io.NDArrayIter(images, labels, BATCH, last_batch_handle="discard" if train else "pad")


def load_into(net: gluon.Block, values: dict[str, nd.NDArray]) -> None:
    """Give a Gluon network the Symbol's values; its layers have the same names."""
    net.initialize()
    net(nd.zeros((1, 1, 28, 28)))
    for layer in LAYERS:
        block = getattr(net, layer)
        block.weight.set_data(values[f"{layer}_weight"])
        block.bias.set_data(values[f"{layer}_bias"])


# ---- training ------------------------------------------------------------------------------------


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the labels."""
    chosen = probabilities[np.arange(len(labels)), labels.astype(int)]
    return float(-np.log(np.maximum(chosen, 1e-30)).mean())


Step = Callable[[nd.NDArray, nd.NDArray], float]
Predict = Callable[[nd.NDArray], nd.NDArray]


def symbolic_way(
    values: dict[str, nd.NDArray], lr: float
) -> tuple[Step, Predict, mx.executor.Executor]:
    """Bind an executor; one step is forward, backward, and the shared optimizer's update."""
    executor = lenet_symbol().simple_bind(
        mx.cpu(), data=(BATCH, 1, 28, 28), softmax_label=(BATCH,),
        grad_req={name: "write" for name in values},
    )  # fmt: skip
    executor.copy_params_from(values)
    sgd = mx.optimizer.create("sgd", learning_rate=lr, momentum=0.9, rescale_grad=1 / BATCH)
    update = mx.optimizer.get_updater(sgd)

    def step(data: nd.NDArray, label: nd.NDArray) -> float:
        (probabilities,) = executor.forward(is_train=True, data=data, softmax_label=label)
        executor.backward()
        for index, name in enumerate(values):
            update(index, executor.grad_dict[name], executor.arg_dict[name])
        return cross_entropy(probabilities.asnumpy(), label.asnumpy())

    return step, lambda data: executor.forward(is_train=False, data=data)[0], executor


def gluon_way(net: gluon.Block, lr: float) -> tuple[Step, Predict]:
    """Record the loss, go backward, and let the Trainer update."""
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(
        net.collect_params(), "sgd", {"learning_rate": lr, "momentum": 0.9}, kvstore=None
    )

    def step(data: nd.NDArray, label: nd.NDArray) -> float:
        with autograd.record():
            loss = loss_of(net(data), label)
        loss.backward()
        trainer.step(BATCH)
        return float(loss.asnumpy().mean())

    return step, net


def accuracy(predict: Predict) -> float:
    """Share of the test images that are recognised."""
    metric = mx.metric.Accuracy()
    for batch in batches(train=False):
        kept = BATCH - batch.pad
        metric.update([batch.label[0][:kept]], [predict(batch.data[0])[:kept]])
    return metric.get()[1]


def epochs(name: str, count: int) -> Iterator[tuple[int, Iterator]]:
    """Numbered passes over the training batches under one progress bar each."""
    data = batches(train=True)
    for epoch in range(count):
        data.reset()
        total = data.num_data // BATCH
        yield epoch, tqdm(data, total=total, desc=f"{name}, epoch {epoch + 1}/{count}", leave=False)


def train(name: str, step: Step, predict: Predict, count: int) -> list[float]:
    """Train and report; the losses of the first steps."""
    losses: list[float] = []
    for epoch, stream in epochs(name, count):
        began, images = time.perf_counter(), 0
        for batch in stream:
            losses.append(step(batch.data[0], batch.label[0]))
            images += BATCH
        seconds = time.perf_counter() - began
        print(
            f"{name:<11} epoch {epoch + 1:2}: {seconds:5.2f} s, {images / seconds:6.0f} images/s,"
            f" loss {np.mean(losses[-20:]):.4f}, test accuracy {accuracy(predict):.3f}"
        )
    return losses[:COMPARED_STEPS]


# ---- afterwards ----------------------------------------------------------------------------------


def export_and_reload(net: gluon.HybridBlock, stem: Path) -> None:
    """Export to MXNet's format; load it as a SymbolBlock and through an executor."""
    images = nd.array(digits(train=False)[0][:BATCH])
    want = net(images).asnumpy()
    net.export(str(stem), epoch=0)
    files = f"{stem}-symbol.json", f"{stem}-0000.params"
    block = gluon.SymbolBlock.imports(files[0], ["data"], files[1])
    symbol, arrays = sym.load(files[0]), nd.load(files[1])
    executor = symbol.bind(mx.cpu(), {"data": images, **{k[4:]: v for k, v in arrays.items()}})
    for way, got in (
        ("SymbolBlock.imports", block(images)),
        ("sym.load + bind", executor.forward()[0]),
    ):
        difference = float(np.abs(got.asnumpy() - want).max())
        print(f"{way:<20} predicts the same: largest difference {difference:g}")
        if difference > 1e-5:
            raise SystemExit(f"{way} does not predict what the network does")
    print(f"exported {files[0]} and {files[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--out", type=Path, default=Path("lenet"), help="stem of the files written")
    parser.add_argument("--tiny", action="store_true", help="one epoch, to see that it runs")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 1
    mx.random.seed(SEED)
    values = initial_values(lenet_symbol())
    print(f"digits: {len(digits(True)[0])} to train, {len(digits(False)[0])} to test; "
          f"{mx.runtime.describe()}")  # fmt: skip

    step, predict, executor = symbolic_way(values, options.lr)
    curves = {"Symbol": train("Symbol", step, predict, options.epochs)}
    accuracies = {"Symbol": accuracy(predict)}
    imperative, hybrid = LeNet(), HybridLeNet()
    for name, net in (("Block", imperative), ("HybridBlock", hybrid)):
        load_into(net, values)
        if net is hybrid:
            net.hybridize()
        step, predict = gluon_way(net, options.lr)
        curves[name] = train(name, step, predict, options.epochs)
        accuracies[name] = accuracy(predict)

    compared = min(map(len, curves.values()))
    spread = np.ptp(np.array([c[:compared] for c in curves.values()]), axis=0).max()
    print(f"\nlargest difference between the three loss curves over {compared} steps: {spread:.2e}")
    if spread > 1e-5:
        raise SystemExit("the three ways do not train alike")
    print("test accuracy: " + ", ".join(f"{n} {a:.3f}" for n, a in accuracies.items()))
    print(f"training step, {executor.memory_plan()}\n")
    mx.viz.print_summary(lenet_symbol(), shape={"data": (1, 1, 28, 28)})
    export_and_reload(hybrid, options.out)
    picture = mx.viz.plot_network(lenet_symbol(), shape={"data": (BATCH, 1, 28, 28)})
    print("drew " + mx.viz.save_graph(picture, f"{options.out}.svg"))


if __name__ == "__main__":
    main()
