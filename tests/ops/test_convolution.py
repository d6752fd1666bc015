"""Convolution and Deconvolution against a direct sum over windows, and their odd cases."""

from itertools import product

import numpy as np
import pytest

import baryon as mx


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_hand(x, w, stride, dilate, pad, groups):
    """Convolution as its definition: one window at a time."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in pad])
    sizes = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, d, s in zip(x.shape[2:], w.shape[2:], dilate, stride, strict=True)
    ]
    out = np.zeros((x.shape[0], w.shape[0], *sizes))
    inputs, filters = w.shape[1], w.shape[0] // groups
    for at in product(*map(range, sizes)):
        window = tuple(
            slice(
                at[i] * stride[i],
                at[i] * stride[i] + dilate[i] * (w.shape[2 + i] - 1) + 1,
                dilate[i],
            )
            for i in range(rank)
        )
        cut = x[(slice(None), slice(None), *window)]
        for g in range(groups):
            part = cut[:, g * inputs : (g + 1) * inputs]
            kernels = w[g * filters : (g + 1) * filters]
            axes = list(range(1, rank + 2))
            out[(slice(None), slice(g * filters, (g + 1) * filters), *at)] = np.tensordot(
                part, kernels, (axes, axes)
            )
    return out


CASES = [
    # data, filters, kernel, stride, dilate, pad, groups
    ((2, 3, 11), 5, (3,), (2,), (2,), (1,), 1),
    ((2, 1, 12, 12), 20, (5, 5), (1, 1), (1, 1), (0, 0), 1),
    ((3, 20, 12, 12), 50, (5, 5), (1, 1), (1, 1), (0, 0), 1),
    ((2, 65, 7, 7), 70, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 4, 9, 10), 6, (3, 2), (2, 3), (1, 2), (1, 0), 2),
    ((2, 8, 9, 17), 8, (3, 3), (1, 1), (1, 1), (1, 1), 8),
    ((2, 8, 9, 18), 8, (3, 3), (2, 2), (2, 1), (1, 2), 8),
    ((1, 3, 9, 9), 6, (3, 3), (1, 1), (1, 1), (0, 0), 3),
    ((2, 40, 6, 6), 33, (1, 1), (1, 1), (1, 1), (0, 0), 1),
    ((2, 5, 7, 7), 4, (1, 1), (3, 3), (1, 1), (0, 0), 1),
    ((1, 2, 4, 5, 6), 3, (2, 3, 2), (2, 1, 1), (1, 1, 2), (1, 0, 1), 1),
]


def attributes(case):
    _, filters, kernel, stride, dilate, pad, groups = case
    return dict(
        num_filter=filters, kernel=kernel, stride=stride, dilate=dilate, pad=pad, num_group=groups
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_and_its_gradients(case, dtype):
    shape, filters, kernel, stride, dilate, pad, groups = case
    x, w, b = array(*shape), array(filters, shape[1] // groups, *kernel, seed=1), array(filters)
    values = [mx.nd.array(v, dtype=dtype) for v in (x, w, b)]
    for value in values:
        value.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Convolution(*values, **attributes(case))
    want = by_hand(x, w, stride, dilate, pad, groups)
    head = array(*want.shape, seed=2)
    y.backward(mx.nd.array(head, dtype=dtype))
    tolerance = 2e-4 if dtype == "float32" else 1e-10
    close = {"rtol": tolerance, "atol": tolerance * 10}
    bias = b.reshape(-1, *(1,) * len(kernel))
    np.testing.assert_allclose(y.asnumpy(), want + bias, **close)
    # The convolution is linear in each input: <head, conv(d)> = <gradient, d> for any d.
    dx, dw = array(*x.shape, seed=3), array(*w.shape, seed=4)
    along = [
        by_hand(dx, w, stride, dilate, pad, groups),
        by_hand(x, dw, stride, dilate, pad, groups),
    ]
    for value, d, moved in zip(values, (dx, dw), along, strict=False):
        got, scale = (
            value.grad.asnumpy().astype("float64"),
            np.linalg.norm(head) * np.linalg.norm(moved),
        )
        np.testing.assert_allclose(np.vdot(got, d), np.vdot(head, moved), atol=tolerance * scale)
    np.testing.assert_allclose(
        values[2].grad.asnumpy(), head.sum((0, *range(2, head.ndim))), **close
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_deconvolution_is_the_adjoint(case):
    shape, filters, kernel, stride, dilate, pad, groups = case
    w = array(filters, shape[1] // groups, *kernel, seed=1)
    x = array(*shape)
    y = by_hand(x, w, stride, dilate, pad, groups)
    head = array(*y.shape, seed=2)
    attrs = {**attributes(case), "num_filter": shape[1], "target_shape": ()}
    reach = [
        (o - 1) * s + d * (k - 1) + 1 - 2 * p
        for o, s, d, k, p in zip(y.shape[2:], stride, dilate, kernel, pad, strict=True)
    ]
    adj = tuple(n - r for n, r in zip(shape[2:], reach, strict=True))
    got = mx.nd.Deconvolution(
        mx.nd.array(head, dtype="float64"), mx.nd.array(w, dtype="float64"), adj=adj, **attrs
    )
    assert got.shape == shape
    np.testing.assert_allclose(np.vdot(got.asnumpy(), x), np.vdot(head, y), rtol=1e-9)


def test_results_do_not_depend_on_the_number_of_threads():
    x, w = mx.nd.array(array(8, 20, 12, 12)), mx.nd.array(array(50, 20, 5, 5))
    x.attach_grad()
    w.attach_grad()
    found = []
    before = mx.num_threads()
    for threads in (1, 2, 5):
        mx.set_num_threads(threads)
        with mx.autograd.record():
            y = mx.nd.Convolution(x, w, kernel=(5, 5), num_filter=50, no_bias=True)
        y.backward()
        found.append([v.asnumpy().copy() for v in (y, x.grad, w.grad)])
    mx.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_lies_outside_a_window_stays_outside():
    x = np.zeros((1, 1, 5, 37), "float32")
    x[..., -1] = np.inf
    y = mx.nd.Convolution(
        mx.nd.array(x), mx.nd.ones((1, 1, 3, 3)), kernel=(3, 3), num_filter=1, no_bias=True
    ).asnumpy()
    assert np.isfinite(y[..., :-1]).all() and np.isinf(y[..., -1]).all()


def test_target_shape_chooses_padding():
    x, w = mx.nd.ones((1, 3, 4, 4)), mx.nd.ones((3, 2, 3, 3))
    for size in (7, 8, 9):
        y = mx.nd.Deconvolution(
            x, w, kernel=(3, 3), num_filter=2, stride=(2, 2), target_shape=(size, size)
        )
        assert y.shape == (1, 2, size, size)


def test_shapes_both_ways():
    net = mx.sym.Convolution(
        mx.sym.Variable("x"), name="c", kernel=(3, 3), num_filter=8, pad=(1, 1), layout="NCHW"
    )
    args, out, _ = net.infer_shape_partial(x=(0, 3, 8, 0))
    assert args == [(0, 3, 8, 0), (8, 3, 3, 3), (8,)] and out == [(0, 8, 8, 0)]
    both = net + mx.sym.Variable("z")
    args, _, _ = both.infer_shape(x=(0, 3, 0, 0), z=(2, 8, 4, 4))
    assert args[0] == (2, 3, 4, 4)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stride": (2,)}, "stride"),
        ({"pad": (-1, 0)}, "pad"),
        ({"kernel": (7, 7)}, "reaches over 7"),
        ({"kernel": (1, 1, 1, 1)}, "1, 2 or 3"),
        ({"num_filter": 0}, "num_filter"),
        ({"num_group": 2}, "num_group"),
        ({"layout": "NCW"}, "layout"),
        ({"kernel": (2, 2)}, "weight"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    attrs = {"kernel": (3, 3), "num_filter": 4, "no_bias": True, **changes}
    with pytest.raises(mx.MXNetError, match=f"operator Convolution.*{message}"):
        mx.nd.Convolution(mx.nd.ones((1, 3, 5, 5)), mx.nd.ones((4, 3, 3, 3)), **attrs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("filters", "channels", "image", "attrs"),
    [
        (20, 1, (12, 12), {"kernel": (5, 5)}),
        (50, 3, (7, 9), {"kernel": (3, 3), "pad": (1, 1)}),
        (37, 5, (15, 17), {"kernel": (3, 2), "stride": (2, 3), "pad": (2, 0)}),
        (30, 4, (14, 11), {"kernel": (3, 3), "dilate": (2, 3), "pad": (1, 4), "num_group": 2}),
        (13, 14, (40,), {"kernel": (1,)}),
        (16, 2, (4, 5, 6), {"kernel": (2, 2, 2), "stride": (1, 1, 2)}),
    ],
    ids=str,
)
def test_weight_gradient_of_many_images(filters, channels, image, attrs, dtype):
    rng, groups, rank = np.random.default_rng(11), attrs.get("num_group", 1), len(image)
    shape = (filters, channels // groups, *attrs["kernel"])
    x = rng.normal(size=(9, channels, *image)).astype(dtype)
    w = mx.nd.zeros(shape, dtype=dtype)
    w.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Convolution(
            mx.nd.array(x, dtype=dtype), w, no_bias=True, num_filter=filters, **attrs
        )
    head = rng.normal(size=out.shape).astype(dtype)
    out.backward(mx.nd.array(head, dtype=dtype))
    settings = [attrs.get(n, (v,) * rank) for n, v in (("stride", 1), ("dilate", 1), ("pad", 0))]
    for _ in range(2):  # linear in the weights: along any others the slope is the result there
        along = rng.normal(size=shape)
        want = (by_hand(x.astype("f8"), along, *settings, groups) * head).sum()
        slope = (w.grad.asnumpy() * along).sum()
        tolerance = {"atol": 0.02} if dtype == "float32" else {"rtol": 1e-10}
        np.testing.assert_allclose(slope, want, **tolerance)
