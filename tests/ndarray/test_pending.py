"""Batch norms that wait for what follows them: nothing shows but the speed."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, nd
from baryon.native import native

if native is None:
    pytest.skip("the native extension is absent", allow_module_level=True)

from baryon.ndarray.blocked import BlockedNDArray, _memory
from baryon.ndarray.pending import Pending

RNG = np.random.RandomState(0)
X = RNG.randn(3, 16, 5, 4).astype(np.float32)
W = (RNG.randn(16, 16, 3, 3) * 0.1).astype(np.float32)
GAMMA, BETA = RNG.rand(16).astype(np.float32) + 0.5, RNG.randn(16).astype(np.float32)


class Given:
    """Input, parameters and states in a dtype; float64 never waits."""

    def __init__(self, dtype="float32"):
        self.x, self.w, self.gamma, self.beta = (
            nd.array(v, dtype=dtype) for v in (X, W, GAMMA, BETA)
        )
        self.states = nd.zeros(16, dtype=dtype), nd.ones(16, dtype=dtype)
        for array in (self.x, self.w, self.gamma, self.beta):
            array.attach_grad()

    def conv(self):
        window = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 16, "no_bias": True}
        return nd.Convolution(self.x, self.w, **window)

    def norm(self, x=None):
        x = self.conv() if x is None else x
        return nd.BatchNorm(x, self.gamma, self.beta, *self.states, fix_gamma=False)


def waits(x):
    return type(x) is BlockedNDArray and isinstance(_memory.__get__(x), Pending)


def test_it_waits_until_it_is_read():
    given, exact = Given(), Given("float64")
    with autograd.record():
        y, want = given.norm(), exact.norm()
        assert waits(y) and y.shape == (3, 16, 5, 4) and y.size == 960 and y.dtype == np.float32
        total = y + given.conv()
        assert waits(total)
        end = nd.relu(total)
        assert not waits(end) and type(end) is BlockedNDArray and waits(y)
        np.testing.assert_allclose(y.asnumpy(), want.asnumpy(), rtol=1e-3, atol=1e-4)
    predicted = given.norm()
    assert not waits(predicted)


GRAPHS = {
    "relu": lambda g: nd.relu(g.norm()),
    "sum": lambda g: nd.Activation(g.norm() + g.conv(), act_type="relu"),
    "sum from the left": lambda g: nd.relu(g.conv() + g.norm()),
    "sum of two norms": lambda g: nd.relu(g.norm() + g.norm()),
    "read twice": lambda g: (lambda y: nd.relu(y) + y)(g.norm()),
    "with itself": lambda g: (lambda y: nd.relu(y + y))(g.norm()),
    "three terms": lambda g: nd.relu(g.norm() + g.conv() + g.norm()),
    "another sum": lambda g: g.norm() + nd.ones((1, 16, 1, 1), dtype=g.x.dtype),
    "two norms in a row": lambda g: nd.relu(g.norm(g.norm())),
    "tanh": lambda g: nd.tanh(g.norm() + g.conv()),
    "nothing after": lambda g: g.norm(),
    "pooled": lambda g: nd.Pooling(g.norm(), kernel=(2, 2), pool_type="avg"),
    "clipped": lambda g: nd.clip(g.norm(), -0.5, 0.7),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_values_gradients_and_states(graph, inside):
    """Interpreted the first time, compiled the second; also with backward inside the scope."""
    results = []
    for dtype in ("float32", "float64"):
        given = Given(dtype)
        for _ in range(2):
            with autograd.record():
                y = graph(given)
                loss = (y * y).mean()
                if inside:
                    loss.backward()
            if not inside:
                loss.backward()
        leaves = [given.x, given.w, given.gamma, given.beta]
        results.append(
            [y.asnumpy(), *(a.grad.asnumpy() for a in leaves), *(s.asnumpy() for s in given.states)]
        )
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-4 * np.abs(want).max() + 1e-6)


def test_a_head_that_waits():
    results = []
    for dtype in ("float32", "float64"):
        given = Given(dtype)
        with autograd.record():
            heads = [given.conv(), given.norm()]
            autograd.backward(heads, [nd.ones_like(h) * h.shape[0] for h in heads])
        results.append(given.w.grad.asnumpy())
    np.testing.assert_allclose(*results, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("where", ["after", "in a pause"])
def test_later_writes_do_not_reach_it(where):
    given, exact = Given(), Given("float64")
    with autograd.record():
        y, want = given.norm(), exact.norm().asnumpy()
        if where == "in a pause":
            with autograd.pause():
                given.gamma[:] = 0
    given.gamma[:] = given.beta[:] = 0
    np.testing.assert_allclose(y.asnumpy(), want, rtol=1e-3, atol=1e-4)


def test_frozen_parameters_do_not_wait():
    given = Given()
    given.gamma = given.gamma.detach()
    with autograd.record():
        assert not waits(given.norm())


def test_threads_read_what_waits():
    given, want = Given(), Given("float64").norm
    with autograd.train_mode():
        want = want().asnumpy()
    with autograd.record():
        y, found = given.norm(), []
        assert waits(y)
        threads = [threading.Thread(target=lambda: found.append(y.asnumpy())) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(found) == 4
    for values in found:
        np.testing.assert_allclose(values, want, rtol=1e-3, atol=1e-4)


def test_it_can_be_switched_off():
    with mx.test_utils.environment("BARYON_FUSE", "0"), autograd.record():
        assert not waits(Given().norm())
