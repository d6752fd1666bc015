"""CUDA kernels on sequences: longer ones than samples have, of odd lengths."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_emulator import compiler
from test_kernels import check

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
RNG = np.random.default_rng(17)


@pytest.mark.parametrize("blank", ["first", "last"])
def test_alignments(blank):
    data, dy = RNG.normal(size=(60, 5, 9)), RNG.normal(size=5)
    label = RNG.integers(1, 8, (5, 20)).astype(np.float32)
    label[1, 3:], label[2, :] = (0, 0) if blank == "first" else (-1, -1)
    check("CTCLoss", data, label, blank_label=blank)
    check("_backward_ctc_loss", dy, data, label, blank_label=blank, rtol=1e-4)
    lengths = np.array([60, 9, 0, 33, 80], np.int32), np.array([3, 20, 1, 0, 15], np.int32)
    told = dict(use_data_lengths=True, use_label_lengths=True, blank_label=blank)
    check("CTCLoss", data, label, *lengths, **told)
    check("_backward_ctc_loss", dy, data, label, *lengths, rtol=1e-4, **told)


@pytest.mark.parametrize("mode", ["rnn_relu", "rnn_tanh", "lstm"])
def test_recurrent_layers(mode):
    sizes = dict(state_size=33, num_layers=2, mode=mode, bidirectional=True, state_outputs=True)
    gates = 4 if mode == "lstm" else 1
    weights = 2 * gates * 33 * (7 + 33 + 2) + 2 * gates * 33 * (66 + 33 + 2)
    state = [RNG.normal(size=(4, 5, 33)) for _ in range(2 if mode == "lstm" else 1)]
    held = dict(lstm_state_clip_min=-0.2, lstm_state_clip_max=0.3) if mode == "lstm" else {}
    arrays = [RNG.normal(size=(6, 5, 7)), RNG.normal(0, 0.2, weights), *state]
    check("RNN", *arrays, **sizes, **held)
    out, end = RNG.normal(size=(6, 5, 66)), RNG.normal(size=(4, 5, 33))
    cells = RNG.normal(size=(4, 5, 33 if mode == "lstm" else 0))
    kept = RNG.normal(0, 0.3, (4, 6, 5, 33 * (5 if mode == "lstm" else 1)))
    between = RNG.normal(size=(1, 6, 5, 66)), RNG.normal(size=(1, 6, 5, 66))
    more = dict(projection_size=None, use_sequence_length=False)
    more |= held or dict(lstm_state_clip_min=None, lstm_state_clip_max=None)
    del sizes["state_outputs"]
    arrays = [RNG.normal(size=out.shape), end, cells, out, kept, *between, *arrays]
    check("_backward_RNN", *arrays, rtol=1e-4, **sizes, **more)
