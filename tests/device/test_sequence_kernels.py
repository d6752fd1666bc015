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
