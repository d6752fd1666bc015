"""Layers against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import baryon as mx
from baryon import gluon
from baryon.gluon import nn


def run(layer, *inputs):
    """The layer's result, checked to be the same hybridized."""
    layer.initialize(mx.init.Normal(0.5))
    arrays = [mx.nd.array(x) for x in inputs]
    eager = layer(*arrays)
    if isinstance(layer, gluon.HybridBlock):
        layer.hybridize()
        np.testing.assert_allclose(layer(*arrays).asnumpy(), eager.asnumpy(), rtol=1e-5, atol=1e-6)
    return eager.asnumpy()


def value(param):
    return param.data().asnumpy()


def close(actual, expected, rtol=1e-4, atol=1e-5):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(flatten, use_bias):
    x = np.random.randn(2, 3, 4)
    layer = nn.Dense(5, flatten=flatten, use_bias=use_bias, bias_initializer="ones")
    out = run(layer, x)
    rows = x.reshape(2, 12) if flatten else x
    close(out, rows @ value(layer.weight).T + (1 if use_bias else 0))


def test_dense_activation():
    layer = nn.Dense(5, activation="tanh")
    x = np.random.randn(2, 4)
    close(run(layer, x), np.tanh(x @ value(layer.weight).T))
    assert repr(layer) == "Dense(4 -> 5, Activation(tanh))"


def convolve(x, weight, stride=1, pad=0, dilate=1, groups=1):
    """Plain convolution over any number of axes."""
    axes = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(pad, pad)] * axes)
    span = [(k - 1) * dilate + 1 for k in weight.shape[2:]]
    windows = sliding_window_view(x, span, axis=tuple(range(2, x.ndim)))
    take = (slice(None), slice(None)) + (slice(None, None, stride),) * axes
    windows = windows[take + (slice(None, None, dilate),) * axes]
    letters = "xyz"[:axes]
    kernel = "uvw"[:axes]
    parts = zip(np.split(windows, groups, 1), np.split(weight, groups, 0), strict=True)
    term = f"nc{letters}{kernel},oc{kernel}->no{letters}"
    return np.concatenate([np.einsum(term, a, b) for a, b in parts], axis=1)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"strides": 2, "padding": 1}, {"dilation": 2, "groups": 2}, {"use_bias": False}],
    ids=str,
)
def test_convolution(axes, options):
    x = np.random.randn(2, 4, *(7, 6, 7)[:axes])
    layer = getattr(nn, f"Conv{axes}D")(6, 3, bias_initializer="ones", **options)
    out = run(layer, x)
    expected = convolve(
        x,
        value(layer.weight),
        options.get("strides", 1),
        options.get("padding", 0),
        options.get("dilation", 1),
        options.get("groups", 1),
    )
    close(out, expected + (1 if options.get("use_bias", True) else 0), atol=1e-4)


@pytest.mark.parametrize("axes", [1, 2])
def test_transposed_convolution_is_the_adjoint(axes):
    layer = getattr(nn, f"Conv{axes}DTranspose")(
        3, 4, strides=2, padding=1, output_padding=1, use_bias=False
    )
    x = np.random.randn(2, 5, *(6, 5)[:axes])
    out = run(layer, x)
    assert out.shape[2:] == tuple(2 * n + 1 for n in x.shape[2:])
    y = np.random.randn(*out.shape)
    back = convolve(y, value(layer.weight), stride=2, pad=1)
    back = back[(...,) + tuple(slice(0, n) for n in x.shape[2:])]
    np.testing.assert_allclose((out * y).sum(), (x * back).sum(), rtol=1e-4)


def test_convolution_arguments():
    with pytest.raises(AssertionError, match="list of 2 ints"):
        nn.Conv2D(3, (3,))
    with pytest.raises(AssertionError, match="layouts are valid"):
        nn.Conv2D(3, 3, layout="NWHC")
    with pytest.raises(AssertionError, match="in_channels 3 must be divisible by groups 2"):
        nn.Conv2D(4, 3, in_channels=3, groups=2)
    text = "Conv2D(None -> 3, kernel_size=(3, 3), stride=(1, 1), dilation=(2, 2), Activation(tanh))"
    assert repr(nn.Conv2D(3, 3, dilation=2, activation="tanh")) == text


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Avg"])
def test_pooling(axes, kind):
    x = np.random.randn(2, 3, *(6, 8, 4)[:axes])
    windows = sliding_window_view(x, (2,) * axes, axis=tuple(range(2, x.ndim)))
    windows = windows[(slice(None), slice(None)) + (slice(None, None, 2),) * axes]
    reduce = np.max if kind == "Max" else np.mean
    spatial = tuple(range(2, 2 + axes))
    within = tuple(range(2 + axes, 2 + 2 * axes))
    close(run(getattr(nn, f"{kind}Pool{axes}D")(), x), reduce(windows, axis=within))
    everything = reduce(x, axis=spatial, keepdims=True)
    close(run(getattr(nn, f"Global{kind}Pool{axes}D")(), x), everything)


def test_pooling_conventions():
    x = np.arange(5.0).reshape(1, 1, 5)
    close(run(nn.MaxPool1D(2, ceil_mode=True), x), np.array([[[1.0, 3.0, 4.0]]]))
    close(run(nn.AvgPool1D(3, 3, 1), x), np.array([[[1 / 3, 3.0]]]))
    close(run(nn.AvgPool1D(3, 3, 1, count_include_pad=False), x), np.array([[[0.5, 3.0]]]))


@pytest.mark.parametrize("layer", [nn.BatchNorm, nn.BatchNormReLU])
def test_batch_norm(layer):
    if layer is nn.BatchNormReLU and not hasattr(mx.nd.contrib, "BatchNormWithReLU"):
        pytest.skip("the operator BatchNormWithReLU is not there")
    norm = layer(momentum=0.8, epsilon=1e-3)
    norm.initialize()
    x = np.random.randn(4, 3, 5).astype(np.float32)
    with mx.autograd.record():
        out = norm(mx.nd.array(x))
    out.backward()
    mean, var = x.mean((0, 2)), x.var((0, 2))
    expected = (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-3)
    if layer is nn.BatchNormReLU:
        expected = np.maximum(expected, 0)
    close(out.asnumpy(), expected)
    close(value(norm.running_mean), 0.2 * mean)
    close(value(norm.running_var), 0.8 + 0.2 * var)
    inference = (x - value(norm.running_mean)[:, None]) / np.sqrt(
        value(norm.running_var)[:, None] + 1e-3
    )
    if layer is nn.BatchNormReLU:
        inference = np.maximum(inference, 0)
    close(norm(mx.nd.array(x)).asnumpy(), inference)


def test_batch_norm_without_scale_and_shift():
    norm = nn.BatchNorm(center=False, scale=False)
    assert norm.gamma.grad_req == norm.beta.grad_req == "null"
    assert "fix_gamma=True" in repr(norm)


def normalized(x, axes):
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5)


def test_other_norms():
    x = np.random.randn(2, 4, 6)
    close(run(nn.LayerNorm(), x), normalized(x, -1))
    close(run(nn.LayerNorm(axis=1), x), normalized(x, 1))
    close(run(nn.InstanceNorm(), x), normalized(x, 2))
    close(run(nn.InstanceNorm(axis=2), x), normalized(x, 1))
    groups = normalized(x.reshape(2, 2, 2, 6), (2, 3)).reshape(x.shape)
    close(run(nn.GroupNorm(num_groups=2), x), groups)
    assert nn.LayerNorm(scale=False).gamma.grad_req == "null"


def erf(x):
    return np.vectorize(math.erf)(x)


ACTIVATIONS = {
    "relu": (lambda: nn.Activation("relu"), lambda x: np.maximum(x, 0)),
    "softrelu": (lambda: nn.Activation("softrelu"), lambda x: np.log1p(np.exp(x))),
    "leaky": (lambda: nn.LeakyReLU(0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "prelu": (lambda: nn.PReLU(), lambda x: np.where(x > 0, x, 0.25 * x)),
    "elu": (lambda: nn.ELU(0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "selu": (
        lambda: nn.SELU(),
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    ),
    "gelu": (lambda: nn.GELU(), lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2)))),
    "swish": (lambda: nn.Swish(2.0), lambda x: x / (1 + np.exp(-2 * x))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    make, expected = ACTIVATIONS[name]
    x = np.random.randn(3, 4)
    close(run(make(), x), expected(x))


def test_activation_names():
    assert nn.Activation("relu", prefix=None).name.startswith("relu")
    with pytest.raises(mx.MXNetError, match="foo"):
        nn.Activation("foo")(mx.nd.ones(1))
    with pytest.raises(AssertionError, match="no less than 0"):
        nn.LeakyReLU(-1)


def test_embedding():
    layer = nn.Embedding(5, 3)
    out = run(layer, np.array([[0, 4], [2, 2]]))
    close(out, value(layer.weight)[[[0, 4], [2, 2]]])


def test_dropout():
    x = mx.nd.ones((200, 50))
    layer = nn.Dropout(0.25)
    np.testing.assert_array_equal(layer(x).asnumpy(), x.asnumpy())
    with mx.autograd.train_mode():
        out = layer(x).asnumpy()
        rows = nn.Dropout(0.5, axes=(1,))(x).asnumpy()
    assert set(np.round(np.unique(out), 4)) == {0, np.float32(1.3333)}
    assert abs((out == 0).mean() - 0.25) < 0.02
    assert (rows == rows[:, :1]).all() and len(np.unique(rows)) == 2


def test_flatten_lambda_and_padding():
    x = np.random.randn(2, 3, 4, 5)
    close(run(nn.Flatten(), x), x.reshape(2, -1))
    close(run(nn.Lambda("relu"), x), np.maximum(x, 0))
    close(run(nn.Lambda(lambda x: x * 2), x), x * 2)
    close(run(nn.HybridLambda("sigmoid"), x), 1 / (1 + np.exp(-x)))
    close(run(nn.HybridLambda(lambda F, x: F.relu(x) + 1), x), np.maximum(x, 0) + 1)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="reflect")
    close(run(nn.ReflectionPad2D(1), x), padded)
    with pytest.raises(AssertionError, match="foo is not found"):
        nn.HybridLambda("foo")
    with pytest.raises(ValueError, match="Unrecognized function"):
        nn.Lambda(3)
