"""The layout pass: the same values on blocked images, reordered only at the edges."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.native import native
from baryon.ops.blocked import BLOCK

pytestmark = pytest.mark.skipif(native is None, reason="blocked kernels are native")


def residual(x, filters, name, stride=1):
    """A residual block with a convolution beside it, as in ResNet."""

    def convolution(x, part, size, stride):
        window = {"kernel": (size, size), "stride": (stride,) * 2, "pad": (size // 2,) * 2}
        x = mx.sym.Convolution(x, num_filter=filters, no_bias=True, name=name + part, **window)
        return mx.sym.BatchNorm(x, fix_gamma=False, name=f"{name}{part}_norm")

    y = mx.sym.Activation(convolution(x, "1", 3, stride), act_type="relu")
    return mx.sym.relu(convolution(y, "2", 3, 1) + convolution(x, "side", 1, stride))


def network():
    """A small ResNet: few channels at first, maxima, a mean over space, a classifier."""
    x = mx.sym.Convolution(
        mx.sym.var("data"), kernel=(3, 3), pad=(1, 1), num_filter=16, name="stem"
    )
    x = mx.sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")
    x = residual(residual(x, 16, "a"), 32, "b", stride=2)
    x = mx.sym.Flatten(mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg"))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=5, name="fc"), name="softmax")


def bound(symbol, **shapes):
    """An executor with random parameters, alike for every call."""
    executor = symbol.simple_bind(mx.cpu(), **shapes)
    rng = np.random.default_rng(3)
    for name, array in {**executor.arg_dict, **executor.aux_dict}.items():
        values = rng.normal(size=array.shape) * 0.3
        array[:] = np.abs(values) + 0.5 if name.endswith(("gamma", "var")) else values
    return executor


def results(executor, **inputs):
    outs = executor.forward(is_train=True, **inputs)
    executor.backward(None if executor._symbol.name == "softmax" else mx.nd.ones_like(outs[0]))
    arrays = {"out": outs[0], **executor.grad_dict, **executor.aux_dict}
    return {name: a.asnumpy() for name, a in arrays.items()}


def names(executor, train=True):
    return [i.op.name for i in executor._compile(train).program.lowered.instructions]


def test_training_gives_what_plain_images_give(monkeypatch):
    inputs = {"data": np.random.default_rng(0).normal(size=(3, 3, 12, 10)).astype(np.float32)}
    got = results(bound(network(), data=(3, 3, 12, 10)), **inputs)
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    executor = bound(network(), data=(3, 3, 12, 10))
    assert not any("blocked" in name for name in names(executor))
    for name, want in results(executor, **inputs).items():
        np.testing.assert_allclose(got[name], want, rtol=2e-4, atol=2e-5, err_msg=name)


def test_only_the_edges_are_reordered():
    executor = bound(network(), data=(3, 3, 12, 10))
    inner = [n for n in names(executor) if n in ("Convolution", "BatchNorm", "_to_blocked")]
    assert inner == ["_to_blocked"]  # the gradient that comes from the mean over space
    assert names(executor).count("_from_blocked") == 2  # that mean, and data's gradient
    assert "_blocked_Pooling" in names(executor, train=False)


def test_channels_that_fill_no_block_stay_plain():
    symbol = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=5, name="c")
    executor = bound(symbol, data=(2, 16, 6, 6))
    assert "Convolution" in names(executor)
    assert results(executor, data=mx.nd.ones((2, 16, 6, 6)))["out"].shape == (2, 5, 4, 4)


def test_a_pointwise_chain_of_other_shapes_is_left_alone(monkeypatch):
    """A broadcast sees plain images."""
    monkeypatch.setenv("BARYON_FUSE", "0")
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(1, 1), num_filter=16, name="c")
    scaled = mx.sym.broadcast_mul(x, mx.sym.var("scale", shape=(1, 16, 1, 1)))
    executor = bound(mx.sym.tanh(scaled), data=(2, 16, 4, 4))
    plain = names(executor)
    assert plain.index("_from_blocked") < plain.index("broadcast_mul")
    arrays = {n: a.asnumpy() for n, a in executor.arg_dict.items()}
    got = executor.forward(is_train=False)[0].asnumpy()
    mixed = np.einsum("nchw,fc->nfhw", arrays["data"], arrays["c_weight"][:, :, 0, 0])
    mixed += arrays["c_bias"].reshape(1, -1, 1, 1)
    np.testing.assert_allclose(got, np.tanh(mixed * arrays["scale"]), rtol=1e-4, atol=1e-5)


def inverted(x, channels, filters, stride, name, adds):
    """An inverted residual, as in MobileNetV2."""
    window = {"kernel": (3, 3), "pad": (1, 1), "stride": (stride, stride), "num_group": channels}
    y = mx.sym.Convolution(x, kernel=(1, 1), num_filter=channels, no_bias=True, name=name + "1")
    y = mx.sym.clip(mx.sym.BatchNorm(y, fix_gamma=False, name=name + "norm"), a_min=0, a_max=6)
    y = mx.sym.Convolution(y, num_filter=channels, name=name + "2", **window)
    y = mx.sym.Convolution(mx.sym.relu(y), kernel=(1, 1), num_filter=filters, name=name + "3")
    return y + x if adds else y


@pytest.mark.parametrize("fuse", ["0", "1"])
def test_last_blocks_may_have_unused_lanes_in_inference(fuse, monkeypatch):
    """Channels that are no multiple of a block stay blocked all the way."""
    monkeypatch.setenv("BARYON_FUSE", fuse)
    odd = 2 * BLOCK - 1
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=odd, name="stem")
    x = inverted(x, 4 * BLOCK - 3, odd, 1, "a", True)
    x = mx.sym.log(mx.sym.Pooling(x, kernel=(2, 2), pool_type="max") - 1)  # nan in unused lanes
    x = mx.sym.Activation(mx.sym.Activation(x, act_type="softrelu"), act_type="tanh")
    x = inverted(
        inverted(x, 3 * BLOCK, 3 * BLOCK - 2, 2, "b", False), 40, 3 * BLOCK - 2, 1, "c", True
    )
    x = mx.sym.BatchNorm(x, fix_gamma=False, name="norm")
    symbol = mx.sym.Flatten(mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg"))
    executor = bound(symbol, data=(2, 3, 15, 17))
    assert not {"_to_blocked", "Convolution", "BatchNorm", "Pooling"} & {*names(executor, False)}
    assert names(executor, False).count("_from_blocked") == 1
    data = np.random.default_rng(0).normal(size=(2, 3, 15, 17))
    got = executor.forward(is_train=False, data=mx.nd.array(data))[0].asnumpy()
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    want = bound(symbol, data=(2, 3, 15, 17)).forward(is_train=False, data=mx.nd.array(data))
    np.testing.assert_allclose(got, want[0].asnumpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size, stride, space", [(3, 1, (31, 8)), (3, 2, (30, 33)), (5, 2, (7, 7))])
def test_expansion_and_depthwise_windows_are_one_call(size, stride, space, threads, monkeypatch):
    """The same as apart, whatever the bands of rows; a reader in between keeps them apart."""
    channels, filters = BLOCK, 5 * BLOCK
    window = {"kernel": (size,) * 2, "pad": (size // 2,) * 2, "stride": (stride,) * 2}
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(1, 1), num_filter=filters, name="wide")
    wide = mx.sym.clip(mx.sym.BatchNorm(x, fix_gamma=False, name="n1"), a_min=0, a_max=2)
    x = mx.sym.Convolution(wide, num_filter=filters, num_group=filters, name="deep", **window)
    x = mx.sym.clip(mx.sym.BatchNorm(x, fix_gamma=False, name="n2"), a_min=-1, a_max=2)
    data = np.random.default_rng(0).normal(size=(2, channels, *space)).astype(np.float32)
    before = native.num_threads()
    native.set_num_threads(threads)
    try:
        executor = bound(x, data=data.shape)
        assert names(executor, False).count("_blocked__expanded_Convolution") == 1
        got = executor.forward(is_train=False, data=data)[0].asnumpy()
    finally:
        native.set_num_threads(before)
    assert "_blocked__expanded_Convolution" not in names(executor, True)
    both = bound(mx.sym.Group([x, wide]), data=data.shape)
    assert "_blocked__expanded_Convolution" not in names(both, False)
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    want = bound(x, data=data.shape).forward(is_train=False, data=data)[0].asnumpy()
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


def mixed(x, size):
    """Convolutions of several widths side by side, as in Inception, cut and joined again."""
    parts = []
    for i, filters in enumerate((2 * BLOCK, BLOCK, 3 * BLOCK - 1)):
        y = mx.sym.Convolution(x, kernel=(1, 1), num_filter=filters, name=f"{size}_{i}")
        parts.append(mx.sym.relu(y))
    x = mx.sym.Concat(*parts[:2], mx.sym.Pooling(parts[2], kernel=(1, 1), pool_type="avg"), dim=-3)
    x = mx.sym.Dropout(mx.sym.BatchNorm(x, fix_gamma=False, name=f"{size}_norm"))
    one, two = mx.sym.split(parts[0], num_outputs=2, axis=1)
    last = mx.sym.split_v2(x, (2 * BLOCK, 3 * BLOCK), axis=1)
    cut = mx.sym.slice_axis(x, axis=1, begin=BLOCK, end=3 * BLOCK)
    rest = mx.sym.slice_axis(x, axis=-3, begin=1 - 3 * BLOCK, end=None)
    return mx.sym.Concat(one * two, cut, mx.sym.tanh(last[0]), last[1], last[2] * rest)


@pytest.mark.parametrize("batch", [1, 3])
def test_channels_are_joined_and_cut_by_whole_blocks(batch, monkeypatch):
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=BLOCK, name="stem")
    symbol = mx.sym.Flatten(mx.sym.Convolution(mixed(x, 1), kernel=(1, 1), num_filter=BLOCK))
    data = np.random.default_rng(0).normal(size=(batch, 3, 7, 9)).astype(np.float32)
    executor = bound(symbol, data=data.shape)
    found = names(executor, False)
    assert found.count("_from_blocked") == 1 and "_to_blocked" not in found
    got = executor.forward(is_train=False, data=data)[0].asnumpy()
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    want = bound(symbol, data=data.shape).forward(is_train=False, data=data)[0].asnumpy()
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: mx.sym.split(x, num_outputs=4, axis=1)[1],
        lambda x: mx.sym.slice_axis(x, axis=1, begin=1, end=BLOCK + 1),
        lambda x: mx.sym.slice_axis(x, axis=1, begin=0, end=BLOCK - 1),
        lambda x: mx.sym.slice_axis(x, axis=2, begin=0, end=2),
        lambda x: mx.sym.split_v2(x, (1, BLOCK + 1), axis=1)[0],
        lambda x: mx.sym.Concat(x, x, dim=0),
        lambda x: mx.sym.Concat(mx.sym.slice_axis(x, axis=1, begin=0, end=1), x),
    ],
)
def test_what_cuts_blocks_sees_plain_images(draw, monkeypatch):
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(1, 1), num_filter=2 * BLOCK, name="c")
    symbol, shape = mx.sym.tanh(draw(x)), (2, BLOCK, 4, 4)
    got = results(bound(symbol, data=shape))
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    for name, want in results(bound(symbol, data=shape)).items():
        np.testing.assert_allclose(got[name], want, rtol=2e-4, atol=2e-5, err_msg=name)


def test_training_joins_and_cuts_blocks(monkeypatch):
    """The gradients of joins are slices, and the other way round."""
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(1, 1), num_filter=2 * BLOCK, name="stem")
    parts = [
        mx.sym.Convolution(x, kernel=(3, 3), pad=(1, 1), num_filter=BLOCK, name=f"c{i}")
        for i in range(2)
    ]
    x = mx.sym.BatchNorm(mx.sym.Concat(x, *parts), fix_gamma=False, name="norm")
    one, two = mx.sym.split(x, num_outputs=2, axis=1)
    symbol = mx.sym.Convolution(one * two, kernel=(1, 1), num_filter=BLOCK, name="last")
    shape = (3, BLOCK, 6, 5)
    executor = bound(symbol, data=shape)
    found = names(executor)
    assert found.count("_from_blocked") == 2  # the output and data's gradient
    got = results(executor)
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    for name, want in results(bound(symbol, data=shape)).items():
        np.testing.assert_allclose(got[name], want, rtol=2e-4, atol=2e-4, err_msg=name)


def test_eager_joins_and_cuts_of_blocked_images(monkeypatch):
    """The same as on plain ones, recorded and not."""
    rng = np.random.default_rng(1)
    x = mx.nd.array(rng.normal(size=(2, BLOCK, 5, 4)))
    weight = mx.nd.array(rng.normal(size=(2 * BLOCK, BLOCK, 1, 1)))
    found = []
    for layout in ("1", "0"):
        monkeypatch.setenv("BARYON_LAYOUT", layout)
        weight.attach_grad()
        for _ in range(2):
            with mx.autograd.record():
                y = mx.nd.Convolution(x, weight, kernel=(1, 1), num_filter=2 * BLOCK, no_bias=True)
                one, two = mx.nd.split(mx.nd.relu(y), num_outputs=2, axis=1)
                z = mx.nd.slice_axis(mx.nd.concat(one, y, two), axis=1, begin=BLOCK, end=None)
                z = mx.nd.Dropout(z, p=0.0) * z
            z.backward()
        found.append((z.asnumpy(), weight.grad.asnumpy()))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_three_spatial_axes_and_groups_and_doubles_stay_plain():
    for shape, more, dtype in (
        ((1, 16, 3, 4, 4), {"kernel": (3, 3, 3)}, "float32"),
        ((1, 16, 4, 4), {"kernel": (3, 3), "num_group": 2}, "float32"),
        ((1, 16, 4, 4), {"kernel": (3, 3)}, "float64"),
    ):
        data = mx.sym.var("data")
        symbol = mx.sym.Convolution(data, num_filter=16, no_bias=True, name="c", **more)
        executor = symbol.simple_bind(mx.cpu(), data=shape, type_dict={"data": dtype})
        assert "Convolution" in names(executor)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("depthwise", [False, True])
def test_windows_of_many_kinds(size, stride, pad, depthwise, monkeypatch):
    """One and two axes, dilated, with borders wider than the image and windows that leave it."""
    for space in ((9,), (5, 18), (1 if pad else 5, 41)):
        axes = len(space)
        symbol = mx.sym.Convolution(
            mx.sym.var("data"),
            kernel=(size,) * axes,
            stride=(stride,) * axes,
            pad=(pad,) * axes,
            dilate=(2 if size == 2 else 1,) * axes,
            num_filter=32 if depthwise else 48,
            num_group=32 if depthwise else 1,
            name="c",
        )
        shape = (2, 32, *space)
        monkeypatch.setenv("BARYON_LAYOUT", "1")
        blocked = bound(symbol, data=shape)
        assert "_blocked_Convolution" in names(blocked)
        monkeypatch.setenv("BARYON_LAYOUT", "0")
        want = results(bound(symbol, data=shape))
        for name, got in results(blocked).items():
            np.testing.assert_allclose(got, want[name], rtol=2e-4, atol=2e-4, err_msg=name)


def test_a_tape_seen_again_runs_backward_on_blocked_images():
    """The first backward pass goes call by call, the second as a program; both give the same."""
    rng = np.random.default_rng(1)
    data = mx.nd.array(rng.normal(size=(2, 16, 9, 9)))
    weights = [mx.nd.array(rng.normal(size=(16, 16, 3, 3)) * 0.1) for _ in range(2)]
    for weight in weights:
        weight.attach_grad()
    passes = []
    for _ in range(2):
        with mx.autograd.record():
            x = data
            for weight in weights:
                x = mx.nd.Convolution(x, weight, kernel=(3, 3), num_filter=16, no_bias=True)
                x = mx.nd.relu(x)
        x.backward()
        passes.append([w.grad.asnumpy() for w in weights])
    for got, want in zip(passes[1], passes[0], strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    "shape", [(4, 64, 24, 20), (4, 128, 24, 20), (11, 16, 22, 37), (13, 32, 7, 50)]
)
def test_winograd_is_close_and_may_be_turned_off(shape, monkeypatch):
    """Its rounding errors are about twice those of the direct kernel; switched off, it is that."""
    symbol = mx.sym.Convolution(
        mx.sym.var("data"), kernel=(3, 3), pad=(1, 1), num_filter=shape[1], no_bias=True, name="c"
    )
    fast = results(bound(symbol, data=shape))
    monkeypatch.setenv("BARYON_WINOGRAD", "0")
    direct = results(bound(symbol, data=shape))
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    exact = bound(symbol, data=shape, type_dict={"data": "float64", "c_weight": "float64"})
    want = results(exact)
    for name, value in want.items():
        scale = np.abs(value).max()
        errors = [np.abs(found[name] - value).max() / scale for found in (fast, direct)]
        assert errors[1] < 2e-6, name
        assert errors[0] < 8e-6, name
    assert any((fast[name] != direct[name]).any() for name in want)
