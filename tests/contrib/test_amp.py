"""Mixed precision: casts in eager calls and graphs, loss scales, converted networks."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon import state
from baryon.contrib import amp

TYPES = ["float16", "bfloat16"]


@pytest.fixture
def mixed(request):
    """Mixed precision switched on for one test."""
    amp.init(getattr(request, "param", "float16"))
    yield
    state.set_precision(None)


def nodes(sym):
    return json.loads(sym.tojson(remove_amp_cast=False))["nodes"]


def tour():
    """A graph with operators of all kinds."""
    data = mx.sym.var("data")
    conv = mx.sym.Convolution(data, kernel=(3, 3), num_filter=4, name="conv")
    relu = mx.sym.Activation(mx.sym.BatchNorm(conv, name="bn"), act_type="relu", name="relu")
    total = mx.sym.elemwise_add(relu, mx.sym.exp(relu, name="exp"), name="add")
    both = mx.sym.broadcast_add(relu, conv, name="badd")
    soft = mx.sym.Activation(both, act_type="softrelu", name="soft")
    fc = mx.sym.FullyConnected(total + soft, num_hidden=3, name="fc")
    fc = mx.sym.FullyConnected(fc, num_hidden=3, name="fc2")
    return mx.sym.SoftmaxOutput(fc, name="softmax")


# The casts that MXNet 1.9.1 puts into the graph.
CASTS = [
    "data_amp_cast_{}",
    "conv_weight_amp_cast_{}",
    "conv_bias_amp_cast_{}",
    "relu_output_amp_cast_float32",
    "conv_output_amp_cast_float32",
    "_plus0_output_amp_cast_{}",
    "fc_weight_amp_cast_{}",
    "fc_bias_amp_cast_{}",
    "fc2_weight_amp_cast_{}",
    "fc2_bias_amp_cast_{}",
    "fc2_output_amp_cast_float32",
]


@pytest.mark.parametrize("dtype", TYPES)
def test_convert_symbol_casts_where_mxnet_does(dtype):
    with mx.name.NameManager():
        made = amp.convert_symbol(tour(), dtype)
    casts = [n["name"] for n in nodes(made) if n["op"] == "amp_cast"]
    assert casts == [c.format(dtype) for c in CASTS]
    assert all(n["op"] != "amp_multicast" for n in nodes(made))


def test_convert_symbol_with_lists_of_ones_own():
    made = amp.convert_symbol(
        tour(), target_dtype_ops=["FullyConnected"], fp32_ops=["BatchNorm"],
        conditional_fp32_ops=[("Activation", "act_type", ["relu"])], excluded_sym_names=["fc"],
    )  # fmt: skip
    casts = [n["name"] for n in nodes(made) if n["op"] == "amp_cast"]
    assert casts == [
        "fc_output_amp_cast_float16", "fc2_weight_amp_cast_float16",
        "fc2_bias_amp_cast_float16", "softmax_output_amp_cast_float32",
    ]  # fmt: skip


def bound(sym, **shapes):
    exe = sym.simple_bind(mx.cpu(), **shapes)
    rng = np.random.default_rng(0)
    for x in exe.arg_dict.values():
        x[:] = rng.normal(size=x.shape) * 0.1
    return exe


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_convert_model_computes_nearly_the_same(dtype, optional):
    sym = tour()
    exe = bound(sym, data=(2, 3, 6, 6), softmax_label=(2,))
    args = {k: v for k, v in exe.arg_dict.items() if k not in ("data", "softmax_label")}
    made, new, aux = amp.convert_model(
        sym, args, exe.aux_dict, dtype, cast_optional_params=optional
    )
    types = {k: np.dtype(v.dtype).name for k, v in new.items()}
    low = dtype if optional else "float32"
    assert types["conv_weight"] == types["fc2_bias"] == low and types["bn_gamma"] == "float32"
    given = {**new, "data": exe.arg_dict["data"], "softmax_label": exe.arg_dict["softmax_label"]}
    got = made.bind(mx.cpu(), given, aux_states=aux, grad_req="null").forward()[0]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.asnumpy(), exe.forward()[0].asnumpy(), atol=0.02)


@pytest.mark.parametrize("dtype", TYPES)
def test_convert_hybrid_block(dtype):
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(3))
    net.initialize(mx.init.Normal(0.2))
    x = mx.nd.random.normal(shape=(2, 3, 5, 5))
    with pytest.raises(mx.MXNetError, match="hybridize"):
        amp.convert_hybrid_block(net, dtype, ctx=mx.cpu())
    net.hybridize()
    want = net(x).asnumpy()
    made = amp.convert_hybrid_block(net, dtype, ctx=mx.cpu(), cast_optional_params=True)
    types = {np.dtype(p.dtype).name for p in made.collect_params().values()}
    assert types == {dtype, "float32"}
    np.testing.assert_allclose(made(x).asnumpy(), want, atol=0.05)


def test_convert_bucketing_module():
    def sym_gen(length):
        x = mx.sym.Embedding(mx.sym.var("data"), input_dim=9, output_dim=4, name="emb")
        x = mx.sym.FullyConnected(mx.sym.sum(x, axis=1), num_hidden=3, name="fc")
        return mx.sym.SoftmaxOutput(x, name="softmax"), ("data",), ("softmax_label",)

    def batch(length):
        data, label = mx.nd.ones((2, length)), mx.nd.zeros((2,))
        return mx.io.DataBatch(
            [data], [label], bucket_key=length,
            provide_data=[("data", (2, length))], provide_label=[("softmax_label", (2,))],
        )  # fmt: skip

    mod = mx.mod.BucketingModule(sym_gen, 5)
    with pytest.raises(AssertionError, match="bind"):
        amp.convert_bucketing_module(mod)
    mod.bind([("data", (2, 5))], [("softmax_label", (2,))], for_training=False)
    mod.init_params()
    made = amp.convert_bucketing_module(mod, "bfloat16")
    made.bind([("data", (2, 5))], [("softmax_label", (2,))], for_training=False)
    for length in (5, 3):
        results = []
        for one in (mod, made):
            one.forward(batch(length), is_train=False)
            results.append(one.get_outputs()[0].asnumpy())
        np.testing.assert_allclose(*results, atol=0.01)


@pytest.mark.parametrize("mixed", TYPES, indirect=True)
def test_eager_calls_cast(mixed, request):
    low = request.node.callspec.params["mixed"]
    x, w = mx.nd.ones((2, 3)), mx.nd.ones((4, 3))
    y = mx.nd.FullyConnected(x, w, num_hidden=4, no_bias=True)
    assert np.dtype(y.dtype).name == low
    assert mx.nd.exp(y).dtype == np.float32
    assert np.dtype((y + y).dtype).name == low and (y + mx.nd.exp(y)).dtype == np.float32
    assert mx.nd.argmax(y, axis=1).shape == (2,)
    index = mx.nd.array([0, 1], dtype="int32")
    assert mx.nd.take(x, index).dtype == np.float32


def test_declared_graphs_cast(mixed):
    y = mx.sym.FullyConnected(mx.sym.var("a"), num_hidden=2, name="f")
    assert [n["op"] for n in nodes(y)] == ["null", "amp_cast"] * 3 + ["FullyConnected"]
    total = mx.sym.var("a") + mx.sym.var("b")
    assert [n["op"] for n in nodes(total)] == ["null", "null", "amp_multicast", "elemwise_add"]


def test_saved_graphs_have_no_casts(mixed):
    y = mx.sym.FullyConnected(mx.sym.var("a"), num_hidden=2, name="f")
    assert "amp_cast" not in y.tojson()


def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    return mx.nd.array(x), mx.nd.array((x[:, 0] > x[:, 1]).astype("float32"))


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("mixed", TYPES, indirect=True)
def test_training_with_a_loss_scale(mixed, hybrid):
    mx.random.seed(0)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(16, activation="relu"), mx.gluon.nn.BatchNorm())
    net.add(mx.gluon.nn.Dense(2))
    net.initialize(mx.init.Xavier())
    net.hybridize(hybrid)
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
    amp.init_trainer(trainer)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    x, label = problem()
    losses = []
    for _ in range(40):
        with mx.autograd.record():
            loss = loss_of(net(x), label)
            with amp.scale_loss(loss, trainer) as scaled:
                mx.autograd.backward(scaled)
        trainer.step(len(x))
        losses.append(float(loss.mean().asscalar()))
    assert losses[-1] < 0.15 < losses[0]
    assert all(np.dtype(p.dtype) == np.float32 for p in net.collect_params().values())


@pytest.mark.parametrize("mixed", ["bfloat16"], indirect=True)
def test_a_step_that_overflows_is_passed_over(mixed):
    net = mx.gluon.nn.Dense(2, in_units=2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    amp.init_trainer(trainer)
    scaler = trainer._amp_loss_scaler
    scaler._scale_seq_len = 2

    def step(broken=False):
        with mx.autograd.record():
            loss = net(mx.nd.array([[1, 2]])).sum()
            with amp.scale_loss(loss, trainer) as scaled:
                scaled.backward()
        if broken:
            net.weight.grad()[:] = np.inf
        before = net.weight.data().asnumpy()
        trainer.step(1)
        return (net.weight.data().asnumpy() - before)[0]

    # The scales are MXNet's: those of the step, and those that it sets for the next.
    found = []
    for broken in (False, True, False, False, False):
        change = step(broken)
        np.testing.assert_allclose(change, [0, 0] if broken else [-0.1, -0.2], atol=1e-5)
        found.append((scaler._loss_scale, scaler._next_loss_scale))
    assert found == [(65536, 65536), (65536, 32768), (32768, 32768), (32768, 65536), (65536, 65536)]


@pytest.mark.parametrize("mixed", ["bfloat16"], indirect=True)
def test_unscale(mixed):
    net = mx.gluon.nn.Dense(2, in_units=2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(mx.MXNetError, match="init_trainer"):
        amp.unscale(trainer)
    amp.init_trainer(trainer)
    with mx.autograd.record():
        y = net(mx.nd.array([[1, 2]]))
        with amp.scale_loss([y.sum(), y.mean()], trainer) as scaled:
            mx.autograd.backward(scaled)
    amp.unscale(trainer)
    np.testing.assert_allclose(net.weight.grad().asnumpy()[0], [1.5, 3])
    assert trainer._scale == 1


def test_wrong_arguments():
    net = mx.gluon.nn.Dense(2, in_units=2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(AssertionError, match="amp.init"):
        amp.init_trainer(trainer)
    for call, what in (
        (lambda: amp.init("float64"), "float16 or bfloat16"),
        (lambda: amp.list_fp32_ops("int8"), "float16 or bfloat16"),
        (lambda: amp.convert_symbol(tour(), target_dtype_ops=["nope"]), "none of MXNet's lists"),
        (
            lambda: amp.convert_symbol(
                tour(), target_dtype_ops=["exp"], fp32_ops=["exp"], conditional_fp32_ops=[]
            ),
            "both types",
        ),
    ):
        with pytest.raises(ValueError, match=what):
            call()
    with pytest.raises(mx.MXNetError, match="'nope' is no input"):
        amp.convert_symbol(tour(), data_names=["nope"])
    assert state.precision is None


@pytest.mark.parametrize("dtype", TYPES)
def test_lists(dtype):
    assert "Convolution" in amp.list_lp16_ops(dtype)
    assert "SoftmaxOutput" in amp.list_loss_output_functions(dtype)
    assert ("Activation", "act_type", ["softrelu"]) in amp.list_conditional_fp32_ops(dtype)
    assert (amp.list_lp16_use_fp32_params(dtype) is None) == (dtype == "float16")
    assert amp.list_lp16_fp32_ops(dtype) and amp.list_widest_type_cast(dtype)


@pytest.mark.parametrize("mixed", TYPES, indirect=True)
def test_a_module_trains_in_mixed_precision(mixed):
    mx.random.seed(0)
    x, label = problem()
    net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=16, name="fc1")
    net = mx.sym.Activation(net, act_type="relu")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=2, name="fc2"), name="softmax")
    module = mx.mod.Module(net)
    module.fit(
        mx.io.NDArrayIter(x, label, 16), num_epoch=12, optimizer="adam",
        optimizer_params={"learning_rate": 0.02}, initializer=mx.init.Xavier(),
    )  # fmt: skip
    assert module.score(mx.io.NDArrayIter(x, label, 16), "acc")[0][1] > 0.95
    assert all(v.dtype == np.float32 for v in module.get_params()[0].values())
