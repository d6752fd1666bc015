"""Gluon under `set_np`: arrays of the NumPy interface in and out, the same numbers as without."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import baryon as mx
from baryon import gluon
from baryon.gluon import nn

LAYERS = {
    "dense": (lambda: nn.Dense(3), (2, 4)),
    "dense_deep": (lambda: nn.Dense(3, flatten=False, activation="tanh"), (2, 5, 4)),
    "conv": (lambda: nn.Conv2D(3, 3, activation="relu"), (2, 4, 8, 8)),
    "conv_transpose": (lambda: nn.Conv2DTranspose(3, 3), (2, 4, 5, 5)),
    "max_pool": (lambda: nn.MaxPool2D(), (2, 4, 8, 8)),
    "global_pool": (lambda: nn.GlobalAvgPool2D(), (2, 4, 8, 8)),
    "reflection": (lambda: nn.ReflectionPad2D(1), (2, 4, 5, 5)),
    "batch_norm": (lambda: nn.BatchNorm(), (2, 4, 3)),
    "layer_norm": (lambda: nn.LayerNorm(), (2, 4)),
    "group_norm": (lambda: nn.GroupNorm(2), (2, 4, 3)),
    "instance_norm": (lambda: nn.InstanceNorm(axis=2), (2, 4, 3)),
    "embedding": (lambda: nn.Embedding(5, 3), (2, 4)),
    "flatten": (lambda: nn.Flatten(), (2, 4, 3)),
    "dropout": (lambda: nn.Dropout(0.5), (2, 4)),
    "leaky": (lambda: nn.LeakyReLU(0.1), (2, 4)),
    "prelu": (lambda: nn.PReLU(), (2, 4)),
    "gelu": (lambda: nn.GELU(), (2, 4)),
    "swish": (lambda: nn.Swish(), (2, 4)),
    "selu": (lambda: nn.SELU(), (2, 4)),
    "elu": (lambda: nn.ELU(), (2, 4)),
    "lambda": (lambda: nn.HybridLambda("tanh"), (2, 4)),
    "lstm": (lambda: gluon.rnn.LSTM(3), (5, 2, 4)),
    "gru": (lambda: gluon.rnn.GRU(3, layout="NTC", bidirectional=True), (2, 5, 4)),
    "sequential": (lambda: _stack(nn.Dense(4), nn.BatchNorm(), nn.Dense(2)), (3, 4)),
}
LOSSES = {
    "l2": (gluon.loss.L2Loss, (3, 4)),
    "l1": (gluon.loss.L1Loss, (3, 4)),
    "softmax": (gluon.loss.SoftmaxCrossEntropyLoss, (3,)),
    "sigmoid": (gluon.loss.SigmoidBinaryCrossEntropyLoss, (3, 4)),
    "kl": (gluon.loss.KLDivLoss, (3, 4)),
    "huber": (gluon.loss.HuberLoss, (3, 4)),
    "hinge": (gluon.loss.HingeLoss, (3, 4)),
    "logistic": (gluon.loss.LogisticLoss, (3, 4)),
    "poisson": (gluon.loss.PoissonNLLLoss, (3, 4)),
}


def _stack(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


@pytest.fixture
def numpy_mode():
    mx.npx.set_np()
    yield
    mx.npx.reset_np()


def _run(make, shape, array, hybridize):
    """Output and gradient of the input, from seeded parameters."""
    mx.random.seed(3)
    rng = np.random.default_rng(0)
    net = make()
    net.initialize(mx.init.Xavier() if shape[0] == 3 else mx.init.Normal(0.5))
    if hybridize:
        net.hybridize()
    values = rng.integers(0, 5, shape).astype("float32")
    x = array(values)
    x.attach_grad()
    with mx.autograd.record(train_mode=False):
        y = net(x)
        total = (y * y).sum()
    total.backward()
    return y, x.grad


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybrid"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_compute_the_same(name, hybridize):
    make, shape = LAYERS[name]
    wanted = _run(make, shape, mx.nd.array, hybridize)
    mx.npx.set_np()
    try:
        found = _run(make, shape, mx.np.array, hybridize)
    finally:
        mx.npx.reset_np()
    for f, w in zip(found, wanted, strict=True):
        assert type(f) is mx.np.ndarray and f.shape == w.shape
        np.testing.assert_allclose(f.asnumpy(), w.asnumpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybrid"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_compute_the_same(name, hybridize):
    kind, label_shape = LOSSES[name]
    rng = np.random.default_rng(1)
    pred = rng.normal(size=(3, 4)).astype("float32")
    label = rng.integers(0, 2, label_shape).astype("float32")
    results = []
    for numpy in (False, True):
        array = mx.np.array if numpy else mx.nd.array
        with mx.util.np_shape(numpy), mx.util.np_array(numpy):
            loss = kind()
            if hybridize:
                loss.hybridize()
            results.append(loss(array(pred), array(label)))
    assert type(results[1]) is mx.np.ndarray
    np.testing.assert_allclose(results[1].asnumpy(), results[0].asnumpy(), rtol=1e-6)


def test_parameters_are_numpy_arrays(numpy_mode):
    net = nn.Dense(3)
    assert net.weight.shape == (3, -1)
    net.initialize()
    net(mx.np.ones((2, 4)))
    assert net.weight.shape == (3, 4)
    for x in (net.weight.data(), net.weight.grad(), net.weight.list_data()[0]):
        assert type(x) is mx.np.ndarray
    assert type(net.weight.var()) is mx.sym.np._Symbol


def test_scalar_parameter(numpy_mode):
    scale = gluon.Parameter("scale", shape=())
    scale.initialize(mx.init.One())
    assert scale.data().shape == () and scale.data().item() == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_data_loader_gives_numpy_arrays(numpy_mode, workers):
    data = gluon.data.ArrayDataset(np.ones((4, 2), "float32"), np.arange(4, dtype="int32"))
    for x, y in gluon.data.DataLoader(data, 2, num_workers=workers, thread_pool=True):
        assert type(x) is mx.np.ndarray and x.dtype == np.float32
        assert type(y) is mx.np.ndarray and y.dtype == np.int32


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybrid"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "lamb"])
def test_training_reduces_the_loss(numpy_mode, optimizer, hybridize):
    mx.random.seed(0)
    net = _stack(nn.Dense(8, activation="relu"), nn.BatchNorm(), nn.Dense(1))
    net.initialize(mx.init.Xavier())
    if hybridize:
        net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": 0.05})
    x = mx.np.array(np.random.default_rng(0).normal(size=(32, 3)), dtype="float32")
    y = x.sum(axis=1, keepdims=True)
    criterion, metric, seen = gluon.loss.L2Loss(), mx.metric.MSE(), []
    for _ in range(15):
        with mx.autograd.record():
            out = net(x)
            loss = criterion(out, y).mean()
        loss.backward()
        trainer.step(1)
        metric.update(y, out)
        seen.append(loss.item())
    assert seen[-1] < 0.6 * seen[0]
    assert metric.get()[1] > 0


def test_a_block_uses_np_and_npx(numpy_mode):
    class Net(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            with self.name_scope():
                self.scale = self.params.get("scale", shape=(3,), init="ones")

        def hybrid_forward(self, F, x, scale):
            y = F.npx.relu(x * scale) + F.np.ones((3,))
            return F.np.exp(-y)[:, 1:], y.sum()

    net = Net()
    net.initialize()
    x = mx.np.array([[-1, 0, 2], [3, -4, 5]])
    eager = net(x)
    net.hybridize()
    hybrid = net(x)
    want = np.maximum(x.asnumpy(), 0) + 1
    for part, total in (eager, hybrid):
        np.testing.assert_allclose(part.asnumpy(), np.exp(-want)[:, 1:], rtol=1e-6)
        assert total.shape == () and total.item() == want.sum()


def test_export_names_numpy_shapes_and_loads_again(numpy_mode, tmp_path):
    net = _stack(nn.Dense(3), nn.LayerNorm())
    net.initialize()
    net.hybridize()
    x = mx.np.array(np.random.default_rng(0).normal(size=(2, 4)), dtype="float32")
    want = net(x)
    files = net.export(str(tmp_path / "net"))
    assert '"is_np_shape"' in (tmp_path / "net-symbol.json").read_text()
    assert (tmp_path / "net-0000.params").read_bytes()[24:28] == struct.pack("<I", 0xF993FACA)
    again = gluon.SymbolBlock.imports(files[0], ["data"], files[1])
    found = again(x)
    assert type(found) is mx.np.ndarray
    np.testing.assert_array_equal(found.asnumpy(), want.asnumpy())
    net.save_parameters(str(tmp_path / "own"))
    other = _stack(nn.Dense(3), nn.LayerNorm())
    other.load_parameters(str(tmp_path / "own"))
    np.testing.assert_array_equal(other(x).asnumpy(), want.asnumpy())


def test_user_code_sees_numpy_arrays(numpy_mode):
    seen = []

    class Twice(mx.autograd.Function):
        def forward(self, a):
            return a * 2

        def backward(self, dy):
            seen.append(dy)
            return dy * 2

    class Operator(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            seen.extend(in_data)
            self.assign(out_data[0], req[0], mx.np.exp(in_data[0]))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            seen.extend(out_grad)
            self.assign(in_grad[0], req[0], out_grad[0] * out_data[0])

    @mx.operator.register("np_exp_of_a_user")
    class Prop(mx.operator.CustomOpProp):
        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Operator()

    x = mx.np.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Custom(Twice()(x), op_type="np_exp_of_a_user")
    y.backward()
    assert len(seen) == 3 and all(type(a) is mx.np.ndarray for a in (*seen, y, x.grad))
    np.testing.assert_allclose(x.grad.asnumpy(), 2 * np.exp([2.0, 4.0]), rtol=1e-6)
