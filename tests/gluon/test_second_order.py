"""Gradients of gradients through layers, eager and hybridized, against finite differences."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, nd
from baryon.gluon import nn, rnn

LAYERS = {
    "batch norm": (lambda: nn.BatchNorm(), (4, 3, 5)),
    "batch norm, moving": (lambda: nn.BatchNorm(use_global_stats=True), (4, 3, 5)),
    "layer norm": (lambda: nn.LayerNorm(), (4, 6)),
    "instance norm": (lambda: nn.InstanceNorm(), (2, 3, 5)),
    "group norm": (lambda: nn.GroupNorm(2), (2, 4, 5)),
    "lstm": (lambda: rnn.LSTM(3, input_size=2), (4, 2, 2)),
    "projected lstm": (lambda: rnn.LSTM(3, input_size=2, projection_size=2), (3, 2, 2)),
    "two-way gru": (lambda: rnn.GRU(3, 2, bidirectional=True, input_size=2), (3, 2, 2)),
    "one step": (lambda: rnn.RNN(3, input_size=2, activation="tanh"), (1, 2, 2)),
    "dropout": (lambda: nn.Dropout(0.5), (6, 5)),
    "gelu": (lambda: nn.GELU(), (3, 4)),
}
STEP = 1e-5


def double(net, hybrid):
    net.initialize(mx.init.Normal(0.5))
    net.cast("float64")
    net.hybridize(hybrid)
    return net


def array(values):
    return nd.array(values, dtype="float64")


def first_gradient(net, x, weights, **options):
    """The gradient of a curved function of the outputs, with the same random numbers each time."""
    x.attach_grad()
    mx.random.seed(3)
    with autograd.record():
        z = (nd.sin(net(x)) * weights).sum()
        return autograd.grad(z, [x], **options)[0]


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
def test_second_order(make, shape, hybrid):
    mx.random.seed(0)
    rng = np.random.RandomState(0)
    net = double(make(), hybrid)
    x, v = rng.randn(*shape), rng.randn(*shape)
    weights = array(rng.randn(*net(array(x)).shape))
    point = array(x)
    with autograd.record():
        along = (first_gradient(net, point, weights, create_graph=True) * array(v)).sum()
    along.backward()
    ends = [first_gradient(net, array(x + s * STEP * v), weights).asnumpy() for s in (1, -1)]
    want = (ends[0] - ends[1]) / (2 * STEP)
    np.testing.assert_allclose(point.grad.asnumpy(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("hybrid", [False, True])
def test_lengths_of_samples(hybrid):
    """Steps beyond a sample's end have no influence, on second derivatives neither."""
    rng = np.random.RandomState(1)
    net = double(rnn.LSTM(3, input_size=2, use_sequence_length=True), hybrid)
    x, lengths = array(rng.randn(4, 2, 2)), array([2, 4])
    weights = array(rng.randn(4, 2, 3))
    with autograd.record():
        along = (first_gradient(lambda y: net(y, sequence_length=lengths), x, weights,
                                create_graph=True) ** 2).sum()  # fmt: skip
    along.backward()
    short, first = double_of(net, rng), x[:2, :1]
    with autograd.record():
        along = (first_gradient(short, first, weights[:2, :1], create_graph=True) ** 2).sum()
    along.backward()
    np.testing.assert_allclose(x.grad.asnumpy()[:2, :1], first.grad.asnumpy(), rtol=1e-9)
    assert (x.grad.asnumpy()[2:, 0] == 0).all()


def double_of(net, rng):
    """An LSTM of the same parameters for samples of full length."""
    other = double(rnn.LSTM(3, input_size=2), False)
    for a, b in zip(net.collect_params().values(), other.collect_params().values(), strict=True):
        b.set_data(a.data())
    return other


@pytest.mark.parametrize("hybrid", [False, True])
def test_gradient_penalty_with_batch_norm_trains_parameters(hybrid):
    """The gradient of a penalty with respect to a weight, behind a normalization."""
    rng = np.random.RandomState(2)
    net = nn.HybridSequential()
    net.add(nn.Dense(4, in_units=3), nn.BatchNorm(in_channels=4), nn.Activation("tanh"))
    net.add(nn.Dense(1, in_units=4))
    double(net, hybrid)
    x = array(rng.randn(5, 3))

    def penalty():
        x.attach_grad()
        with autograd.record():
            (g,) = autograd.grad(net(x).sum(), [x], create_graph=True)
            return ((g.square().sum(axis=1).sqrt() - 1) ** 2).sum()

    penalty().backward()
    weight = net[0].weight
    got = weight.grad().asnumpy()[1, 2]
    values = weight.data().asnumpy()
    ends = []
    for sign in (1, -1):
        moved = values.copy()
        moved[1, 2] += sign * STEP
        weight.set_data(array(moved))
        ends.append(float(penalty().asscalar()))
    assert got == pytest.approx((ends[0] - ends[1]) / (2 * STEP), rel=1e-5)


def test_third_order():
    x = array([[0.3, -0.5, 1.2]])
    net = double(nn.LayerNorm(in_channels=3), True)
    x.attach_grad()
    with autograd.record():
        y = nd.sin(net(x))[0, 0]
        for _ in range(2):
            y = (
                autograd.grad(y, [x], create_graph=True)[0].sum()
                + autograd.grad(y, [x], create_graph=True)[0][0, 1]
            )
    y.backward()
    analytic = x.grad.asnumpy()

    def second(values):
        z = array(values)
        z.attach_grad()
        with autograd.record():
            y = nd.sin(net(z))[0, 0]
            for _ in range(2):
                g = autograd.grad(y, [z], create_graph=True)[0]
                y = g.sum() + g[0, 1]
        return float(y.asscalar())

    for k in range(3):
        e = np.eye(3)[k : k + 1] * 1e-4
        base = x.asnumpy()
        numeric = (second(base + e) - second(base - e)) / 2e-4
        assert analytic[0, k] == pytest.approx(numeric, rel=1e-3, abs=1e-5)


def test_symbols_of_recorded_computations():
    x = nd.array([1.0, 2.0])
    x.attach_grad()
    net = nn.Dense(3, in_units=2, prefix="out_")
    net.initialize()
    net.hybridize()
    with autograd.record():
        y = nd.relu(net(x.reshape((1, 2))))
    symbol = autograd.get_symbol(y)
    names = symbol.list_arguments()
    ops = [n["op"] for n in json.loads(symbol.tojson())["nodes"] if n["op"] != "null"]
    assert len(names) == 3 and "FullyConnected" in ops and ops[-1] == "relu"


def test_a_function_composes_with_operators():
    class Square(autograd.Function):
        def forward(self, x):
            self.save_for_backward(x)
            return x * x

        def backward(self, dy):
            (x,) = self.saved_tensors
            return 2 * x * dy

    x = nd.array([3.0])
    x.attach_grad()
    with autograd.record():
        y = Square()(x) * x
    y.backward()
    assert x.grad.asscalar() == 27


def test_what_has_no_second_gradient_says_so():
    class Identity(autograd.Function):
        def forward(self, x):
            return x

        def backward(self, dy):
            return dy

    x = nd.array([3.0])
    x.attach_grad()
    with autograd.record():
        y = Identity()(x * x) * x
        g = autograd.grad(y, [x], create_graph=True)[0]
    with pytest.raises(mx.MXNetError, match="_backward_Function.*no gradient itself"):
        g.backward()
