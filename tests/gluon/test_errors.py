"""Errors that users hope for: where in a model, which operator, which shapes."""

from __future__ import annotations

import pickle

import pytest

import baryon as mx
from baryon import autograd, gluon, nd
from baryon.gluon import nn


class Unit(nn.HybridBlock):
    def __init__(self, channels=4, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv1 = nn.Conv2D(4, 3, in_channels=3)
            self.conv2 = nn.Conv2D(5, 3, in_channels=channels)

    def hybrid_forward(self, F, x):
        return self.conv2(self.conv1(x))


class Net(nn.HybridBlock):
    def __init__(self, channels=4, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            with self.features.name_scope():
                self.features.add(nn.Activation("relu"), nn.Dropout(0.1), Unit(channels))
            self.output = nn.Dense(3)

    def hybrid_forward(self, F, x):
        return self.output(self.features(x))


class Around(gluon.Block):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.net = Net(channels=9)

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize(
    ("make", "path"),
    [(lambda: Net(9, prefix="net_"), "net"), (lambda: Around(prefix="all_"), r"all\.net")],
)
def test_a_shape_mismatch_names_the_path(make, path, hybrid):
    net = make()
    net.initialize()
    net.hybridize(hybrid)
    where = rf"Block {path}\.features\[2\]\.conv2 \(Conv2D\): "
    shapes = r".*operator Convolution: .*data \(2,4,6,6\), weight \(5,9,3,3\)"
    with pytest.raises(mx.MXNetError, match=where + shapes) as caught:
        net(nd.ones((2, 3, 8, 8)))
    assert str(caught.value).count("Block") == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("hybrid", [False, True])
def test_a_mismatch_in_a_block_of_ones_own(hybrid):
    class Sum(nn.HybridBlock):
        def hybrid_forward(self, F, a, b):
            return F.elemwise_add(a, b)

    net = Sum(prefix="sum_")
    net.hybridize(hybrid)
    shapes = r".*operator elemwise_add: .*lhs \(2,3\), rhs \(4,3\)"
    with pytest.raises(mx.MXNetError, match=r"Block sum \(Sum\): " + shapes):
        net(nd.ones((2, 3)), nd.ones((4, 3)))


def test_a_path_through_containers_that_are_only_looped_over():
    class Looped(nn.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.layers = nn.HybridSequential()
            self.layers.add(nn.Dense(3, in_units=3), nn.Dense(3, in_units=4))

        def hybrid_forward(self, F, x):
            for layer in self.layers:
                x = layer(x)
            return x

    net = Looped(prefix="net_")
    net.initialize()
    with pytest.raises(mx.MXNetError, match=r"Block net\.layers\[1\] \(Dense\)"):
        net(nd.ones((2, 3)))


def test_a_deferred_layer_that_does_not_fit():
    net = Net(prefix="net_")
    net.initialize()
    with pytest.raises(mx.MXNetError, match=r"net\.features\[2\]\.conv1 .*\(2,7,8,8\)"):
        net(nd.ones((2, 7, 8, 8)))


@pytest.mark.parametrize("use", ["data", "grad", "list_data", "list_grad"])
def test_a_deferred_parameter_before_forward(use):
    layer = nn.Dense(3, prefix="out_")
    layer.initialize()
    with pytest.raises(gluon.DeferredInitializationError, match="'out_weight'.*first forward"):
        getattr(layer.weight, use)()


def test_a_parameter_without_initialize():
    layer = nn.Dense(3, in_units=2, prefix="out_")
    with pytest.raises(RuntimeError, match="'out_weight' has not been initialized"):
        layer(nd.ones((1, 2)))


@pytest.mark.parametrize("hybrid", [False, True])
def test_a_context_without_parameters(hybrid):
    layer = nn.Dense(3, in_units=2, prefix="out_")
    layer.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    layer.hybridize(hybrid)
    with pytest.raises(RuntimeError, match=r"'out_weight' was not initialized on context cpu\(2\)"):
        layer(nd.ones((1, 2), ctx=mx.cpu(2)))


def test_inputs_on_several_contexts():
    class Sum(nn.HybridBlock):
        def hybrid_forward(self, F, a, b):
            return a + b

    net = Sum()
    net.hybridize()
    with pytest.raises(ValueError, match=r"multiple contexts.*cpu\(1\)"):
        net(nd.ones(2), nd.ones(2, ctx=mx.cpu(1)))


def test_backward_outside_record():
    x = nd.ones(2)
    x.attach_grad()
    with pytest.raises(mx.MXNetError, match=r"not computed under autograd\.record"):
        (x * 2).backward()
    with autograd.record(), autograd.pause():
        y = x * 2
    with pytest.raises(mx.MXNetError, match=r"not computed under autograd\.record"):
        y.backward()


def test_backward_twice():
    x = nd.ones(2)
    x.attach_grad()
    with autograd.record():
        y = x * x
    y.backward()
    with pytest.raises(mx.MXNetError, match="retain_graph=True"):
        y.backward()


@pytest.mark.parametrize(
    "write",
    [
        lambda x, y: y.__iadd__(1),
        lambda x, y: y.__setitem__(slice(None), 3),
        lambda x, y: y.__setitem__(0, 3),
        lambda x, y: nd.elemwise_add(x, x, out=y),
        lambda x, y: x.__setitem__(slice(None), 5),
    ],
)
def test_writing_to_what_the_tape_needs(write):
    x = nd.ones(2)
    x.attach_grad()
    with autograd.record():
        y = x * x
        with pytest.raises(mx.MXNetError, match=r"in a computational graph|recorded graph"):
            write(x, y)
        z = (y * y).sum()
    z.backward()
    assert x.grad.asnumpy().tolist() == [4, 4]
