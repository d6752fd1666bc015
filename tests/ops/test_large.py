"""Results larger than the caches, which kernels write past them, against NumPy.

Sizes are just above 8 MB; odd ones begin rows between cache lines.
"""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

EVEN, ODD = (2112, 1024), (2111, 1003)


def values(shape, dtype="float32"):
    return np.random.normal(2, 3, shape).astype(dtype)


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


MOVES = {
    "transpose": (lambda nd, a: nd.transpose(a), lambda a: a.T),
    "reverse": (lambda nd, a: nd.reverse(a, axis=1), lambda a: a[:, ::-1]),
    "reverse rows": (lambda nd, a: nd.reverse(a, axis=0), lambda a: a[::-1]),
    "tile": (lambda nd, a: nd.tile(a, reps=(2, 2)), lambda a: np.tile(a, (2, 2))),
    "repeat": (lambda nd, a: nd.repeat(a, repeats=3, axis=1), lambda a: np.repeat(a, 3, 1)),
    "slice": (lambda nd, a: nd.slice(a, begin=(1, 3), end=(None, -1)), lambda a: a[1:, 3:-1]),
    "every other": (
        lambda nd, a: nd.slice(a, begin=(0, 0), end=(None, None), step=(1, 2)),
        lambda a: a[:, ::2],
    ),
    "concat": (lambda nd, a: nd.concat(a, a[:, :5], dim=1), lambda a: np.c_[a, a[:, :5]]),
    "concat rows": (lambda nd, a: nd.concat(a, a[:5], dim=0), lambda a: np.r_[a, a[:5]]),
    "stack": (lambda nd, a: nd.stack(a, a, a, axis=2), lambda a: np.stack([a] * 3, 2)),
    "copy": (lambda nd, a: nd.identity(a), lambda a: a),
    "broadcast": (
        lambda nd, a: nd.broadcast_to(a.expand_dims(1), (a.shape[0], 3, a.shape[1])),
        lambda a: np.broadcast_to(a[:, None], (a.shape[0], 3, a.shape[1])),
    ),
    "add": (lambda nd, a: a + a, lambda a: a + a),
    "absolute": (lambda nd, a: nd.abs(a), np.abs),
}


CASES = [(name, "float32", shape) for name in MOVES for shape in (EVEN, ODD)]
CASES += [
    (name, dtype, ODD)
    for name in MOVES.keys() - {"copy", "add", "absolute"}
    for dtype in ("float16", "float64", "uint8")
]


@pytest.mark.parametrize(("name", "dtype", "shape"), sorted(CASES))
def test_moves(name, dtype, shape):
    run, want = MOVES[name]
    a = np.random.randint(0, 100, shape).astype(dtype)
    np.testing.assert_array_equal(run(mx.nd, mx.nd.array(a, dtype=dtype)).asnumpy(), want(a))


@pytest.mark.parametrize("shape", [(33, 64, 1056), (9, 3, 80000), (9, 80001, 3)])
def test_transposed_images(shape):
    a = values(shape)
    out = mx.nd.transpose(mx.nd.array(a), axes=(0, 2, 1)).asnumpy()
    np.testing.assert_array_equal(out, a.transpose(0, 2, 1))


def test_heads_of_attention():
    a = values((16, 130, 16, 64))
    out = mx.nd.transpose(mx.nd.array(a), axes=(0, 2, 1, 3)).asnumpy()
    np.testing.assert_array_equal(out, a.transpose(0, 2, 1, 3))


@pytest.mark.parametrize(("shape", "parts"), [(EVEN, 4), ((2111, 1003), 17), ((700000, 3), 3)])
def test_split(shape, parts):
    a = values(shape)
    outs = mx.nd.split(mx.nd.array(a), num_outputs=parts, axis=1)
    for out, want in zip(outs, np.split(a, parts, 1), strict=True):
        np.testing.assert_array_equal(out.asnumpy(), want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [(EVEN, 1), (ODD, 1), (EVEN, 0), (ODD, 0), ((40, 21, 2560), 1), ((70001, 33), 1)],
)
def test_softmax_and_its_logarithm(shape, axis, dtype):
    x, w = values(shape, dtype), values(shape, dtype)
    y = softmax(x.astype("float64"), axis)
    data, head = mx.nd.array(x, dtype=dtype), mx.nd.array(w, dtype=dtype)
    data.attach_grad()
    tight = 1e-12 if dtype == "float64" else 3e-6
    for name, want, grad in (
        ("softmax", y, y * (w - (w * y).sum(axis, keepdims=True))),
        ("log_softmax", np.log(y), w - y * w.sum(axis, keepdims=True, dtype="float64")),
    ):
        with mx.autograd.record():
            out = getattr(mx.nd, name)(data, axis=axis)
        out.backward(head)
        np.testing.assert_allclose(out.asnumpy(), want, rtol=tight, atol=tight * abs(want).max())
        np.testing.assert_allclose(data.grad.asnumpy(), grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [EVEN, ODD])
def test_layer_norm(shape):
    x, w, gamma, beta = values(shape) + 50, values(shape), values(shape[1]), values(shape[1])
    arrays = [mx.nd.array(a) for a in (x, gamma, beta)]
    for a in arrays:
        a.attach_grad()
    with mx.autograd.record():
        out = mx.nd.LayerNorm(*arrays)
    out.backward(mx.nd.array(w))
    x, w = x.astype("float64"), w.astype("float64")
    std = np.sqrt(x.var(1, keepdims=True) + 1e-5)
    unit, d = (x - x.mean(1, keepdims=True)) / std, w * gamma
    np.testing.assert_allclose(out.asnumpy(), unit * gamma + beta, rtol=1e-4, atol=1e-4)
    d_data = d - d.mean(1, keepdims=True) - unit * (d * unit).mean(1, keepdims=True)
    for got, want in zip(arrays, (d_data / std, (w * unit).sum(0), w.sum(0)), strict=True):
        np.testing.assert_allclose(got.grad.asnumpy(), want, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("shape", [(8, 8, 183, 184), (8, 8, 181, 183)])
@pytest.mark.parametrize("name", ["BatchNorm", "GroupNorm", "InstanceNorm"])
def test_norms_of_images(name, shape):
    """With a mean far from 0, where sums of squares would lose it."""
    x, w = values(shape) + 300, values(shape) - 2
    axes, groups = ((0, 2, 3), 8) if name == "BatchNorm" else ((2,), 2 if name[0] == "G" else 8)
    laid = shape if name == "BatchNorm" else (shape[0], groups, x[0].size // groups)
    gamma, beta = values(groups), values(groups)
    arrays = [mx.nd.array(a) for a in (x, gamma, beta)]
    for a in arrays:
        a.attach_grad()
    more = {"GroupNorm": {"num_groups": 2}, "BatchNorm": {"fix_gamma": False}}.get(name, {})
    state = [mx.nd.zeros(8), mx.nd.ones(8)] if name == "BatchNorm" else []
    with mx.autograd.record():
        out = getattr(mx.nd, name)(*arrays, *state, eps=1e-5, **more)
    out.backward(mx.nd.array(w))
    x, w = x.astype("float64").reshape(laid), w.astype("float64").reshape(laid)
    along = (1, groups) + (1,) * (len(laid) - 2)
    std = np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    unit = (x - x.mean(axes, keepdims=True)) / std
    want = unit * gamma.reshape(along) + beta.reshape(along)
    np.testing.assert_allclose(out.asnumpy().reshape(laid), want, rtol=1e-3, atol=2e-4)
    d = w * gamma.reshape(along)
    d = (d - d.mean(axes, keepdims=True) - unit * (d * unit).mean(axes, keepdims=True)) / std
    np.testing.assert_allclose(arrays[0].grad.asnumpy().reshape(laid), d, rtol=1e-3, atol=1e-4)
    rest = tuple(i for i in range(len(laid)) if i != 1)
    np.testing.assert_allclose(arrays[1].grad.asnumpy(), (w * unit).sum(rest), rtol=1e-3, atol=0.5)
    np.testing.assert_allclose(arrays[2].grad.asnumpy(), w.sum(rest), rtol=1e-3, atol=0.5)
