"""Pooling against windows cut one by one, and its odd cases."""

from itertools import product

import numpy as np
import pytest
from both import check

import baryon as mx

LOWEST = np.finfo("float32").min


def array(*shape, seed=0):
    """Few distinct values, so that windows have ties."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype("float32")


def windows(shape, kernel, stride, pad, sizes):
    """For each output place, the index arrays of its window cut to the input, and its divisor."""
    for at in product(*map(range, sizes)):
        begin = [a * s - p for a, s, p in zip(at, stride, pad, strict=True)]
        end = [min(b + k, n + p) for b, k, n, p in zip(begin, kernel, shape, pad, strict=True)]
        whole = np.prod([max(e - b, 1) for b, e in zip(begin, end, strict=True)])
        cut = tuple(
            slice(max(b, 0), max(min(e, n), 0)) for b, e, n in zip(begin, end, shape, strict=True)
        )
        yield at, cut, whole


def by_hand(x, head, kind, kernel, stride, pad, sizes, include):
    """Pooling and its gradient, window by window."""
    out, grad = np.zeros((*x.shape[:2], *sizes)), np.zeros(x.shape)
    for n, c in np.ndindex(*x.shape[:2]):
        for at, cut, whole in windows(x.shape[2:], kernel, stride, pad, sizes):
            part, dy = x[(n, c, *cut)], head[(n, c, *at)]
            if kind == "max":
                out[(n, c, *at)] = part.max() if part.size else LOWEST
                if part.size:
                    first = np.unravel_index(part.argmax(), part.shape)
                    grad[(n, c, *cut)][first] += dy
                continue
            count = 1 if kind == "sum" else whole if include else max(part.size, 1)
            out[(n, c, *at)] = part.sum() / count
            grad[(n, c, *cut)] += dy / count
    return out, grad


@pytest.mark.parametrize("kind", ["max", "avg", "sum"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize(
    "shape, kernel, stride, pad, convention",
    [
        ((2, 3, 40), (3,), (2,), (1,), "valid"),
        ((2, 3, 24, 24), (2, 2), (2, 2), (0, 0), "valid"),
        ((2, 3, 9, 35), (3, 3), (2, 2), (1, 1), "valid"),
        ((2, 2, 7, 8), (3, 3), (2, 2), (0, 0), "full"),
        ((1, 2, 6, 6), (3, 2), (1, 3), (1, 1), "full"),
        ((1, 2, 5), (1,), (3,), (0,), "full"),
        ((1, 2, 5, 6, 7), (2, 3, 2), (2, 1, 2), (1, 1, 0), "valid"),
        ((1, 2, 8), (3,), (2,), (0,), "same"),
    ],
)
def test_windows(shape, kernel, stride, pad, convention, kind, include):
    x = mx.nd.array(array(*shape))
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Pooling(
            x,
            kernel=kernel,
            stride=stride,
            pad=pad,
            pool_type=kind,
            pooling_convention=convention,
            count_include_pad=include,
        )
    head = array(*y.shape, seed=1)
    y.backward(mx.nd.array(head))
    out, grad = by_hand(x.asnumpy(), head, kind, kernel, stride, pad, y.shape[2:], include)
    np.testing.assert_allclose(y.asnumpy(), out, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(x.grad.asnumpy(), grad, rtol=1e-5, atol=1e-5)


def test_nan_is_the_maximum_and_gets_the_gradient():
    x = mx.nd.array([[[[1, 2, 3, np.nan], [np.nan, 5, 4, np.nan]]]])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Pooling(x, kernel=(2, 2), stride=(2, 2))
    y.backward()
    assert np.isnan(y.asnumpy()).all()
    np.testing.assert_array_equal(x.grad.asnumpy()[0, 0], [[0, 0, 0, 1], [1, 0, 0, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 7, 8, 8), (2, 3, 6, 14), (1, 2, 4, 70), (1, 1, 2, 4100)])
def test_adjacent_windows_of_two_by_two(shape, dtype):
    odd = [np.nan, np.inf, -np.inf, np.finfo(dtype).min, 0.0, 1.0, 2.0]
    x = np.random.default_rng(0).choice(odd, shape).astype(dtype)
    attrs = {"kernel": (2, 2), "stride": (2, 2)}
    head = array(*check("Pooling", x, **attrs).shape).astype(dtype)
    check("_backward_Pooling", head, x, shape=shape, **attrs)


def test_windows_in_the_padding_are_the_lowest_value_as_in_mxnet():
    y = mx.nd.Pooling(mx.nd.ones((1, 1, 2, 2)), kernel=(2, 2), pad=(2, 2)).asnumpy()
    assert y[0, 0, 0, 0] == LOWEST and y[0, 0, 2, 2] == 1


def test_the_old_pooling_pads_maxima_with_zero_and_shares_ties():
    x = mx.nd.array(-np.ones((1, 1, 4, 4)))
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Pooling_v1(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1))
    y.backward()
    np.testing.assert_array_equal(y.asnumpy()[0, 0], [[0, 0], [0, -1]])
    np.testing.assert_array_equal(x.grad.asnumpy()[0, 0, 1:, 1:], np.ones((3, 3)))
    assert x.grad.asnumpy().sum() == 9


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (6, 7), (8, 9)])
def test_adaptive_windows(size):
    x = array(1, 2, 6, 7)
    got = mx.nd.contrib.AdaptiveAvgPooling2D(mx.nd.array(x), output_size=size).asnumpy()
    for i, j in np.ndindex(*size):
        rows = slice(i * 6 // size[0], -(-(i + 1) * 6 // size[0]))
        columns = slice(j * 7 // size[1], -(-(j + 1) * 7 // size[1]))
        want = x[:, :, rows, columns].mean((2, 3))
        np.testing.assert_allclose(got[:, :, i, j], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms_sum_signed_powers(p):
    x = np.array([[[[-1, 2], [-3, 0]]]], "float32")
    y = mx.nd.Pooling(mx.nd.array(x), kernel=(2, 2), pool_type="lp", p_value=p).asnumpy().item()
    total = (x**p).sum()
    np.testing.assert_allclose(y, np.sign(total) * abs(total) ** (1 / p), rtol=1e-5)


@pytest.mark.parametrize(
    "shape, attrs, message",
    [
        ((1, 1, 7, 7), {}, "kernel"),
        ((1, 1, 2, 2), {"kernel": (3, 3)}, "exceeds"),
        ((4, 4), {"kernel": (2, 2)}, "axes"),
        ((1, 1, 7, 7), {"kernel": (3, 3), "pool_type": "lp"}, "p_value"),
        ((1, 1, 8), {"kernel": (3,), "pad": (1,), "pooling_convention": "same"}, "pad"),
    ],
)
def test_what_does_not_fit_is_named(shape, attrs, message):
    with pytest.raises(mx.MXNetError, match=f"operator Pooling.*{message}"):
        mx.nd.Pooling(mx.nd.ones(shape), **attrs)
