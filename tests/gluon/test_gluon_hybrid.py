"""HybridBlocks: eager, drawn and compiled alike."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import baryon as mx
from baryon import gluon
from baryon.gluon import nn


def block(function, **kwargs):
    """A HybridBlock that applies a function (F, x, ...)."""

    class Made(gluon.HybridBlock):
        def hybrid_forward(self, F, *args):
            return function(F, *args)

    return Made(**kwargs)


def conv_net():
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 3, activation="relu"),
        nn.BatchNorm(),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dense(5, activation="tanh"),
        nn.Dense(3),
    )
    net.initialize(mx.init.Xavier())
    return net


def test_training_steps_agree_with_eager_ones():
    eager, hybrid = conv_net(), conv_net()
    x = mx.nd.array(np.random.rand(4, 2, 8, 8))
    eager(x), hybrid(x)
    for a, b in zip(eager.collect_params().values(), hybrid.collect_params().values(), strict=True):
        b.set_data(a.data())
    hybrid.hybridize()
    label = mx.nd.array([0, 1, 2, 0])
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    for net in (eager, hybrid):
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
        for _ in range(3):
            with mx.autograd.record():
                value = loss(net(x), label)
            value.backward()
            trainer.step(4)
    np.testing.assert_allclose(eager(x).asnumpy(), hybrid(x).asnumpy(), rtol=1e-4, atol=1e-5)
    for a, b in zip(eager.collect_params().values(), hybrid.collect_params().values(), strict=True):
        np.testing.assert_allclose(
            a.data().asnumpy(), b.data().asnumpy(), rtol=1e-4, atol=1e-5, err_msg=a.name
        )


def test_drawing_gives_a_symbol():
    net = nn.Dense(2, in_units=3, prefix="fc_")
    out = net(mx.sym.var("x"))
    assert out.list_arguments() == ["x", "fc_weight", "fc_bias"]
    assert out.name == "fc_fwd"


@pytest.mark.parametrize("hybrid", [False, True])
def test_nested_arguments_and_results(hybrid):
    def function(F, x, more):
        a, (b, c) = more
        return [x + a, (b * 2, F.split(c, num_outputs=2)), None]

    net = block(function)
    if hybrid:
        net.hybridize()
    x = mx.nd.array([[1, 2]])
    for _ in range(2):
        total, (doubled, halves), nothing = net(x, [x, (x, x)])
        assert nothing is None
        np.testing.assert_array_equal(total.asnumpy(), [[2, 4]])
        np.testing.assert_array_equal(doubled.asnumpy(), [[2, 4]])
        np.testing.assert_array_equal(halves[1].asnumpy(), [[2]])


def test_absent_arguments():
    net = block(lambda F, x, y=None: x if y is None else x + y)
    net.hybridize()
    x = mx.nd.ones(2)
    net(x, None)
    np.testing.assert_array_equal(net(x).asnumpy(), [1, 1])
    with pytest.raises(ValueError, match="does not match the cached version"):
        net(x, x)
    net.hybridize()
    np.testing.assert_array_equal(net(x, x).asnumpy(), [2, 2])
    net.hybridize()
    flipped = block(lambda F, x, y: y * 2)
    flipped.hybridize()
    np.testing.assert_array_equal(flipped(None, x).asnumpy(), [2, 2])


def test_wrong_arguments():
    net = block(lambda F, x, y=None: x)
    with pytest.raises(ValueError, match="must be one NDArray or one Symbol"):
        net(1)
    net.hybridize()
    with pytest.raises(ValueError, match=r"\(nested\) list of Symbol or NDArray, but got 3"):
        net(mx.nd.ones(1), 3)
    with pytest.raises(ValueError, match="multiple contexts"):
        block(lambda F, x, y: x + y).hybridize()
        both = block(lambda F, x, y: x + y)
        both.hybridize()
        both(mx.nd.ones(1), mx.nd.ones(1, ctx=mx.cpu(1)))
    wrong = block(lambda F, x: {"a": x})
    wrong.hybridize()
    with pytest.raises(ValueError, match="output of HybridBlock"):
        wrong(mx.nd.ones(1))


def test_unused_inputs_and_parameters_are_warned_of():
    net = block(lambda F, x, y: x + 1)
    net.hybridize()
    with pytest.warns(UserWarning, match="1-th input to HybridBlock is not used"):
        net(mx.nd.ones(1), mx.nd.ones(1))

    class Idle(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.w = self.params.get("w", shape=(1,))

        def hybrid_forward(self, F, x, w):
            return x + 1

    net = Idle()
    net.initialize()
    net.hybridize()
    with pytest.warns(UserWarning, match="_w is not used"):
        net(mx.nd.ones(1))


def test_graphs_follow_shapes_and_mode():
    net = block(lambda F, x: F.Dropout(x, p=0.5) * 2)
    net.hybridize()
    for size in (3, 5):
        np.testing.assert_array_equal(net(mx.nd.ones(size)).asnumpy(), np.full(size, 2))
    with mx.autograd.train_mode():
        values = set(net(mx.nd.ones(100)).asnumpy())
    assert values == {0, 4}


def test_changes_drop_the_cached_graph():
    net = nn.HybridSequential()
    net.add(nn.Dense(3))
    net.initialize()
    net.hybridize()
    x = mx.nd.ones((2, 4))
    assert net(x).shape == (2, 3)
    extra = nn.Dense(7)
    extra.initialize()
    net.add(extra)
    assert net(x).shape == (2, 7)
    net.cast("float64")
    assert net(x.astype("float64")).dtype == np.float64
    net.hybridize(False)
    assert net._cached_graph == ()


def test_forward_may_be_overridden():
    class Eager(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(2)

        def forward(self, x):
            return self.dense(x) if x.shape[0] > 1 else x

    net = Eager()
    net.initialize()
    net.hybridize()
    assert net(mx.nd.ones((3, 4))).shape == (3, 2)
    assert net(mx.nd.ones((1, 4))).shape == (1, 4)


def test_shapes_found_by_running_where_the_graph_does_not_tell():
    class Opaque(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.lstm = gluon.rnn.LSTM(3, 2, bidirectional=True)
            self.dense = nn.Dense(2, flatten=False)

        def hybrid_forward(self, F, x):
            return self.dense(self.lstm(x))

    net = Opaque()
    net.initialize()
    net.hybridize()
    assert net(mx.nd.ones((4, 2, 5))).shape == (4, 2, 2)
    assert net.lstm.l0_i2h_weight.shape == (12, 5)
    assert net.lstm.r1_i2h_weight.shape == (12, 6)


def test_parameters_too_early():
    net = nn.Dense(2)
    with pytest.raises(RuntimeError, match="has not been initialized"):
        net(mx.nd.ones((1, 2)))
    net.initialize()
    with pytest.raises(gluon.DeferredInitializationError):
        net.weight.data()
    with pytest.raises(RuntimeError, match="call block.hybridize"):
        net.export("never")


def test_infer_shape_and_type():
    net = nn.Dense(2)
    net.infer_shape(mx.nd.ones((3, 7)))
    assert net.weight.shape == (2, 7)
    net.infer_type(mx.nd.ones((3, 7)))
    assert np.dtype(net.weight.dtype) == np.float32


class Twice(nn.HybridBlock):
    """Computes the same thing twice."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(2)

    def hybrid_forward(self, F, x):
        y = self.dense(x)
        return F.sin(y) + F.sin(y)


@pytest.mark.parametrize("way", ["optimize_for", "hybridize"])
def test_graphs_are_optimized_for_a_backend(way):
    net, x = Twice(), mx.nd.ones((1, 3))
    net.initialize()
    want = net(x).asnumpy()
    if way == "optimize_for":
        net.optimize_for(x, backend="MKLDNN")
    else:
        net.hybridize(backend="baryon")
    np.testing.assert_allclose(net(x).asnumpy(), want, rtol=1e-6)
    assert net._cached_graph[1].tojson().count('"op": "sin"') == 1
    net.hybridize()
    net(x)
    assert net._cached_graph[1].tojson().count('"op": "sin"') == 2


def test_backends_that_are_not_there():
    net, x = Twice(), mx.nd.ones((1, 3))
    net.initialize()
    with pytest.warns(UserWarning, match="no backend 'TensorRT'"):
        net.optimize_for(x, backend="TensorRT")
    assert net(x).shape == (1, 2) and net.dense.weight.shape == (2, 3)
    with pytest.raises(ValueError, match='Must specify "backend"'):
        net.optimize_for(x)
    with pytest.raises(ValueError, match="no option 'level'"):
        net.optimize_for(x, backend="MKLDNN", level=3)


def test_hooks_on_hybridized_blocks_warn():
    net = nn.Dense(2)
    net.register_forward_hook(lambda *args: None)
    with pytest.warns(UserWarning, match="still having forward hook"):
        net.hybridize()


def test_op_hook():
    net = nn.HybridSequential(prefix="n_")
    with net.name_scope():
        net.add(nn.Dense(2, activation="relu", in_units=3))
    net.initialize()
    net.hybridize()
    seen = []
    net.register_op_hook(lambda name, op, array: seen.append((name, op, array.shape)), True)
    assert net(mx.nd.ones((1, 3))).shape == (1, 2)
    assert seen == [
        ("n_dense0_fwd_data", "FullyConnected", (1, 3)),
        ("n_dense0_fwd_weight", "FullyConnected", (2, 3)),
        ("n_dense0_fwd_bias", "FullyConnected", (2,)),
        ("n_dense0_fwd_output", "FullyConnected", (1, 2)),
        ("n_dense0_relu_fwd_data", "Activation", (1, 2)),
        ("n_dense0_relu_fwd_output", "Activation", (1, 2)),
    ]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_independent(clone):
    net = conv_net()
    net.hybridize()
    x = mx.nd.array(np.random.rand(1, 2, 8, 8))
    before = net(x).asnumpy()
    other = clone(net)
    np.testing.assert_array_equal(other(x).asnumpy(), before)
    other[5].bias.set_data(mx.nd.ones(3))
    np.testing.assert_array_equal(net(x).asnumpy(), before)


class TestSymbolBlock:
    def test_export_and_import(self, tmp_path):
        net = conv_net()
        net.hybridize()
        x = mx.nd.array(np.random.rand(2, 2, 8, 8))
        expected = net(x).asnumpy()
        symbol_file, params_file = net.export(str(tmp_path / "net"), epoch=7)
        assert params_file.endswith("net-0007.params")
        keys = mx.nd.load(params_file)
        assert {k.split(":")[0] for k in keys} == {"arg", "aux"}
        loaded = gluon.SymbolBlock.imports(symbol_file, "data", params_file, ctx=mx.cpu())
        np.testing.assert_allclose(loaded(x).asnumpy(), expected, rtol=1e-6)
        # It trains like any Block.
        trainer = gluon.Trainer(loaded.collect_params(), "sgd")
        with mx.autograd.record():
            loss = (loaded(x) ** 2).sum()
        loss.backward()
        trainer.step(2)
        assert np.abs(loaded(x).asnumpy() - expected).max() > 0
        with pytest.raises(AssertionError, match="'data' is missing"):
            gluon.SymbolBlock.imports(symbol_file, "wrong", params_file)

    def test_export_and_import_without_parameters(self, tmp_path):
        net = gluon.nn.HybridSequential()
        net.add(gluon.nn.Activation("relu"))
        net.hybridize()
        x = mx.nd.array([[-1.0, 2.0]])
        net(x)
        symbol_file, params_file = net.export(str(tmp_path / "net"))
        loaded = gluon.SymbolBlock.imports(symbol_file, "data", params_file)
        np.testing.assert_array_equal(loaded(x).asnumpy(), [[0, 2]])

    def test_internals_with_shared_parameters(self):
        net = conv_net()
        x = mx.nd.array(np.random.rand(2, 2, 8, 8))
        expected = net(x).asnumpy()
        data = mx.sym.var("data")
        out = net(data)
        features = out.get_internals()[f"{net[4].name}_tanh_fwd_output"]
        both = gluon.SymbolBlock([features, out], data, params=net.collect_params())
        hidden, result = both(x)
        assert hidden.shape == (2, 5)
        np.testing.assert_allclose(result.asnumpy(), expected, rtol=1e-6)
        assert both.collect_params()[net[5].weight.name] is net[5].weight

    def test_deferred_parameters(self):
        x = mx.sym.var("x")
        out = mx.sym.FullyConnected(x, num_hidden=3, name="fc")
        net = gluon.SymbolBlock(out, x)
        net.initialize()
        assert net(mx.nd.ones((2, 4))).shape == (2, 3)
        assert net.params["fc_weight"].shape == (3, 4)
        assert repr(net) == "SymbolBlock(\n<Symbol fc> : 1 -> 1\n)"

    def test_drawing_substitutes_the_inputs(self):
        a, b = mx.sym.var("a"), mx.sym.var("b")
        net = gluon.SymbolBlock(a * 2 + b, [a, b])
        assert net(mx.sym.var("p"), mx.sym.var("q")).list_arguments() == ["p", "q"]
        stacked = block(lambda F, x: net(x, x))
        stacked.hybridize()
        np.testing.assert_array_equal(stacked(mx.nd.array([1, 2])).asnumpy(), [3, 6])

    def test_inputs_must_be_variables(self):
        x = mx.sym.var("x")
        with pytest.raises(AssertionError, match="must be variable"):
            gluon.SymbolBlock(x + 1, x * 2)


def test_a_graph_without_intermediate_results_trains():
    net = nn.Dense(2, in_units=3)
    net.initialize()
    net.hybridize()
    x = mx.nd.ones((4, 3))
    with mx.autograd.record():
        y = net(x)
    y.backward()
    np.testing.assert_allclose(net.weight.grad().asnumpy(), 4 * np.ones((2, 3)))


def test_calls_after_one_without_recording_look_at_what_they_are_given():
    net = block(lambda F, x: F.BlockGrad(x) * 2 + x)
    net.hybridize()
    x = mx.nd.array([[1.0, 2.0]])
    for _ in range(2):  # the second call is one of arrays as they were
        assert net(x).asnumpy().tolist() == [[3, 6]]
    for other in (mx.nd.ones((3, 1)), x.astype("float64"), x.astype("float16"), x[0], x.T):
        assert net(other).asnumpy().tolist() == (3 * other.asnumpy()).tolist()
        assert net(x).asnumpy().tolist() == [[3, 6]]
    sparse = x.tostype("row_sparse")
    assert net(sparse).asnumpy().tolist() == [[3, 6]]
    x.attach_grad()
    with mx.autograd.record():
        y = net(x)
    y.backward()
    assert x.grad.asnumpy().tolist() == [[1, 1]]
    with mx.autograd.train_mode():
        assert net(x).asnumpy().tolist() == [[3, 6]]


def test_dropout_draws_anew_in_every_call_that_trains():
    net = nn.Dropout(0.5)
    net.hybridize()
    x = mx.nd.ones((100,))
    with mx.autograd.train_mode():
        a, b, c = (net(x).asnumpy() for _ in range(3))
    assert not np.array_equal(a, b) and not np.array_equal(b, c)
    assert (net(x).asnumpy() == 1).all()


def test_nothing_is_kept_of_weights_so_small_that_asking_for_them_costs_more():
    net = nn.Dense(16, in_units=16)
    net.initialize()
    net.hybridize()
    for _ in range(3):
        net(mx.nd.ones((4, 16)))
    (call,) = net._cached._graph._calls.values()
    assert call.compiled.kept == []
