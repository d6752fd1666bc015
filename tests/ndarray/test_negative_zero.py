"""-0.0 as an attribute, which Python holds equal to 0.0."""

from __future__ import annotations

import numpy as np

import baryon as mx


def test_negative_zero_is_not_mistaken_for_zero():
    x = mx.nd.array([1.0, 2.0])
    for _ in range(2):
        for zero in (0.0, -0.0, 0):
            want = np.signbit(x.asnumpy() * np.float32(zero))
            np.testing.assert_array_equal(np.signbit((x * zero).asnumpy()), want)
