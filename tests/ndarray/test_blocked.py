"""Images that stay channel-blocked between eager calls: nothing shows but the speed."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, nd
from baryon.gluon import nn
from baryon.native import native

if native is None:
    pytest.skip("the native extension is absent", allow_module_level=True)

from baryon.ndarray.blocked import BlockedNDArray

RNG = np.random.RandomState(0)
X = RNG.randn(2, 16, 6, 5).astype(np.float32)
W = (RNG.randn(32, 16, 3, 3) * 0.1).astype(np.float32)


def convolved():
    options = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 32, "no_bias": True}
    y = nd.Convolution(nd.array(X), nd.array(W), **options)
    assert type(y) is BlockedNDArray
    return y


@pytest.fixture
def plain():
    """The convolution in float64, which is never blocked."""
    inputs = nd.array(X, dtype="float64"), nd.array(W, dtype="float64")
    y = nd.Convolution(*inputs, kernel=(3, 3), pad=(1, 1), num_filter=32, no_bias=True)
    assert type(y) is nd.NDArray
    return y.asnumpy()


def same(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_it_looks_like_any_array(plain):
    y = convolved()
    assert (y.shape, y.ndim, y.size, y.dtype) == ((2, 32, 6, 5), 4, 1920, np.float32)
    assert isinstance(y, nd.NDArray) and type(y).__name__ == "NDArray"
    assert y.context == mx.cpu() and type(y) is BlockedNDArray
    same(y.asnumpy(), plain)
    assert type(y) is nd.NDArray and y.shape == (2, 32, 6, 5)


@pytest.mark.parametrize(
    ("use", "want"),
    [
        (lambda y: y * 2 + 1, lambda y: y * 2 + 1),
        (lambda y: y + y, lambda y: y + y),
        (lambda y: nd.relu(y), lambda y: np.maximum(y, 0)),
        (lambda y: y[0], lambda y: y[0]),
        (lambda y: y.reshape((2, -1)), lambda y: y.reshape(2, -1)),
        (lambda y: y.sum(axis=1), lambda y: y.sum(axis=1)),
        (lambda y: nd.concat(y, y, dim=0), lambda y: np.concatenate([y, y])),
        (lambda y: copy.deepcopy(y), lambda y: y),
        (lambda y: pickle.loads(pickle.dumps(y)), lambda y: y),
        (lambda y: y.copyto(nd.zeros(y.shape)), lambda y: y),
        (lambda y: y + nd.ones((1, 32, 1, 1)), lambda y: y + 1),
        (lambda y: y - nd.ones(y.shape), lambda y: y - 1),
        (lambda y: y.transpose((0, 2, 3, 1)), lambda y: y.transpose(0, 2, 3, 1)),
        (lambda y: nd.Pooling(y, kernel=(2, 2), stride=(2, 2)),
         lambda y: y[:, :, :6, :4].reshape(2, 32, 3, 2, 2, 2).max(axis=(3, 5))),
        (lambda y: y.as_np_ndarray().sum(), lambda y: y.sum()),
        (lambda y: y.detach(), lambda y: y),
    ],
)  # fmt: skip
def test_every_use(use, want, plain):
    same(use(convolved()).asnumpy(), want(plain))


def test_writing_in_place(plain):
    y = convolved()
    y += 1
    y[0] = 7
    nd.elemwise_add(y, y, out=y)
    want = plain + 1
    want[0] = 7
    same(y.asnumpy(), want * 2)


def test_threads_that_look_at_once(plain):
    for _ in range(20):
        y, found = convolved(), []
        threads = [threading.Thread(target=lambda: found.append(y.asnumpy())) for _ in range(4)]  # noqa: B023
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(found) == 4
        for values in found:
            same(values, plain)


class Unit(nn.HybridBlock):
    """A residual unit whose parts are seen blocked and plain."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv1, self.norm1 = nn.Conv2D(16, 3, padding=1, in_channels=16), nn.BatchNorm()
            self.conv2, self.norm2 = nn.Conv2D(16, 3, padding=1, in_channels=16), nn.BatchNorm()
            self.pool = nn.GlobalMaxPool2D()

    def hybrid_forward(self, F, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.broadcast_add(self.norm2(self.conv2(y)) + x, F.mean(y, axis=1, keepdims=True))
        scale = F.mean(F.tanh(y), axis=(1, 2, 3), keepdims=True)
        return F.broadcast_mul(self.pool(F.relu(y)), scale)


@pytest.mark.parametrize("times", [1, 3])
def test_gradients_are_those_of_the_hybridized_block(times):
    """Interpreted the first time, compiled from the second on."""
    results = []
    for hybrid in (False, True):
        mx.random.seed(2)
        net = nn.HybridSequential()
        net.add(nn.Conv2D(16, 3, padding=1, in_channels=3), Unit(), nn.Dense(4))
        net.initialize(mx.init.Xavier())
        net.hybridize(hybrid)
        x = nd.array(RNG.__class__(1).randn(2, 3, 8, 8))
        x.attach_grad()
        for _ in range(times):
            with autograd.record():
                loss = (net(x) ** 2).sum()
            loss.backward()
        params = [p for p in net.collect_params().values() if p.grad_req != "null"]
        states = [p for p in net.collect_params().values() if p.grad_req == "null"]
        results.append(
            [loss.asnumpy(), x.grad.asnumpy(), *[p.grad().asnumpy() for p in params],
             *[p.data().asnumpy() for p in states]]
        )  # fmt: skip
    for got, want in zip(*results, strict=True):
        scale = np.abs(want).max() + 1e-6
        np.testing.assert_allclose(got / scale, want / scale, atol=2e-4)


def penalty_gradient(dtype):
    conv = nn.Conv2D(16, 3, padding=1, in_channels=16, use_bias=False)
    conv.initialize(mx.init.Constant(nd.array(W[:16])))
    conv.cast(dtype)
    x = nd.array(X, dtype=dtype)
    x.attach_grad()
    with autograd.record():
        y = conv(x)
        assert (type(y) is BlockedNDArray) == (dtype == "float32")
        g = autograd.grad((nd.tanh(y) ** 2).sum(), [x], create_graph=True)[0]
        penalty = (g**2).sum()
    penalty.backward()
    return conv.weight.grad().asnumpy()


def test_second_order_passes_blocked_images():
    got, want = penalty_gradient("float32"), penalty_gradient("float64")
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3 * np.abs(want).max())
