"""Recording and differentiating eager code."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, backward, nd


def marked(*values, dtype="float32"):
    x = nd.array(np.array(values, dtype), dtype=dtype)
    x.attach_grad()
    return x


@pytest.mark.parametrize("times", [1, 2, 3])
def test_gradient_is_the_same_interpreted_and_compiled(times):
    x = marked(1, 2, 3)
    for _ in range(times):  # the second sight of a structure runs its compiled program
        with autograd.record():
            y = (x * x * 2 + x).sum()
        y.backward()
        np.testing.assert_allclose(x.grad.asnumpy(), 4 * x.asnumpy() + 1)


def test_constants_of_later_tapes_are_read_afresh():
    x = marked(1, 2)
    shared = nd.array([3, 4])
    for a, b in ((shared, shared), (shared, shared), (nd.array([5, 6]), nd.array([7, 8]))):
        with autograd.record():
            y = x * a + x * x * b
        y.backward()
        want = a.asnumpy() + 2 * x.asnumpy() * b.asnumpy()
        np.testing.assert_allclose(x.grad.asnumpy(), want)


def test_head_gradients():
    x = marked(1, 2)
    for scale in (1, 10, 100):
        with autograd.record():
            y = x * x
        y.backward(nd.array([scale, 2 * scale]))
        np.testing.assert_allclose(x.grad.asnumpy(), [2 * scale, 8 * scale])


def test_several_heads_at_once():
    x = marked(2)
    for _ in range(2):
        with autograd.record():
            a, b = x * 3, x * x
        autograd.backward([a, b], [None, nd.array([10])])
        np.testing.assert_allclose(x.grad.asnumpy(), [3 + 40])


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_grad_req_add_accumulates(passes):
    x = nd.array([1.0, 2.0])
    x.attach_grad(grad_req="add")
    for _ in range(passes):
        with autograd.record():
            y = x * x
        y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), 2 * passes * x.asnumpy())


def test_grad_req_null_gets_nothing():
    x = nd.array([1.0])
    x.attach_grad(grad_req="null")
    assert x.grad is None


def test_marked_array_that_is_not_reached_gets_zeros():
    x, z = marked(1, 2), marked(3, 4)
    for _ in range(2):
        z.grad[:] = 7
        with autograd.record():
            y = x * 2 + nd.stop_gradient(z)
        y.backward()
        np.testing.assert_array_equal(z.grad.asnumpy(), [0, 0])


def test_second_backward_needs_retain_graph():
    x = marked(1)
    with autograd.record():
        y = x * x
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(mx.MXNetError, match="retain_graph"):
        y.backward()


def test_backward_outside_record_is_refused():
    x = marked(1)
    with pytest.raises(mx.MXNetError, match="record"):
        (x * x).backward()


def test_head_gradient_of_wrong_shape_is_refused():
    x = marked(1, 2)
    with autograd.record():
        y = x * x
    with pytest.raises(mx.MXNetError, match=r"shape \(3,\), expected \(2,\)"):
        y.backward(nd.ones((3,)))


def test_pause_leaves_calls_off_the_tape():
    x = marked(3)
    with autograd.record():
        with autograd.pause():
            factor = x * x
        y = factor * x
    y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), [9])


def test_modes_nest_and_come_back():
    assert not autograd.is_recording() and not autograd.is_training()
    with autograd.record():
        assert autograd.is_recording() and autograd.is_training()
        with autograd.predict_mode():
            assert autograd.is_recording() and not autograd.is_training()
        with autograd.pause():
            assert not autograd.is_recording() and not autograd.is_training()
        assert autograd.is_training()
    with autograd.record(train_mode=False):
        assert autograd.is_recording() and not autograd.is_training()
    with autograd.train_mode():
        assert autograd.is_training() and not autograd.is_recording()


def test_modes_come_back_after_an_error():
    with pytest.raises(KeyError), autograd.record():
        raise KeyError
    assert not autograd.is_recording()


def test_grad_returns_new_arrays_and_leaves_grad_alone():
    x = marked(2)
    with autograd.record():
        y = x * x * x
    (dx,) = autograd.grad([y], [x])
    np.testing.assert_allclose(dx.asnumpy(), [12])
    np.testing.assert_array_equal(x.grad.asnumpy(), [0])


def test_gradients_of_gradients():
    x = marked(0.3, 0.7)
    with autograd.record():
        y = nd.sin(x)
        (dy,) = autograd.grad(y, x, create_graph=True)
        (ddy,) = autograd.grad(dy, x, create_graph=True)
    ddy.backward()
    np.testing.assert_allclose(dy.asnumpy(), np.cos(x.asnumpy()), rtol=1e-6)
    np.testing.assert_allclose(ddy.asnumpy(), -np.sin(x.asnumpy()), rtol=1e-6)
    np.testing.assert_allclose(x.grad.asnumpy(), -np.cos(x.asnumpy()), rtol=1e-6)


def test_gradient_penalty_trains_through_hidden_outputs():
    x = marked(0.5, 1.5, 2.5)
    with autograd.record():
        y = nd.softmax(x)
        (g,) = autograd.grad(y[0:1], x, create_graph=True)
        penalty = (g * g).sum()
    penalty.backward()
    h, data = 1e-3, x.asnumpy().astype("float64")

    def value(d):
        p = np.exp(d) / np.exp(d).sum()
        return ((p[0] * (np.eye(3)[0] - p)) ** 2).sum()

    want = [(value(data + h * e) - value(data - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(x.grad.asnumpy(), want, rtol=1e-3, atol=1e-5)


def test_reusing_a_result_twice():
    x = marked(2)
    for _ in range(3):
        with autograd.record():
            h = x * 3
            y = h * h + h
        y.backward()
        np.testing.assert_allclose(x.grad.asnumpy(), [2 * 9 * 2 + 3])


class Sigmoid(autograd.Function):
    def forward(self, x):
        y = 1 / (1 + nd.exp(-x))
        self.save_for_backward(y)
        return y

    def backward(self, dy):
        (y,) = self.saved_tensors
        return dy * y * (1 - y)


@pytest.mark.parametrize("times", [1, 3])
def test_function(times):
    x = marked(-1, 0, 2)
    for _ in range(times):
        with autograd.record():
            y = Sigmoid()(x * 2).sum()
        y.backward()
        s = 1 / (1 + np.exp(-2 * x.asnumpy()))
        np.testing.assert_allclose(x.grad.asnumpy(), 2 * s * (1 - s), rtol=1e-5)


def test_function_is_called_once():
    f = Sigmoid()
    f(nd.ones((1,)))
    with pytest.raises(mx.MXNetError, match="once"):
        f(nd.ones((1,)))


def test_mark_variables_takes_the_callers_arrays():
    x, g = nd.array([1.0, 2.0]), nd.zeros((2,))
    autograd.mark_variables([x], [g])
    with autograd.record():
        y = x * 5
    y.backward()
    np.testing.assert_array_equal(g.asnumpy(), [5, 5])
    with pytest.raises(mx.MXNetError, match="cannot have shape"):
        autograd.mark_variables([x], [nd.zeros((3,))])
    with pytest.raises(ValueError, match="grad_req"):
        autograd.mark_variables([x], [g], "sometimes")


def test_get_symbol_draws_what_was_recorded():
    x = marked(1, 2)
    with autograd.record():
        y = nd.exp(x) * 2
    symbol = autograd.get_symbol(y)
    (name,) = symbol.list_arguments()
    np.testing.assert_allclose(symbol.eval(**{name: x})[0].asnumpy(), y.asnumpy())


def test_a_long_chain_needs_no_deep_recursion():
    x = marked(1)
    with autograd.record():
        y = x
        for _ in range(5000):
            y = y + 1
    y.backward()
    np.testing.assert_array_equal(x.grad.asnumpy(), [1])


def test_threads_record_on_their_own():
    import threading

    seen = []
    with autograd.record():
        thread = threading.Thread(target=lambda: seen.append(autograd.is_recording()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_a_large_tape_is_compiled_at_first_sight():
    """Interpreting would hold more at a time than the plan of a program does."""
    x = mx.nd.ones((3 << 20,))
    x.attach_grad()
    with autograd.record():
        y = x
        for _ in range(4):
            y = y * y
    before = {k for k, v in backward._PROGRAMS.items() if v is not None}
    y.backward()
    after = {k for k, v in backward._PROGRAMS.items() if v is not None}
    assert len(after - before) == 1
    assert x.grad[0].asscalar() == 16
