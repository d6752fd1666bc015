"""Data iterators; the batches of each ending were read off MXNet 1.9.1."""

import numpy as np
import pytest

import baryon as mx
from baryon import io

X = np.arange(14, dtype="float32").reshape(7, 2)
Y = np.arange(7, dtype="float32")


def _epoch(iterator):
    return [(batch.label[0].asnumpy().astype(int).tolist(), batch.pad) for batch in iterator]


ENDINGS = {
    "pad": [[([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 0, 1], 2)]] * 3,
    "discard": [[([0, 1, 2], 0), ([3, 4, 5], 0)]] * 3,
    "roll_over": [
        [([0, 1, 2], 0), ([3, 4, 5], 0)],
        [([6, 0, 1], 1), ([2, 3, 4], 0)],
        [([5, 6, 0], 2), ([1, 2, 3], 0), ([4, 5, 6], 0)],
    ],
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_endings(ending):
    iterator = io.NDArrayIter(X, Y, 3, last_batch_handle=ending)
    for expected in ENDINGS[ending]:
        assert _epoch(iterator) == expected
        iterator.reset()
    iterator.hard_reset()
    assert _epoch(iterator) == ENDINGS[ending][0]


def test_data_and_label_stay_together_when_shuffled():
    iterator = io.NDArrayIter(X, Y, 3, shuffle=True, last_batch_handle="discard")
    for batch in iterator:
        assert (batch.data[0].asnumpy()[:, 0] == 2 * batch.label[0].asnumpy()).all()


def test_shuffle_is_mxnets_seed_for_seed():
    np.random.seed(0)
    iterator = io.NDArrayIter(X, Y, 3, shuffle=True)
    assert [labels for labels, _ in _epoch(iterator)] == [[6, 2, 1], [3, 0, 5], [4, 6, 2]]
    iterator.reset()
    assert [labels for labels, _ in _epoch(iterator)] == [[1, 4, 0], [3, 6, 2], [5, 1, 4]]


def test_small_data_repeats():
    iterator = io.NDArrayIter(X, Y, 16)
    assert _epoch(iterator) == [(list(np.resize(np.arange(7), 16)), 9)]


def test_names_and_descriptions():
    named = io.NDArrayIter({"b": X, "a": mx.nd.array(X)}, {"l": Y}, 2)
    assert named.provide_data == [("a", (2, 2)), ("b", (2, 2))]
    assert named.provide_label == [("l", (2,))]
    several = io.NDArrayIter([X, X], [Y, Y], 2)
    assert [d.name for d in several.provide_data] == ["_0_data", "_1_data"]
    assert [d.name for d in several.provide_label] == ["_0_softmax_label", "_1_softmax_label"]
    kept = io.NDArrayIter(mx.nd.array(X, dtype="int32"), None, 2)
    assert kept.next().data[0].dtype == np.int32 == kept.provide_data[0].dtype
    assert kept.next().label == []
    assert io.NDArrayIter(X.astype("float64"), None, 2).next().data[0].dtype == np.float32


def test_refuses():
    with pytest.raises(AssertionError):
        io.NDArrayIter(None, Y)
    with pytest.raises(AssertionError):
        io.NDArrayIter([], Y)
    for data in (3, {"a": "s"}):
        with pytest.raises(TypeError):
            io.NDArrayIter(data, Y)
    with pytest.raises(ValueError, match="softmax_label has 3 samples"):
        io.NDArrayIter(X, Y[:3])
    for kwargs in ({"batch_size": 0}, {"last_batch_handle": "x"}):
        with pytest.raises(ValueError):
            io.NDArrayIter(X, Y, **kwargs)


def test_desc():
    desc = io.DataDesc("data", (3, 4))
    assert repr(desc) == "DataDesc[data,(3, 4),<class 'numpy.float32'>,NCHW]"
    assert desc == ("data", (3, 4)) == tuple(desc)
    assert [io.DataDesc.get_batch_axis(x) for x in ("TNC", None, "CHW")] == [1, 0, -1]
    (listed,) = io.DataDesc.get_list([("a", (1, 2))], [("a", np.float64)])
    assert listed.dtype is np.float64


def test_batch():
    batch = io.DataBatch([mx.nd.ones((2, 3))], [mx.nd.ones(2)])
    assert str(batch) == "DataBatch: data shapes: [(2, 3)] label shapes: [(2,)]"
    with pytest.raises(AssertionError):
        io.DataBatch(mx.nd.ones(2))


def test_resize():
    iterator = io.ResizeIter(io.NDArrayIter(X, Y, 3), 5)
    expected = ENDINGS["pad"][0] + ENDINGS["pad"][0][:2]
    assert _epoch(iterator) == expected
    iterator.reset()
    assert _epoch(iterator) == expected
    straight = io.ResizeIter(io.NDArrayIter(X, Y, 3), 2, reset_internal=False)
    assert _epoch(straight) == expected[:2]
    straight.reset()
    assert _epoch(straight) == [expected[2], expected[0]]


def test_prefetching_joins():
    sources = [io.NDArrayIter(X, Y, 3), io.NDArrayIter(2 * X, Y, 3)]
    joined = io.PrefetchingIter(
        sources,
        rename_data=[{"data": "d1"}, {"data": "d2"}],
        rename_label=[{"softmax_label": "l1"}, {"softmax_label": "l2"}],
    )
    assert [d.name for d in joined.provide_data + joined.provide_label] == ["d1", "d2", "l1", "l2"]
    for _ in range(3):
        batches = list(joined)
        assert _epoch(batches) == ENDINGS["pad"][0]
        for batch in batches:
            assert (batch.data[1].asnumpy() == 2 * batch.data[0].asnumpy()).all()
        with pytest.raises(StopIteration):
            joined.next()
        joined.reset()
    joined.next()
    joined.reset()
    assert _epoch(joined) == ENDINGS["pad"][0]


class Broken(io.DataIter):
    """Raises at its second batch."""

    provide_data = provide_label = [io.DataDesc("data", (1, 1))]
    count = 0

    def next(self):
        self.count += 1
        if self.count == 2:
            raise RuntimeError("disk on fire")
        return io.DataBatch([mx.nd.ones((1, 1))], [])


def test_prefetching_raises_what_its_source_raises():
    ahead = io.PrefetchingIter(Broken())
    ahead.next()
    with pytest.raises(RuntimeError, match="disk on fire"):
        ahead.next()


def _csv(tmp_path, **kwargs):
    np.savetxt(tmp_path / "d.csv", X, delimiter=",")
    np.savetxt(tmp_path / "l.csv", Y, delimiter=",")
    kwargs = {"label_csv": tmp_path / "l.csv", "batch_size": 3} | kwargs
    return io.CSVIter(data_csv=tmp_path / "d.csv", data_shape=(2,), **kwargs)


def test_csv_rounds(tmp_path):
    iterator = _csv(tmp_path)
    assert _epoch(iterator) == [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 0, 1], 2)]
    iterator.reset()
    assert _epoch(iterator) == [([2, 3, 4], 0), ([5, 6, 0], 1)]
    iterator.reset()
    assert _epoch(iterator)[0] == ([1, 2, 3], 0)


def test_csv_keeps_old_rows(tmp_path):
    iterator = _csv(tmp_path, round_batch=False)
    for _ in range(2):
        assert _epoch(iterator) == [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 4, 5], 2)]
        iterator.reset()


def test_csv_shapes(tmp_path):
    iterator = _csv(tmp_path, label_csv="NULL", dtype="int32")
    batch = iterator.next()
    assert batch.data[0].dtype == batch.label[0].dtype == np.int32
    assert batch.label[0].asnumpy().tolist() == [0, 0, 0]
    (tmp_path / "folder").mkdir()
    for name in "ab":
        np.savetxt(tmp_path / "folder" / name, X, delimiter=",")
    both = io.CSVIter(data_csv=tmp_path / "folder", data_shape=(1, 2), batch_size=14)
    assert both.next().data[0].shape == (14, 1, 2)


@pytest.mark.parametrize("text", ["1,2,3\n", "1,x\n", "1,2\n3\n", ""])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_csv_refuses(tmp_path, text):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(mx.MXNetError, match="bad.csv"):
        io.CSVIter(data_csv=path, data_shape=(2,), batch_size=1)
    with pytest.raises(mx.MXNetError, match="missing.csv"):
        io.CSVIter(data_csv=tmp_path / "missing.csv", data_shape=(2,), batch_size=1)
