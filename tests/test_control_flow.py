"""Loops and branches: of arrays, bound, hybridized, and in symbol files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx

RNG = np.random.RandomState(3)
X = RNG.randn(4, 2, 3).astype(np.float32)
S = RNG.randn(2, 3).astype(np.float32)
W = RNG.randn(3, 3).astype(np.float32)


def step(F, x, s, w):
    h = F.tanh(F.dot(x, w) + s)
    return h * 2, h


def run_steps():
    """The loop of `step` in NumPy, and the gradients of sum(outs) + sum(3 * final)."""
    states, outs = [S], []
    for x in X:
        states.append(np.tanh(x @ W + states[-1]))
        outs.append(2 * states[-1])
    dx, dw, dh = np.zeros_like(X), np.zeros_like(W), np.full_like(S, 3)
    for t in reversed(range(len(X))):
        du = (dh + 2) * (1 - states[t + 1] ** 2)
        dx[t], dw, dh = du @ W.T, dw + X[t].T @ du, du
    return np.stack(outs), states[-1], (dx, dh, dw)


def close(a, b):
    np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-4, atol=1e-5)


def variables(*names):
    return [mx.sym.var(n) for n in names]


class Net(mx.gluon.HybridBlock):
    def hybrid_forward(self, F, x, s, w):
        return F.contrib.foreach(lambda d, state: step(F, d, state, w), x, s)


@pytest.mark.parametrize("hybrid", [False, True])
def test_foreach_in_a_block(hybrid):
    net = Net()
    if hybrid:
        net.hybridize()
    args = [mx.nd.array(v) for v in (X, S, W)]
    for a in args:
        a.attach_grad()
    want = run_steps()
    for _ in range(3):
        with mx.autograd.record():
            outs, final = net(*args)
            loss = outs.sum() + 3 * final.sum()
        loss.backward()
        close(outs, want[0])
        close(final, want[1])
        for a, g in zip(args, want[2], strict=True):
            close(a.grad, g)


class Branches(mx.gluon.HybridBlock):
    """A loop with a condition, then one of two branches that read from outside."""

    def hybrid_forward(self, F, n, p, w):
        outs, last = F.contrib.while_loop(
            lambda n, p: n < 3, lambda n, p: (p * w, [n + 1, p * w]), [n, p], max_iterations=5
        )
        chosen = F.contrib.cond(F.sum(p) > 0, lambda: last[1] * w, lambda: last[1] - w)
        return outs, chosen


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("hybrid", [False, True])
def test_while_loop_and_cond_in_a_block(hybrid, sign):
    net = Branches()
    if hybrid:
        net.hybridize()
    p, w = sign * np.array([1.0, 2.0], np.float32), np.array([0.5, 3.0], np.float32)
    args = [mx.nd.zeros(1), mx.nd.array(p), mx.nd.array(w)]
    for a in args[1:]:
        a.attach_grad()
    with mx.autograd.record():
        outs, chosen = net(*args)
        loss = outs.sum() + chosen.sum()
    loss.backward()
    close(outs, np.stack([p * w, p * w**2, p * w**3, 0 * w, 0 * w]))
    sums = w + w**2 + w**3, 1 + 2 * w + 3 * w**2
    if sign > 0:
        close(chosen, p * w**4)
        close(args[1].grad, sums[0] + w**4)
        close(args[2].grad, p * sums[1] + 4 * p * w**3)
    else:
        close(chosen, p * w**3 - w)
        close(args[1].grad, sums[0] + w**3)
        close(args[2].grad, p * sums[1] + 3 * p * w**2 - 1)


def loop_symbol():
    x, s, w = variables("x", "s", "w")
    outs, final = mx.sym.contrib.foreach(lambda d, state: step(mx.sym, d, state, w), x, s)
    return mx.sym.Group([outs, final])


def test_foreach_bound_and_from_json():
    made = loop_symbol()
    assert made.infer_shape(x=(4, 2, 3), w=(3, 3))[0] == [(4, 2, 3), (2, 3), (3, 3)]
    want = run_steps()
    for net in (made, mx.sym.load_json(made.tojson())):
        exe = net.simple_bind(mx.cpu(), x=X.shape, s=S.shape, w=W.shape)
        exe.forward(is_train=True, x=X, s=S, w=W)
        exe.backward([mx.nd.ones(X.shape), mx.nd.full(S.shape, 3)])
        close(exe.outputs[0], want[0])
        close(exe.outputs[1], want[1])
        for name, g in zip("xsw", want[2], strict=True):
            close(exe.grad_dict[name], g)


def test_foreach_as_mxnet_writes_it():
    node = json.loads(loop_symbol().tojson())["nodes"][3]
    assert node["attrs"] == {
        "in_data_locs": "[0]",
        "in_state_locs": "[2]",
        "num_args": "4",
        "num_out_data": "1",
        "num_outputs": "2",
        "remain_locs": "[1]",
    }
    (graph,) = node["subgraphs"]
    assert [n["name"] for n in graph["nodes"] if n["op"] == "null"] == ["x-0", "w", "s-0"]
    assert graph["arg_nodes"] == [0, 1, 3]
    assert graph["heads"] == [[6, 0, 0], [5, 0, 0]]


def test_nested_loops():
    def rows(F):
        def outer(row, total):
            _, new = F.contrib.foreach(lambda v, t: (v * t, t + v), row, total)
            return new * 1, new

        return outer

    data = np.arange(6, dtype=np.float32).reshape(3, 2, 1)
    start = np.ones(1, np.float32)
    x, s = variables("x", "s")
    outs, _ = mx.sym.contrib.foreach(rows(mx.sym), x, s)
    found = outs.eval(x=mx.nd.array(data), s=mx.nd.array(start))[0]
    close(found, 1 + data.reshape(3, 2).sum(1).cumsum()[:, None])
    eager, _ = mx.nd.contrib.foreach(rows(mx.nd), mx.nd.array(data), mx.nd.array(start))
    close(found, eager.asnumpy())


def test_random_steps_replay_in_backward():
    x, s = variables("x", "s")
    outs, _ = mx.sym.contrib.foreach(lambda d, state: (mx.sym.Dropout(d, p=0.5), state + 1), x, s)
    exe = outs.simple_bind(mx.cpu(), x=(5, 100), s=(1,))
    exe.forward(is_train=True, x=np.ones((5, 100)))
    mask = exe.outputs[0].asnumpy()
    exe.backward(mx.nd.ones((5, 100)))
    assert set(np.unique(mask)) == {0, 2}
    assert any((mask[0] != row).any() for row in mask)
    close(exe.grad_dict["x"], mask)


def test_running_statistics_move_once_a_step():
    x, s = variables("x", "s")

    def body(d, state):
        return mx.sym.BatchNorm(d, name="bn", fix_gamma=False, momentum=0.5), state + 1

    net, _ = mx.sym.contrib.foreach(body, x, s)
    assert net.list_auxiliary_states() == ["bn_moving_mean", "bn_moving_var"]
    data = RNG.randn(2, 8, 3).astype(np.float32)
    exe = net.simple_bind(mx.cpu(), x=data.shape, s=(1,))
    exe.forward(is_train=True, x=data, bn_gamma=np.ones(3))
    exe.backward(mx.nd.ones(data.shape))
    mean = 0.5 * data[0].mean(0) + 0.25 * data[1].mean(0)  # moved in backward: last step first
    close(exe.aux_dict["bn_moving_mean"], mean)


def powers(F, limit):
    return lambda n, p, w: n < limit, lambda n, p, w: (p * w, [n + 1, p * w, w])


@pytest.mark.parametrize("limit", [3, 5, 9])
def test_while_loop(limit):
    """Stops by itself, exactly at, and only because of the greatest number of iterations."""
    start, w = np.array([2.0, -1.0], np.float32), np.array([1.5, 0.5], np.float32)
    steps = min(limit, 5)
    want = np.zeros((5, 2), np.float32)
    for t in range(steps):
        want[t] = start * w ** (t + 1)
    grads = []
    for F in (mx.nd, mx.sym):
        values = [mx.nd.zeros(1), mx.nd.array(start), mx.nd.array(w)]
        test, body = powers(F, limit)
        if F is mx.nd:
            for v in values:
                v.attach_grad()
            with mx.autograd.record():
                outs, last = mx.nd.contrib.while_loop(test, body, values, max_iterations=5)
            outs.backward()
            grads.append([v.grad.asnumpy() for v in values[1:]])
        else:
            outs, last = mx.sym.contrib.while_loop(
                test, body, variables("n", "p", "w"), max_iterations=5
            )
            net = mx.sym.load_json(mx.sym.Group([outs, *last]).tojson())
            exe = net.simple_bind(mx.cpu(), n=(1,), p=(2,), w=(2,))
            outs, *last = exe.forward(is_train=True, p=start, w=w)
            exe.backward([mx.nd.ones((5, 2)), mx.nd.zeros(1), mx.nd.zeros(2), mx.nd.zeros(2)])
            grads.append([exe.grad_dict[n].asnumpy() for n in "pw"])
        close(outs, want)
        assert last[0].asnumpy() == [steps]
        close(last[1], start * w**steps)
    exponents = np.arange(1, steps + 1)[:, None]
    np.testing.assert_allclose(grads[0][0], (w**exponents).sum(0), rtol=1e-5)
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("value", [2.0, -3.0])
def test_cond(value):
    x, w = variables("x", "w")
    net = mx.sym.contrib.cond(x > 0, lambda: [x * w, w], lambda: [-x, x * 1])
    assert json.loads(mx.sym.Group(net).tojson())["nodes"][-1]["attrs"] == {
        "cond_input_locs": "[0]",
        "then_input_locs": "[1, 2]",
        "else_input_locs": "[1]",
        "num_args": "6",
        "num_outputs": "2",
    }
    net = mx.sym.load_json(mx.sym.Group(net).tojson())
    exe = net.simple_bind(mx.cpu(), x=(1,), w=(1,))
    outs = exe.forward(is_train=True, x=np.array([value]), w=np.array([5.0]))
    exe.backward([mx.nd.ones(1), mx.nd.zeros(1)])
    positive = value > 0
    close(outs[0], [5 * value if positive else -value])
    close(outs[1], [5.0 if positive else value])
    close(exe.grad_dict["x"], [5.0 if positive else -1.0])
    close(exe.grad_dict["w"], [value if positive else 0.0])
    eager = mx.nd.contrib.cond(
        mx.nd.array([value]) > 0, lambda: mx.nd.array([1.0]), lambda: mx.nd.array([2.0])
    )
    close(eager, [1.0 if positive else 2.0])


def test_wrong_use():
    x, s = variables("x", "s")
    with pytest.raises(AssertionError, match="state arrays"):
        mx.sym.contrib.foreach(lambda d, state: (d, d), x, s)
    with pytest.raises(ValueError, match="max_iterations"):
        mx.sym.contrib.while_loop(lambda n: n < 3, lambda n: (n, n + 1), x)
    with pytest.raises(ValueError, match="2-th loop_var"):
        mx.sym.contrib.while_loop(
            lambda n, m: n < 3, lambda n, m: (n, [n + 1, n + 2]), [x, s], max_iterations=2
        )
    with pytest.raises(ValueError, match="not a scalar"):
        mx.nd.contrib.cond(mx.nd.ones(2), lambda: mx.nd.ones(1), lambda: mx.nd.ones(1))
    branch = mx.sym.contrib.cond(x, lambda: x, lambda: s)
    with pytest.raises(mx.MXNetError, match="scalar"):
        branch.eval(x=mx.nd.ones(2), s=mx.nd.ones(2))


@pytest.mark.parametrize(
    "change",
    [
        {"in_data_locs": "[7]"},
        {"in_state_locs": "[]"},
        {"num_args": "9"},
        {"num_out_data": "2"},
        {"remain_locs": "[0]"},
        {"in_data_locs": "[]", "num_args": "1"},
        None,
    ],
)
def test_damaged_files(change):
    document = json.loads(loop_symbol().tojson())
    node = document["nodes"][3]
    if change is None:
        del node["subgraphs"]
    else:
        node["attrs"].update(change)
    with pytest.raises(mx.MXNetError):
        mx.sym.load_json(json.dumps(document))


def test_zipfian_samples():
    drawn, true, expected = mx.nd.contrib.rand_zipfian(mx.nd.array([0, 9]), 20000, 10)
    probability = np.log((np.arange(10) + 2) / (np.arange(10) + 1)) / np.log(11)
    counts = np.bincount(drawn.asnumpy(), minlength=10) / 20000
    np.testing.assert_allclose(counts, probability, atol=0.02)
    np.testing.assert_allclose(true.asnumpy(), 20000 * probability[[0, 9]])
    np.testing.assert_allclose(expected.asnumpy(), 20000 * probability[drawn.asnumpy()])
