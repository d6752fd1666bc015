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


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("n", [3, 40, 1500])
def test_masks_of_any_kind(n, axis):
    """Entries far below the others are 0, whatever comes first; nothing but -inf is NaN."""
    x = np.random.normal(size=(n, 300)).astype("float32")
    x[: n // 2] = -np.inf
    x[n // 2] = -1e9
    x[:, 0] = -np.inf
    x = np.ascontiguousarray(x.T) if axis == 1 else x
    with np.errstate(invalid="ignore"):
        want = softmax(x.astype("float64"), axis)
    out = mx.nd.softmax(mx.nd.array(x), axis=axis).asnumpy()
    np.testing.assert_allclose(out, want, rtol=3e-6)
    empty, hidden = (out[:, 0], out[: n // 2, 1:]) if axis == 0 else (out[0], out[1:, : n // 2])
    assert np.isnan(empty).all() and (hidden == 0).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1000.0])
def test_as_exact_as_floats(axis, scale):
    x = (np.random.normal(size=(1030, 257)) * scale).astype("float32")
    want = softmax(x.astype("float64"), axis)
    got = mx.nd.softmax(mx.nd.array(x), axis=axis).asnumpy()
    shifted = x.astype("float64") - x.max(axis=axis, keepdims=True)
    allowed = want * (1e-6 - 6e-8 * shifted) + 1e-38  # differences are rounded to floats, too
    assert (np.abs(got - want) <= allowed).all()
    logs = mx.nd.log_softmax(mx.nd.array(x), axis=axis).asnumpy()
    logarithm = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    np.testing.assert_allclose(logs, logarithm, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("temperature", [0.1, -2.0])
def test_temperature(temperature):
    x = np.random.normal(size=(40, 77)).astype("float32")
    for axis in (0, 1):
        got = mx.nd.softmax(mx.nd.array(x), axis=axis, temperature=temperature).asnumpy()
        np.testing.assert_allclose(got, softmax(x / temperature, axis), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_same_for_any_number_of_threads(axis):
    x = mx.nd.array(np.random.normal(size=(1500, 700)))
    before = mx.num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            mx.set_num_threads(threads)
            found.append(mx.nd.softmax(x, axis=axis).asnumpy())
    finally:
        mx.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_axis_outside_of_the_data():
    with pytest.raises(mx.base.MXNetError, match="axis 2"):
        mx.nd.softmax(mx.nd.ones((2, 3)), axis=2)
