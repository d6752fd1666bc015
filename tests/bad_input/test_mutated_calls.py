"""Every operator with one thing of a good call changed: a clear error, or the body's result."""

from __future__ import annotations

import numpy as np
import pytest
from contract import Call, calls, make, tolerance
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import baryon as mx
from baryon.base import MXNetError
from baryon.ops import Spec

BY_OPERATOR: dict[str, list] = {}
for _op, _index, _dtype in dict(calls(all_dtypes=False)).values():
    if not _op.derived:  # users and files cannot name the others
        BY_OPERATOR.setdefault(_op.name, []).append((_op, _index, _dtype))
MOST_BYTES = 16 << 20  # of one result; larger ones are not computed here
ERRORS = (MXNetError, IndexError)

INTEGERS = st.sampled_from([-(2**31), -7, -2, -1, 0, 1, 2, 3, 5, 17, 2**31 - 1, 2**40])
NUMBERS = st.sampled_from([float("nan"), float("inf"), -float("inf"), -1.5, -0.0, 0.5, 3.0, 1e30])
TEXTS = st.sampled_from(["", "none", "valid", "float32", "(1, 2", "-1", "\0", "é"])
TUPLES = st.lists(INTEGERS | st.none(), max_size=5).map(tuple)
VALUES = st.one_of(INTEGERS, NUMBERS, TEXTS, TUPLES, st.booleans(), st.none())
WILD = st.sampled_from([-1e9, -5.0, -1.0, 0.0, 3.0, 1e9, 3e38, float("nan"), float("inf")])
DTYPES = st.sampled_from(["float16", "float32", "float64", "int8", "int32", "int64", "bool"])


@st.composite
def changes(draw: st.DrawFn, call: Call) -> tuple[list[np.ndarray], dict]:
    """The arrays and attributes of a call after one change."""
    arrays, attrs = [a.copy() for a in call.arrays], dict(call.sample.attrs)
    kinds = ["attribute"] * bool(call.op.attrs) + ["shape", "dtype", "values"] * bool(arrays)
    kind = draw(st.sampled_from(kinds or ["nothing"]))
    if kind == "attribute":
        attrs[draw(st.sampled_from(sorted(call.op.attrs)))] = draw(VALUES)
    elif kind in ("shape", "dtype", "values"):
        at = draw(st.integers(0, len(arrays) - 1))
        arrays[at] = draw(_changed(arrays[at], kind))
    return arrays, attrs


@st.composite
def _changed(draw: st.DrawFn, array: np.ndarray, kind: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        if kind == "dtype":
            return array.astype(draw(DTYPES))
        if kind == "shape":
            return np.resize(array, draw(st.lists(st.integers(1, 4), min_size=1, max_size=5)))
        if array.size:
            place = draw(st.integers(0, array.size - 1))
            array.reshape(-1)[place] = np.float64(draw(WILD)).astype(array.dtype)
        return array


def attempt(call: Call, arrays: list[np.ndarray], attrs: dict) -> list[np.ndarray] | None:
    """What an eager call gives; None for a clear error, or for results too large to compute."""
    op = call.op
    given_attrs = {**attrs, op.variadic: len(arrays)} if op.variadic else attrs
    try:
        parsed = op.attributes(given_attrs, call.sample.train)
        specs = op.infer(parsed, tuple(Spec(a.shape, a.dtype) for a in arrays))
        if sum(s.nbytes for s in specs) > MOST_BYTES:
            return None
        nds = [mx.nd.array(a, dtype=a.dtype) for a in arrays]
        with mx.autograd.train_mode() if call.sample.train else mx.autograd.predict_mode():
            made = mx.nd.NDArray._apply(op, nds, attrs)
        return [x.asnumpy() for x in (made if isinstance(made, list) else [made])]
    except ERRORS as error:
        assert str(error).startswith("operator ")  # an operator made of others may name one of them
        return None


def compare_with_body(call: Call, arrays: list, attrs: dict, got: list[np.ndarray]) -> None:
    """The native kernels and the body agree on what they accept."""
    op = call.op
    given_attrs = {**attrs, op.variadic: len(arrays)} if op.variadic else attrs
    parsed = op.attributes(given_attrs, call.sample.train)
    want = op.run(np, parsed, [a.copy() for a in arrays])
    specs = op.infer(parsed, tuple(Spec(a.shape, a.dtype) for a in arrays))
    near = tolerance(call)
    if any(a.dtype == np.float16 for a in arrays):
        near = {"rtol": 4e-3, "atol": 4e-3}
    for x, y, spec in zip(got, want, specs, strict=False):
        with np.errstate(all="ignore"):
            y = np.asarray(y).astype(spec.dtype)
        assert x.shape == y.shape
        if x.dtype.kind == "f" and np.isfinite(y.astype(float)).all():
            np.testing.assert_allclose(x, y, **near)


@pytest.mark.parametrize("name", BY_OPERATOR)
def test_changed_call_fails_clearly_or_computes(name):
    samples = [make(*coordinates) for coordinates in BY_OPERATOR[name]]

    @seed(20)
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data):
        call = data.draw(st.sampled_from(samples))
        arrays, attrs = data.draw(changes(call))
        got = attempt(call, arrays, attrs)
        if got is not None and not call.op.is_random and not callable(call.op.mutates):
            compare_with_body(call, arrays, attrs, got)

    run()
