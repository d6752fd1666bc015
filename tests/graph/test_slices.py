"""Inference slice by slice of the batch, and values that are computed where they are joined."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.graph import slices
from baryon.native import native

BATCH = 8
DATA = (BATCH, 3, 32, 32)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(slices, "LARGE", 1 << 18)


def convolution(x, filters, name, size=3, stride=1):
    x = mx.sym.Convolution(
        x,
        num_filter=filters,
        kernel=(size,) * 2,
        stride=(stride,) * 2,
        pad=(size // 2,) * 2,
        no_bias=True,
        name=f"{name}_conv",
    )
    return mx.sym.BatchNorm(x, fix_gamma=False, name=f"{name}_norm")


def network(x=None):
    """Large images first, many channels last; a sum and a pooling on the way."""
    x = mx.sym.var("data") if x is None else x
    x = mx.sym.Activation(convolution(x, 32, "stem"), act_type="relu")
    y = mx.sym.Activation(convolution(x, 32, "first"), act_type="relu")
    x = mx.sym.Activation(convolution(y, 32, "second") + x, act_type="relu")
    x = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max")
    x = mx.sym.Activation(convolution(x, 64, "third", stride=2), act_type="relu")
    x = mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg")
    return mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=10, name="fc")


def bound(net, data=DATA):
    exe = net.simple_bind(mx.cpu(), grad_req="null", data=data)
    rng = np.random.RandomState(0)
    for name, x in {**exe.arg_dict, **exe.aux_dict}.items():
        x[:] = rng.rand(*x.shape) if "norm" in name else rng.randn(*x.shape) * 0.3
    return exe


def instructions(exe):
    return [i.name for i in exe._program(False).lowered.instructions]


def test_the_same_results_from_less_memory(monkeypatch):
    exe, whole = bound(network()), bound(network())
    exe.forward()
    monkeypatch.setenv("BARYON_SLICE_BATCH", "0")
    for scale in (1, 2):
        for one in (exe, whole):
            one.arg_dict["second_conv_weight"][:] *= scale  # between calls anybody may write
            one.arg_dict["data"][:] += 0.25
        for _ in range(3):  # weights are kept from the second time on
            found, want = (one.forward()[0].asnumpy() for one in (exe, whole))
            np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)
    sizes = [one.memory_plan(False) for one in (exe, whole)]
    assert [instructions(one).count("slice_axis") for one in (exe, whole)] == [2, 0]
    assert sizes[0].planned <= 0.75 * sizes[1].planned


def test_what_it_takes_is_counted():
    """Two slices: half of three large values, or what joins them and half of the data."""
    value = 4 * 32 * 32 * 32 * BATCH
    plan = bound(network()).memory_plan(False)
    small = value // 8 + 3 * 32 * 32 * 4 * BATCH  # a pooled slice, a slice of the data and vectors
    assert plan.lower_bound <= plan.planned <= 3 * value // 2 + small


def test_batches_that_cannot_be_cut_are_not():
    for batch in (1, 5, 7):
        assert "slice_axis" not in instructions(bound(network(), (batch, *DATA[1:])))


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: mx.sym.broadcast_minus(x, mx.sym.mean(x, axis=0, keepdims=True)),
        lambda x: mx.sym.reverse(x, axis=0),
        lambda x: mx.sym.softmax(x, axis=0),
        lambda x: x.reshape((-1, 3, 16, 16)),
    ],
)
def test_samples_that_meet_are_not_parted(monkeypatch, mixed):
    net = network(mixed(mx.sym.var("data")))
    found = bound(net).forward()[0].asnumpy()
    monkeypatch.setenv("BARYON_SLICE_BATCH", "0")
    want = bound(net).forward()[0].asnumpy()
    np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)


def test_samples_that_meet_later_end_the_slices():
    x = mx.sym.Activation(convolution(mx.sym.var("data"), 32, "stem"), act_type="relu")
    x = convolution(mx.sym.softmax(convolution(x, 32, "first"), axis=0), 4, "last")
    exe = bound(x)
    data = exe.arg_dict["data"].asnumpy()
    found = exe.forward()[0].asnumpy()
    exe.arg_dict["data"][:] = data[::-1].copy()
    np.testing.assert_allclose(exe.forward()[0].asnumpy(), found[::-1], rtol=1e-4, atol=1e-5)


def test_hybridized_networks_are_sliced_too():
    net = mx.gluon.SymbolBlock(network(), mx.sym.var("data"))
    net.initialize()
    net.hybridize()
    x = mx.nd.random.normal(shape=DATA)
    whole = net(x).asnumpy()
    parts = [net(x[i : i + 2]).asnumpy() for i in range(0, BATCH, 2)]
    np.testing.assert_allclose(whole, np.concatenate(parts), rtol=2e-5, atol=2e-5)


@pytest.mark.skipif(native is None, reason="kernels of the native extension keep weights")
def test_slices_share_what_is_kept_of_their_weights(monkeypatch):
    x = mx.sym.var("data")
    for i in range(3):
        x = convolution(x, 64, f"c{i}", size=1)
    net = mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg")
    net = mx.sym.exp(net)

    def kept():
        exe = bound(net, (16, 64, 16, 16))
        exe.forward()
        return exe._program(False)._native.kept_bytes, instructions(exe).count("slice_axis")

    sliced = kept()
    monkeypatch.setenv("BARYON_SLICE_BATCH", "0")
    assert sliced[0] == kept()[0] == 3 * 64 * 64 * 4
    assert sliced[1] > 1


# ---- values that are joined ----------------------------------------------------------------------


def joined(parts, dim=0):
    """The result of joining, the arrays, and whether that took an instruction."""
    exe = mx.sym.Group([mx.sym.sin(mx.sym.Concat(*parts, dim=dim))]).simple_bind(
        mx.cpu(), grad_req="null", x=(4, 16), y=(4, 16)
    )
    rng = np.random.RandomState(1)
    for array in exe.arg_arrays:
        array[:] = rng.randn(4, 16)
    x, y = (exe.arg_dict[n].asnumpy() for n in ("x", "y"))
    ops = [i.op.name for i in exe._program(False).lowered.instructions]
    return exe.forward()[0].asnumpy(), x, y, "Concat" in ops


def test_parts_are_computed_where_they_are_joined(monkeypatch):
    monkeypatch.setenv("BARYON_FUSE", "0")
    x, y = mx.sym.var("x"), mx.sym.var("y")
    softmax = mx.sym.softmax
    found, a, b, copies = joined([softmax(x), softmax(y), mx.sym.reverse(softmax(x), axis=1)])
    sx, sy = (np.exp(v) / np.exp(v).sum(-1, keepdims=True) for v in (a, b))
    want = np.sin(np.concatenate([sx, sy, sx[:, ::-1]]))
    np.testing.assert_allclose(found, want, rtol=1e-5)
    assert not copies


@pytest.mark.parametrize(
    "parts",
    [
        lambda x, y: [x, mx.sym.softmax(y)],  # an array of the user
        lambda x, y: [mx.sym.softmax(x)] * 2 + [y * 2],  # a part twice
        lambda x, y: [mx.sym.reshape(mx.sym.softmax(x), shape=(2, 32)).reshape((4, 16)), y * 2],
        lambda x, y: [mx.sym.zeros((4, 16)) + 0 * x, mx.sym.ones((1, 16)), y * 2],
    ],
)
def test_other_parts_are_copied(monkeypatch, parts):
    monkeypatch.setenv("BARYON_FUSE", "0")
    x, y = mx.sym.var("x"), mx.sym.var("y")
    found, a, b, copies = joined(parts(x, y))
    pieces = [p.eval(x=mx.nd.array(a), y=mx.nd.array(b))[0].asnumpy() for p in parts(x, y)]
    np.testing.assert_allclose(found, np.sin(np.concatenate(pieces)), rtol=1e-6)
    assert copies


def test_joined_across_runs_of_elements_is_copied():
    x, y = mx.sym.var("x"), mx.sym.var("y")
    found, a, b, copies = joined([mx.sym.softmax(x), mx.sym.softmax(y)], dim=1)
    assert copies and found.shape == (4, 32)
