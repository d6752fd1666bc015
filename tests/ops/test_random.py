"""Random numbers: Philox's published words, the same from kernels as from bodies, and moments."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.native import native
from baryon.ops.philox import Philox

N = 100_000


def draw(name, **attrs):
    return getattr(mx.nd._internal, name)(shape=(N,), **attrs).asnumpy()


def test_philox_gives_the_published_words():
    # Known answers of the authors' Random123 library for Philox4x32-10.
    zeros = Philox(np, 0, 0).bits((4,))
    assert [hex(w) for w in zeros] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    ones = Philox(np, 2**64 - 1, 2**64 - 1)
    ones.block = 2**64 - 1
    words = ones.bits((4,))
    assert [hex(w) for w in words] == ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]


@pytest.mark.skipif(native is None, reason="the native extension is absent")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernel_draws_the_same_uniforms(dtype):
    out = np.empty(10_001, dtype)
    seed, stream = (7 << 32) + 9, (1 << 33) + 5
    native.run_kernel("_random_uniform", [], [out], (0.0, 1.0, 7.0, 9.0, float(stream)))
    np.testing.assert_array_equal(out, Philox(np, seed, stream).uniform(out.shape, dtype))


def test_seed_repeats_and_draws_differ():
    mx.random.seed(3)
    first, second = draw("_random_uniform"), draw("_random_uniform")
    mx.random.seed(3)
    np.testing.assert_array_equal(first, draw("_random_uniform"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("name", "attrs", "mean", "variance"),
    [
        ("_random_uniform", {"low": -1, "high": 3}, 1, 16 / 12),
        ("_random_normal", {"loc": 2, "scale": 3}, 2, 9),
        ("_random_gamma", {"alpha": 0.5, "beta": 2}, 1, 2),
        ("_random_gamma", {"alpha": 9, "beta": 0.5}, 4.5, 2.25),
        ("_random_exponential", {"lam": 4}, 0.25, 1 / 16),
        ("_random_poisson", {"lam": 4}, 4, 4),
        ("_random_poisson", {"lam": 50}, 50, 50),
        ("_random_negative_binomial", {"k": 3, "p": 0.4}, 4.5, 11.25),
        ("_random_generalized_negative_binomial", {"mu": 2, "alpha": 0.3}, 2, 3.2),
        ("_random_randint", {"low": -5, "high": 6}, 0, 10),
    ],
)
def test_moments(name, attrs, mean, variance):
    values = draw(name, **attrs).astype("float64")
    assert abs(values.mean() - mean) < 5 * (variance / N) ** 0.5
    assert abs(values.var() / variance - 1) < 0.05


def test_parameters_as_arrays_give_one_row_each():
    mu, sigma = mx.nd.array([0, 10]), mx.nd.array([1, 0.1])
    values = mx.nd._internal._sample_normal(mu, sigma, shape=(N // 10,)).asnumpy()
    assert values.shape == (2, N // 10)
    np.testing.assert_allclose(values.mean(axis=1), [0, 10], atol=0.05)
    np.testing.assert_allclose(values.std(axis=1), [1, 0.1], rtol=0.05)


def test_multinomial_follows_its_probabilities():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    out, log = mx.nd._internal._sample_multinomial(mx.nd.array(p), shape=(N,), get_prob=True)
    out = out.asnumpy()
    assert out.dtype == np.int32
    for row, expected, got in zip(out, p, log.asnumpy(), strict=True):
        np.testing.assert_allclose(np.bincount(row, minlength=3) / N, expected, atol=0.01)
        np.testing.assert_allclose(got, np.log(expected[row]), rtol=1e-5)


def test_shuffle_keeps_the_rows_together():
    x = np.arange(2000.0).reshape(1000, 2)
    out = mx.nd._internal._shuffle(mx.nd.array(x)).asnumpy()
    assert not np.array_equal(out, x)
    np.testing.assert_array_equal(out[out[:, 0].argsort()], x)


def test_dropout_masks_and_scales_in_training_only():
    x = mx.nd.ones((N,))
    np.testing.assert_array_equal(mx.nd.Dropout(x, p=0.3).asnumpy(), 1)
    x.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Dropout(x, p=0.3)
    out.backward()
    values = out.asnumpy()
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((values == 0).mean() - 0.3) < 0.01
    np.testing.assert_array_equal(x.grad.asnumpy(), values)


def test_dropout_shares_its_decision_along_axes():
    with mx.autograd.train_mode():
        out = mx.nd.Dropout(mx.nd.ones((50, 20)), p=0.5, axes=(1,)).asnumpy()
    assert (out == out[:, :1]).all() and 0 < out[:, 0].mean() < 2


@pytest.mark.parametrize(
    ("name", "attrs"),
    [("_random_normal", {"scale": -1}), ("_random_randint", {"low": 3, "high": 3}),
     ("_random_gamma", {"alpha": 0})],
)  # fmt: skip
def test_parameters_out_of_range(name, attrs):
    with pytest.raises(mx.base.MXNetError):
        draw(name, **attrs)
