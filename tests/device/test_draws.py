"""Random numbers drawn by a kernel are those that NumPy computes."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_emulator import compiler

import baryon as mx
from baryon import backend
from baryon.cuda import Generator
from baryon.ops.philox import Philox

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
SEED, STREAM = 2**40 + 17, 2**35 + 3


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (4,), (7, 3), (33000,)])
def test_kernel_draws_the_numbers_of_the_cpu(shape):
    xp = backend.of_context(mx.gpu(0)).xp
    own = Generator(xp, SEED, STREAM, xp.full(1, 5, np.uint64))
    want = Philox(np, SEED, STREAM + 5)
    for _ in range(2):  # the second call goes on where the first one ended
        np.testing.assert_array_equal(own.bits(shape).get(), want.bits(shape))
        for dtype in (np.float32, np.float64):
            got = own.uniform(shape, dtype)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got.get(), want.uniform(shape, dtype))
            got = own.normal(shape, dtype).get()
            np.testing.assert_allclose(got, want.normal(shape, dtype), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 501])
def test_rejection_goes_as_on_the_cpu(count):
    xp = backend.of_context(mx.gpu(0)).xp
    own, want = Generator(xp, SEED, STREAM), Philox(np, SEED, STREAM)
    values = np.random.default_rng(2).uniform(0.05, 60, count)
    values[::3] /= 20
    for _ in range(2):
        got = own.gamma(xp.asarray(values)).get()
        np.testing.assert_allclose(got, want.gamma(values), rtol=1e-12)
        assert own.block == want.block
    np.testing.assert_array_equal(own.poisson(xp.asarray(values)).get(), want.poisson(values))


def test_a_draw_is_one_launch(counts):
    xp = backend.of_context(mx.gpu(0)).xp
    own = Generator(xp, SEED, STREAM)
    for draw in (own.bits, own.uniform, own.normal):
        before = counts["launches"]
        draw((5, 3))
        assert counts["launches"] == before + 1
