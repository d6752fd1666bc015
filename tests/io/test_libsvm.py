"""LibSVMIter and csr batches; the batches were observed with MXNet 1.9.1 on the same lines."""

import numpy as np
import pytest

import baryon as mx

LINES = "1.0 0:0.5 2:1.2\n-2.0\n-3.0 0:0.6 1:2.4 2:1.2\n4 2:-1.2\n"
DATA = np.array([[0.5, 0, 1.2], [0, 0, 0], [0.6, 2.4, 1.2], [0, 0, -1.2]], np.float32)


@pytest.fixture
def read(tmp_path):
    """Makes an iterator over a text."""

    def make(text=LINES, data_shape=(3,), **options):
        path = tmp_path / "data.svm"
        path.write_text(text)
        return mx.io.LibSVMIter(data_libsvm=str(path), data_shape=data_shape, **options)

    return make


def seen(it):
    return [(b.index.tolist(), b.pad) for b in it]


def test_batches(read):
    it = read(batch_size=3)
    assert it.provide_data[0][:2] == ("data", (3, 3))
    assert it.provide_label[0][:2] == ("softmax_label", (3,))
    first, second = it
    assert first.data[0].stype == "csr"
    first.data[0].check_format()
    np.testing.assert_array_equal(first.data[0].asnumpy(), DATA[:3])
    assert first.label[0].asnumpy().tolist() == [1, -2, -3]
    np.testing.assert_array_equal(second.data[0].asnumpy(), DATA[[3, 0, 1]])
    assert (second.label[0].asnumpy().tolist(), second.pad) == ([4, 1, -2], 2)


def test_epochs_go_on_where_the_last_one_ended(read):
    it = read(batch_size=3)
    assert seen(it) == [([0, 1, 2], 0), ([3, 0, 1], 2)]
    it.reset()
    assert seen(it) == [([2, 3, 0], 1)]
    it.reset()
    assert seen(it) == [([1, 2, 3], 0)]


def test_labels_of_another_file(read, tmp_path):
    (tmp_path / "label.svm").write_text("1.0\n-2.0 0:0.125\n-3.0 2:1.2\n4 1:1.0 2:-1.2\n")
    it = read(label_libsvm=str(tmp_path / "label.svm"), label_shape=(3,), batch_size=2)
    batch = next(it)
    assert batch.label[0].stype == "csr"
    assert batch.label[0].asnumpy().tolist() == [[0, 0, 0], [0.125, 0, 0]]
    (tmp_path / "label.svm").write_text("5\n6\n7\n8\n")
    it = read(label_libsvm=str(tmp_path / "label.svm"), batch_size=4)
    assert next(it).label[0].asnumpy().tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("count, parts", [(2, [[1, -2, -3], [4]]), (3, [[1, -2], [-3], [4]])])
def test_parts(read, count, parts):
    for i, want in enumerate(parts):
        it = read(batch_size=1, num_parts=count, part_index=i)
        assert [b.label[0].asscalar() for b in it] == want


def test_what_lines_may_hold(read):
    it = read("1:0.5 qid:3 1:1  # note\n\n0 2\n-1 2:3 0:4\n", batch_size=3)
    batch = next(it)
    assert batch.label[0].asnumpy().tolist() == [1, 0, -1]
    assert batch.data[0].asnumpy().tolist() == [[0, 1, 0], [0, 0, 1], [4, 0, 3]]
    assert read(batch_size=1, dtype="float64").provide_data[0].dtype is np.float64


@pytest.mark.parametrize(
    "text, options, words",
    [
        ("1 3:1\n", {}, r"line 1: index 3 is outside \[0, 3\)"),
        ("1 -1:1\n", {}, "outside"),
        ("1 0:1\n2 x:y\n", {}, "line 2"),
        ("1,2 1:1\n", {}, "line 1"),
        ("1 1:1 1:2\n", {}, "twice"),
        ("\n", {}, "no rows"),
        (LINES, {"round_batch": False}, "round_batch"),
        (LINES, {"data_shape": (3, 1)}, "data_shape"),
        (LINES, {"label_shape": (2,)}, "label_libsvm"),
        (LINES, {"label_libsvm": "nowhere.svm"}, "nowhere.svm"),
    ],
)
def test_bad_input(read, text, options, words):
    with pytest.raises(mx.MXNetError, match=words):
        read(text, batch_size=1, **options)


def test_bad_options(read):
    with pytest.raises(ValueError, match="part_index"):
        read(batch_size=1, part_index=2)
    with pytest.raises(ValueError, match="batch_size"):
        read(batch_size=0)


def test_csr_batches_of_arrays_in_memory():
    csr = mx.nd.array(DATA).tostype("csr")
    for ending, rows in (("discard", [[0, 1, 2]]), ("pad", [[0, 1, 2], [3, 0, 1]])):
        it = mx.io.NDArrayIter(csr, np.arange(4), batch_size=3, last_batch_handle=ending)
        for batch, want in zip(it, rows, strict=True):
            assert batch.data[0].stype == "csr"
            np.testing.assert_array_equal(batch.data[0].asnumpy(), DATA[want])
    it = mx.io.NDArrayIter(csr, np.arange(4), batch_size=2, shuffle=True)
    for batch in it:
        order = batch.label[0].asnumpy().astype(int)
        np.testing.assert_array_equal(batch.data[0].asnumpy(), DATA[order])
    rows = mx.io.NDArrayIter(mx.nd.array(DATA).tostype("row_sparse"), batch_size=4)
    np.testing.assert_array_equal(next(rows).data[0].asnumpy(), DATA)
