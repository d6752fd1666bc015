"""Update rules against NumPy in float64, and what the base class promises."""

import pickle

import numpy as np
import pytest

import baryon as mx
from baryon import optimizer as opt

LR, WD, RESCALE, CLIP = 0.1, 0.05, 0.5, 0.3


def _gradient(grad):
    return np.clip(grad * RESCALE, -CLIP, CLIP)


def sgd(w, g, s, t, momentum=0.0):
    s["m"] = momentum * s.get("m", 0) - LR * (_gradient(g) + WD * w)
    return w + s["m"]


def nag(w, g, s, t, momentum=0.9):
    g = _gradient(g) + WD * w
    s["m"] = momentum * s.get("m", 0) - LR * g
    return w + momentum * s["m"] - LR * g


def _moments(g, s):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g


def adam(w, g, s, t):
    _moments(np.clip(g * RESCALE + WD * w, -CLIP, CLIP), s)
    rate = LR * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * s["m"] / (np.sqrt(s["v"]) + 1e-8)


def adamw(w, g, s, t):
    _moments(_gradient(g), s)
    rate = LR * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * s["m"] / (np.sqrt(s["v"]) + 1e-6) - LR * WD * w


def rmsprop(w, g, s, t):
    g = np.clip(g * RESCALE + WD * w, -CLIP, CLIP)
    s["n"] = 0.9 * s.get("n", 0) + 0.1 * g * g
    return w - LR * g / np.sqrt(s["n"] + 1e-8)


def rmsprop_centered(w, g, s, t):
    g = np.clip(g * RESCALE + WD * w, -CLIP, CLIP)
    s["n"] = 0.9 * s.get("n", 0) + 0.1 * g * g
    s["g"] = 0.9 * s.get("g", 0) + 0.1 * g
    s["d"] = 0.9 * s.get("d", 0) - LR * g / np.sqrt(s["n"] - s["g"] ** 2 + 1e-8)
    return w + s["d"]


def adagrad(w, g, s, t):
    g = _gradient(g)
    s["h"] = s.get("h", 0) + g * g
    return w - LR * (g / np.sqrt(s["h"] + 1e-7) + WD * w)


RULES = [
    ("sgd", {}, sgd),
    ("sgd", {"momentum": 0.9}, lambda *a: sgd(*a, momentum=0.9)),
    ("nag", {"momentum": 0.9}, nag),
    ("nag", {}, sgd),
    ("adam", {}, adam),
    ("adamw", {}, adamw),
    ("rmsprop", {}, rmsprop),
    ("rmsprop", {"centered": True}, rmsprop_centered),
    ("adagrad", {}, adagrad),
]


def _make(name, **kwargs):
    common = {"learning_rate": LR, "wd": WD, "rescale_grad": RESCALE, "clip_gradient": CLIP}
    return opt.create(name, **common, **kwargs)


@pytest.mark.parametrize(("name", "kwargs", "rule"), RULES)
def test_rule(name, kwargs, rule):
    start = np.random.randn(4, 3).astype("float32")
    expected, state = start.astype("float64"), {}
    weight, updater = mx.nd.array(start), opt.get_updater(_make(name, **kwargs))
    for t in range(1, 6):
        grad = np.random.randn(4, 3).astype("float32")
        expected = rule(expected, grad.astype("float64"), state, t)
        updater(0, mx.nd.array(grad), weight)
    np.testing.assert_allclose(weight.asnumpy(), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["sgd", "nag", "adam", "adamw", "lamb", "rmsprop"])
def test_multi_precision_follows_float32(name, dtype):
    kwargs = {"momentum": 0.9} if name in ("sgd", "nag") else {}
    updater = opt.get_updater(_make(name, multi_precision=True, **kwargs))
    reference = opt.get_updater(_make(name, **kwargs))
    low = mx.nd.array(np.random.randn(5, 2)).astype(dtype)
    full = low.astype("float32")
    for _ in range(5):
        grad = mx.nd.array(np.random.randn(5, 2)).astype(dtype)
        updater(0, grad, low)
        reference(0, grad.astype("float32"), full)
    assert low.dtype == full.astype(dtype).dtype
    eps = 2**-7 if dtype == "bfloat16" else 2**-10
    np.testing.assert_allclose(
        low.astype("float32").asnumpy(), full.asnumpy(), rtol=eps, atol=eps / 4
    )


def test_low_precision_alone_warns():
    with pytest.warns(UserWarning, match="multi_precision"):
        opt.SGD(momentum=0.9).create_state_multi_precision(0, mx.nd.ones(2, dtype="float16"))


@pytest.mark.parametrize("name", sorted(opt.Optimizer.opt_registry))
def test_lists_equal_singles(name):
    if name == "sgld":
        pytest.skip("draws noise")
    kwargs = {"momentum": 0.9} if name in ("sgd", "lars", "ccsgd", "nag") else {}
    start = [np.random.randn(3, 2), np.random.randn(2, 2), np.random.randn(4, 2)]
    together, alone = ([mx.nd.array(x) for x in start] for _ in range(2))
    many, one = (opt.get_updater(opt.create(name, **kwargs)) for _ in range(2))
    many.optimizer.aggregate_num = min(many.optimizer.aggregate_num, 2)  # two groups
    for _ in range(3):
        grads = [mx.nd.array(np.random.randn(*x.shape)) for x in start]
        many([0, 1, 2], grads, together)
        for i in range(3):
            one(i, grads[i], alone[i])
    if name == "nadam":  # its schedule is one product for all parameters, in order
        return
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-6)


def test_sgld_noise():
    weight = mx.nd.zeros((300, 300))
    sgld = opt.SGLD(learning_rate=0.04)
    sgld.update(0, weight, mx.nd.ones((300, 300)), None)
    assert weight.asnumpy().mean() == pytest.approx(-0.02, abs=0.003)
    assert weight.asnumpy().std() == pytest.approx(0.2, rel=0.02)


NAMES = {0: "a_weight", 1: "b_bias", 2: "c_gamma", 3: "d_beta"}


def test_multipliers_by_name_index_and_parameter():
    sgd = opt.SGD(learning_rate=0.1, wd=0.5, param_idx2name=NAMES)
    assert sgd.wd_mult == {"b_bias": 0.0, "d_beta": 0.0}
    sgd.set_lr_mult({0: 2.0, "b_bias": 3.0})
    sgd.set_wd_mult({"c_gamma": 0.25})
    assert sgd._get_lrs([0, 1, 2]) == pytest.approx([0.2, 0.3, 0.1])
    assert sgd._get_wds([0, 1, 2, 3]) == [0.5, 0.0, 0.125, 0.0]

    class Parameter:
        lr_mult, wd_mult = 4.0, 0.5

    sgd = opt.SGD(learning_rate=0.1, wd=0.5, param_dict={0: Parameter()})
    assert sgd._get_lr(0) == pytest.approx(0.4)
    assert sgd._get_wd(0) == 0.25


def test_multipliers_of_symbol():
    weight = mx.sym.var("w", lr_mult=2.0, wd_mult=0.5)
    net = mx.sym.FullyConnected(mx.sym.var("data"), weight=weight, num_hidden=3, name="f")
    sgd = opt.SGD(sym=net, learning_rate=0.1, wd=0.5, param_idx2name={0: "w", 1: "f_bias"})
    assert sgd._get_lrs([0, 1]) == pytest.approx([0.2, 0.1])
    assert sgd._get_wds([0, 1]) == [0.25, 0.0]


def test_schedule_and_counts():
    schedule = mx.lr_scheduler.FactorScheduler(1, 0.5, base_lr=1.0)
    sgd = opt.SGD(lr_scheduler=schedule, begin_num_update=0)
    weight, grad = mx.nd.zeros(1), mx.nd.ones(1)
    for _ in range(3):
        sgd.update(0, weight, grad, None)
    assert weight.asnumpy()[0] == -(1.0 + 0.5 + 0.25)
    assert sgd.num_update == 3
    with pytest.raises(UserWarning):
        sgd.set_learning_rate(1)
    assert opt.SGD(learning_rate=0.3, lr_scheduler=schedule).learning_rate == 0.3
    later = opt.SGD(begin_num_update=5)
    later._update_count([1, 2])
    assert later.num_update == 6


def test_pickle_keeps_all_but_parameters():
    adam = opt.Adam(
        beta1=0.8, param_dict={0: object()}, lr_scheduler=mx.lr_scheduler.PolyScheduler(9)
    )
    adam._update_count(0)
    copy = pickle.loads(pickle.dumps(adam))
    assert copy.beta1 == 0.8 and copy.num_update == 1 and copy.param_dict == {}
    assert copy.lr_scheduler.max_update == 9
    copy._update_count(0)
    copy._set_current_context(0)
    assert copy._index_update_count == {0: 2}


def test_create_refuses():
    with pytest.raises(ValueError, match="Cannot find optimizer nosuch"):
        opt.create("nosuch")
    with pytest.raises(TypeError):
        opt.create("sgd", foo=1)
    with pytest.raises(AssertionError):
        opt.SGD(param_idx2name=3)


def test_users_optimizer():
    @opt.register
    class Halver(opt.Optimizer):
        def update(self, index, weight, grad, state):
            weight[:] = weight * 0.5

    weight = mx.nd.ones(2)
    opt.get_updater(opt.create("halver"))(0, weight, weight)
    assert weight.asnumpy().tolist() == [0.5, 0.5]
    with pytest.warns(UserWarning, match="overriding"):

        @opt.register
        class Halver(opt.Optimizer):
            pass

    del opt.Optimizer.opt_registry["halver"]
