"""Parameters and dictionaries of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import baryon as mx
from baryon import gluon


def test_deferred_initialization():
    param = gluon.Parameter("w", shape=(3, 0), allow_deferred_init=True)
    with pytest.raises(RuntimeError, match="'w' has not been initialized. Note"):
        param.data()
    param.initialize(mx.init.One())
    with pytest.raises(gluon.DeferredInitializationError, match="'w'.*deferred"):
        param.data()
    assert param.list_ctx() == [mx.cpu()]
    param.shape = (3, 2)
    param._finish_deferred_init()
    np.testing.assert_array_equal(param.data().asnumpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(param.grad().asnumpy(), np.zeros((3, 2)))
    with pytest.raises(AssertionError, match=r"\(4, 2\) is incompatible with given shape \(3, 2\)"):
        param.shape = (4, 2)


def test_unknown_shape_needs_permission():
    with pytest.raises(ValueError, match="invalid shape"):
        gluon.Parameter("w", shape=(3, 0)).initialize()


def test_set_data_before_the_shape_is_known():
    param = gluon.Parameter("w", shape=(0,), allow_deferred_init=True)
    param.initialize()
    param.set_data(mx.nd.array([1, 2]))
    param._finish_deferred_init()
    np.testing.assert_array_equal(param.data().asnumpy(), [1, 2])


def test_set_data_writes_in_place_and_checks_the_shape():
    param = gluon.Parameter("w", shape=2)
    param.initialize()
    before = param.data()
    param.set_data(mx.nd.array([5, 6]))
    np.testing.assert_array_equal(before.asnumpy(), [5, 6])
    with pytest.raises(AssertionError):
        param.set_data(mx.nd.ones(3))


def test_contexts():
    param = gluon.Parameter("w", shape=(2,))
    param.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    assert param.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    assert param.data(mx.cpu(1)).context == mx.cpu(1)
    assert param.data().context == mx.cpu(0)
    with mx.cpu(1):
        assert param.data().context == mx.cpu(1)
    with pytest.raises(RuntimeError, match=r"not initialized on context cpu\(2\)"):
        param.data(mx.cpu(2))
    param.reset_ctx(mx.cpu(3))
    assert param.list_ctx() == [mx.cpu(3)]
    assert param.data().context == param.grad().context == mx.cpu(3)


def test_second_initialize_warns_unless_forced():
    param = gluon.Parameter("w", shape=(2,))
    param.initialize(mx.init.One())
    with pytest.warns(UserWarning, match="already initialized"):
        param.initialize(mx.init.Zero())
    np.testing.assert_array_equal(param.data().asnumpy(), [1, 1])
    param.initialize(mx.init.Zero(), force_reinit=True)
    np.testing.assert_array_equal(param.data().asnumpy(), [0, 0])


def test_own_initializer_wins():
    param = gluon.Parameter("w", shape=(2,), init=mx.init.Constant(3))
    param.initialize(default_init=mx.init.One())
    np.testing.assert_array_equal(param.data().asnumpy(), [3, 3])


def test_grad_req():
    param = gluon.Parameter("w", shape=(2,))
    param.initialize(mx.init.One())
    param.grad_req = "add"
    for _ in range(2):
        with mx.autograd.record():
            y = (param.data() * 3).sum()
        y.backward()
    np.testing.assert_array_equal(param.grad().asnumpy(), [6, 6])
    param.zero_grad()
    np.testing.assert_array_equal(param.grad().asnumpy(), [0, 0])
    param.grad_req = "null"
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        param.grad()
    with pytest.raises(AssertionError, match="got 'foo'"):
        param.grad_req = "foo"
    assert gluon.Parameter("w", differentiable=False).grad_req == "null"


def test_cast():
    param = gluon.Parameter("w", shape=(2,))
    param.initialize(mx.init.One())
    param.cast("float16")
    assert param.data().dtype == param.grad().dtype == np.float16
    assert param.var().attr("__dtype__") == "2"


def test_variable_carries_the_attributes():
    param = gluon.Parameter("w", shape=(2, 0), lr_mult=2.0, wd_mult=0.5, init=mx.init.Zero())
    attrs = param.var().attr_dict()["w"]
    assert attrs["__shape__"] == "(2, 0)"
    assert attrs["__lr_mult__"] == "2.0"
    assert attrs["__wd_mult__"] == "0.5"
    assert attrs["__init__"] == '["zero", {}]'
    assert param.var() is param.var()


def test_constant():
    constant = gluon.Constant("c", [[1, 2], [3, 4]])
    constant.initialize()
    np.testing.assert_array_equal(constant.data().asnumpy(), [[1, 2], [3, 4]])
    assert constant.grad_req == "null"
    with pytest.warns(UserWarning, match="does not support grad_req"):
        constant.grad_req = "write"


def test_pickle_keeps_the_gradient_connected():
    param = gluon.Parameter("w", shape=(2,))
    param.initialize(mx.init.One())
    copy = pickle.loads(pickle.dumps(param))
    with mx.autograd.record():
        y = (copy.data() * 5).sum()
    y.backward()
    np.testing.assert_array_equal(copy.grad().asnumpy(), [5, 5])
    np.testing.assert_array_equal(param.grad().asnumpy(), [0, 0])


class TestDictionary:
    def test_get_merges_shapes_and_rejects_the_rest(self):
        params = gluon.ParameterDict("net_")
        first = params.get("w", shape=(3, 0))
        assert params.get("w", shape=(3, 4)) is first
        assert first.shape == (3, 4)
        assert list(params) == ["net_w"]
        with pytest.raises(AssertionError, match=r"'shape': desired '\(4, 4\)' vs stored"):
            params.get("w", shape=(4, 4))
        with pytest.raises(AssertionError, match="'dtype'"):
            params.get("w", dtype="float64")

    def test_shared(self):
        source = gluon.ParameterDict("a_")
        weight = source.get("w", shape=(1,))
        other = gluon.ParameterDict("a_", shared=source)
        assert other.get("w") is weight

    def test_constants(self):
        params = gluon.ParameterDict("net_")
        made = params.get_constant("k", np.array([1, 2]))
        assert params.get_constant("k", np.array([1, 2])) is made
        with pytest.raises(AssertionError, match="value differs"):
            params.get_constant("k", np.array([1, 3]))
        with pytest.raises(KeyError, match="No constant named 'net_z'"):
            params.get_constant("z")

    def test_update_refuses_another_parameter_of_the_same_name(self):
        one, two = gluon.ParameterDict(), gluon.ParameterDict()
        one.get("w")
        two.get("w")
        with pytest.raises(AssertionError, match="same name 'w'"):
            one.update(two)

    def test_setattr_and_repr(self):
        params = gluon.ParameterDict("net_")
        params.get("w", shape=(2,), dtype="float32")
        params.setattr("lr_mult", 0.1)
        assert params["net_w"].lr_mult == 0.1
        assert repr(params) == "net_ (\n  Parameter net_w (shape=(2,), dtype=float32)\n)"

    def make(self, *shapes, prefix="net_"):
        params = gluon.ParameterDict(prefix)
        for i, shape in enumerate(shapes):
            params.get(f"w{i}", shape=shape)
        params.initialize(mx.init.Normal())
        return params

    def test_files(self, tmp_path):
        path = str(tmp_path / "p.params")
        params = self.make((2,), (3, 4))
        params.save(path, strip_prefix="net_")
        assert sorted(mx.nd.load(path)) == ["w0", "w1"]
        other = self.make((2,), (3, 4), prefix="other_")
        other.load(path, restore_prefix="other_")
        for a, b in zip(params.values(), other.values(), strict=True):
            np.testing.assert_array_equal(a.data().asnumpy(), b.data().asnumpy())

    def test_file_errors(self, tmp_path):
        path = str(tmp_path / "p.params")
        self.make((2,), (3,)).save(path)
        with pytest.raises(AssertionError, match="'net_w2' is missing in file"):
            self.make((2,), (3,), (1,)).load(path)
        self.make((2,), (3,), (1,)).load(path, allow_missing=True)
        with pytest.raises(AssertionError, match="'net_w1' loaded from file .* is not present"):
            self.make((2,)).load(path)
        self.make((2,)).load(path, ignore_extra=True)
        with pytest.raises(AssertionError, match=r"expected \(4,\) vs saved \(3,\)"):
            self.make((2,), (4,)).load(path)
        with pytest.raises(ValueError, match="is to be striped"):
            self.make((2,)).save(path, strip_prefix="foo_")

    def test_prefixes_of_exported_files_are_dropped(self):
        params = self.make((2,))
        params.load_dict({"arg:net_w0": mx.nd.array([1, 2])})
        np.testing.assert_array_equal(params["net_w0"].data().asnumpy(), [1, 2])
