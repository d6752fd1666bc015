"""Helpers that tests of MXNet programs use: they accept what is right and refuse what is not."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

import baryon as mx
from baryon import test_utils as tu


@pytest.fixture
def ab():
    return mx.sym.var("a"), mx.sym.var("b")


# ---- comparing -----------------------------------------------------------------------------------


def test_star_import_brings_the_usual_names():
    names = {}
    exec("from baryon.test_utils import *", names)
    assert names["np"] is np and names["npt"] is np.testing and names["rnd"] is np.random
    assert names["mx"] is mx and names["os"] is os and names["sys"] is sys
    assert {"time", "logging", "Context", "array", "same", "assert_almost_equal"} <= set(names)


def test_default_tolerances_follow_dtypes():
    assert tu.get_rtol() == 1e-5 and tu.get_atol() == 1e-20 and tu.get_etol() == 0
    assert tu.get_rtol(None, np.float16) == 1e-2 and tu.get_atol(3) == 3
    assert tu.get_tols(np.float32(1), np.float16(1), None, None) == (1e-2, 1e-1)
    assert tu.get_tols(np.int32(1), np.int64(1), None, None) == (0, 0)
    assert tu.default_numeric_eps()[np.dtype("float32")] == 2**-9


def test_assert_almost_equal_shows_the_worst_places():
    x, y = np.array([1.0, 2, 3]), np.array([1.0, 2.1, 3.2])
    with pytest.raises(AssertionError) as info:
        tu.assert_almost_equal(x, y, names=("x", "y"), rtol=1e-3, atol=1e-3)
    text = str(info.value)
    assert "1: Error 47.619048  Location of error: (2,), x=3.00000000, y=3.20000000" in text
    assert "Error 47.619048 exceeds tolerance rtol=1.000000e-03, atol=1.000000e-03" in text
    assert "(mismatch 66.666667%)" in text


def test_assert_almost_equal_of_odd_values():
    nan = np.array([np.nan, np.inf])
    with pytest.raises(AssertionError, match="Error inf|Error nan"):
        tu.assert_almost_equal(nan, nan.copy())
    tu.assert_almost_equal(nan, nan.copy(), equal_nan=True)
    tu.assert_almost_equal(nan, nan)  # the same object
    tu.assert_almost_equal(mx.nd.ones((2, 3)), np.ones(3))
    with pytest.raises(AssertionError, match="are not equal"):
        tu.assert_almost_equal(mx.nd.ones((2, 3)), np.ones(3), use_broadcast=False)
    with pytest.raises(AssertionError):
        tu.assert_almost_equal(np.array([1, 2]), np.array([1, 3]))
    tu.assert_almost_equal_ignore_nan(np.array([1.0, np.nan]), np.array([1.0, 2]))
    tu.assert_allclose(np.float32([1]), np.float32([1 + 5e-8]))


def test_a_fraction_of_elements_may_differ():
    x, y = np.arange(4.0), np.array([0.0, 1, 2, 4])
    tu.assert_almost_equal_with_err(x, y, etol=0.3)
    with pytest.raises(AssertionError):
        tu.assert_almost_equal_with_err(x, y, etol=0.2)


def test_same_and_almost_equal():
    assert tu.same(mx.nd.ones(2), np.ones(2)) and not tu.same(np.ones(2), np.ones(3))
    assert tu.almost_equal(np.array([1.0]), np.array([1.00001]), rtol=1e-4)
    assert not tu.almost_equal(np.array([1.0]), np.array([1.001]), rtol=1e-4)


# ---- arrays --------------------------------------------------------------------------------------


def test_random_arrays_and_shapes():
    assert tu.random_arrays((2, 3)).dtype == np.float32
    assert [a.shape for a in tu.random_arrays((), (4,))] == [(), (4,)]
    assert all(1 <= n <= 3 for n in tu.rand_shape_nd(50, 3))
    assert len(tu.rand_shape_2d()) == 2 and len(tu.rand_shape_3d(2, 2, 2)) == 3
    assert sorted(tu.random_sample([1, 2, 3], 3)) == [1, 2, 3]
    low = tu.random_uniform_arrays((1000,), low=2, high=3)[0]
    assert low.min() >= 2 and low.max() < 3
    x = tu.rand_ndarray((3, 4), dtype="float64")
    assert x.shape == (3, 4) and x.dtype == np.float64
    assert tu.create_2d_tensor(3, 2).asnumpy().tolist() == [[0, 0], [1, 1], [2, 2]]
    assert tu.create_vector(3).asnumpy().tolist() == [0, 1, 2]


def test_reductions_against_numpy():
    x = np.random.rand(2, 3, 4)
    for axis in (None, 1, -1, (0, 2), (0, 1, 2)):
        for keep in (False, True):
            expected = x.sum(axis=axis, keepdims=keep)
            np.testing.assert_allclose(tu.np_reduce(x, axis, keep, np.sum), expected)
    np.testing.assert_allclose(tu.collapse_sum_like(x, (3, 1)), x.sum(axis=(0, 2))[:, None])
    with pytest.raises(AssertionError):
        tu.collapse_sum_like(x, (2, 1))
    assert tu.assign_each(np.array([1.0, 2]), lambda v: 2 * v).tolist() == [2, 4]
    assert tu.assign_each2(np.array([1.0]), np.array([3.0]), lambda v, w: v * w).tolist() == [3]


def test_same_array_sees_shared_memory():
    x = mx.nd.ones(4)
    assert not tu.same_array(x, x.copy())
    assert tu.same_array(x, x[:]) and x.asnumpy().tolist() == [1] * 4


def test_matrices_have_their_properties():
    q = tu.new_orthonormal_matrix_2d(4)
    np.testing.assert_allclose(q @ q.T, np.eye(4), atol=1e-12)
    s = tu.new_sym_matrix_with_real_eigvals_nd((2, 3, 4, 4))
    assert s.shape == (2, 3, 4, 4)
    np.testing.assert_array_equal(s, s.swapaxes(-1, -2))
    values = np.linalg.eigvals(tu.new_matrix_with_real_eigvals_nd((3, 4, 4)))
    assert np.isrealobj(values) or np.abs(values.imag).max() < 1e-9
    assert tu.get_identity_mat_batch(2).shape == (2, 2, 2)


def test_sparse_arrays_hold_what_they_say():
    csr, _ = tu.rand_sparse_ndarray((5, 6), "csr", density=0.5)
    assert csr.stype == "csr" and 0 < (csr.asnumpy() != 0).sum() < 30
    rows = tu.create_sparse_array((5, 2), "row_sparse", data_init=3, rsp_indices=[1, 4])
    assert rows.asnumpy()[[1, 4]].tolist() == [[3, 3]] * 2 and rows.asnumpy().sum() == 12
    assert tu.create_sparse_array_zd((5, 2), "row_sparse", 0).asnumpy().sum() == 0
    np.random.seed(3)
    mixed, _ = tu.rand_sparse_ndarray((2, 9), "csr", density=1, shuffle_csr_indices=True)
    columns = mixed.indices.asnumpy().reshape(2, 9)
    assert (np.sort(columns) == np.arange(9)).all() and (columns != np.arange(9)).any()
    tu.shuffle_csr_column_indices(mixed)
    assert (np.sort(mixed.indices.asnumpy().reshape(2, 9)) == np.arange(9)).all()


def test_checks_of_sparse_symbols():
    a, b = mx.sym.var("a", stype="csr"), mx.sym.var("b")
    x, ones = tu.rand_ndarray((4, 5), "csr", density=0.5), mx.nd.ones((5, 2))
    dense = x.asnumpy()
    product = mx.sym.dot(a, b)
    tu.check_symbolic_forward(product, {"a": x, "b": ones}, [dense @ np.ones((5, 2))])
    tu.check_symbolic_backward(
        product, {"a": x, "b": ones}, [mx.nd.ones((4, 2))], {"b": dense.T @ np.ones((4, 2))},
        grad_req={"a": "null", "b": "write"}, grad_stypes={"b": "row_sparse"},
    )  # fmt: skip
    tu.check_numeric_gradient(
        product, {"a": x, "b": ones}, grad_nodes={"b": "write"}, grad_stype_dict={"b": "row_sparse"}
    )
    rows = tu.rand_ndarray((4, 5), "row_sparse", density=0.5)
    tu.check_numeric_gradient(mx.sym.square(mx.sym.var("a")), [rows])


# ---- symbols -------------------------------------------------------------------------------------


def test_symbolic_forward(ab):
    a, b = ab
    ones = np.ones(2)
    assert tu.simple_forward(a + b, a=ones, b=ones).tolist() == [2, 2]
    tu.check_symbolic_forward(a + b, [ones, ones], [2 * ones])
    with pytest.raises(AssertionError, match="EXPECTED_.*=3.0.*FORWARD_.*=2.0"):
        tu.check_symbolic_forward(a + b, {"a": ones, "b": ones}, [3 * ones])
    with pytest.raises(ValueError, match="do not match"):
        tu.check_symbolic_forward(a + b, {"a": ones, "c": ones}, [ones])


def test_symbolic_backward(ab):
    a, b = ab
    x, y, head = np.random.rand(3, 4)
    right = {"a": head * y, "b": head * x}
    tu.check_symbolic_backward(a * b, [x, y], [head], right)
    tu.check_symbolic_backward(a * b, [x, y], [head], right, grad_req="add")
    tu.check_symbolic_backward(a * b, [x, y], [head], right, grad_req={"a": "write", "b": "add"})
    tu.check_symbolic_backward(a * b, [x, y], [head], right, grad_req="null")
    with pytest.raises(AssertionError, match="BACKWARD_b"):
        tu.check_symbolic_backward(a * b, [x, y], [head], {"b": 2 * head * x})


def test_numeric_gradient_finds_right_and_wrong_rules(ab):
    a, b = ab
    x = np.random.rand(2, 3)
    tu.check_numeric_gradient(a * mx.sym.exp(b), [x, x])
    tu.check_numeric_gradient(a * mx.sym.exp(b), [x, x], dtype=np.float64)
    tu.check_numeric_gradient(a * b, {"a": x, "b": x}, grad_nodes={"a": "add", "b": "null"})
    tu.check_numeric_gradient(a * b, {"a": x, "b": x}, grad_nodes=["b"])
    with pytest.raises(AssertionError, match="NUMERICAL_a=.*BACKWARD_a=0.0"):
        tu.check_numeric_gradient(mx.sym.BlockGrad(a) * b, [x, x])


def test_numeric_gradient_resets_states():
    bn = mx.sym.BatchNorm(mx.sym.var("x"), fix_gamma=False, momentum=0.5, name="bn")
    states = {"bn_moving_mean": np.zeros(3), "bn_moving_var": np.ones(3)}
    location = {"x": np.random.randn(4, 3), "bn_gamma": np.ones(3), "bn_beta": np.zeros(3)}
    tu.check_numeric_gradient(bn, location, states, dtype=np.float64, rtol=1e-3, atol=1e-4)


def test_numeric_grad_of_an_executor(ab):
    a, b = ab
    x, y = np.random.rand(2, 3).astype("float32")
    executor = (a * b).bind(mx.cpu(), {"a": mx.nd.array(x), "b": mx.nd.array(y)})
    found = tu.numeric_grad(executor, {"a": x, "b": y}, eps=1e-2)
    np.testing.assert_allclose(found["a"], y, rtol=1e-3)


def test_consistency_of_dtypes(ab):
    a, b = ab
    specs = [
        {"ctx": mx.cpu(), "a": (2, 3), "b": (2, 3), "type_dict": {"a": t, "b": t}}
        for t in (np.float64, np.float32, np.float16)
    ]
    truth = tu.check_consistency(mx.sym.exp(a) * b, specs)
    assert {"a", "b"} < set(truth) and truth["a"].dtype == np.float64
    with pytest.raises(AssertionError, match="not consistent"):
        tu.check_consistency([a * b, a + b], specs[:2])
    with pytest.raises(AssertionError, match="at least two"):
        tu.check_consistency(a * b, specs[:1])


def test_structures_and_speed(ab):
    a, b = ab
    assert tu.same_symbol_structure(a + b, b + a)
    assert not tu.same_symbol_structure(a + b, a - b)
    assert tu.check_speed(a * b, {"a": np.ones(2), "b": np.ones(2)}, N=2) > 0
    assert tu.check_speed(a * b, N=1, typ="forward", a=(2,), b=(2,)) > 0


def test_hybridized_blocks_and_optimizers_compared():
    def build(prefix):
        return mx.gluon.nn.Dense(2, prefix=prefix)

    tu.check_gluon_hybridize_consistency(build, [mx.nd.ones((2, 3))])
    with pytest.raises(AssertionError):
        tu.check_gluon_hybridize_consistency(build, [mx.nd.ones((2, 3))], lambda x: x[:, :2] - 9)
    sgd = mx.optimizer.SGD
    tu.compare_optimizer(sgd(momentum=0.9), sgd(momentum=0.9), (2, 3), np.float32)
    with pytest.raises(AssertionError):
        tu.compare_optimizer(sgd(learning_rate=0.9), sgd(learning_rate=0.8), (2, 3), np.float32)


# ---- statistics ----------------------------------------------------------------------------------


def test_generators_are_judged():
    halves = [(0, 0.5), (0.5, 1)], [0.5, 0.5]
    tu.verify_generator(lambda n: np.random.uniform(size=n), *halves, nsamples=2000)
    with pytest.raises(AssertionError, match="Generator test fails"):
        tu.verify_generator(lambda n: np.random.uniform(size=n) ** 2, *halves, nsamples=2000)
    assert tu.mean_check(lambda n: np.random.normal(1, 2, n), 1, 2, nsamples=2000)
    assert not tu.mean_check(lambda n: np.random.normal(2, 2, n), 1, 2, nsamples=2000)
    assert tu.var_check(lambda n: np.random.normal(1, 2, n), 2, nsamples=2000)
    p, observed, expected = tu.chi_square_check(
        lambda n: mx.nd.random.randint(0, 3, shape=n), [0, 1, 2], [1 / 3] * 3, nsamples=3000
    )
    assert 0 <= p <= 1 and observed.sum() == expected.sum() == 3000


def test_chi_square_tail_against_known_values():
    """Quantiles from printed tables of the chi-square distribution."""
    from baryon.test_utils._statistics import _chi_square_tail

    for freedom, p, quantile in [
        (1, 0.05, 3.841459),
        (1, 0.95, 0.003932140),
        (5, 0.05, 11.070498),
        (10, 0.01, 23.209251),
        (10, 0.99, 2.558212),
        (100, 0.05, 124.342113),
    ]:
        assert _chi_square_tail(quantile, freedom) == pytest.approx(p, rel=1e-5)


# ---- environment and data ------------------------------------------------------------------------


def test_environment_is_restored(monkeypatch):
    monkeypatch.setenv("BARYON_TEST_A", "0")
    with tu.environment({"BARYON_TEST_A": None, "BARYON_TEST_B": "2"}):
        assert "BARYON_TEST_A" not in os.environ and os.environ["BARYON_TEST_B"] == "2"
    assert os.environ["BARYON_TEST_A"] == "0" and "BARYON_TEST_B" not in os.environ
    with pytest.raises(AssertionError, match="Expecting one dict"), tu.environment("x"):
        pass


def test_default_context_can_be_set():
    assert tu.default_context() == mx.cpu(0) and tu.is_op_runnable()
    tu.set_default_context(mx.cpu(1))
    try:
        assert tu.default_context() == mx.cpu(1) == mx.nd.ones(1).context
    finally:
        tu.set_default_context(mx.cpu(0))
    assert list(tu.list_gpus()) == list(range(mx.num_gpus()))


def test_retry_and_exceptions():
    calls = []

    @tu.retry(3)
    def flaky():
        calls.append(1)
        assert len(calls) == 3

    flaky()
    assert len(calls) == 3
    with pytest.raises(AssertionError):
        tu.retry(0)
    tu.assert_exception(int, ValueError, "x")
    with pytest.raises(AssertionError, match="did not raise"):
        tu.assert_exception(int, ValueError, "1")


def test_stderr_is_discarded(capfd):
    with tu.discard_stderr():
        os.write(2, b"hidden")
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_digits_in_mnists_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = tu.get_mnist_iterator(batch_size=100, input_shape=(1, 28, 28))
    batch = next(iter(test))
    assert batch.data[0].shape == (100, 1, 28, 28)
    digits = tu.get_mnist()
    pixels = digits["test_data"][:100] * (255 / 256)  # the iterator divides by 256
    np.testing.assert_allclose(batch.data[0].asnumpy(), pixels, atol=1e-6)
    np.testing.assert_array_equal(batch.label[0].asnumpy(), digits["test_label"][:100])
    dummy = tu.DummyIter(train)
    first = dummy.next()
    assert dummy.next() is first


def test_downloads_from_files(tmp_path, capsys):
    (tmp_path / "source.txt").write_text("content")
    url = f"file://{tmp_path}/source.txt"
    path = tu.download(url, dirname=str(tmp_path / "there"))
    assert path == str(tmp_path / "there" / "source.txt")
    assert (tmp_path / "there" / "source.txt").read_text() == "content"
    assert tu.download_model("nonesuch") == (None, 0)
    with pytest.raises(OSError, match="im2rec"):
        tu.get_im2rec_path("NO_SUCH_VARIABLE")


# ---- mx.util and mx.engine -----------------------------------------------------------------------


def test_numpy_modes():
    util = mx.util
    with pytest.raises(ValueError, match="Shape semantics"):
        util.set_np(shape=False, array=True)
    util.set_np()
    assert util.is_np_shape() and util.is_np_array()
    with pytest.raises(ValueError, match="reset_np"):
        util.set_np_shape(False)
    util.set_np(array=False)
    assert util.is_np_shape() and not util.is_np_array()
    util.reset_np()
    assert not util.is_np_shape()

    @util.use_np_shape
    class Kind:
        def __init__(self):
            self.made = util.is_np_shape()

        @property
        def seen(self):
            return util.is_np_shape()

    assert Kind().made and Kind().seen and not util.is_np_shape()


def test_numpy_function_keywords():
    @mx.util.wrap_np_unary_func
    def unary(x, out=None):
        return x + 1

    @mx.util.wrap_np_binary_func
    def binary(x1, x2, out=None):
        return x1 + x2

    assert unary(1, where=True, casting="same_kind") == 2 and binary(1, 2, dtype=None) == 3
    with pytest.raises(NotImplementedError, match="where=False is not implemented yet"):
        unary(1, where=False)
    with pytest.raises(TypeError, match="bad is an invalid keyword"):
        binary(1, 2, bad=1)


def test_util_devices_and_engine():
    with pytest.raises(ValueError, match="Expecting a gpu context"):
        mx.util.get_cuda_compute_capability(mx.cpu())
    assert mx.util.get_gpu_count() == mx.num_gpus()
    assert mx.util.set_module("a.b")(lambda: 0).__module__ == "a.b"
    before = mx.engine.set_bulk_size(4)
    with mx.engine.bulk(20):
        assert mx.engine.set_bulk_size(20) == 20
    assert mx.engine.set_bulk_size(before) == 4
