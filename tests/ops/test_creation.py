"""Arrays made from attributes against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from both import body, check, kernel

import baryon as mx
from baryon.base import MXNetError
from baryon.dtypes import DTYPES
from baryon.ops import get


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
def test_constants_of_every_type(dtype):
    kind = DTYPES[dtype]
    check("_zeros", shape=(3, 5), dtype=dtype, want=np.zeros((3, 5), kind))
    check("_ones", shape=(3, 5), dtype=dtype, want=np.ones((3, 5), kind))
    check("_full", shape=(3, 5), dtype=dtype, value=97, want=np.full((3, 5), 97, kind))
    check("_eye", N=4, M=6, k=1, dtype=dtype, want=np.eye(4, 6, 1).astype(kind))
    check("_eye", N=4, k=-2, dtype=dtype, want=np.eye(4, k=-2).astype(kind))


@pytest.mark.parametrize(
    ("attrs", "want"),
    [
        ({"start": 5}, np.arange(5)),
        ({"start": 2, "stop": 9, "step": 2}, np.arange(2, 9, 2)),
        ({"start": 1, "stop": 0, "step": -0.25}, np.arange(1, 0, -0.25)),
        ({"start": 0, "stop": 3, "repeat": 2}, [0, 0, 1, 1, 2, 2]),
        ({"start": 0, "stop": 100000}, np.arange(100000)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arange(attrs, want, dtype):
    check("_arange", dtype=dtype, **attrs, want=np.asarray(want, dtype))


def test_ranges_that_hold_nothing_are_refused():
    for start, stop, step in [(3, 3, 1), (0, 5, -1), (0, 1, 0), (0, float("inf"), 1)]:
        with pytest.raises(MXNetError, match="_arange"):
            get("_arange").infer(
                get("_arange").attributes({"start": start, "stop": stop, "step": step}), ()
            )


def test_linspace():
    for endpoint in (True, False):
        want = np.linspace(-1, 2, 7, endpoint=endpoint).astype(np.float32)
        got = body("_linspace", start=-1, stop=2, num=7, endpoint=endpoint)[0]
        np.testing.assert_array_equal(got, want)


def test_like_another_array():
    x = np.zeros((2, 3), np.float32)
    check("_contrib_arange_like", x, start=1, step=2, want=[[1, 3, 5], [7, 9, 11]])
    check("_contrib_arange_like", x, axis=1, want=[0, 1, 2])
    check("_contrib_arange_like", x, repeat=2, want=[[0, 0, 1], [1, 2, 2]])
    got = body("_contrib_index_array", x, axes=(1,))[0]
    np.testing.assert_array_equal(got[..., 0], [[0, 1, 2]] * 2)


def test_symbols_decide_unknown_dimensions():
    total = mx.sym.zeros((0, 3)) + mx.sym.var("x")
    bound = total.bind(mx.cpu(), {"x": mx.nd.ones((4, 3))})
    np.testing.assert_array_equal(bound.forward()[0].asnumpy(), np.ones((4, 3)))
    assert kernel("_full", shape=(2,), value=float("inf"))[0][0] == np.inf
