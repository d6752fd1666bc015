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
    assert names(executor).count("_blocked__fused_BatchNorm") == 4  # each with relu or a sum
    assert names(executor).count("_blocked_BatchNorm") == 2  # those added to
    assert "Activation" not in names(executor)
    got = results(executor, **inputs)
    monkeypatch.setenv("BARYON_FUSE", "0")
    for name, want in results(bound(network(), data=(3, 3, 12, 10)), **inputs).items():
        np.testing.assert_allclose(got[name], want, rtol=2e-4, atol=2e-5, err_msg=name)


def test_what_is_not_a_number_passes_bounds():
    executor = bound(mx.sym.relu(convolution(mx.sym.var("data"))), data=(1, 16, 4, 4))
    executor.arg_dict["conv_bias"][3] = np.nan
    out = executor.forward(is_train=False)[0].asnumpy()
    assert np.isnan(out[0, 3]).all() and np.isfinite(out[0, :3]).all()
