"""Softmax over shapes that take every path of its kernels, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 5000), 1), ((9000, 300), -1), ((4, 33, 300), 1), ((7, 2, 3), 0)]
)
def test_values_and_gradients(shape, axis):
    x, w = np.random.normal(size=shape) * 4, np.random.normal(size=shape)
    y = softmax(x, axis)
    want = y * (w - (w * y).sum(axis=axis, keepdims=True))
    data, head = mx.nd.array(x), mx.nd.array(w)
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.softmax(data, axis=axis)
    out.backward(head)
    np.testing.assert_allclose(out.asnumpy(), y, rtol=2e-5, atol=1e-8)
    np.testing.assert_allclose(data.grad.asnumpy(), want, rtol=1e-3, atol=2e-6)
    with mx.autograd.record():
        out = mx.nd.log_softmax(data, axis=axis)
    out.backward(head)
    np.testing.assert_allclose(out.asnumpy(), np.log(y), rtol=2e-5, atol=2e-5)
    want = w - y * w.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(data.grad.asnumpy(), want, rtol=1e-3, atol=2e-5)


def test_entries_beyond_the_length_are_zero():
    x = np.random.normal(size=(2, 4, 3)).astype("float32")
    length = np.array([[1, 2, 4], [3, 4, 2]])
    out = mx.nd.softmax(mx.nd.array(x), mx.nd.array(length), axis=1, use_length=True).asnumpy()
    for i in range(2):
        for j in range(3):
            n = length[i, j]
            np.testing.assert_allclose(out[i, :n, j], softmax(x[i, :n, j], 0), rtol=1e-5)
            assert (out[i, n:, j] == 0).all()


def test_nan_and_infinity_spoil_their_own_row_only():
    x = np.array([[np.nan, 1, 2], [np.inf, 1, 2], [-np.inf, 0, 0]], "float32")
    out = mx.nd.softmax(mx.nd.array(x)).asnumpy()
    assert np.isnan(out[:2]).all()
    np.testing.assert_allclose(out[2], [0, 0.5, 0.5])


def test_axis_outside_of_the_data():
    with pytest.raises(mx.base.MXNetError, match="axis 2"):
        mx.nd.softmax(mx.nd.ones((2, 3)), axis=2)
