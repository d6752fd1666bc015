"""Modules for buckets, in chains, and in Python."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import nd, sym


def sym_gen(length):
    """A sum over steps of a shared affine layer: shapes differ, parameters do not."""
    steps = sym.split(sym.var("data"), num_outputs=length, axis=1, squeeze_axis=1)
    weight, bias = sym.var("fc_weight"), sym.var("fc_bias")
    outs = [sym.FullyConnected(s, weight, bias, num_hidden=3) for s in steps]
    return sym.SoftmaxOutput(sym.add_n(*outs), name="softmax"), ("data",), ("softmax_label",)


def bucket_batch(length, n=4):
    rng = np.random.RandomState(length)
    data, label = nd.array(rng.randn(n, length, 5)), nd.array(rng.randint(0, 3, n))
    return mx.io.DataBatch(
        [data], [label], bucket_key=length,
        provide_data=[("data", (n, length, 5))], provide_label=[("softmax_label", (n,))],
    )  # fmt: skip


def bucketed(default=6):
    module = mx.mod.BucketingModule(sym_gen, default)
    first = bucket_batch(default)
    module.bind(first.provide_data, first.provide_label)
    mx.random.seed(0)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={"learning_rate": 0.1, "momentum": 0.9})
    return module


def train(module, lengths):
    for length in lengths:
        data = bucket_batch(length)
        module.forward_backward(data)
        module.update()


def test_buckets_train_one_set_of_parameters():
    """As plain modules that hand their parameters on from bucket to bucket do."""
    module = bucketed()
    args, _ = module.get_params()
    values = {k: v.copy() for k, v in args.items()}
    momentum = {k: 0.0 for k in values}
    train(module, [6, 3, 5, 3, 6])
    for length in [6, 3, 5, 3, 6]:
        data = bucket_batch(length)
        plain = mx.mod.Module(sym_gen(length)[0])
        plain.bind(data.provide_data, data.provide_label)
        plain.init_params(arg_params=values, aux_params={})
        plain.forward_backward(data)
        for (name, value), grads in zip(
            plain.get_params()[0].items(), plain._exec_group.grad_arrays, strict=True
        ):
            momentum[name] = 0.9 * momentum[name] - 0.1 / 4 * grads[0].asnumpy()
            values[name] = nd.array(value.asnumpy() + momentum[name])
    for name, value in module.get_params()[0].items():
        np.testing.assert_allclose(value.asnumpy(), values[name].asnumpy(), rtol=1e-4, atol=1e-6)


def test_buckets_share_memory():
    module = bucketed()
    train(module, [6, 3, 5])
    groups = [m._exec_group.execs[0] for m in module._buckets.values()]
    assert len(groups) == 3
    assert all(e.arg_dict["fc_weight"] is groups[0].arg_dict["fc_weight"] for e in groups)
    assert all(e.grad_dict["fc_weight"] is groups[0].grad_dict["fc_weight"] for e in groups)
    assert all(e._arena(True) is groups[0]._arena(True) for e in groups)


def test_prepare_leaves_the_current_bucket():
    module = bucketed()
    module.forward(bucket_batch(6), is_train=False)
    before = module.get_outputs()[0].asnumpy()
    module.prepare(bucket_batch(3))
    np.testing.assert_array_equal(module.get_outputs()[0].asnumpy(), before)
    assert module.data_shapes[0].shape == (4, 6, 5) and set(module._buckets) == {6, 3}


def test_bucketing_checkpoint(tmp_path):
    module = bucketed()
    train(module, [6, 3])
    module.save_checkpoint(str(tmp_path / "b"), 2)
    assert {p.name for p in tmp_path.iterdir()} == {
        "b-6-symbol.json", "b-3-symbol.json", "b-0002.params", "b.buckets"
    }  # fmt: skip
    (keys,) = nd.load(str(tmp_path / "b.buckets"))
    assert keys.dtype == np.int32 and keys.asnumpy().tolist() == [6, 3]
    again = mx.mod.BucketingModule.load(str(tmp_path / "b"), 2, sym_gen, default_bucket_key=6)
    data = bucket_batch(5)
    again.bind(bucket_batch(6).provide_data, bucket_batch(6).provide_label, for_training=False)
    outs = []
    for m in (module, again):
        m.forward(data, is_train=False)
        outs.append(m.get_outputs()[0].asnumpy())
    np.testing.assert_array_equal(*outs)


# ---- chains --------------------------------------------------------------------------------------


def halves():
    low = sym.Activation(
        sym.FullyConnected(sym.var("data"), num_hidden=6, name="fc1"), act_type="tanh"
    )
    high = sym.FullyConnected(sym.var("middle"), num_hidden=3, name="fc2")
    return low, sym.SoftmaxOutput(high, name="softmax")


DATA = mx.io.DataBatch([nd.array(np.random.RandomState(2).randn(4, 5))], [nd.array([0, 2, 1, 1])])


def prepared(module, **values):
    module.bind([("data", (4, 5))], [("softmax_label", (4,))])
    module.init_params(mx.init.Zero(), arg_params=values or None, allow_missing=True)
    module.init_optimizer(optimizer_params={"learning_rate": 0.3})
    return module


def test_a_chain_trains_as_the_whole():
    low, high = halves()
    rng = np.random.RandomState(1)
    values = {"fc1_weight": nd.array(rng.randn(6, 5)), "fc2_weight": nd.array(rng.randn(3, 6))}
    chain = mx.mod.SequentialModule()
    chain.add(mx.mod.Module(low, label_names=None)).add(
        mx.mod.Module(high, data_names=["middle"]), take_labels=True, auto_wiring=True
    )
    whole = prepared(mx.mod.Module(high(middle=low)), **values)
    prepared(chain, **values)
    for _ in range(3):
        for module in (chain, whole):
            module.forward_backward(DATA)
            module.update()
    want = whole.get_params()[0]
    for name, value in chain.get_params()[0].items():
        np.testing.assert_allclose(value.asnumpy(), want[name].asnumpy(), rtol=1e-5, atol=1e-6)
    assert chain.output_shapes == [("softmax_output", (4, 3))]
    metric = mx.metric.Accuracy()
    chain.update_metric(metric, DATA.label)
    assert metric.num_inst == 4


def test_chains_check_their_parts():
    chain = mx.mod.SequentialModule()
    with pytest.raises(AssertionError, match="typo"):
        chain.add(mx.mod.Module(halves()[0], label_names=None), take_label=True)
    with pytest.raises(AssertionError, match="empty"):
        mx.mod.SequentialModule().bind([("data", (4, 5))])
    low = halves()[0]
    twice = mx.mod.SequentialModule()
    twice.add(mx.mod.Module(low, label_names=None))
    again = sym.FullyConnected(sym.var("data"), num_hidden=6, name="fc1")
    twice.add(mx.mod.Module(again, label_names=None), auto_wiring=True)
    twice.bind([("data", (4, 5))])
    with pytest.raises(AssertionError, match="Duplicated parameter names"):
        twice.init_params()


def test_python_loss_ends_a_chain():
    low, _ = halves()

    def gradient(scores, labels):
        p = nd.softmax(scores).asnumpy()
        p[np.arange(4), labels.asnumpy().astype(int)] -= 1
        return p

    high = sym.FullyConnected(sym.var("middle"), num_hidden=3, name="fc2")
    chain = mx.mod.SequentialModule()
    chain.add(mx.mod.Module(high(middle=low), label_names=None))
    chain.add(mx.mod.PythonLossModule(grad_func=gradient), take_labels=True, auto_wiring=True)
    rng = np.random.RandomState(1)
    values = {"fc1_weight": nd.array(rng.randn(6, 5)), "fc2_weight": nd.array(rng.randn(3, 6))}
    whole = prepared(mx.mod.Module(sym.SoftmaxOutput(high(middle=low), name="softmax")), **values)
    prepared(chain, **values)
    for module in (chain, whole):
        module.forward_backward(DATA)
        module.update()
    want = whole.get_params()[0]
    for name, value in chain.get_params()[0].items():
        np.testing.assert_allclose(value.asnumpy(), want[name].asnumpy(), rtol=1e-5, atol=1e-6)


def test_python_modules_need_their_methods():
    module = mx.mod.PythonModule(["data"], None, ["out"])
    with pytest.raises(NotImplementedError, match="_compute_output_shapes"):
        module.bind([("data", (2, 3))])
    assert module.get_params() == ({}, {})
