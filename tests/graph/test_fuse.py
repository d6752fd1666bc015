"""The fuse pass: convolution and batch norm with what follows, and the same values."""

from __future__ import annotations

import numpy as np
import pytest
from test_layout import bound, names, network, results

import baryon as mx
from baryon.native import native

pytestmark = pytest.mark.skipif(native is None, reason="fused kernels are native")


def convolution(x, **more):
    window = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 16, **more}
    return mx.sym.Convolution(x, name="conv", **window)


def norm(x, **more):
    return mx.sym.BatchNorm(x, name="norm", **{"fix_gamma": False, **more})


def chains():
    """Name, symbol, and what it runs in inference, reorders aside."""
    x, one = mx.sym.var("data"), ["_blocked__fused_Convolution"]
    whole = ["_BatchNorm_affine", *one]
    conv = convolution(x)
    return {
        "bias, relu": (mx.sym.relu(conv), one),
        "norm": (norm(conv), whole),
        "norm, relu6": (mx.sym.clip(norm(convolution(x, no_bias=True)), 0, 6), whole),
        "norm of fixed gamma": (norm(conv, fix_gamma=True), whole),
        "sum, relu": (mx.sym.Activation(conv + x, act_type="relu"), one),
        "norm, sum, relu": (mx.sym.relu(x + norm(conv)), whole),
        "sum of itself": (conv + conv, ["_blocked_Convolution", "elemwise_add"]),
        "relu of two": (mx.sym.Group([mx.sym.relu(conv), conv]), ["_blocked_Convolution", "relu"]),
        "after bounds": (norm(mx.sym.relu(conv)), [*one, "_blocked_BatchNorm"]),
        "sigmoid": (mx.sym.sigmoid(conv), ["_blocked_Convolution", "sigmoid"]),
    }


@pytest.mark.parametrize("name", chains())
def test_inference_of_chains(name, monkeypatch):
    symbol, want = chains()[name]
    executor = bound(symbol, data=(2, 16, 7, 9))
    got = [x.asnumpy() for x in executor.forward(is_train=False)]
    assert [n for n in names(executor, train=False) if "_to_" not in n and "from" not in n] == want
    monkeypatch.setenv("BARYON_FUSE", "0")
    plain = bound(symbol, data=(2, 16, 7, 9))
    for a, b in zip(got, plain.forward(is_train=False), strict=True):
        np.testing.assert_allclose(a, b.asnumpy(), rtol=2e-4, atol=2e-5)
    for n, array in plain.arg_dict.items():  # a fixed gamma becomes 1 here, too
        np.testing.assert_array_equal(executor.arg_dict[n].asnumpy(), array.asnumpy())


def test_training_gives_what_single_operators_give(monkeypatch):
    inputs = {"data": np.random.default_rng(0).normal(size=(3, 3, 12, 10)).astype(np.float32)}
    executor = bound(network(), data=(3, 3, 12, 10))
    assert names(executor).count("_blocked__measured_Convolution") == 6
    assert names(executor).count("_blocked__again_BatchNorm") == 6  # four with relu or a sum
    assert "Activation" not in names(executor)
    got = results(executor, **inputs)
    monkeypatch.setenv("BARYON_FUSE", "0")
    for name, want in results(bound(network(), data=(3, 3, 12, 10)), **inputs).items():
        np.testing.assert_allclose(got[name], want, rtol=2e-4, atol=2e-5, err_msg=name)


def layers(fix_gamma=False, act="relu", residual=False):
    """Convolutions with batch norm and an activation between them."""
    x = before = mx.sym.var("data")
    for i in range(4):
        y = mx.sym.Convolution(
            x, kernel=(3, 3), pad=(1, 1), num_filter=32, no_bias=i % 2, name=f"conv{i}"
        )
        y = mx.sym.BatchNorm(y, fix_gamma=fix_gamma, name=f"norm{i}")
        y = y + before if residual and i % 2 else y
        x = mx.sym.Activation(y, act_type=act)
        before = x if i % 2 else before
    return mx.sym.MakeLoss(mx.sym.mean(x * x))


def trained(symbol, steps=3, **more):
    """Parameters, states and gradients after some steps of descent on the same data."""
    executor = bound(symbol, data=(9, 32, 18, 22), **more)
    for _ in range(steps):
        found = results(executor)
        for name, grad in executor.grad_dict.items():
            if grad is not None and name != "data":
                executor.arg_dict[name][:] -= 0.1 * grad
    return {**found, **{n: a.asnumpy() for n, a in executor.arg_dict.items()}}, executor


@pytest.mark.parametrize(
    ("more", "loads"),
    [({}, 3), ({"residual": True}, 2), ({"fix_gamma": True}, 0), ({"act": "tanh"}, 0)],
)
def test_training_with_norms_computed_on_loading(more, loads, monkeypatch):
    got, executor = trained(layers(**more))
    found = names(executor)
    assert found.count("_blocked__normed_Convolution") == loads
    assert found.count("_blocked__backward_normed_Convolution_weight") == loads
    assert found.count("_blocked__backward_masked_BatchNorm") == loads
    monkeypatch.setenv("BARYON_FUSE", "0")
    want, plain = trained(layers(**more))
    assert not any("normed" in name for name in names(plain))
    for name, value in want.items():
        scale = np.abs(value).max() + 1e-6
        np.testing.assert_allclose(got[name] / scale, value / scale, atol=2e-4, err_msg=name)


def test_what_others_read_is_not_computed_on_loading():
    """A head, a reader of another kind, or a batch norm of moving statistics keeps the value."""

    def built(**more):
        x = convolution(mx.sym.var("data"), num_filter=32)
        y = mx.sym.Activation(norm(x, **more), act_type="relu")
        z = mx.sym.Convolution(y, kernel=(3, 3), pad=(1, 1), num_filter=32, name="next")
        return y, mx.sym.BatchNorm(z, fix_gamma=False, name="last")

    def loads(symbol):
        return sum("normed" in n for n in names(bound(symbol, data=(9, 32, 18, 22))))

    y, z = built()
    assert loads(z) == 2
    assert loads(mx.sym.Group([z, y])) == 0
    assert loads(z + mx.sym.tanh(y)) == 0
    assert loads(built(use_global_stats=True)[1]) == 0


@pytest.mark.parametrize("channels", [16, 64, 128])
def test_moments_far_from_zero(channels):
    """Convolutions measure results whose mean is 10,000 deviations, on any number of threads."""
    x = mx.sym.var("data")
    symbol = norm(convolution(x, num_filter=channels), eps=1e-5, output_mean_var=True)
    executor = symbol.simple_bind(mx.cpu(), data=(5, channels, 13, 22))
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(channels, channels, 3, 3)) / 3 / np.sqrt(channels)
    executor.arg_dict["data"][:] = rng.normal(size=(5, channels, 13, 22))
    executor.arg_dict["conv_weight"][:] = weight
    executor.arg_dict["conv_bias"][:] = 1e4
    executor.arg_dict["norm_gamma"][:] = 1
    assert "_blocked__measured_Convolution" in names(executor)
    found, threads = [], native.num_threads()
    try:
        for count in (1, 2, 3):
            mx.set_num_threads(count)
            found.append([a.asnumpy() for a in executor.forward(is_train=True)])
    finally:
        mx.set_num_threads(threads)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    _, mean, scale = found[0]
    plain = convolution(x, num_filter=channels).bind(mx.cpu(), executor.arg_dict)
    want = plain.forward()[0].asnumpy().astype(np.float64)
    np.testing.assert_allclose(mean, want.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scale, 1 / np.sqrt(want.var((0, 2, 3)) + 1e-5), rtol=2e-3)


def test_what_is_not_a_number_passes_bounds():
    executor = bound(mx.sym.relu(convolution(mx.sym.var("data"))), data=(1, 16, 4, 4))
    executor.arg_dict["conv_bias"][3] = np.nan
    out = executor.forward(is_train=False)[0].asnumpy()
    assert np.isnan(out[0, 3]).all() and np.isfinite(out[0, :3]).all()
