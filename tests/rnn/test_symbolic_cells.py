"""Symbolic cells: steps against NumPy, fused against single cells, weights packed and unpacked."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import nd, sym

T, N, C, H = 3, 2, 5, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run(outputs, arrays):
    """Outputs of a symbol (or list of them) for arrays by name."""
    symbol = sym.Group(list(outputs)) if isinstance(outputs, list | tuple) else outputs
    exe = symbol.simple_bind(mx.cpu(), grad_req="null", data=arrays["data"].shape)
    exe.copy_params_from({k: nd.array(v) for k, v in arrays.items()})
    return [x.asnumpy() for x in exe.forward()]


def random_arrays(symbol):
    rng = np.random.RandomState(3)
    shapes, _, _ = symbol.infer_shape(data=(N, T, C))
    return {
        n: rng.uniform(-1, 1, s).astype("float32")
        for n, s in zip(symbol.list_arguments(), shapes, strict=True)
    }


def by_hand(kind, a, prefix):
    """The outputs (N, T, H) of one cell in NumPy."""
    h = c = np.zeros((N, H))
    found = []
    for t in range(T):
        i2h = a["data"][:, t] @ a[f"{prefix}i2h_weight"].T + a[f"{prefix}i2h_bias"]
        h2h = h @ a[f"{prefix}h2h_weight"].T + a[f"{prefix}h2h_bias"]
        if kind == "rnn":
            h = np.tanh(i2h + h2h)
        elif kind == "lstm":
            i, f, g, o = np.split(i2h + h2h, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ir, iz, io), (hr, hz, ho) = np.split(i2h, 3, axis=1), np.split(h2h, 3, axis=1)
            r, z = sigmoid(ir + hr), sigmoid(iz + hz)
            h = (1 - z) * np.tanh(io + r * ho) + z * h
        found.append(h)
    return np.stack(found, axis=1)


CELLS = {"rnn": mx.rnn.RNNCell, "lstm": mx.rnn.LSTMCell, "gru": mx.rnn.GRUCell}


@pytest.mark.parametrize("kind", CELLS)
def test_cells_against_numpy(kind):
    outputs, states = CELLS[kind](H, prefix="c_").unroll(T, sym.var("data"), merge_outputs=True)
    arrays = random_arrays(outputs)
    want = by_hand(kind, arrays, "c_")
    np.testing.assert_allclose(run(outputs, arrays)[0], want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run(states[0], arrays)[0], want[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["rnn_tanh", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_fused_is_unfused(mode, bidirectional):
    fused = mx.rnn.FusedRNNCell(H, 2, mode, bidirectional, prefix="f_")
    single = fused.unfuse()
    whole, _ = fused.unroll(T, sym.var("data"), merge_outputs=True)
    steps, _ = single.unroll(T, sym.var("data"), merge_outputs=True)
    arrays = random_arrays(whole)
    packed = {k: nd.array(v) for k, v in arrays.items()}
    other = single.pack_weights(fused.unpack_weights(packed))
    got = run(steps, {k: v.asnumpy() for k, v in other.items()})[0]
    np.testing.assert_allclose(got, run(whole, arrays)[0], rtol=1e-4, atol=1e-5)
    back = fused.pack_weights(single.unpack_weights(other))
    np.testing.assert_array_equal(back["f_parameters"].asnumpy(), arrays["f_parameters"])


def test_fused_states_and_layouts():
    cell = mx.rnn.FusedRNNCell(H, 1, "lstm", get_next_state=True, prefix="f_")
    outputs, states = cell.unroll(T, sym.var("data"), merge_outputs=True)
    arrays = random_arrays(outputs)
    out, h, c = run([outputs, *states], arrays)
    np.testing.assert_allclose(h[0], out[:, -1], rtol=1e-5)
    assert c.shape == (1, N, H)
    steps, _ = cell.unroll(T, sym.var("data"), layout="TNC", merge_outputs=False)
    moved = {**arrays, "data": arrays["data"].swapaxes(0, 1).copy()}
    np.testing.assert_allclose(np.stack(run(steps, moved), axis=1), out, rtol=1e-5)
    with pytest.raises(NotImplementedError, match="unroll"):
        cell(sym.var("x"), [])
    with pytest.raises(mx.MXNetError, match="foo"):
        mx.rnn.FusedRNNCell(H, mode="foo")


def test_stacks_dropout_and_both_directions():
    stack = mx.rnn.SequentialRNNCell()
    stack.add(mx.rnn.LSTMCell(H, prefix="a_"))
    stack.add(mx.rnn.DropoutCell(0.5))
    stack.add(
        mx.rnn.BidirectionalCell(mx.rnn.GRUCell(H, prefix="l_"), mx.rnn.GRUCell(H, prefix="r_"))
    )
    outputs, _ = stack.unroll(T, sym.var("data"), merge_outputs=True)
    arrays = random_arrays(outputs)
    low = by_hand("lstm", arrays, "a_")  # dropout does nothing in inference
    left = by_hand("gru", {**arrays, "data": low}, "l_")
    right = by_hand("gru", {**arrays, "data": low[:, ::-1]}, "r_")[:, ::-1]
    want = np.concatenate([left, right], axis=2)
    np.testing.assert_allclose(run(outputs, arrays)[0], want, rtol=1e-4, atol=1e-5)
    assert stack.state_shape == [(0, H)] * 4
    weights = {k: nd.array(v) for k, v in arrays.items()}
    again = stack.pack_weights(stack.unpack_weights(weights))
    assert set(again) == set(weights) and len(stack.unpack_weights(weights)) == 1 + 16 + 12 + 12


def test_residual_and_zoneout():
    residual = mx.rnn.ResidualCell(mx.rnn.GRUCell(C, prefix="g_"))
    for merge in (True, False):
        outputs, _ = residual.unroll(T, sym.var("data"), merge_outputs=merge)
        symbol = outputs if merge else sym.Group(outputs)
        arrays = random_arrays(symbol)
        plain, _ = mx.rnn.GRUCell(C, prefix="g_").unroll(T, sym.var("data"), merge_outputs=True)
        want = run(plain, arrays)[0] + arrays["data"]
        got = run(outputs, arrays)
        got = got[0] if merge else np.stack(got, axis=1)
        np.testing.assert_allclose(got, want, rtol=1e-5)
    zoneout = mx.rnn.ZoneoutCell(mx.rnn.RNNCell(H, prefix="z_"), 0.3, 0.2)
    outputs, _ = zoneout.unroll(T, sym.var("data"), merge_outputs=True)
    arrays = random_arrays(outputs)  # in inference nothing is kept: Dropout passes ones
    np.testing.assert_allclose(
        run(outputs, arrays)[0], by_hand("rnn", arrays, "z_"), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(AssertionError, match="modifier"):
        zoneout.base_cell.begin_state()
    with pytest.raises(AssertionError, match="unfuse"):
        mx.rnn.ZoneoutCell(mx.rnn.FusedRNNCell(H))


@pytest.mark.parametrize(
    ("cell", "states"),
    [(mx.rnn.ConvRNNCell, 1), (mx.rnn.ConvLSTMCell, 2), (mx.rnn.ConvGRUCell, 1)],
)
def test_convolutional_cells(cell, states):
    """A 1x1 image with a 1x1 window is the ordinary cell."""
    kind = cell.__name__[4:-4].lower()
    conv = cell((0, C, 1, 1), H, h2h_kernel=(1, 1), i2h_kernel=(1, 1), i2h_pad=(0, 0),
                activation="tanh", prefix="c_")  # fmt: skip
    assert conv.state_shape == [(0, H, 1, 1)] * states
    data = sym.split(sym.var("data"), num_outputs=T, axis=1, squeeze_axis=1)
    steps = [sym.reshape(d, (0, 0, 1, 1)) for d in data]
    outputs, _ = conv.unroll(T, steps)
    arrays = random_arrays(sym.Group(outputs))
    flat = {k: v.reshape(v.shape[:2]) if v.ndim == 4 else v for k, v in arrays.items()}
    got = np.stack([x[:, :, 0, 0] for x in run(outputs, arrays)], axis=1)
    np.testing.assert_allclose(got, by_hand(kind, flat, "c_"), rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="odd"):
        cell((0, C, 4, 4), H, h2h_kernel=(2, 2))


def test_begin_states_and_shared_parameters():
    a = mx.rnn.LSTMCell(H, prefix="x_")
    b = mx.rnn.LSTMCell(H, prefix="x_", params=a.params)
    assert b._iW is a._iW
    states = a.begin_state(func=sym.Variable)
    assert [s.name for s in states] == ["x_begin_state_0", "x_begin_state_1"]
    outputs, _ = mx.rnn.rnn_unroll(mx.rnn.RNNCell(H), 2, input_prefix="p_")
    assert "p_t1_data" in outputs[1].list_arguments()
    with pytest.raises(AssertionError, match="3 steps, got 2"):
        mx.rnn.RNNCell(H).unroll(3, [sym.var("a"), sym.var("b")])


def test_module_initializes_cells():
    for cell in (mx.rnn.LSTMCell(H, prefix="l_"), mx.rnn.FusedRNNCell(H, prefix="f_")):
        outputs, _ = cell.unroll(T, sym.var("data"), merge_outputs=True)
        module = mx.mod.Module(outputs, label_names=None)
        module.bind([("data", (N, T, C))], for_training=False)
        module.init_params(mx.init.Xavier())
        weights = cell.unpack_weights(module.get_params()[0])
        forget = [v for k, v in weights.items() if k.endswith("_i2h_f_bias")]
        assert forget and all((v.asnumpy() == 1).all() for v in forget)


def test_checkpoints_are_gate_by_gate(tmp_path):
    fused = mx.rnn.FusedRNNCell(H, 1, "gru", prefix="g_")
    outputs, _ = fused.unroll(T, sym.var("data"), merge_outputs=True)
    args = {k: nd.array(v) for k, v in random_arrays(outputs).items() if k != "data"}
    prefix = str(tmp_path / "rnn")
    mx.rnn.do_rnn_checkpoint(fused, prefix, 2)(0, outputs, args, {})
    assert not list(tmp_path.iterdir())
    mx.rnn.do_rnn_checkpoint(fused, prefix, 2)(1, outputs, args, {})
    assert "arg:g_l0_i2h_r_weight" in nd.load(f"{prefix}-0002.params")
    _, back, _ = mx.rnn.load_rnn_checkpoint(fused, prefix, 2)
    np.testing.assert_array_equal(back["g_parameters"].asnumpy(), args["g_parameters"].asnumpy())
    _, single, _ = mx.rnn.load_rnn_checkpoint(fused.unfuse(), prefix, 2)
    assert single["g_l0_i2h_weight"].shape == (3 * H, C)
