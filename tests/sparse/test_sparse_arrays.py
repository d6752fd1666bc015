"""Sparse arrays: how they are made, read, written, copied, checked, saved and pickled."""

import pickle

import numpy as np
import pytest

import baryon as mx
from baryon import nd

A = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0.5]], np.float32)


def csr():
    return nd.array(A).tostype("csr")


def rows():
    return nd.array(A).tostype("row_sparse")


def parts(x):
    names = ("data", "indices", "indptr") if x.stype == "csr" else ("data", "indices")
    return [getattr(x, n).asnumpy().tolist() for n in names]


CSR_PARTS = [[1, 2, 3, 0.5], [1, 3, 0, 3], [0, 2, 2, 4]]
ROW_PARTS = [[[0, 1, 0, 2], [3, 0, 0, 0.5]], [0, 2]]


def test_properties():
    x, r = csr(), rows()
    assert (x.stype, x.shape, x.ndim, x.size, x.dtype) == ("csr", (3, 4), 2, 12, np.float32)
    assert (r.stype, r.shape, len(r), r.context) == ("row_sparse", (3, 4), 3, mx.cpu())
    assert parts(x) == CSR_PARTS and parts(r) == ROW_PARTS
    assert x.indices.dtype is x.indptr.dtype is r.indices.dtype is np.int64
    assert repr(x) == "\n<CSRNDArray 3x4 @cpu(0)>"
    assert repr(r) == "\n<RowSparseNDArray 3x4 @cpu(0)>"
    np.testing.assert_array_equal(x.asnumpy(), A)
    np.testing.assert_array_equal(r.asnumpy(), A)
    x.data[:] = 9  # a copy
    x.indices[:] = 0
    assert parts(x) == CSR_PARTS
    assert isinstance(x, nd.NDArray) and isinstance(x, nd.sparse.BaseSparseNDArray)


@pytest.mark.parametrize(
    "made",
    [
        lambda s: s.csr_matrix(A),
        lambda s: s.csr_matrix(A.tolist()),
        lambda s: s.csr_matrix(nd.array(A)),
        lambda s: s.csr_matrix(csr(), shape=(3, 4)),
        lambda s: s.csr_matrix(tuple(CSR_PARTS), shape=(3, 4)),
        lambda s: s.csr_matrix(tuple(CSR_PARTS)),
        lambda s: s.csr_matrix(([2, 1, 3, 0.25, 0.25], ([0, 0, 2, 2, 2], [3, 1, 0, 3, 3]))),
        lambda s: s.array(csr()),
        lambda s: nd.array(csr()),
        lambda s: csr().copy(),
        lambda s: csr().copyto(mx.cpu()),
    ],
)
def test_csr_matrix_from(made):
    x = made(nd.sparse)
    assert type(x) is nd.sparse.CSRNDArray
    assert (x.shape, x.dtype, parts(x)) == ((3, 4), np.float32, CSR_PARTS)


@pytest.mark.parametrize(
    "made",
    [
        lambda s: s.row_sparse_array(A),
        lambda s: s.row_sparse_array(nd.array(A)),
        lambda s: s.row_sparse_array(rows()),
        lambda s: s.row_sparse_array(tuple(ROW_PARTS)),
        lambda s: s.row_sparse_array((nd.array(ROW_PARTS[0]), nd.array([0, 2])), shape=(3, 4)),
        lambda s: s.array(rows()),
        lambda s: rows().copy(),
    ],
)
def test_row_sparse_array_from(made):
    x = made(nd.sparse)
    assert type(x) is nd.sparse.RowSparseNDArray
    assert (x.shape, x.dtype, parts(x)) == ((3, 4), np.float32, ROW_PARTS)


def test_element_types():
    wide = A.astype(np.float64)
    assert nd.sparse.csr_matrix(wide).dtype is np.float64
    assert nd.sparse.csr_matrix(wide.tolist()).dtype is np.float32
    assert nd.sparse.csr_matrix(wide, dtype="float16").dtype is np.float16
    assert nd.sparse.row_sparse_array((np.ones((1, 2), np.int32), [1])).dtype is np.int32
    for x in (csr(), rows()):
        assert x.astype("int32").data.dtype is np.int32
        assert x.astype("float64").stype == x.stype
        assert x.astype("float32", copy=False) is x
        assert x.astype("float32") is not x


def test_zeros_and_empty():
    for made in (nd.sparse.zeros("csr", (2, 3)), nd.zeros((2, 3), stype="csr")):
        assert parts(made) == [[], [], [0, 0, 0]]
    for made in (nd.sparse.empty("row_sparse", (2, 3)), nd.empty((2, 3), stype="row_sparse")):
        assert parts(made) == [[], []] and made.shape == (2, 3)
    assert nd.sparse.csr_matrix((2, 3)).data.shape == (0,)
    assert nd.sparse.row_sparse_array((2, 3, 4)).data.shape == (0, 3, 4)
    assert nd.sparse.zeros("default", (2,)).stype == "default"
    with pytest.raises(ValueError, match="foo"):
        nd.sparse.zeros("foo", (2, 3))
    with pytest.raises(ValueError, match="default"):
        nd.sparse.empty("default", (2, 3))
    with pytest.raises(ValueError, match="2 axes"):
        nd.sparse.zeros("csr", (2,))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda s: s.csr_matrix([1, 2]), "2 Dimensional"),
        (lambda s: s.csr_matrix(A, shape=(4, 4)), "Shape mismatch"),
        (lambda s: s.csr_matrix((2, 2), shape=(3, 2)), "Shape mismatch"),
        (lambda s: s.row_sparse_array((2, 2), shape=(3, 2)), "Shape mismatch"),
        (lambda s: s.csr_matrix((1, 2, 3, 4)), "length of input tuple: 4"),
        (lambda s: s.csr_matrix(([1], [0], [0, 1]), shape=(1, 2, 3)), "invalid shape"),
        (lambda s: s.csr_matrix(([], [], [0, 0])), "invalid shape"),
        (lambda s: s.csr_matrix(rows()), "RowSparseNDArray"),
        (lambda s: s.csr_matrix(([1, 2], ([0, 9], [0, 0])), shape=(3, 4)), "outside the shape"),
        (lambda s: s.csr_matrix(([1], [0], [0, 1]), shape=(3, 4)), r"indptr has shape \(2,\)"),
        (lambda s: s.csr_matrix(([1, 2], [0], [0, 1]), shape=(1, 4)), "do not fit indices"),
        (lambda s: s.csr_matrix(([1], [0], [0, 7]), shape=(1, 4)), "indptr does not fit"),
        (lambda s: s.row_sparse_array(csr()), "CSRNDArray"),
        (lambda s: s.row_sparse_array(([[1, 2]], [0, 1])), "do not fit indices"),
        (lambda s: s.row_sparse_array(([], [])), "invalid shape"),
        (lambda s: s.array(A), "mx.nd.array"),
    ],
)
def test_wrong_descriptions(call, words):
    with pytest.raises((ValueError, mx.MXNetError), match=words):
        call(nd.sparse)


@pytest.mark.parametrize(
    "description, words",
    [
        (([1, 2, 3], [1, 2, 0], [0, 1, 1, 3]), "Indices of csr"),
        (([1, 2, 3], [1, 0, 9], [0, 1, 1, 3]), "Indices of csr"),
        (([1, 2, 3], [1, 0, -2], [0, 1, 1, 3]), "Indices of csr"),
        (([1, 2, 3], [1, 1, 1], [0, 1, 1, 3]), "Indices of csr"),
        (([1, 2, 3], [1, 0, 2], [0, 1, 1, 2]), "IndPtr of csr"),
        (([1, 2, 3], [1, 0, 2], [0, 2, 1, 3]), "IndPtr of csr"),
        (([1, 2, 3], [1, 0, 2], [1, 1, 1, 3]), "IndPtr of csr"),
        (([[1, 2], [3, 4]], [4, 1]), "Indices of row_sparse"),
        (([[1, 2], [3, 4]], [1, 1]), "Indices of row_sparse"),
        (([[1, 2], [3, 4]], [1, 9]), "Indices of row_sparse"),
        (([[1, 2], [3, 4]], [-1, 1]), "Indices of row_sparse"),
    ],
)
def test_check_format_finds(description, words):
    """What MXNet's check finds and, without `full_check`, leaves."""
    if len(description) == 3:
        x = nd.sparse.csr_matrix(description, shape=(3, 4))
    else:
        x = nd.sparse.row_sparse_array(description, shape=(6, 2))
    x.check_format(full_check=False)
    with pytest.raises(mx.MXNetError, match=words):
        x.check_format()


def test_good_formats_pass():
    for x in (csr(), rows(), nd.sparse.zeros("csr", (2, 3)), nd.sparse.zeros("row_sparse", (2,))):
        x.check_format()


def test_indexing_csr():
    x = csr()
    for key in (0, 1, -1, slice(0, 2), slice(1, None), slice(-2, None), slice(0, 3, 1)):
        want = A[key] if isinstance(key, slice) else A[key][None]
        assert x[key].stype == "csr"
        np.testing.assert_array_equal(x[key].asnumpy(), want)
    assert x[:] is x
    assert parts(x[2:2]) == [[], [], [0]]
    assert [row.asnumpy().tolist() for row in x] == A[:, None].tolist()
    with pytest.raises(IndexError, match="3"):
        x[3]
    for key in (slice(0, 3, 2), (0, 1), [0, 1], nd.array([0])):
        with pytest.raises(ValueError):
            x[key]


def test_indexing_rows():
    x = rows()
    assert x[:] is x
    for key in (0, slice(0, 2), (0, 1), [0]):
        with pytest.raises(ValueError):
            x[key]


def test_assignment():
    for make in (csr, rows):
        for value in (2 * A, nd.array(2 * A), make() * 2):
            x = make()
            kept = x.copy()
            shared = x.detach()
            x[:] = value
            np.testing.assert_array_equal(x.asnumpy(), 2 * A)
            np.testing.assert_array_equal(shared.asnumpy(), 2 * A)  # the same array
            np.testing.assert_array_equal(kept.asnumpy(), A)
        x = make()
        for key, value in ((0, A), (slice(None), [1, 2]), (slice(None), nd.ones((2, 4)))):
            with pytest.raises((ValueError, TypeError, mx.MXNetError)):
                x[key] = value
    x = rows()
    x[:] = 2
    assert parts(x) == [[[2] * 4] * 3, [0, 1, 2]]
    with pytest.raises(ValueError):
        csr()[:] = 2


def test_copyto():
    for make in (csr, rows, lambda: nd.array(A)):
        x = make()
        for stype in {"default", x.stype}:
            target = nd.zeros((3, 4), stype=stype, dtype="float64")
            assert x.copyto(target) is target
            np.testing.assert_array_equal(target.asnumpy(), A)
            assert (target.stype, target.dtype) == (stype, np.float64)
        with pytest.raises(mx.MXNetError, match="shape"):
            x.copyto(nd.zeros((2, 4)))
    with pytest.raises(TypeError, match="csr"):
        rows().copyto(csr())
    dense = nd.ones((3, 4))
    dense[:] = csr()
    np.testing.assert_array_equal(dense.asnumpy(), A)
    for x in (csr(), rows()):
        assert x.as_in_context(mx.cpu()) is x
        there = x.as_in_context(mx.cpu(1))
        assert (there.context, there.stype) == (mx.cpu(1), x.stype)


def test_casts():
    for make, other in ((csr, "row_sparse"), (rows, "csr")):
        np.testing.assert_array_equal(make().tostype("default").asnumpy(), A)
        assert parts(make().tostype(make().stype)) == parts(make())
        with pytest.raises(mx.MXNetError, match="not supported"):
            make().tostype(other)
    assert parts(nd.array([0, 1, 2]).tostype("row_sparse")) == [[1, 2], [1, 2]]
    with pytest.raises(mx.MXNetError, match="2 axes"):
        nd.ones(3).tostype("csr")


def test_dense_only_methods_say_so():
    for x in (csr(), rows()):
        for name in ("reshape", "to_dlpack_for_read"):
            with pytest.raises(mx.base.NotSupportedForSparseNDArray, match=name):
                getattr(x, name)((4, 3))
        assert x.T.asnumpy().shape == (4, 3)
        assert x.broadcast_to((2, 3, 4)).stype == "default"


def test_files_and_pickles(tmp_path):
    arrays = {"c": csr(), "r": rows(), "d": nd.array(A), "e": nd.sparse.zeros("row_sparse", (2, 3))}
    nd.save(tmp_path / "x.params", arrays)
    loaded = nd.load(tmp_path / "x.params")
    for name, x in arrays.items():
        for y in (loaded[name], pickle.loads(pickle.dumps(x))):
            assert (type(y), y.shape, y.dtype) == (type(x), x.shape, x.dtype)
            np.testing.assert_array_equal(y.asnumpy(), x.asnumpy())
    assert parts(loaded["c"]) == CSR_PARTS and parts(loaded["r"]) == ROW_PARTS
    with pytest.raises(mx.MXNetError, match="csr"):
        nd.NDArray.__new__(nd.NDArray).__setstate__(csr().__getstate__())


@pytest.mark.parametrize("make, values", [(csr, (1, 3, 0, 3)), (rows, (0, 2))])
def test_files_with_wrong_positions_are_refused(make, values, tmp_path):
    nd.save(tmp_path / "x.params", [make()])
    content = (tmp_path / "x.params").read_bytes()
    good = np.array(values, np.int64).tobytes()
    assert content.count(good) == 1
    for wrong in (99, -1):
        bad = np.array((*values[:-1], wrong), np.int64).tobytes()
        with pytest.raises(mx.MXNetError, match="corrupt"):
            nd.load_frombuffer(content.replace(good, bad))
    for cut in (8, 30, 60):
        with pytest.raises(mx.MXNetError):
            nd.load_frombuffer(content[:-cut])


def test_scipy():
    sparse = pytest.importorskip("scipy.sparse")
    x = csr().asscipy()
    np.testing.assert_array_equal(x.toarray(), A)
    for form in ("csr_matrix", "csc_matrix", "coo_matrix"):
        there = getattr(sparse, form)(A)
        for back in (nd.sparse.csr_matrix(there), nd.sparse.array(there), nd.array(there)):
            assert parts(back) == CSR_PARTS
