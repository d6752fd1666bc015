"""Loading in this process, by processes and by threads: same batches, clear failures, no hangs."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

import baryon as mx
from baryon.gluon import data as D
from baryon.gluon.data.dataloader import default_batchify_fn

HOW = [{}, {"num_workers": 2}, {"num_workers": 2, "thread_pool": True}]
AHEAD = HOW[1:]


class Samples(D.Dataset):
    """Big enough arrays to travel through shared memory; sample 7 may misbehave."""

    def __init__(self, at_seven=None):
        self.at_seven = at_seven

    def __len__(self):
        return 20

    def __getitem__(self, idx):
        if idx == 7 and self.at_seven:
            self.at_seven()
        return np.full((64, 64), idx, "float32"), idx, mx.nd.ones((3, 2)) * idx


def _fail():
    raise KeyError("boom")


class Unpicklable(Exception):
    """An exception that no other process can rebuild."""

    def __init__(self, a, b):
        super().__init__(a)
        self.b = lambda: b


@pytest.mark.parametrize("how", HOW)
def test_batches(how):
    loader = D.DataLoader(Samples(), 6, **how)
    assert len(loader) == 4
    for _ in range(2):
        batches = list(loader)
        indices = [index.asnumpy().tolist() for _, index, _ in batches]
        assert indices == [list(range(i, min(i + 6, 20))) for i in range(0, 20, 6)]
        for image, index, extra in batches:
            assert (image.asnumpy()[:, 5, 5] == index.asnumpy()).all()
            assert (extra.asnumpy()[:, 1, 1] == index.asnumpy()).all()
    image = batches[0][0]
    image += 1  # what was loaded is the program's own
    assert image.asnumpy()[0, 0, 0] == 1


@pytest.mark.parametrize("how", AHEAD)
def test_epochs_that_overlap_or_stop(how):
    loader = D.DataLoader(Samples(), 6, **how)
    next(iter(loader))
    one, two = iter(loader), iter(loader)
    for a, b in zip(one, two, strict=True):
        assert (a[1].asnumpy() == b[1].asnumpy()).all()
    assert len(list(loader)) == 4


def test_options():
    data = D.ArrayDataset(np.arange(7))
    batches = [b.asnumpy().tolist() for b in D.DataLoader(data, 3, last_batch="discard")]
    assert batches == [[0, 1, 2], [3, 4, 5]]
    shuffled = np.concatenate([b.asnumpy() for b in D.DataLoader(data, 3, shuffle=True)])
    assert sorted(shuffled) == list(range(7))
    own = D.DataLoader(data, batch_sampler=[[0, 1], [5]], batchify_fn=sum)
    assert list(own) == [1, 5]
    again = D.DataLoader(data, 3, num_workers=1, auto_reload=True)
    assert [len(list(again)) for _ in range(3)] == [3, 3, 3]


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"batch_size": 0},
        {"batch_size": 2, "last_batch": "x"},
        {"batch_size": 2, "shuffle": True, "sampler": D.SequentialSampler(3)},
        {"batch_size": 2, "batch_sampler": [[1]]},
        {"batch_size": 2, "timeout": 0},
    ],
)
def test_refuses(kwargs):
    with pytest.raises(ValueError):
        D.DataLoader(Samples(), **kwargs)


@pytest.mark.parametrize("how", HOW)
def test_what_a_dataset_raises(how):
    loader = D.DataLoader(Samples(_fail), 4, **how)
    batches = iter(loader)
    assert next(batches)[1].shape == (4,)
    with pytest.raises(KeyError, match="boom") as caught:
        next(batches)
    if how == HOW[1]:
        assert "in _fail" in str(caught.value.__cause__)
    assert len(next(iter(loader))[1]) == 4  # the loader is still good


def test_unpicklable_exception():
    def fail():
        raise Unpicklable("far away", 1)

    with pytest.raises(mx.MXNetError, match="Unpicklable: far away"):
        list(D.DataLoader(Samples(fail), 4, num_workers=2))


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal 9"),
        (lambda: os._exit(3), "exit code 3"),
    ],
)
def test_a_worker_that_dies(end, how):
    loader = D.DataLoader(Samples(end), 4, num_workers=2, prefetch=1)
    started = time.monotonic()
    with pytest.raises(mx.MXNetError, match=how) as caught:
        list(loader)
    assert "[4, 5, 6, 7]" in str(caught.value)
    assert time.monotonic() - started < 20
    assert len(next(iter(loader))[1]) == 4  # new workers


@pytest.mark.parametrize("how", AHEAD)
def test_timeout(how):
    stuck = Samples(lambda: time.sleep(2))
    with pytest.raises(multiprocessing.TimeoutError, match="0.3 seconds"):
        list(D.DataLoader(stuck, 4, timeout=0.3, **how))


class Noise(Samples):
    """Draws from both random streams."""

    def __getitem__(self, idx):
        return np.float64(np.random.rand()), mx.nd.random.uniform(shape=(1,)).asnumpy()[0]


def test_workers_draw_apart_and_repeat():
    def draw(workers):
        np.random.seed(3)
        loader = D.DataLoader(Noise(), 4, num_workers=workers)
        return np.array([[x.asnumpy() for x in batch] for batch in loader])

    first = draw(2)
    assert len(np.unique(first)) == first.size
    assert (draw(1) == first).all()


def test_no_process_is_left():
    loader = D.DataLoader(Samples(), 4, num_workers=2)
    before = set(multiprocessing.active_children())
    list(loader)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    loader.clean()
    assert not workers & set(multiprocessing.active_children())
    list(loader)
    workers = set(multiprocessing.active_children()) - before
    del loader
    assert not workers & set(multiprocessing.active_children())


def test_batchify():
    image, (a, b) = default_batchify_fn([(np.ones(3), (1, 2.5))] * 2)
    assert image.dtype == np.float64 and a.dtype == np.int64 and b.dtype == np.float64
    stacked = default_batchify_fn([mx.nd.ones((2,), dtype="uint8")] * 3)
    assert stacked.shape == (3, 2) and stacked.dtype == np.uint8
    with pytest.raises(TypeError, match="batchify_fn"):
        default_batchify_fn([{"a": 1}])
    with pytest.raises(ValueError, match="different shapes"):
        default_batchify_fn([np.ones(2), np.ones(3)])
