"""Operators written in Python: eager, bound, hybridized and from JSON."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import baryon as mx
from baryon import custom

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]], np.float32)


class Sigmoid(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], 1 / (1 + mx.nd.exp(-in_data[0])))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        y = out_data[0]
        self.assign(in_grad[0], req[0], out_grad[0] * y * (1 - y))


@mx.operator.register("test_sigmoid")
class SigmoidProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        assert (ctx, in_dtypes) == (mx.cpu(), [np.float32])
        return Sigmoid()


class Softmax(mx.operator.CustomOp):
    """The loss of MXNet's own example: NumPy inside, no head gradient."""

    def forward(self, is_train, req, in_data, out_data, aux):
        x = in_data[0].asnumpy()
        y = np.exp(x - x.max(axis=1, keepdims=True))
        self.assign(out_data[0], req[0], mx.nd.array(y / y.sum(axis=1, keepdims=True)))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        label = in_data[1].asnumpy().astype(int)
        y = out_data[0].asnumpy()
        y[np.arange(len(label)), label] -= 1
        self.assign(in_grad[0], req[0], mx.nd.array(y))


@mx.operator.register("test_softmax")
class SoftmaxProp(mx.operator.CustomOpProp):
    def __init__(self):
        super().__init__(need_top_grad=False)

    def list_arguments(self):
        return ["data", "label"]

    def infer_shape(self, in_shape):
        return [in_shape[0], (in_shape[0][0],)], [in_shape[0]], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Softmax()


class Counting(mx.operator.CustomOp):
    """Scales, counts its calls in a state, and remembers its input between the two passes."""

    def __init__(self, scale):
        self.scale, self.seen = scale, None

    def forward(self, is_train, req, in_data, out_data, aux):
        self.seen = in_data[0].copy()
        aux[0][:] += 1 + 10 * is_train
        self.assign(out_data[0], req[0], in_data[0] * self.scale)
        self.assign(out_data[1], req[1], in_data[0] + aux[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] * self.scale * self.seen + out_grad[1])


@mx.operator.register("test_counting")
class CountingProp(mx.operator.CustomOpProp):
    def __init__(self, scale, unused="7"):
        super().__init__()
        assert (scale, unused) == ("0.5", "7")
        self.scale = float(scale)

    def list_outputs(self):
        return ["scaled", "shifted"]

    def list_auxiliary_states(self):
        return ["calls"]

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0]] * 2, [(1,)]

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Counting(self.scale)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_eager_and_its_gradient():
    x = mx.nd.array(X)
    x.attach_grad()
    for _ in range(3):  # the third backward pass is compiled
        with mx.autograd.record():
            y = mx.nd.Custom(x, op_type="test_sigmoid") * 3
        y.backward()
        np.testing.assert_allclose(y.asnumpy(), 3 * sigmoid(X), rtol=1e-5)
        np.testing.assert_allclose(x.grad.asnumpy(), 3 * sigmoid(X) * (1 - sigmoid(X)), rtol=1e-5)
    gc.collect()
    del y
    assert not custom._LIVE  # no call's operator outlives its tape


def test_each_eager_call_has_its_own_operator():
    x, calls = mx.nd.array(X), mx.nd.zeros(1)
    z = mx.nd.array(2 * X)
    x.attach_grad()
    z.attach_grad()
    with mx.autograd.record():
        first = mx.nd.Custom(x, calls, op_type="test_counting", scale=0.5)
        second = mx.nd.Custom(z, calls, op_type="test_counting", scale=0.5)
        y = first[0] + second[0]
    y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), 0.5 * X)
    np.testing.assert_allclose(z.grad.asnumpy(), X)
    assert calls.asnumpy() == [22]


def test_bound_with_states():
    made = mx.sym.Custom(mx.sym.var("x"), op_type="test_counting", scale=0.5, name="c")
    assert made.list_arguments() == ["x"]
    assert made.list_auxiliary_states() == ["c_calls"]
    assert made.list_outputs() == ["c_scaled", "c_shifted"]
    assert made.infer_shape(x=(2, 3)) == ([(2, 3)], [(2, 3)] * 2, [(1,)])
    for net in (made, mx.sym.load_json(made.tojson())):
        exe = net.simple_bind(mx.cpu(), x=(2, 3))
        exe.forward(is_train=False, x=X)
        exe.forward(is_train=True, x=X)
        exe.backward([mx.nd.ones((2, 3)), mx.nd.ones((2, 3)) * 2])
        assert exe.aux_dict["c_calls"].asnumpy() == [12]
        np.testing.assert_allclose(exe.outputs[0].asnumpy(), 0.5 * X)
        np.testing.assert_allclose(exe.outputs[1].asnumpy(), X + 12)
        np.testing.assert_allclose(exe.grad_dict["x"].asnumpy(), 0.5 * X + 2)


def test_a_loss_makes_its_label():
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    net = mx.sym.Custom(data=fc, op_type="test_softmax", name="softmax")
    reference = mx.sym.SoftmaxOutput(fc, name="softmax")
    assert net.list_arguments() == [
        "data", "fc_weight", "fc_bias", "softmax_label"
    ]  # fmt: skip
    found = []
    weight = np.random.RandomState(0).randn(3, 3).astype(np.float32)
    for symbol in (net, reference):
        exe = symbol.simple_bind(mx.cpu(), data=(2, 3), softmax_label=(2,))
        exe.forward(True, data=X, fc_weight=weight, softmax_label=np.array([1, 2]))
        exe.backward()
        found.append([exe.outputs[0].asnumpy(), exe.grad_dict["fc_weight"].asnumpy()])
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


def test_hybridized():
    class Net(mx.gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.Custom(F.exp(x), op_type="test_sigmoid")

    net = Net()
    net.hybridize()
    x = mx.nd.array(X)
    x.attach_grad()
    for _ in range(3):
        with mx.autograd.record():
            y = net(x)
        y.backward()
        want = sigmoid(np.exp(X))
        np.testing.assert_allclose(y.asnumpy(), want, rtol=1e-5)
        np.testing.assert_allclose(
            x.grad.asnumpy(), want * (1 - want) * np.exp(X), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("where", ["forward", "backward", "infer_shape", "create_operator"])
def test_errors_show_the_users_traceback(where):
    def fail(*args):
        raise KeyError("told by the user")

    class Failing(Sigmoid):
        pass

    class FailingProp(SigmoidProp):
        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Failing()

    setattr(FailingProp if where in dir(mx.operator.CustomOpProp) else Failing, where, fail)
    mx.operator.register("test_failing")(FailingProp)
    x = mx.nd.array(X)
    x.attach_grad()
    with pytest.raises(mx.MXNetError, match="told by the user") as caught:
        with mx.autograd.record():
            y = mx.nd.Custom(x, op_type="test_failing")
        y.backward()
    assert where in str(caught.value) and __file__ in str(caught.value)
    exe_of = mx.sym.Custom(mx.sym.var("x"), op_type="test_failing")
    with pytest.raises(mx.MXNetError, match="told by the user"):
        exe = exe_of.simple_bind(mx.cpu(), x=(2, 3))
        exe.forward(is_train=True)
        exe.backward(mx.nd.ones((2, 3)))


def test_wrong_use():
    with pytest.raises(mx.MXNetError, match="no_such"):
        mx.nd.Custom(mx.nd.array(X), op_type="no_such")
    with pytest.raises(mx.MXNetError, match="unexpected|__init__"):
        mx.nd.Custom(mx.nd.array(X), op_type="test_sigmoid", strange=1)
    with pytest.raises(mx.MXNetError, match="2 inputs"):
        mx.nd.Custom(mx.nd.array(X), op_type="test_softmax")
    with pytest.raises(TypeError):
        mx.operator.register("test_none")(int)


def test_dependencies_that_are_not_declared_are_not_kept():
    class Prop(SigmoidProp):
        def declare_backward_dependency(self, out_grad, in_data, out_data):
            return [out_grad[0], out_data[0]]

    mx.operator.register("test_lean")(Prop)
    x = mx.nd.array(X)
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Custom(x, op_type="test_lean")
    y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), sigmoid(X) * (1 - sigmoid(X)), rtol=1e-5)


class OldSquare:
    """``x ** 2`` in MXNet's first style, for both kinds of arrays."""

    def forward(self, in_data, out_data):
        out_data[0][:] = in_data[0] ** 2

    def backward(self, out_grad, in_data, out_data, in_grad):
        in_grad[0][:] = 2 * in_data[0] * out_grad[0]


@pytest.mark.parametrize("kind", ["NumpyOp", "NDArrayOp"])
def test_operators_in_the_first_style(kind):
    cls = type("Square", (OldSquare, getattr(mx.operator, kind)), {})
    with pytest.warns(DeprecationWarning, match="CustomOp"):
        square = cls()
    net = square(mx.sym.var("x"), name="sq") * 3
    assert net.list_arguments() == ["x"]
    assert square(name="alone").list_arguments() == ["alone_data"]
    exe = net.simple_bind(mx.cpu(), x=(2,))
    exe.forward(is_train=True, x=np.array([2.0, -5.0]))
    exe.backward(mx.nd.ones(2))
    np.testing.assert_array_equal(exe.outputs[0].asnumpy(), [12, 75])
    np.testing.assert_array_equal(exe.grad_dict["x"].asnumpy(), [12, -30])
