"""Matrix products: cases beyond the samples."""

import numpy as np
import pytest

import baryon as mx


def array(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(
    "a, b, transpose_a, transpose_b, axes",
    [
        ((2, 3, 4), (4, 5), False, False, (2, 0)),
        ((4, 2, 3), (4, 6, 5), True, False, (0, 0)),
        ((2, 3, 4), (5, 6, 4), False, True, (2, 2)),
        ((4, 2, 3), (6, 5, 4), True, True, (0, 2)),
        ((3,), (3, 4), False, False, (0, 0)),
        ((3, 4), (4,), False, False, (1, 0)),
    ],
)
def test_dot_contracts_one_axis_of_each(a, b, transpose_a, transpose_b, axes):
    a, b = array(*a), array(*b, seed=1)
    got = mx.nd.dot(
        mx.nd.array(a), mx.nd.array(b), transpose_a=transpose_a, transpose_b=transpose_b
    )
    np.testing.assert_allclose(got.asnumpy(), np.tensordot(a, b, axes=axes), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (15, 33, 7), (64, 10, 500), (130, 70, 300)])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_that_fit_no_tile(m, n, k, transpose_a, transpose_b, dtype):
    a, b = array(m, k, dtype=dtype), array(k, n, dtype=dtype, seed=1)
    got = mx.nd.dot(
        mx.nd.array(a.T if transpose_a else a, dtype=dtype),
        mx.nd.array(b.T if transpose_b else b, dtype=dtype),
        transpose_a=transpose_a,
        transpose_b=transpose_b,
    )
    want = a.astype("float64") @ b.astype("float64")
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    np.testing.assert_allclose(got.asnumpy(), want, rtol=tolerance, atol=tolerance)


def test_half_precision_sums_in_float32():
    ones = mx.nd.ones((1, 4096), dtype="float16")
    assert mx.nd.dot(ones, ones, transpose_b=True).asnumpy().item() == 4096


@pytest.mark.parametrize("count", [1, 3, 200])
def test_batch_dot_of_few_and_many(count):
    a, b = array(count, 5, 6), array(count, 6, 7, seed=1)
    got = mx.nd.batch_dot(mx.nd.array(a), mx.nd.array(b)).asnumpy()
    np.testing.assert_allclose(got, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 800), (7, 3, 11), (1, 1)])
def test_fully_connected_gradients(shape):
    x, w, b = mx.nd.array(array(*shape)), mx.nd.array(array(5, np.prod(shape[1:]))), mx.nd.ones(5)
    for value in (x, w, b):
        value.attach_grad()
    head = array(shape[0], 5, seed=2)
    with mx.autograd.record():
        y = mx.nd.FullyConnected(x, w, b, num_hidden=5)
    y.backward(mx.nd.array(head))
    rows = x.asnumpy().reshape(shape[0], -1)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(y.asnumpy(), rows @ w.asnumpy().T + 1, **close)
    np.testing.assert_allclose(x.grad.asnumpy().reshape(rows.shape), head @ w.asnumpy(), **close)
    np.testing.assert_allclose(w.grad.asnumpy(), head.T @ rows, **close)
    np.testing.assert_allclose(b.grad.asnumpy(), head.sum(0), **close)


def test_weights_follow_from_data_and_batch_from_output():
    x = mx.sym.Variable("x")
    net = mx.sym.FullyConnected(x, num_hidden=5, name="fc")
    shapes, out, _ = net.infer_shape_partial(x=(0, 3, 4))
    assert dict(zip(net.list_arguments(), shapes, strict=True))["fc_weight"] == (5, 12)
    shapes, _, _ = (net + mx.sym.Variable("z")).infer_shape(x=(0, 12), z=(7, 5))
    assert shapes[0] == (7, 12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mx.nd.dot(mx.nd.ones((4, 3)), mx.nd.ones((4, 3))),
        lambda: mx.nd.dot(mx.nd.ones(4), mx.nd.ones(4), transpose_a=True),
        lambda: mx.nd.batch_dot(mx.nd.ones((2, 4, 3)), mx.nd.ones((1, 3, 3))),
        lambda: mx.nd.batch_dot(mx.nd.ones((4, 3)), mx.nd.ones((3, 3))),
        lambda: mx.nd.FullyConnected(
            mx.nd.ones((1, 3, 5)), mx.nd.ones((2, 3)), mx.nd.ones(2), num_hidden=2
        ),
        lambda: mx.nd.FullyConnected(mx.nd.ones((1, 3)), mx.nd.ones((2, 3)), num_hidden=0),
    ],
)
def test_what_does_not_fit_is_named(call):
    with pytest.raises(mx.MXNetError, match="operator (dot|batch_dot|FullyConnected)"):
        call()
