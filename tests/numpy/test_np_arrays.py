"""mx.np.ndarray: what it is, indexing, operators, the protocols of NumPy, files, modes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import baryon as mx

DATA = Path(__file__).parent / "data"


def arrays():
    x = np.arange(12, dtype="float32").reshape(3, 4)
    return x, mx.np.array(x)


# ---- what it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (lambda: mx.np.array(1.5), "array(1.5)"),
        (lambda: mx.np.ones((2, 2)), "array([[1., 1.],\n       [1., 1.]])"),
        (lambda: mx.np.ones(2, dtype="float64"), "array([1., 1.], dtype=float64)"),
        (lambda: mx.np.ones(2, dtype="int32"), "array([1, 1], dtype=int32)"),
        (lambda: mx.np.ones(2, dtype=bool), "array([ True,  True])"),
        (lambda: mx.np.zeros((0, 2)), "array([], shape=(0, 2))"),
    ],
)
def test_repr_is_that_of_mxnet(array, text):
    assert repr(array()) == text


def test_default_types_are_those_of_mxnet():
    for made, dtype in (
        (mx.np.array([1, 2]), "float32"),
        (mx.np.array([True]), "float32"),
        (mx.np.array(5), "float32"),
        (mx.np.array(np.array([1, 2])), "int64"),
        (mx.np.array(np.array([1.0])), "float64"),
        (mx.np.array(mx.np.ones(2, dtype="int32")), "int32"),
        (mx.np.arange(3), "float32"),
        (mx.np.full((2,), True), "bool"),
        (mx.np.indices((2,)), "int32"),
        (mx.np.random.randint(3), "int64"),
        (mx.np.ones(2, dtype="int32").mean(), "float32"),
        (mx.np.ones(2, dtype=bool).sum(), "int64"),
        (mx.np.ones(2) > 0, "bool"),
        (mx.np.ones(2).argmax(), "int64"),
    ):
        assert made.dtype == dtype


def test_mixed_types_promote_as_in_mxnet():
    i, f = mx.np.array([1, 2], dtype="int32"), mx.np.ones(2)
    for made, dtype, wanted in (
        (i + 1.5, "int32", [2, 3]),  # a number is cut to the type of an integer array
        (i / 2, "float32", [0.5, 1]),
        (i + f, "float32", [2, 3]),
        (i + i.astype("int64"), "int64", [2, 4]),
        (f * f.astype("float64"), "float64", [1, 1]),
        (f * f.astype("float16"), "float32", [1, 1]),
        (mx.np.ones(2, dtype=bool) + 1, "int64", [2, 2]),
        (np.float32(2) + i, "int32", [3, 4]),
        (~i, "int32", [-2, -3]),
        (i & 1, "int32", [1, 0]),
        (i ^ i, "int32", [0, 0]),
        (i | 4, "int32", [5, 6]),
    ):
        assert made.dtype == dtype and made.tolist() == wanted


def test_bools_compare_with_the_truth_of_a_number():
    """As MXNet 1.9.1 does: 2, 0.5 and -1 are all true."""
    b = mx.np.array([1, 0]) > 0.5
    for number in (2, 1, 0.5, -1, True):
        assert (b == number).tolist() == [True, False] and (b < number).tolist() == [False, True]
    for number in (0, False):
        assert (b == number).tolist() == [False, True] and (b > number).tolist() == [True, False]


def test_both_classes_share_memory_and_record():
    x = mx.nd.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record():
        y = (x.as_np_ndarray() ** 2).sum()
        z = y.as_nd_ndarray() * 3
    assert type(y) is mx.np.ndarray and type(z) is mx.nd.NDArray and isinstance(y, mx.nd.NDArray)
    z.backward()
    assert x.grad.asnumpy().tolist() == [6, 12]
    x.as_np_ndarray()[0] = 7
    assert x[0].asscalar() == 7
    assert type(mx.nd.relu(mx.np.ones(2))) is mx.np.ndarray  # a legacy operator keeps the class
    for mixed in (lambda: y + x, lambda: y + [1], lambda: y + np.ones(1)):
        with pytest.raises(TypeError):
            mixed()


def test_values_out():
    x, a = arrays()
    assert a.item(5) == 5.0 and a.tolist() == x.tolist() and mx.np.array(2.0).item() == 2.0
    assert int(mx.np.array([2.5])) == 2 and bool(mx.np.array(0.5))
    assert a.dtype == np.dtype("float32") and a.size == 12 and a.ndim == 2
    with pytest.raises(ValueError, match="size 1"):
        a.item()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(a)
    with pytest.raises(TypeError):
        len(mx.np.array(1.0))
    assert [r.shape for r in a] == [(4,)] * 3
    again = pickle.loads(pickle.dumps(a))
    assert type(again) is mx.np.ndarray and (again == a).all()


def test_methods():
    x, a = arrays()
    np.testing.assert_array_equal(a.T.asnumpy(), x.T)
    np.testing.assert_array_equal(a.transpose(1, 0).asnumpy(), x.T)
    np.testing.assert_array_equal(a.reshape(2, -1, order="C").asnumpy(), x.reshape(2, -1))
    np.testing.assert_array_equal((a @ a.T).asnumpy(), x @ x.T)
    np.testing.assert_allclose(a.std(axis=0, ddof=1).asnumpy(), x.std(axis=0, ddof=1), rtol=1e-6)
    assert a.astype("int32").dtype == np.int32 and a.astype("float32", copy=False) is a
    assert a.flatten().shape == (12,) and a.argmax().item() == 11
    b = a.reshape(-1)  # a copy, as in MXNet
    b[:] = 0
    assert a.sum().item() == x.sum()
    with pytest.raises(NotImplementedError, match="C-order"):
        a.reshape(12, order="F")
    a @= mx.np.eye(4)
    np.testing.assert_array_equal(a.asnumpy(), x)


# ---- indexing ------------------------------------------------------------------------------------

KEYS = [
    0, -1, slice(1, None), slice(None, None, -2), (1, 2), (slice(None), 1), (Ellipsis, 0), None,
    (1, Ellipsis, None), (), Ellipsis, True, False, [0, 2], [[0, 1], [2, 2]], (0, [1, 2]),
    np.array([True, False, True]), (slice(None), np.array([1, 3])), slice(1, 1), np.array(1),
    (np.array([0, 1]), np.array([2, 3])), (None, 0, None), (slice(None), slice(3, 0, -2)),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading_is_that_of_numpy(key):
    x, a = arrays()
    found = a[key]
    assert type(found) is mx.np.ndarray and found.shape == x[key].shape
    np.testing.assert_array_equal(found.asnumpy(), x[key])
    if isinstance(key, np.ndarray):
        np.testing.assert_array_equal(a[mx.np.array(key)].asnumpy(), x[key])


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_writing_is_that_of_numpy(key):
    for value in (7.5, np.float32(3)):
        x, a = arrays()
        x[key] = value
        a[key] = value
        np.testing.assert_array_equal(a.asnumpy(), x)
    x, a = arrays()
    x[key], a[key] = x[key] * 2, a[key] * 2
    np.testing.assert_array_equal(a.asnumpy(), x)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_gradients_flow_through_keys(key):
    x, a = arrays()
    a.attach_grad()
    with mx.autograd.record():
        y = (a[key] * 2).sum()
    y.backward()
    wanted = np.zeros_like(x)
    np.add.at(wanted, key, 2)
    np.testing.assert_array_equal(a.grad.asnumpy(), wanted)


def test_masks():
    x, a = arrays()
    np.testing.assert_array_equal(a[a > 5].asnumpy(), x[x > 5])
    a[a > 5] = -1
    x[x > 5] = -1
    np.testing.assert_array_equal(a.asnumpy(), x)
    a.attach_grad()
    with mx.autograd.record():
        y = a[a < 3].sum()
    y.backward()
    np.testing.assert_array_equal(a.grad.asnumpy(), x < 3)
    assert a[a > 99].shape == (0,)


def test_elements_and_rows_are_views():
    _, a = arrays()
    a[1, 1][()] = 50
    a[0][:] = 9
    assert a[1, 1].item() == 50 and a[0].tolist() == [9] * 4


def test_wrong_keys():
    _, a = arrays()
    for key in (5, [0, 5], (0, 0, 0), "a", 1.5):
        with pytest.raises((IndexError, ValueError)):
            a[key]


def test_zero_dimensional_and_empty_arrays_compute():
    s, e = mx.np.array(3.0), mx.np.zeros((0, 3))
    s.attach_grad()
    with mx.autograd.record():
        y = s * s + e.sum()
    y.backward()
    assert y.shape == () and s.grad.item() == 6
    assert (e + 1).shape == (0, 3) and e.sum(axis=1).shape == (0,) and e.mean(axis=1).size == 0
    assert mx.np.concatenate([e, mx.np.ones((2, 3))]).shape == (2, 3)
    s += 1
    assert s.item() == 4
    for axis in (0, -1):  # NumPy and MXNet let an array without axes be reduced along these
        assert (
            s.sum(axis=axis).item() == s.max(axis=axis).item() == 4 and s.argmax(axis).item() == 0
        )


# ---- protocols -----------------------------------------------------------------------------------


def test_functions_of_numpy_compute_here():
    x, a = arrays()
    for found, wanted in (
        (np.mean(a), np.mean(x)),
        (np.exp(a), np.exp(x)),
        (np.add(a, 1), x + 1),
        (np.concatenate([a, a]), np.concatenate([x, x])),
        (np.linalg.norm(a), np.linalg.norm(x)),
        (np.sinc(a), np.sinc(x)),  # NumPy computes it
    ):
        assert type(found) is mx.np.ndarray
        np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-6, atol=1e-6)
    out = mx.np.empty((3, 4))
    assert np.multiply(a, 2, out=out) is out and out.sum().item() == 2 * x.sum()
    assert np.asarray(a).dtype == np.float32
    with pytest.raises(TypeError):
        np.add(x, a)
    with pytest.raises(TypeError):
        np.add.reduce(a)


def test_gradients_flow_through_functions_of_numpy():
    a = mx.np.array([1.0, 2.0])
    a.attach_grad()
    with mx.autograd.record():
        y = np.sum(np.square(a))
    y.backward()
    assert a.grad.tolist() == [2, 4]
    with mx.autograd.record(), pytest.raises(mx.MXNetError, match="no gradient"):
        np.sinc(a)


# ---- files and modes -----------------------------------------------------------------------------


def test_files_both_ways(tmp_path):
    loaded = mx.npx.load(DATA / "np_arrays.params")  # written by MXNet 1.9.1 under set_np
    assert (
        loaded["a"].item() == 1 and loaded["b"].shape == (0, 2) and loaded["c"].tolist() == [1, 1]
    )
    assert all(type(x) is mx.np.ndarray for x in loaded.values())
    path = tmp_path / "again.params"
    with mx.util.np_shape():
        mx.npx.save(path, loaded)
    assert path.read_bytes() == (DATA / "np_arrays.params").read_bytes()
    assert type(mx.nd.load(str(path))["a"]) is mx.nd.NDArray
    mx.npx.save(path, [loaded["c"]])
    assert mx.npx.load(path)[0].tolist() == [1, 1]
    with pytest.raises(ValueError, match="ndarray"):
        mx.npx.save(path, mx.nd.ones(2))


def test_a_network_that_mxnet_exported_under_set_np():
    """What MXNet 1.9.1 printed for this network on ones of shape (2, 4)."""
    mx.npx.set_np()
    try:
        files = (str(DATA / f"np_net-{part}") for part in ("symbol.json", "0000.params"))
        symbol, params = files
        net = mx.gluon.SymbolBlock.imports(symbol, ["data"], params)
        means, total = net(mx.np.ones((2, 4)))
    finally:
        mx.npx.reset_np()
    assert type(means) is mx.np.ndarray and total.shape == ()
    np.testing.assert_allclose(means.asnumpy(), [1.6216768, 1.6216768], rtol=1e-6)
    np.testing.assert_allclose(total.item(), 19.460121, rtol=1e-6)


def test_modes_are_scopes_of_a_thread():
    assert not mx.npx.is_np_array() and not mx.npx.is_np_shape()

    @mx.util.use_np
    def both():
        return mx.npx.is_np_array(), mx.npx.is_np_shape()

    @mx.util.use_np_array
    def arrays_only():
        return mx.npx.is_np_array(), mx.npx.is_np_shape()

    assert both() == (True, True) and arrays_only() == (True, False)
    with mx.util.np_shape(True), mx.util.np_array(True):
        assert both() == (True, True)
    assert not mx.npx.is_np_array() and not mx.npx.is_np_shape()


# ---- symbols -------------------------------------------------------------------------------------


def test_symbols_infer_numpy_shapes():
    x = mx.sym.var("x").as_np_ndarray()
    y = mx.sym.np.exp(x).sum()
    with mx.util.np_shape():
        assert y.infer_shape(x=(2, 0)) == ([(2, 0)], [()], [])
        assert mx.sym.np.exp(x).infer_shape_partial(x=(2, -1))[1] == [(2, -1)]
        assert mx.sym.np.exp(x).infer_shape_partial()[1] == [None]
        assert '"is_np_shape"' in y.tojson()
    assert '"is_np_shape"' not in y.tojson()
    assert type(y.as_nd_ndarray()) is mx.sym.Symbol and y.as_np_ndarray() is y


def test_names_of_symbols_are_those_of_mxnet():
    with mx.name.NameManager():
        x = mx.sym.var("x").as_np_ndarray()
        made = [x + 1, x + x, mx.sym.np.mean(x), mx.sym.npx.relu(x), x > 0, mx.sym.np.zeros((2,)),
                mx.sym.npx.fully_connected(x, num_hidden=2), mx.sym.np.tensordot(x, x, 1),
                mx.sym.np.split(x, 2)[0]]  # fmt: skip
    assert [s.name for s in made] == [
        "add_scalar0", "add0", "mean0", "relu0", "greater_scalar0", "zeros0", "fully_connected0",
        "tensordot_int_axes0", "split0",
    ]  # fmt: skip


def test_symbols_refuse_what_they_cannot_do():
    x = mx.sym.var("x").as_np_ndarray()
    with pytest.raises(IndexError):
        x[None]
    with pytest.raises(TypeError):
        iter(x)
    with pytest.raises(TypeError, match="as_np_ndarray"):
        mx.sym.np.exp(mx.sym.var("x"))
    with pytest.raises(mx.MXNetError, match="out"):
        mx.sym.np.exp(x, out=x)
    with pytest.raises(TypeError, match="no symbols"):
        mx.np.cov(x)
