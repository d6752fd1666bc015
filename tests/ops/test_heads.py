"""Loss heads: gradients that ignore the head gradient, and inferred label shapes."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx


def gradient(op, data, label, **attrs):
    x = mx.nd.array(data)
    x.attach_grad()
    with mx.autograd.record():
        out = op(x, mx.nd.array(label), **attrs)
    out.backward(mx.nd.full(out.shape, 7.0))
    return x.grad.asnumpy()


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("normalization", "divisor"), [("null", 1), ("batch", 6), ("valid", 5)])
def test_softmax_output_is_the_gradient_of_the_cross_entropy(normalization, divisor):
    x, label = np.random.normal(size=(6, 4)), np.array([0, 3, 2, 1, 1, 2])
    label[4] = -1
    want = softmax(x) - np.eye(4)[label]
    want[4] = 0
    got = gradient(
        mx.nd.SoftmaxOutput, x, label, use_ignore=True, normalization=normalization, grad_scale=2
    )
    np.testing.assert_allclose(got, 2 * want / divisor, rtol=1e-4, atol=1e-6)


def test_softmax_output_with_a_map_of_labels():
    x, label = np.random.normal(size=(2, 3, 4, 5)), np.random.randint(0, 3, (2, 4, 5))
    want = softmax(x) - np.moveaxis(np.eye(3)[label], 3, 1)
    got = gradient(mx.nd.SoftmaxOutput, x, label, multi_output=True)
    np.testing.assert_allclose(got, want / 20, rtol=1e-4, atol=1e-6)


def test_out_grad_multiplies_by_the_head():
    x, label = np.random.normal(size=(2, 3)), np.array([0, 2])
    got = gradient(mx.nd.SoftmaxOutput, x, label, out_grad=True)
    np.testing.assert_allclose(got, 7 * (softmax(x) - np.eye(3)[label]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("data", "attrs", "label"),
    [
        ((4, 5), {}, (4,)),
        ((4, 5, 3), {"multi_output": True}, (4, 3)),
        ((4, 5, 3, 2), {"multi_output": True}, (4, 6)),
        ((4, 5, 3), {"preserve_shape": True}, (4, 5)),
    ],
)
def test_label_shape_is_inferred(data, attrs, label):
    head = mx.sym.SoftmaxOutput(mx.sym.Variable("data"), name="head", **attrs)
    assert head.infer_shape(data=data)[0] == [data, label]


def test_label_of_another_shape_is_refused():
    with pytest.raises(mx.base.MXNetError, match="label"):
        mx.nd.SoftmaxOutput(mx.nd.ones((4, 5)), mx.nd.ones((3,)))


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("LinearRegressionOutput", lambda x, y: x - y),
        ("LogisticRegressionOutput", lambda x, y: 1 / (1 + np.exp(-x)) - y),
        ("MAERegressionOutput", lambda x, y: np.sign(x - y)),
    ],
)
def test_regression_heads(name, slope):
    x, y = np.random.normal(size=(3, 4)), np.random.normal(size=(3, 4))
    got = gradient(getattr(mx.nd, name), x, y, grad_scale=0.5)
    np.testing.assert_allclose(got, slope(x, y) * 0.5 / 4, rtol=1e-4, atol=1e-6)
    column = gradient(getattr(mx.nd, name), x[:, :1], y[:, 0])
    np.testing.assert_allclose(column, slope(x[:, :1], y[:, :1]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("linear", [False, True])
def test_svm_output_is_the_gradient_of_the_hinge(linear):
    x, label = np.random.normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])
    sign = np.where(np.arange(3) == label[:, None], -1, 1)
    excess = 1 + sign * x
    want = sign * (excess > 0) if linear else 2 * sign * np.maximum(excess, 0)
    got = gradient(mx.nd.SVMOutput, x, label, use_linear=linear, regularization_coefficient=0.3)
    np.testing.assert_allclose(got, 0.3 * want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 12), (2, 4, 3), (2, 3, 4, 1)])
def test_regression_labels_may_have_another_shape(shape):
    x, y = np.random.normal(size=(2, 3, 4)), np.random.normal(size=shape)
    got = gradient(mx.nd.LinearRegressionOutput, x, y)
    want = (x - y.reshape(x.shape)) / np.prod(shape[1:])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (3, 2), (2,)])
def test_regression_labels_of_other_samples_are_refused(shape):
    with pytest.raises(mx.base.MXNetError, match="label"):
        mx.nd.LinearRegressionOutput(mx.nd.ones((2, 3)), mx.nd.ones(shape))


def test_mae_goes_down_where_data_is_the_label():
    got = gradient(mx.nd.MAERegressionOutput, [[1, 0, -1, 2, 3]], [[1, 0, 0, 1, 4]])
    np.testing.assert_allclose(got, [[-0.2, -0.2, -0.2, 0.2, -0.2]], rtol=1e-6)
