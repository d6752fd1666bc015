"""Element-wise operators of the NumPy interface: which types mix, as MXNet 1.9.1 was seen to do."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon.ops import REGISTRY

TYPES = ["bool", "int8", "uint8", "int32", "int64", "float16", "float32", "float64"]
SHORT = dict(
    zip(["b", "i1", "u1", "i4", "i8", "f2", "f4", "f8", "--"], [*TYPES, None], strict=True)
)
# Rows: the type on the left; columns: that on the right; entries: that of the result, -- refused.
SUM = """
    b  i1 u1 i4 i8 f2 f4 f8
    i1 i1 -- i4 i8 f2 f4 f8
    u1 -- u1 i4 i8 f2 f4 f8
    i4 i4 i4 i4 i8 f2 f4 f8
    i8 i8 i8 i8 i8 f2 f4 f8
    f2 f2 f2 f2 f2 f2 f4 f8
    f4 f4 f4 f4 f4 f4 f4 f8
    f8 f8 f8 f8 f8 f8 f8 f8"""
# MXNet takes integers of two types, or bool and an integer, only where shapes broadcast.
DIFFERENCE = """
    -- i1 u1 i4 i8 f2 f4 f8
    i1 i1 -- i4 i8 f2 f4 f8
    u1 -- u1 i4 i8 f2 f4 f8
    i4 i4 i4 i4 i8 f2 f4 f8
    i8 i8 i8 i8 i8 f2 f4 f8
    f2 f2 f2 f2 f2 f2 f4 f8
    f4 f4 f4 f4 f4 f4 f4 f8
    f8 f8 f8 f8 f8 f8 f8 f8"""
QUOTIENT = """
    f4 -- -- -- -- f2 f4 f8
    -- f4 -- -- -- f2 f4 f8
    -- -- f4 -- -- f2 f4 f8
    -- -- -- f4 -- f2 f4 f8
    -- -- -- -- f4 f2 f4 f8
    f2 f2 f2 f2 f2 f2 -- --
    f4 f4 f4 f4 f4 -- f4 --
    f8 f8 f8 f8 f8 -- -- f8"""


def result_type(name, *dtypes, **attrs):
    """The type of an operator's result by its rule, None where it refuses."""
    op = REGISTRY[name]
    specs = tuple(mx.ops.Spec((2,), np.dtype(d)) for d in dtypes)
    try:
        return op.infer(op.attributes(attrs), specs)[0].dtype.name
    except mx.MXNetError:
        return None


@pytest.mark.parametrize(
    "name, table",
    [
        ("_npi_add", SUM),
        ("_npi_multiply", SUM),
        ("_npi_power", SUM),
        ("_npi_subtract", DIFFERENCE),
        ("_npi_mod", DIFFERENCE),
        ("_npi_true_divide", QUOTIENT),
    ],
)
def test_types_that_mix(name, table):
    rows = [[SHORT.get(word) for word in row.split()] for row in table.split("\n")[1:]]
    for a, row in zip(TYPES, rows, strict=True):
        assert [result_type(name, a, b) for b in TYPES] == row, a


@pytest.mark.parametrize("name", ["_npi_arctan2", "_npi_hypot"])
def test_real_functions_take_one_real_type(name):
    for a in TYPES:
        got = [result_type(name, a, b) for b in TYPES]
        assert got == [a if a == b and a.startswith("float") else None for b in TYPES]


@pytest.mark.parametrize("name", ["_npi_bitwise_and", "_npi_bitwise_or", "_npi_lcm"])
def test_integer_functions(name):
    for a in TYPES:
        got = [result_type(name, a, b) for b in TYPES]
        assert got == [a if a == b and not a.startswith("float") else None for b in TYPES]


# MXNet writes `x & 6.0` with is_int False, and cuts the number to the array's type.
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize(
    ("name", "want"), [("and", [2, 4]), ("or", [7, 14]), ("xor", [5, 10]), ("lcm", [6, 12])]
)
def test_integer_functions_of_a_number_that_is_no_integer(name, want, dtype):
    name = "_npi_lcm_scalar" if name == "lcm" else f"_npi_bitwise_{name}_scalar"
    node = {"op": name, "name": "y", "inputs": [[0, 0, 0]]}
    node["attrs"] = {"scalar": "6.7", "is_int": "False"}
    graph = {"nodes": [{"op": "null", "name": "x", "inputs": []}, node], "heads": [[1, 0, 0]]}
    symbol = mx.sym.load_json(json.dumps(graph | {"arg_nodes": [0]}))
    data = mx.nd.array([3, 12], dtype=dtype)
    (got,) = symbol.bind(mx.cpu(), {"x": data}).forward()
    assert got.dtype == np.dtype(dtype)
    assert got.asnumpy().tolist() == want


@pytest.mark.parametrize("name", ["equal", "less", "greater_equal"])
def test_comparisons_give_bool(name):
    for a in TYPES:
        assert result_type(f"_npi_{name}", a, a) == "bool"
        assert result_type(f"_npi_{name}_scalar", a, scalar=2.5) == "bool"
    assert result_type(f"_npi_{name}", "int32", "int64") is None


def test_arithmetic_with_a_number():
    for name in ("add", "multiply", "subtract", "power", "mod"):
        got = [result_type(f"_npi_{name}_scalar", d, scalar=2) for d in TYPES]
        assert got == ["int64", *TYPES[1:]]
    got = [result_type("_npi_true_divide_scalar", d, scalar=2) for d in TYPES]
    assert got == ["float32"] * 5 + TYPES[5:]


def test_most_functions_refuse_bool_and_keep_other_types():
    for name in ("exp", "sqrt", "negative", "absolute", "rint", "reciprocal", "around"):
        assert [result_type(f"_npi_{name}", d) for d in TYPES] == [None, *TYPES[1:]]


def test_mixed_values_and_gradients():
    x = mx.np.array([1.5, 2.0, -3.0], dtype="float64")
    y = mx.np.array([2, 3, 4], dtype="int32")
    z = mx.np.array([0.5, 1.0, 2.0], dtype="float32")
    x.attach_grad()
    z.attach_grad()
    with mx.autograd.record():
        out = x * y + z * x
    out.backward()
    assert out.dtype == np.float64
    np.testing.assert_allclose(x.grad.asnumpy(), [2.5, 4.0, 6.0])
    assert z.grad.dtype == np.float32
    np.testing.assert_allclose(z.grad.asnumpy(), [1.5, 2.0, -3.0])


def test_rounding_of_ties():
    x = mx.np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert mx.np.around(x).tolist() == [-2, -2, 0, 0, 2, 2]
    assert mx.np.rint(x).tolist() == [-3, -2, -1, 0, 1, 2]
    assert mx.np.fix(x).tolist() == [-2, -1, 0, 0, 1, 2]
    x = mx.np.array([155, 144, -159, 5], dtype="int32")
    assert mx.np.around(x, -1).tolist() == [150, 140, -150, 0]
    assert mx.np.around(x, 1).tolist() == x.tolist()
    assert mx.np.around(mx.np.array([100], dtype="int8"), -3).tolist() == [0]


def test_integers_as_mxnet_computes_them():
    a = mx.np.array([4, 0, -6], dtype="int32")
    assert mx.np.lcm(a, mx.np.array([6, 3, 4], dtype="int32")).tolist() == [12, 0, 12]
    assert mx.np.power(mx.np.array([2, 3], dtype="int32"), mx.np.array([-1, 2], dtype="int32")
                       ).tolist() == [0, 9]  # fmt: skip
    assert mx.np.ldexp(mx.np.array([1.0, 2.0]), mx.np.array([2.5, -1.0])).tolist() == [
        pytest.approx(5.656854),
        1.0,
    ]
    assert (mx.np.array([2, 3], dtype="int32") == 2.5).tolist() == [True, False]


def test_nan_to_num():
    x = np.array([np.nan, np.inf, -np.inf, 1.0])
    for dtype in ("float16", "float32", "float64"):
        got = mx.np.nan_to_num(mx.np.array(x, dtype=dtype)).asnumpy()
        np.testing.assert_array_equal(got, np.nan_to_num(x.astype(dtype)))


def test_constraint():
    x = mx.np.array([1.0, 2.0])
    assert mx.npx.constraint_check(x > 0).item() is True
    with pytest.raises(ValueError, match="too big"):
        mx.npx.constraint_check(x < 2, "too big")
    with pytest.raises(mx.MXNetError, match="not bool"):
        mx.npx.constraint_check(mx.np.ones(2))
