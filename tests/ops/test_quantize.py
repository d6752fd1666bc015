"""Quantized operators against the floats that they stand for, and what MXNet 1.9.1 gave."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

C = mx.nd.contrib


def quantized(values, **attrs):
    """int8, low and high of float values."""
    return C.quantize_v2(mx.nd.array(values), **attrs)


def real(result, low, high):
    """The floats of int32 results."""
    return result.asnumpy() * (high.asnumpy() / (2**31 - 1))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_there_and_back_loses_half_a_step(rng, kind):
    x = rng.uniform(0 if kind == "uint8" else -3, 3, (50, 4)).astype("float32")
    back = C.dequantize(*quantized(x, out_type=kind)).asnumpy()
    step = np.abs(x).max() / (127 if kind == "int8" else 255)
    assert np.abs(back - x).max() <= step / 2 + 1e-2 * step


def test_asymmetric_bytes_reach_both_ends(rng):
    x = rng.uniform(-1, 5, (3, 7)).astype("float32")
    q, scale, shift = (a.asnumpy() for a in C.quantize_asym(mx.nd.array(x)))
    assert q.min() == 0 and q.max() == 255
    np.testing.assert_allclose((q - shift) / scale, x, atol=0.6 / scale[0])


def test_requantize_finds_or_takes_a_range():
    x = mx.nd.array([2**30, -(2**28)], dtype="int32")
    ends = mx.nd.array([-4.0]), mx.nd.array([4.0])
    q, low, high = C.requantize(x, *ends)
    assert q.asnumpy().tolist() == [127, -32] and high.asnumpy()[0] == pytest.approx(2)
    q, low, high = C.requantize(x, *ends, out_type="auto", min_calib_range=0.0, max_calib_range=4.0)
    assert q.dtype == np.uint8 and q.asnumpy().tolist() == [128, 0] and low.asnumpy()[0] == 0


@pytest.mark.parametrize("bias", [False, True])
def test_fully_connected_is_near_the_float_one(rng, bias):
    x, w, b = (rng.normal(size=s).astype("float32") for s in ((5, 30), (7, 30), (7,)))
    (qx, *rx), (qw, *rw), (qb, *rb) = map(quantized, (x, w, b))
    given = (qx, qw, qb, *rx, *rw, *rb) if bias else (qx, qw, *rx, *rw)
    got = real(*C.quantized_fully_connected(*given, num_hidden=7, no_bias=not bias))
    want = x @ w.T + (b if bias else 0)
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()


def test_convolution_is_near_the_float_one(rng):
    x, w, b = (rng.normal(size=s).astype("float32") for s in ((2, 3, 8, 8), (4, 3, 3, 3), (4,)))
    attrs = {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "num_filter": 4}
    want = mx.nd.Convolution(*map(mx.nd.array, (x, w, b)), **attrs).asnumpy()
    (qx, *rx), (qw, *rw), (qb, *rb) = map(quantized, (x, w, b))
    got = real(*C.quantized_conv(qx, qw, qb, *rx, *rw, *rb, **attrs))
    assert np.abs(got - want).max() < 0.03 * np.abs(want).max()


def test_sums_of_many_products_are_exact():
    x = mx.nd.full((1, 40000), -127, dtype="int8")
    w = mx.nd.array(np.arange(40000) % 255 - 127, dtype="int8").reshape((1, -1))
    one = mx.nd.ones((1,))
    got = C.quantized_fully_connected(x, w, -one, one, -one, one, num_hidden=1, no_bias=True)[0]
    assert got.asnumpy().item() == -127 * int(w.asnumpy().astype(int).sum())


def test_elementwise(rng):
    x, y = (rng.normal(size=(4, 6)).astype("float32") for _ in range(2))
    (qx, *rx), (qy, *ry) = quantized(x), quantized(y)
    given = (qx, qy, *rx, *ry)
    np.testing.assert_allclose(real(*C.quantized_elemwise_add(*given)), x + y, atol=0.05)
    np.testing.assert_allclose(real(*C.quantized_elemwise_mul(*given)), x * y, atol=0.1)
    product = C.quantized_elemwise_mul(*given, enable_float_output=True).asnumpy()
    np.testing.assert_allclose(product, x * y, atol=0.1)
    eight = C.quantized_elemwise_add(*given, min_calib_range=-5, max_calib_range=5)
    assert eight[0].dtype == np.int8
    np.testing.assert_allclose(C.dequantize(*eight).asnumpy(), x + y, atol=0.1)


def test_batch_norm_is_near_the_float_one(rng):
    x = rng.normal(size=(3, 4, 5)).astype("float32")
    gamma, beta, mean = (rng.normal(size=4).astype("float32") for _ in range(3))
    var = rng.uniform(0.5, 2, 4).astype("float32")
    states = [mx.nd.array(a) for a in (gamma, beta, mean, var)]
    for fixed in (False, True):
        want = mx.nd.BatchNorm(mx.nd.array(x), *(s.copy() for s in states), fix_gamma=fixed)
        reach = float(np.abs(want.asnumpy()).max())
        q, low, high = quantized(x)
        found = C.quantized_batch_norm(
            q, *states, low, high, fix_gamma=fixed, min_calib_range=-reach, max_calib_range=reach
        )
        np.testing.assert_allclose(C.dequantize(*found).asnumpy(), want.asnumpy(), atol=0.1)


def test_recurrent_network_is_near_the_float_one(rng):
    x, h, c = (rng.normal(size=s).astype("float32") for s in ((6, 2, 3), (1, 2, 4), (1, 2, 4)))
    w = mx.nd.array(rng.normal(size=4 * 4 * (3 + 4 + 2)) * 0.3)
    attrs = {"state_size": 4, "num_layers": 1, "mode": "lstm", "state_outputs": True}
    states = mx.nd.array(h), mx.nd.array(c)
    want = mx.nd.RNN(mx.nd.array(x), w, *states, **attrs)
    q, scale, shift = C.quantize_asym(mx.nd.array(x))
    for got, near in zip(C.quantized_rnn(q, w, *states, scale, shift, **attrs), want, strict=True):
        np.testing.assert_allclose(got.asnumpy(), near.asnumpy(), atol=0.02)


# Histograms, with the threshold and divergence that MXNet 1.9.1 found for them.
HISTOGRAMS = [
    ([1, 4, 8, 10, 15, 20, 15, 11, 9, 5, 2], 2.5529898, 3, 1.6246299, 0.0140916),
    ([1, 6, 8, 13, 17, 27, 10, 10, 6, 2], 2.5529898, 3, 2.0423918, 0.0143234),
]


@pytest.mark.parametrize(("hist", "reach", "bins", "threshold", "divergence"), HISTOGRAMS)
def test_entropy_chooses_as_mxnet_does(hist, reach, bins, threshold, divergence):
    edges = np.linspace(-reach, reach, len(hist) + 1)
    got = C.calibrate_entropy(mx.nd.array(hist), mx.nd.array(edges), num_quantized_bins=bins)
    found = [x.asnumpy().item() for x in got]
    np.testing.assert_allclose(found, [threshold, divergence], rtol=1e-4)


@pytest.mark.parametrize("index", [-9, 9, 1e20, np.nan])
def test_embedding_clips_wild_numbers(index):
    weight, one = mx.nd.array([[1, 2], [3, 4]], dtype="int8"), mx.nd.ones((1,))
    rows = C.quantized_embedding(mx.nd.array([index]), weight, -one, one, input_dim=2, output_dim=2)
    assert rows[0].asnumpy().ravel().tolist() in ([1, 2], [3, 4])


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda b, f, i: C.dequantize(f, i, i), "input 0 is float32, expected int8 or uint8"),
        (lambda b, f, i: C.quantized_act(b, i, i, act_type="tanh"), "only relu"),
        (lambda b, f, i: C.quantized_pooling(b, i, i, kernel=(1, 1), pool_type="sum"), "max and"),
        (lambda b, f, i: C.quantize_v2(f, min_calib_range=2, max_calib_range=1), "is above"),
        (lambda b, f, i: C.quantize(f, i.astype("int8"), i), "input 1 is int8, expected float32"),
        (lambda b, f, i: C.quantized_concat(b, b, i, i, num_args=2), "2 arrays and the two ends"),
        (lambda b, f, i: C.calibrate_entropy(i, i, num_quantized_bins=4), "expected 3, 5"),
        (
            lambda b, f, i: C.quantized_batch_norm(b, i, i, i, i, i, i),
            "needs min_calib_range and max_calib_range",
        ),
    ],
)
def test_wrong_arguments_are_named(call, what):
    image = mx.nd.ones((1, 1, 2, 2))
    with pytest.raises(mx.MXNetError, match=f"operator _contrib_.*{what}"):
        call(image.astype("int8"), image, mx.nd.ones((1,)))
