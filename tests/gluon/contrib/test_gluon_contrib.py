"""Layers, cells and samplers of gluon.contrib against NumPy and against plain layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn
from baryon.gluon.contrib import cnn, data, rnn
from baryon.gluon.contrib import nn as contrib_nn
from baryon.gluon.contrib.rnn.rnn_cell import dynamic_unroll


def normal(*shape):
    return mx.nd.array(np.random.randn(*shape))


def operators(symbol):
    """Names of the operator nodes of a graph."""
    nodes = json.loads(symbol.tojson())["nodes"]
    return [node["name"] for node in nodes if node["op"] != "null"]


# ---- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hybrid", [False, True])
def test_concurrent_blocks(hybrid):
    net = (contrib_nn.HybridConcurrent if hybrid else contrib_nn.Concurrent)(axis=1)
    net.add(nn.Dense(2), contrib_nn.Identity(), nn.Dense(3))
    net.initialize()
    if hybrid:
        net.hybridize()
    x = normal(4, 5)
    want = np.concatenate([block(x).asnumpy() for block in net], axis=1)
    np.testing.assert_allclose(net(x).asnumpy(), want, rtol=1e-6)


def test_pixel_shuffle_against_numpy():
    x = np.random.rand(2, 12, 3, 5).astype("float32")
    want = x.reshape(2, 2, 2, 3, 3, 5).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 6, 15)
    layer = contrib_nn.PixelShuffle2D((2, 3))
    np.testing.assert_array_equal(layer(mx.nd.array(x)).asnumpy(), want)
    assert repr(layer) == "PixelShuffle2D((2, 3))"
    x = np.random.rand(1, 8, 3).astype("float32")
    want = x.reshape(1, 4, 2, 3).transpose(0, 1, 3, 2).reshape(1, 4, 6)
    np.testing.assert_array_equal(contrib_nn.PixelShuffle1D(2)(mx.nd.array(x)).asnumpy(), want)
    x = np.random.rand(1, 48, 2, 1, 3).astype("float32")
    want = x.reshape(1, 2, 2, 3, 4, 2, 1, 3).transpose(0, 1, 5, 2, 6, 3, 7, 4)
    layer = contrib_nn.PixelShuffle3D((2, 3, 4))
    layer.hybridize()
    np.testing.assert_array_equal(layer(mx.nd.array(x)).asnumpy(), want.reshape(1, 2, 4, 3, 12))
    with pytest.raises(AssertionError, match="wrong length 3"):
        contrib_nn.PixelShuffle2D((1, 2, 3))


def test_sync_batch_norm_is_batch_norm_on_one_device():
    plain, synced = nn.BatchNorm(in_channels=3), contrib_nn.SyncBatchNorm(in_channels=3)
    x = normal(4, 3, 5, 5) * 2 + 1
    head = normal(4, 3, 5, 5)  # the gradient of a sum is 0: it would compare rounding alone
    outputs = []
    for layer in (plain, synced):
        layer.initialize()
        with autograd.record():
            out = layer(x)
        out.backward(head)
        outputs.append((out, layer.running_mean.data(), layer.gamma.grad()))
    for a, b in zip(*outputs, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [cnn.DeformableConvolution, cnn.ModulatedDeformableConvolution])
def test_deformable_convolution_starts_as_a_plain_one(layer):
    deformable = layer(4, kernel_size=3, padding=1, num_deformable_group=2, prefix="d_")
    deformable.initialize(mx.init.Xavier())
    x = normal(2, 6, 7, 7)
    out = deformable(x)
    weight = deformable.deformable_conv_weight.data()
    assert weight.shape == (4, 6, 3, 3)
    want = mx.nd.Convolution(x, weight, no_bias=True, num_filter=4, kernel=(3, 3), pad=(1, 1))
    np.testing.assert_allclose(out.asnumpy(), want.asnumpy(), rtol=1e-4, atol=1e-5)
    deformable.hybridize()
    np.testing.assert_allclose(deformable(x).asnumpy(), out.asnumpy(), rtol=1e-5, atol=1e-6)


def test_deformable_convolution_moves_its_window():
    """With all offsets at one pixel it is the plain convolution of the shifted image."""
    layer = cnn.DeformableConvolution(
        2, kernel_size=1, in_channels=3, offset_bias_initializer="ones"
    )
    layer.initialize(mx.init.Xavier())
    x = normal(1, 3, 6, 6)
    weight = layer.deformable_conv_weight.data().asnumpy()[:, :, 0, 0]
    want = np.einsum("oc,nchw->nohw", weight, x.asnumpy())[:, :, 1:, 1:]
    np.testing.assert_allclose(layer(x).asnumpy()[:, :, :5, :5], want, rtol=1e-4, atol=1e-5)
    assert repr(layer) == "DeformableConvolution(3 -> 2, kernel_size=(1, 1), stride=(1, 1))"


def test_deformable_convolution_trains():
    layer = cnn.DeformableConvolution(2, kernel_size=3, in_channels=3)
    layer.initialize(mx.init.Xavier())
    with autograd.record():
        loss = layer(normal(2, 3, 6, 6)).square().sum()
    loss.backward()
    assert np.abs(layer.offset_weight.grad().asnumpy()).max() > 0


# ---- recurrent cells -----------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_convolutions_of_one_pixel_are_dense(kind, axes):
    one = (1,) * axes
    conv = getattr(rnn, f"Conv{axes}D{kind}Cell")((3, *one), 4, 1, 1, prefix="c_")
    dense = getattr(gluon.rnn, f"{kind}Cell")(4, input_size=3, prefix="d_")
    for cell in (conv, dense):
        cell.initialize(mx.init.Uniform(0.5))
    for name in ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"):
        value = normal(*getattr(dense, name).shape) * 0.5
        getattr(dense, name).set_data(value)
        getattr(conv, name).set_data(value.reshape(getattr(conv, name).shape))
    steps = [normal(2, 3) for _ in range(3)]
    want, _ = dense.unroll(3, steps, merge_outputs=False)
    got, _ = conv.unroll(3, [x.reshape((2, 3, *one)) for x in steps], merge_outputs=False)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.asnumpy().reshape(2, 4), b.asnumpy(), rtol=1e-4, atol=1e-5)


def test_convolutional_cells_of_maps():
    cell = rnn.Conv2DLSTMCell((3, 8, 9), 4, (3, 3), (3, 5), i2h_pad=(1, 1), prefix="c_")
    shape = {"shape": (2, 4, 8, 9), "__layout__": "NCHW"}
    assert cell.state_info(2) == [shape, shape]
    assert repr(cell) == "Conv2DLSTMCell(3 -> 16, tanh, NCHW)"
    output, states = cell(mx.sym.var("x"), cell.begin_state(func=mx.sym.var))
    assert operators(mx.sym.Group([output, *states])) == [
        "c_t0_i2h", "c_t0_h2h", "c__plus0", "c_t0_slice", "c_t0_o", "c_t0_f", "c__mul0", "c_t0_i",
        "c_t0_c", "c__mul1", "c_t0_state", "c_tanh0", "c_t0_out",
    ]  # fmt: skip
    cell.initialize()
    with autograd.record():
        outputs, _ = cell.unroll(3, normal(2, 3, 3, 8, 9), merge_outputs=True)
        outputs.sum().backward()
    assert outputs.shape == (2, 3, 4, 8, 9)
    assert np.abs(cell.h2h_weight.grad().asnumpy()).max() > 0
    last = rnn.Conv1DGRUCell((8, 3), 4, 3, 3, conv_layout="NWC")
    assert last.i2h_weight.shape == (12, 3, 3) and last.state_info(1)[0]["shape"] == (1, 6, 4)


def test_convolutional_cells_refuse_wrong_windows():
    with pytest.raises(AssertionError, match="Only support odd number"):
        rnn.Conv1DRNNCell((3, 8), 4, 3, 2)
    with pytest.raises(AssertionError, match="of length 1"):
        rnn.Conv1DRNNCell((3, 8), 4, (3, 3), 3)


def test_projected_lstm_with_identity_is_lstm():
    projected = rnn.LSTMPCell(4, 4, input_size=3)
    plain = gluon.rnn.LSTMCell(4, input_size=3)
    for cell in (projected, plain):
        cell.initialize()
    for name in ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"):
        value = normal(*getattr(plain, name).shape)
        getattr(plain, name).set_data(value)
        getattr(projected, name).set_data(value)
    projected.h2r_weight.set_data(mx.nd.array(np.eye(4)))
    x = normal(2, 5, 3)
    want, got = (c.unroll(5, x, merge_outputs=True)[0].asnumpy() for c in (plain, projected))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert repr(projected) == "LSTMPCell(3 -> 16 -> 4)"


@pytest.mark.parametrize("drop_states", [0.0, 0.4])
def test_variational_dropout_has_one_mask_for_all_steps(drop_states):
    base = gluon.rnn.RNNCell(50, input_size=3, i2h_bias_initializer="ones")
    cell = rnn.VariationalDropoutCell(base, 0.2, drop_states, 0.5)
    cell.initialize()
    x = normal(2, 6, 3)
    with autograd.train_mode():
        outputs = cell.unroll(6, x, merge_outputs=True)[0].asnumpy()
    dropped = outputs == 0
    assert 0.2 < dropped.mean() < 0.8
    assert (dropped == dropped[:, :1]).all()
    plain, _ = cell.unroll(6, x, merge_outputs=True)  # predicting drops nothing
    base._modified = False
    want, _ = base.unroll(6, x, merge_outputs=True)
    np.testing.assert_allclose(plain.asnumpy(), want.asnumpy(), rtol=1e-6)


def test_variational_dropout_of_states_cannot_reach_into_directions():
    both = gluon.rnn.BidirectionalCell(gluon.rnn.LSTMCell(4), gluon.rnn.LSTMCell(4))
    with pytest.raises(AssertionError, match="doesn't support variational state dropout"):
        rnn.VariationalDropoutCell(both, drop_states=0.2)


@pytest.mark.parametrize("layout", ["TNC", "NTC"])
@pytest.mark.parametrize("valid", [None, [1, 3]])
def test_dynamic_unroll_is_unroll(layout, valid):
    if not hasattr(mx.nd.contrib, "foreach"):
        pytest.skip("no contrib.foreach")
    cell = gluon.rnn.LSTMCell(4, input_size=3)
    cell.initialize(mx.init.Uniform(0.5))
    x = normal(3, 2, 3) if layout == "TNC" else normal(2, 3, 3)
    length = None if valid is None else mx.nd.array(valid)
    begin = cell.begin_state(2)
    want, want_states = cell.unroll(3, x, begin, layout, True, length)
    got, states = dynamic_unroll(cell, x, begin, layout=layout, valid_length=length)
    np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(states, want_states, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-6)


# ---- data ----------------------------------------------------------------------------------------


def test_interval_sampler():
    assert list(data.IntervalSampler(13, 3)) == [0, 3, 6, 9, 12, 1, 4, 7, 10, 2, 5, 8, 11]
    assert list(data.IntervalSampler(13, 3, rollover=False)) == [0, 3, 6, 9, 12]
    assert len(data.IntervalSampler(13, 3)) == 13
    with pytest.raises(AssertionError, match="Interval 3 must be smaller"):
        data.IntervalSampler(2, 3)
