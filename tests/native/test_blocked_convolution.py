"""Convolution of blocked images on every instruction set, against sums in float64."""

import os
import subprocess
import sys

import numpy as np
import pytest

from baryon.native import native
from baryon.ops.blocked import BLOCK

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")

# Windows of 3 x 3 by minimal filtering:
# batch, channels, filters, height, width, padding, and whether weights are kept. Threads share out
# rows of tiles, filters, or work on one task together; tiles are small where few large ones would
# read many weights. Sides are no multiples of a tile's, filters not always of two vectors.
FILTERED = [
    (3, 48, 48, 25, 30, 1, 0),
    (1, 128, 144, 27, 26, 2, 1),
    (2, 96, 64, 21, 39, 0, 0),
    (2, 352, 208, 43, 23, 1, 1),
    (1, 336, 304, 11, 13, 1, 1),
    (1, 352, 352, 7, 7, 1, 1),
    (1, 512, 304, 13, 14, 1, 1),
]


# Others: batch, channels, filters, height, width, side of the window, stride, padding. Few channels
# come plane by plane; rows of 7 places go two into a tile.
DIRECT = [
    (2, 32, 48, 15, 29, 1, 2, 0),
    (1, 48, 64, 13, 14, 1, 2, 0),
    (1, 320, 16, 14, 13, 1, 2, 0),
    (1, 32, 32, 10, 9, 1, 3, 0),
    (1, 16, 32, 20, 21, 3, 2, 1),
    (2, 3, 48, 37, 62, 7, 2, 3),
    (1, 48, 80, 9, 7, 1, 1, 0),
]


def convolution(x, weight, stride, pad):
    """The sums of float64, on planes."""
    x = np.pad(x.astype("d"), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = ((n - weight.shape[2]) // stride + 1 for n in x.shape[2:])
    total = 0
    for i, j in np.ndindex(weight.shape[2:]):
        moved = x[:, :, i::stride, j::stride][:, :, :height, :width].reshape(*x.shape[:2], -1)
        total = total + weight[:, :, i, j] @ moved
    return total.reshape(*total.shape[:2], height, width)


def to_blocks(x):
    n, c, h, w = x.shape
    return np.ascontiguousarray(x.reshape(n, c // BLOCK, BLOCK, h, w).transpose(0, 1, 3, 4, 2))


def blocked(name, x, weight, stride, pad, *numbers):
    """What a kernel computes, as planes, and the means and deviations that it finds there."""
    n, channels, side = len(x), x.shape[1], weight.shape[2]
    sides = [(length + 2 * pad - side) // stride + 1 for length in x.shape[2:]]
    out = np.empty((n, len(weight) // BLOCK, *sides, BLOCK), "f")
    mean, scale = np.empty((2, len(weight)), "f")
    outs = [out, mean, scale] if "measured" in name else [out]
    params = (1, side, side, stride, stride, 1, 1, pad, pad, *numbers)
    data = to_blocks(x) if channels % BLOCK == 0 else x
    native.run_kernel(name, [data, weight], outs, params)
    return out.transpose(0, 1, 4, 2, 3).reshape(n, -1, *sides), mean, 1 / scale


def check(case, filtered):
    """Results are near the sums, and the same for any number of threads."""
    batch, channels, filters, height, width, *window = case
    side, stride, pad, keep = (3, 1, *window) if filtered else (*window, 0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, channels, height, width)).astype("f")
    weight = rng.normal(size=(filters, channels, side, side)).astype("f")
    want = convolution(x, weight, stride, pad)
    found = []
    for threads in (1, 2, 3):
        native.set_num_threads(threads)
        numbers = (1e-9, filtered, keep)
        got, mean, deviation = blocked(
            "_blocked__measured_Convolution", x, weight, stride, pad, *numbers
        )
        assert np.abs(got - want).max() < 8e-6 * np.abs(want).max()
        np.testing.assert_allclose(mean, want.mean((0, 2, 3)), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(deviation, want.std((0, 2, 3)), rtol=1e-4)
        plain = blocked("_blocked_Convolution", x, weight, stride, pad, filtered, keep)[0]
        np.testing.assert_array_equal(plain, got)
        found.append(got)
    np.testing.assert_array_equal(found[1:], found[:1] * 2)
    direct = blocked("_blocked_Convolution", x, weight, stride, pad, 0, keep)[0]
    assert (direct != got).any() == filtered


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4"])
def test_every_instruction_set(isa):
    env = {**os.environ, "BARYON_ISA": isa}
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    for _case in FILTERED:
        check(_case, filtered=True)
    for _case in DIRECT:
        check(_case, filtered=False)
