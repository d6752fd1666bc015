"""Checkpoints, and `FeedForward`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import baryon as mx
from baryon import nd, sym

RNG = np.random.RandomState(0)
X = RNG.rand(30, 5).astype("float32")
Y = (X[:, 0] > 0.5).astype("float32")


def net():
    x = sym.FullyConnected(sym.var("data"), num_hidden=8, name="fc1")
    x = sym.BatchNorm(sym.Activation(x, act_type="relu"), name="bn")
    return sym.SoftmaxOutput(sym.FullyConnected(x, num_hidden=2, name="fc2"), name="softmax")


def test_checkpoint_round_trip(tmp_path):
    prefix = str(tmp_path / "net")
    args, auxs = {"fc1_weight": nd.ones((8, 5))}, {"bn_moving_mean": nd.zeros((8,))}
    mx.model.save_checkpoint(prefix, 7, net(), args, auxs)
    assert set(nd.load(f"{prefix}-0007.params")) == {"arg:fc1_weight", "aux:bn_moving_mean"}
    symbol, arg, aux = mx.model.load_checkpoint(prefix, 7)
    assert symbol.tojson() == net().tojson() or symbol.list_arguments() == net().list_arguments()
    np.testing.assert_array_equal(arg["fc1_weight"].asnumpy(), np.ones((8, 5)))
    assert list(aux) == ["bn_moving_mean"]
    assert [list(p) for p in mx.model.load_params(prefix, 7)] == [
        ["fc1_weight"],
        ["bn_moving_mean"],
    ]
    mx.model.save_checkpoint(prefix, 8, None, args, auxs)
    assert (tmp_path / "net-0008.params").exists()


def test_files_of_other_things_are_refused(tmp_path):
    nd.save(str(tmp_path / "x-0001.params"), {"weight": nd.ones((1,))})
    with pytest.raises(ValueError, match="weight"):
        mx.model.load_params(str(tmp_path / "x"), 1)
    nd.save(str(tmp_path / "x-0002.params"), [nd.ones((1,))])
    with pytest.raises(ValueError, match="no names"):
        mx.model.load_params(str(tmp_path / "x"), 2)


def fitted(**options):
    np.random.seed(0)
    mx.random.seed(0)
    model = mx.model.FeedForward(
        net(), num_epoch=30, learning_rate=0.5, numpy_batch_size=10,
        initializer=mx.init.Xavier(), **options,
    )  # fmt: skip
    model.fit(X, Y, eval_data=(X, Y))
    return model


def test_fit_predict_score():
    model = fitted()
    found = model.predict(X)
    assert isinstance(found, np.ndarray) and found.shape == (30, 2)
    accuracy = (found.argmax(1) == Y).mean()
    assert accuracy > 0.8
    data = mx.io.NDArrayIter(X, Y, 6)
    assert model.score(data) == pytest.approx(accuracy)
    out, x, y = model.predict(data, return_data=True)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_allclose(out, found, rtol=1e-5)
    assert model.predict(X, num_batch=2).shape == (20, 2)


def test_save_load_pickle_go_on(tmp_path):
    model = fitted()
    model.save(str(tmp_path / "m"))
    again = mx.model.FeedForward.load(str(tmp_path / "m"), 30)
    assert again.begin_epoch == 30
    for copy in (again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(copy.predict(X), model.predict(X), rtol=1e-5, atol=1e-7)
    again.num_epoch, again.numpy_batch_size = 31, 10
    again.fit(X, Y)


def test_create_and_several_contexts():
    np.random.seed(0)
    model = mx.model.FeedForward.create(
        net(), X, Y, ctx=[mx.cpu(0), mx.cpu(1)], num_epoch=2, learning_rate=0.1
    )
    assert set(model.arg_params) == {
        "fc1_weight", "fc1_bias", "bn_gamma", "bn_beta", "fc2_weight", "fc2_bias"
    }  # fmt: skip


def test_epochs_of_some_batches():
    events = []
    model = mx.model.FeedForward(net(), num_epoch=2, epoch_size=4, learning_rate=0.1)
    model.fit(
        mx.io.NDArrayIter(X, Y, 10),
        batch_end_callback=lambda p: events.append((p.epoch, p.nbatch)),
    )
    assert events == [(e, n) for e in range(2) for n in range(4)]


def test_errors():
    with pytest.raises(mx.MXNetError, match="no parameters"):
        mx.model.FeedForward(net()).predict(X)
    with pytest.raises(ValueError, match="zz"):
        mx.model.FeedForward(net(), arg_params={"zz": nd.ones((1,))})
    model = mx.model.FeedForward(net(), arg_params={"zz": nd.ones((1,))}, allow_extra_params=True)
    assert model.arg_params == {}
    for data, label, error in (([1], Y, TypeError), (X, None, ValueError), (X, Y[:4], ValueError)):
        with pytest.raises(error):
            model.fit(data, label)
