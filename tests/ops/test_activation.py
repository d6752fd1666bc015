"""Activations at the ends of their range, against NumPy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

import baryon as mx

POINTS = np.array([-np.inf, -100.0, -20.0, -1.5, -1e-4, 0.0, 1e-4, 0.7, 20.0, 100.0, np.inf])
FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softrelu": lambda x: np.logaddexp(x, 0),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_activation(kind, dtype):
    with np.errstate(over="ignore"):
        want = FORMULAS[kind](POINTS)
    out = mx.nd.Activation(mx.nd.array(POINTS, dtype=dtype), act_type=kind)
    assert out.dtype == np.dtype(dtype)
    rtol = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(out.asnumpy().astype("float64"), want, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("kind", ["relu", "sigmoid", "softrelu", "softsign", "tanh"])
def test_nan_passes_forward_and_backward(kind):
    data = mx.nd.array([np.nan] * 20)
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Activation(data, act_type=kind)
    out.backward()
    assert np.isnan(out.asnumpy()).all() and np.isnan(data.grad.asnumpy()).all()


def test_gradient_of_relu_at_nan_and_zero():
    data = mx.nd.array([np.nan, -1, -0.0, 0, 2])
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.relu(data)
    out.backward(mx.nd.full(5, 3))
    np.testing.assert_array_equal(data.grad.asnumpy(), [np.nan, 0, 0, 0, 3])


@pytest.mark.parametrize("kind", ["elu", "gelu", "leaky", "selu"])
def test_leaky_relu(kind):
    x = np.linspace(-4, 4, 41)
    want = {
        "elu": np.where(x > 0, x, 0.25 * np.expm1(x)),
        "gelu": np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]),
        "leaky": np.where(x > 0, x, 0.25 * x),
        "selu": 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    }[kind]
    out = mx.nd.LeakyReLU(mx.nd.array(x), act_type=kind, slope=0.25).asnumpy()
    np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-6)


def test_prelu_gradient_of_its_slopes():
    x, w = np.random.normal(size=(4, 3, 5)), np.random.normal(size=(4, 3, 5))
    gamma = mx.nd.array([0.1, 0.2, 0.3])
    gamma.attach_grad()
    with mx.autograd.record():
        out = mx.nd.LeakyReLU(mx.nd.array(x), gamma, act_type="prelu")
    out.backward(mx.nd.array(w))
    want = (w * np.minimum(x, 0)).sum(axis=(0, 2))
    np.testing.assert_allclose(gamma.grad.asnumpy(), want, rtol=1e-4, atol=1e-5)


def test_rrelu_draws_slopes_in_training_only():
    x = -np.ones((1000,), "float32")
    bounds = {"lower_bound": 0.2, "upper_bound": 0.4}
    fixed = mx.nd.LeakyReLU(mx.nd.array(x), act_type="rrelu", **bounds).asnumpy()
    np.testing.assert_allclose(fixed, -0.3, rtol=1e-5)
    data = mx.nd.array(x)
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.LeakyReLU(data, act_type="rrelu", **bounds)
    out.backward()
    drawn = -out.asnumpy()
    assert 0.2 <= drawn.min() < 0.21 and 0.39 < drawn.max() <= 0.4
    np.testing.assert_allclose(data.grad.asnumpy(), drawn, rtol=1e-5)


def test_unknown_kind():
    with pytest.raises(mx.base.MXNetError, match="act_type"):
        mx.nd.Activation(mx.nd.ones((1,)), act_type="swish")
