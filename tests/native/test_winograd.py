"""Minimal filtering of windows of 3 x 3 on every instruction set, against sums in float64."""

import os
import subprocess
import sys

import numpy as np
import pytest

from baryon.native import native
from baryon.ops.blocked import BLOCK

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")

# Batch, channels, filters, height, width, padding, and whether weights are kept. Threads share out
# rows of tiles, filters, or work on one task together; tiles are small where few large ones would
# read many weights. Sides are no multiples of a tile's, filters not always of two vectors.
CASES = [
    (3, 48, 48, 25, 30, 1, 0),
    (1, 128, 144, 27, 26, 2, 1),
    (2, 96, 64, 21, 39, 0, 0),
    (2, 352, 208, 43, 23, 1, 1),
    (1, 336, 304, 11, 13, 1, 1),
    (1, 352, 352, 7, 7, 1, 1),
    (1, 512, 304, 13, 14, 1, 1),
]


def convolution(x, weight, pad):
    """The sums of float64, on planes."""
    x = np.pad(x.astype("d"), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    total = 0
    for i, j in np.ndindex(3, 3):
        moved = x[:, :, i : i + height, j : j + width].reshape(*x.shape[:2], -1)
        total = total + weight[:, :, i, j] @ moved
    return total.reshape(*total.shape[:2], height, width)


def to_blocks(x):
    n, c, h, w = x.shape
    return np.ascontiguousarray(x.reshape(n, c // BLOCK, BLOCK, h, w).transpose(0, 1, 3, 4, 2))


def filtered(x, weight, pad, keep, winograd=1):
    """What the kernel computes, as planes."""
    n, _, h, w = x.shape
    sides = (h + 2 * pad - 2, w + 2 * pad - 2)
    out = np.empty((n, len(weight) // BLOCK, *sides, BLOCK), "f")
    params = (1, 3, 3, 1, 1, 1, 1, pad, pad, winograd, keep)
    native.run_kernel("_blocked_Convolution", [to_blocks(x), weight], [out], params)
    return out.transpose(0, 1, 4, 2, 3).reshape(n, -1, *sides)


def measured(x, weight, pad, keep):
    """Means and deviations that the kernel finds in its results."""
    mean, scale = np.empty((2, len(weight)), "f")
    n, _, h, w = x.shape
    sides = (h + 2 * pad - 2, w + 2 * pad - 2)
    out = np.empty((n, len(weight) // BLOCK, *sides, BLOCK), "f")
    params = (1, 3, 3, 1, 1, 1, 1, pad, pad, 0.0, 1, keep)
    native.run_kernel(
        "_blocked__measured_Convolution", [to_blocks(x), weight], [out, mean, scale], params
    )
    return mean, 1 / scale


def check():
    """Results are near the sums, and the same for any number of threads."""
    rng = np.random.default_rng(0)
    for batch, channels, filters, height, width, pad, keep in CASES:
        x = rng.normal(size=(batch, channels, height, width)).astype("f")
        weight = rng.normal(size=(filters, channels, 3, 3)).astype("f")
        native.set_num_threads(1)
        got = filtered(x, weight, pad, keep)
        want = convolution(x, weight, pad)
        assert np.abs(got - want).max() < 8e-6 * np.abs(want).max()
        assert (got != filtered(x, weight, pad, keep, winograd=0)).any()
        mean, deviation = measured(x, weight, pad, keep)
        np.testing.assert_allclose(mean, got.mean((0, 2, 3), dtype="d"), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(deviation, got.std((0, 2, 3), dtype="d"), rtol=1e-4)
        for threads in (2, 3):
            native.set_num_threads(threads)
            np.testing.assert_array_equal(filtered(x, weight, pad, keep), got)


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4"])
def test_filtering_on_every_instruction_set(isa):
    env = {**os.environ, "BARYON_ISA": isa}
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    check()
