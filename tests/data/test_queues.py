"""Arrays between processes."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest

import baryon as mx
from baryon.gluon.data import dataloader


def _answer(connection):
    conn = dataloader.ConnectionWrapper(connection)
    name, array = conn.recv()
    array[:] = array * 2  # both ends see it: the memory is shared
    conn.send((name, array.shape, array.copy()))
    conn.recv()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_connections_share_memory():
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_answer, args=(there,))
    process.start()
    conn = dataloader.ConnectionWrapper(here)
    rebuild, (pid, fd, shape, dtype) = dataloader.reduce_ndarray(mx.nd.arange(6).reshape((2, 3)))
    ours = rebuild(pid, fd, shape, dtype)
    assert ours.asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert conn.poll(0) is False
    conn.send(("x", ours))
    name, shape, doubled = conn.recv()
    assert (name, shape) == ("x", (2, 3))
    np.testing.assert_array_equal(doubled.asnumpy(), 2 * ours.asnumpy())
    conn.send(None)
    process.join(10)
    assert process.exitcode == 0


@pytest.mark.parametrize("kind", ["Queue", "SimpleQueue"])
def test_loops_of_the_first_loader(kind):
    make = getattr(dataloader, kind)
    keys, batches, found = make(), make(), {}
    data = mx.gluon.data.SimpleDataset([mx.nd.array([i]) for i in range(4)])
    for task in ((0, [0, 1]), (1, [2, 3]), (None, None)):
        keys.put(task)
    dataloader.worker_loop_v1(data, keys, batches, dataloader.default_batchify_fn)
    batches.put((None, None))
    dataloader.fetcher_loop_v1(batches, found, data_buffer_lock=threading.Lock())
    assert {k: v.asnumpy().ravel().tolist() for k, v in found.items()} == {0: [0, 1], 1: [2, 3]}


def test_first_loader():
    data = mx.gluon.data.ArrayDataset(np.arange(5))
    batches = list(dataloader.DataLoaderV1(data, 2, last_batch="discard"))
    assert [b.asnumpy().tolist() for b in batches] == [[0, 1], [2, 3]]
