"""Normalisation over layouts that take every path of the kernels, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx


def vector(n):
    return mx.nd.array(np.random.uniform(0.5, 1.5, n))


@pytest.mark.parametrize(
    ("shape", "axis"), [((8, 5, 9, 9), 1), ((40, 300), 1), ((6, 4, 3), 1), ((3, 5, 4, 70), -1)]
)
def test_batch_norm_trains_with_the_statistics_of_the_batch(shape, axis):
    x, w = np.random.normal(50, 2, shape), np.random.normal(size=shape)
    n = shape[axis]
    gamma, beta, mean, var = vector(n), vector(n), vector(n), vector(n)
    before = mean.asnumpy(), var.asnumpy()
    data = mx.nd.array(x)
    for array in (data, gamma, beta):
        array.attach_grad()
    with mx.autograd.record():
        out = mx.nd.BatchNorm(data, gamma, beta, mean, var, fix_gamma=False, axis=axis, eps=1e-3)
    np.testing.assert_array_equal(mean.asnumpy(), before[0])
    out.backward(mx.nd.array(w))

    rest = tuple(i for i in range(len(shape)) if i != axis % len(shape))
    along = [1 if i in rest else -1 for i in range(len(shape))]
    m, v = x.mean(rest), x.var(rest)
    unit = (x - m.reshape(along)) / np.sqrt(v + 1e-3).reshape(along)
    want = unit * gamma.asnumpy().reshape(along) + beta.asnumpy().reshape(along)
    np.testing.assert_allclose(out.asnumpy(), want, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(mean.asnumpy(), 0.9 * before[0] + 0.1 * m, rtol=1e-5)
    np.testing.assert_allclose(var.asnumpy(), 0.9 * before[1] + 0.1 * v, rtol=1e-4)
    np.testing.assert_allclose(beta.grad.asnumpy(), w.sum(rest), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(gamma.grad.asnumpy(), (w * unit).sum(rest), rtol=1e-3, atol=1e-3)
    d = w - w.mean(rest, keepdims=True) - unit * (w * unit).mean(rest, keepdims=True)
    scale = (gamma.asnumpy() / np.sqrt(v + 1e-3)).reshape(along)
    np.testing.assert_allclose(data.grad.asnumpy(), d * scale, rtol=1e-3, atol=1e-4)


def test_batch_norm_predicts_with_the_moving_statistics():
    x, gamma, beta, mean, var = mx.nd.random.normal(shape=(4, 3, 5)), *map(vector, [3] * 4)
    out = mx.nd.BatchNorm(x, gamma, beta, mean, var, eps=1e-3)
    np.testing.assert_array_equal(gamma.asnumpy(), 1)  # fix_gamma writes it
    m, v, b = (a.asnumpy()[:, None] for a in (mean, var, beta))
    np.testing.assert_allclose(out.asnumpy(), (x.asnumpy() - m) / np.sqrt(v + 1e-3) + b, rtol=1e-4,
                               atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), [((70, 300), -1), ((2, 5000), 1), ((3, 6, 4), 1)])
def test_layer_norm(shape, axis):
    x, n = np.random.normal(3, 2, shape), shape[axis]
    gamma, beta = vector(n), vector(n)
    out, mean, std = mx.nd.LayerNorm(mx.nd.array(x), gamma, beta, axis=axis, output_mean_var=True)
    along = [-1 if i == axis % len(shape) else 1 for i in range(len(shape))]
    m, s = x.mean(axis, keepdims=True), np.sqrt(x.var(axis, keepdims=True) + 1e-5)
    want = (x - m) / s * gamma.asnumpy().reshape(along) + beta.asnumpy().reshape(along)
    np.testing.assert_allclose(out.asnumpy(), want, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(mean.asnumpy(), m, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(std.asnumpy(), s, rtol=1e-4)


def test_group_count_must_divide_the_channels():
    with pytest.raises(mx.base.MXNetError, match="num_groups"):
        mx.nd.GroupNorm(mx.nd.ones((2, 6, 3)), vector(4), vector(4), num_groups=4)
