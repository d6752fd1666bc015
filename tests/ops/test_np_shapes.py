"""Shapes, joins, paddings and edits of the NumPy interface against NumPy, and their errors."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.ndarray.invoke import invoke
from baryon.ops import REGISTRY

X = np.arange(24.0, dtype="float32").reshape(2, 3, 4)


def call(name, *inputs, **attrs):
    """An operator's result, as NumPy arrays."""
    with mx.util.np_shape():
        arrays = [mx.np.array(x, dtype=np.asarray(x).dtype) for x in inputs]
        made = invoke(REGISTRY[name], arrays, attrs)
    return [m.asnumpy() for m in made] if isinstance(made, list) else made.asnumpy()


@pytest.mark.parametrize(
    "shape, codes, reverse, want",
    [
        ((2, 3, 4), (-2, -2, -2), False, (2, 3, 4)),
        ((2, 3, 4), (-4,), False, (2, 3, 4)),
        ((2, 3, 4), (-5, 4), False, (6, 4)),
        ((2, 3, 4), (-2, -6, 3, 1, -1), False, (2, 3, 1, 4)),
        ((2, 3, 4), (-6, 1, 2, -4), False, (1, 2, 3, 4)),
        ((2, 3, 4), (2, -4), False, (2, 3, 4)),
        ((2, 3, 4), (-2, -1), True, (3, 8)),
        ((2, 3, 4), (-1, -5), True, (2, 12)),
        ((2, 1, 4), (-2, -3, -1), False, (2, 4)),
        ((0, 3, 4), (-2, -5), False, (0, 12)),
    ],
)
def test_reshape_codes(shape, codes, reverse, want):
    op = REGISTRY["_npx_reshape"]
    attrs = op.attributes({"newshape": codes, "reverse": reverse})
    assert op.infer(attrs, (mx.ops.Spec(shape, np.dtype("float32")),))[0].shape == want


@pytest.mark.parametrize(
    "name, shape, attrs, words",
    [
        ("_np_reshape", (2, 3), {"newshape": (4, -1)}, "cannot reshape"),
        ("_np_reshape", (0, 3), {"newshape": (0, -1)}, "cannot reshape"),
        ("_np_reshape", (2, 3), {"newshape": (6,), "order": "F"}, "order"),
        ("_npx_reshape", (2, 3), {"newshape": (-3, -1)}, "code -3"),
        ("_npx_reshape", (2, 3), {"newshape": (-6, 4, -1, -1)}, "code -6"),
        ("_npx_reshape", (2, 3), {"newshape": (-7,)}, "code -7"),
        ("_npx_reshape", (2,), {"newshape": (-2, -2)}, "code -2"),
        ("_np_squeeze", (1, 2), {"axis": (1,)}, "size 1"),
        ("_np_transpose", (2, 3), {"axes": (0,)}, "axes"),
        ("_np_moveaxis", (2, 3), {"source": (0,), "destination": (0, 1)}, "differ"),
        ("_np_roll", (2, 3), {"shift": (1, 2), "axis": (1,)}, "differ in length"),
        ("_npi_rot90", (2, 3), {"axes": (0, 0)}, "twice"),
        ("_npi_pad", (2, 3), {"pad_width": ((1, 1),)}, "pad_width"),
        ("_npi_pad", (0, 3), {"pad_width": ((1, 1), (0, 0)), "mode": "edge"}, "size 0"),
        ("_npi_pad", (2,), {"pad_width": ((1, 1),), "reflect_type": "odd"}, "reflect_type"),
        ("_np_diag", (2, 2, 2), {}, "3 dimensions"),
        ("_npi_tril", (), {}, "no dimension"),
        ("_np_max", (0, 3), {}, "no element"),
        ("_npi_argmax", (0, 3), {}, "no element"),
        ("_npi_mean", (2,), {"initial": 1.0}, "initial"),
        ("_npi_insert_scalar", (3,), {"int_ind": 5, "val": 1.0}, "out of bounds"),
        ("_npi_insert_scalar", (3,), {"val": 1.0}, "required"),
    ],
)
def test_errors_name_operator_and_reason(name, shape, attrs, words):
    with pytest.raises(mx.MXNetError, match=f"operator {name}: .*{words}"):
        call(name, np.ones(shape, "float32"), **attrs)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "maximum", "minimum"])
@pytest.mark.parametrize("width", [((0, 0), (2, 3)), ((1, 1), (5, 7)), ((3, 0), (0, 0))])
def test_pad(mode, width):
    x = np.array([[1.0, 2.0, 4.0], [9.0, 7.0, 8.0]], "float32")
    got = call("_npi_pad", x, pad_width=width, mode=mode)
    np.testing.assert_array_equal(got, np.pad(x, width, mode=mode))


@pytest.mark.parametrize(
    "attrs, index, axis",
    [
        ({"int_ind": 1, "axis": 0}, 1, 0),
        ({"int_ind": -1, "axis": 2}, -1, 2),
        ({"int_ind": 5}, 5, None),
        ({"start": 0, "stop": 3, "step": 2, "axis": 1}, slice(0, 3, 2), 1),
        ({"start": 3, "step": -1, "axis": 2}, slice(3, None, -1), 2),
    ],
)
def test_insert_and_delete(attrs, index, axis):
    name = "_npi_insert_scalar" if "int_ind" in attrs else "_npi_insert_slice"
    want = np.insert(X, index, 7.0, axis=axis)
    np.testing.assert_array_equal(call(name, X, val=7.0, **attrs), want)
    np.testing.assert_array_equal(call("_npi_delete", X, **attrs), np.delete(X, index, axis=axis))


def test_insert_and_delete_at_an_array_of_positions():
    at, values = np.array([2, -1, 0]), np.array([[1.0], [2.0], [3.0]], "float32")
    got = call("_npi_insert_tensor", X, values, at, axis=1)
    np.testing.assert_array_equal(got, np.insert(X, at, values, axis=1))
    got = call("_npi_delete", X, np.array([0, 0, -1]), axis=1)
    np.testing.assert_array_equal(got, np.delete(X, [0, 0, -1], axis=1))
    with pytest.raises(mx.MXNetError, match="_npi_insert_scalar: .*does not broadcast"):
        call("_npi_insert_scalar", X, np.ones(7, "float32"), int_ind=0, axis=1)
    for name, inputs in (("_npi_insert_tensor", (X, np.array([9]))), ("_npi_delete", (X, [9]))):
        attrs = {"axis": 1} | ({"val": 1.0} if "insert" in name else {})
        with pytest.raises(mx.MXNetError, match="out of bounds"):
            call(name, *inputs, **attrs)


def test_gradient_of_delete():
    x = mx.np.array([1.0, 2.0, 3.0])
    x.attach_grad()
    for _ in range(2):
        with mx.autograd.record():
            y = mx.np.delete(x, 1) ** 2
        y.backward()
        assert x.grad.tolist() == [2.0, 0.0, 6.0]


def test_results_as_large_as_values_say():
    x = np.array([[3.0, 0.0, 1.0], [3.0, 1.0, 0.0]], "float32")
    np.testing.assert_array_equal(call("_npx_nonzero", x), np.argwhere(x))
    wants = np.unique(x, True, True, True)
    got = call("_npi_unique", x, return_index=True, return_inverse=True, return_counts=True)
    for g, w in zip(got, wants, strict=True):
        np.testing.assert_array_equal(g, w.reshape(-1))
    np.testing.assert_array_equal(call("_npi_unique", x.T, axis=0), np.unique(x.T, axis=0))
    counts = np.array([1, 1, 3], "int32")
    assert call("_npi_bincount", counts, minlength=6).tolist() == [0, 2, 0, 1, 0, 0]
    weights = np.array([0.5, 1.0, 2.0], "float32")
    assert call("_npi_bincount", counts, weights, has_weights=True).tolist() == [0, 1.5, 0, 2]
    with pytest.raises(mx.MXNetError, match="negative"):
        call("_npi_bincount", np.array([1, -1]))
    with pytest.raises(mx.MXNetError, match="integers"):
        call("_npi_bincount", x[0])


def test_mask_assignment():
    data, mask = np.arange(6.0, dtype="float32").reshape(2, 3), np.array([[1, 0, 1], [0, 1, 0]])
    want = data.copy()
    want[mask != 0] = [7, 8, 9]
    got = call("_npi_boolean_mask_assign_tensor", data, mask != 0, np.array([7, 8, 9], "float32"))
    np.testing.assert_array_equal(got, want)
    want[:, [True, False, True]] = 2.5
    got = call(
        "_npi_boolean_mask_assign_scalar", want, np.array([True, False, True]),
        value=2.5, start_axis=1,
    )  # fmt: skip
    np.testing.assert_array_equal(got, want)
    with pytest.raises(mx.MXNetError, match="mask"):
        call("_npi_boolean_mask_assign_scalar", data, np.array([True]), value=1.0)


def test_nearest_percentiles_go_up_at_ties():
    got = call("_npi_percentile", np.array([1.0, 2.0, 3.0], "float32"),
               np.array([24, 25, 74, 75], "float32"), interpolation="nearest")  # fmt: skip
    assert got.tolist() == [1, 2, 2, 3]
    x, q = X[:, :, 1:], np.array([[15.0, 75.0]], "float32")
    got = call("_npi_percentile", x, q, axis=(0, 2), interpolation="nearest", keepdims=True)
    want = np.percentile(x, q, axis=(0, 2), method="nearest", keepdims=True)
    np.testing.assert_array_equal(got, want)
