"""Weights packed or transformed once and kept between calls, until somebody may have written."""

import copy
import pickle
import weakref

import numpy as np
import pytest

import baryon as mx
from baryon.native import native
from baryon.ndarray import sealed

pytestmark = pytest.mark.skipif(native is None, reason="kernels of the native extension keep them")

SHAPE = (1, 32, 12, 12)


def network():
    """Winograd's method, 1 x 1 windows, a channel each, and few channels."""
    x = mx.sym.var("data")
    for i, (size, groups) in enumerate(((3, 1), (1, 1), (3, 32))):
        window = {"kernel": (size, size), "pad": (size // 2, size // 2)}
        x = mx.sym.Convolution(x, num_filter=32, num_group=groups, name=f"c{i}", **window)
    return x


def bound(seed=0, batch=1):
    exe = network().simple_bind(mx.cpu(), grad_req="null", data=(batch, *SHAPE[1:]))
    rng = np.random.default_rng(seed)
    for x in exe.arg_arrays:
        x[:] = rng.normal(size=x.shape).astype("float32") / 8
    return exe


def run(exe):
    return exe.forward()[0].asnumpy()


def expected(exe):
    """What a fresh executor over copies computes."""
    copies = {n: mx.nd.array(x.asnumpy()) for n, x in exe.arg_dict.items()}
    return network().bind(mx.cpu(), copies, grad_req="null").forward()[0].asnumpy()


def is_sealed(x):
    return isinstance(x, sealed._Sealed)


def warm(exe):
    want = expected(exe)
    for _ in range(4):  # seen, filled, used
        np.testing.assert_array_equal(run(exe), want)
    assert is_sealed(exe.arg_dict["c0_weight"])
    return exe


def through_numpy(x):
    np.asarray(x)[:] = 0.25


def through_dlpack(x):
    np.from_dlpack(x)[:] = 0.25


def by_operator(x):
    mx.nd.sgd_update(x, mx.nd.ones(x.shape), lr=0.5, wd=0, out=x)


def by_view(x):
    x[0:1][:] = 0.25


def by_reshape(x):
    x.reshape((-1,))[3] = 7


def by_detached(x):
    x.detach()[:] = 0.25


def by_numpy_front(x):
    x.as_np_ndarray()[:] = 0.25


def by_sum(x):
    x += 1


def by_copy(x):
    mx.nd.ones(x.shape).copyto(x)


def by_kvstore(x):
    store = mx.kv.create("local")
    store.init(0, mx.nd.ones(x.shape))
    store.pull(0, out=x)


def by_initializer(x):
    mx.init.Xavier()(mx.init.InitDesc("some_weight"), x)


def by_random(x):
    mx.nd.random.normal(shape=x.shape, out=x)


WRITES = [
    through_numpy,
    through_dlpack,
    by_operator,
    by_view,
    by_reshape,
    by_detached,
    by_numpy_front,
    by_sum,
    by_copy,
    by_kvstore,
    by_initializer,
    by_random,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["c0_weight", "c1_weight", "c2_weight"])
def test_every_way_to_write_is_noticed(write, name):
    exe = warm(bound())
    before = run(exe)
    write(exe.arg_dict[name])
    want = expected(exe)
    assert not np.array_equal(want, before)
    for _ in range(4):
        np.testing.assert_array_equal(run(exe), want)


@pytest.mark.parametrize(
    "share",
    [
        np.asarray,
        np.from_dlpack,
        lambda x: x[0:1],
        lambda x: x.reshape((-1,)),
        lambda x: x.detach(),
        lambda x: x.as_np_ndarray(),
        lambda x: memoryview(np.asarray(x)),
    ],
    ids=["array", "dlpack", "slice", "reshape", "detach", "numpy", "buffer"],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_memory_in_other_hands_is_never_sealed(share, when):
    exe = bound() if when == "before" else warm(bound())
    weight = exe.arg_dict["c0_weight"]
    other = share(weight)
    for value in (0.5, 0.25):
        for _ in range(4):
            run(exe)
            assert not is_sealed(weight)
        np.asarray(other)[:] = value
        np.testing.assert_array_equal(run(exe), expected(exe))
    del other
    warm(exe)


def test_an_array_that_a_user_gave_is_never_sealed():
    memory = np.ones((32, 32, 3, 3), np.float32)
    exe = bound()
    weight = mx.nd.NDArray(memory)
    args = {**exe.arg_dict, "c0_weight": weight}
    exe = network().bind(mx.cpu(), args, grad_req="null")
    for _ in range(4):
        run(exe)
    assert not is_sealed(weight)
    memory[:] = 2
    np.testing.assert_array_equal(run(exe), expected(exe))


def test_a_weak_reference_to_the_memory_prevents_the_seal():
    exe = bound()
    weight = exe.arg_dict["c0_weight"]
    reference = weakref.ref(weight._data)
    run(exe)
    assert not is_sealed(weight)
    del reference
    run(exe)
    assert is_sealed(weight)


def test_looking_does_not_break_the_seal():
    weight = warm(bound()).arg_dict["c0_weight"]
    assert weight.shape == (32, 32, 3, 3) and weight.ndim == 4 and weight.size == 9216
    assert weight.dtype is np.float32 and weight.stype == "default" and len(weight) == 32
    assert weight.context == mx.cpu() and isinstance(weight, mx.nd.NDArray)
    weight.wait_to_read()
    values = weight.asnumpy()
    assert is_sealed(weight)
    values[:] = 0  # a copy
    assert np.abs(weight.asnumpy()).max() > 0


@pytest.mark.parametrize("dup", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_sealed_arrays_are_ordinary(dup):
    weight = warm(bound()).arg_dict["c0_weight"]
    made = dup(weight)
    assert type(made) is mx.nd.NDArray
    np.testing.assert_array_equal(made.asnumpy(), weight.asnumpy())


def test_sealed_arrays_are_taken_natively_until_a_seal_breaks():
    exe = warm(bound())
    compiled = exe._compile(False)
    given = [*exe.arg_dict.values()]
    memory, stamps = compiled.take(given)
    assert [m.shape for m in memory] == [x.shape for x in given] and all(stamps)
    del memory  # (held, it could not be sealed again)
    assert compiled.program.take(given, False) is None  # whoever keeps nothing breaks seals
    assert compiled.program.take(given[:1], True) is None
    exe.arg_dict["c1_weight"][:] = 1
    assert compiled.take(given) is None
    run(exe)
    assert compiled.take(given)[1] != stamps


def test_two_executors_keep_the_same_weights_apart():
    one = bound()
    args = {**one.arg_dict, "data": mx.nd.ones((3, *SHAPE[1:]))}
    three = network().bind(mx.cpu(), args, grad_req="null")
    for _ in range(4):
        np.testing.assert_array_equal(run(one), expected(one))
        np.testing.assert_array_equal(run(three), expected(three))
    one.arg_dict["c1_weight"][:] = 0.125
    for _ in range(4):
        np.testing.assert_array_equal(run(three), expected(three))
        np.testing.assert_array_equal(run(one), expected(one))


def test_swapped_arrays_are_told_apart():
    exe, other = warm(bound()), warm(bound(seed=1))
    mine, yours = exe.arg_dict["c0_weight"], other.arg_dict["c0_weight"]
    for _ in range(3):
        exe.arg_dict["c0_weight"], other.arg_dict["c0_weight"] = yours, mine
        mine, yours = yours, mine
        for _ in range(3):
            np.testing.assert_array_equal(run(exe), expected(exe))


def test_training_steps_between_predictions():
    net = network()
    exe = net.simple_bind(mx.cpu(), data=SHAPE)
    rng = np.random.default_rng(2)
    for x in exe.arg_arrays:
        x[:] = rng.normal(size=x.shape).astype("float32") / 8
    for _ in range(3):
        for _ in range(3):
            np.testing.assert_array_equal(run(exe), expected(exe))
        exe.forward(is_train=True)
        exe.backward([mx.nd.ones(exe.outputs[0].shape)])
        for name, grad in exe.grad_dict.items():
            weight = exe.arg_dict[name]
            mx.nd.sgd_update(weight, grad, lr=1e-3, wd=0, out=weight)


@pytest.mark.parametrize("numpy", [False, True])
def test_hybridized_blocks(numpy):
    with mx.util.np_shape(numpy), mx.util.np_array(numpy):
        net = mx.gluon.nn.HybridSequential()
        net.add(mx.gluon.nn.Conv2D(32, 3, padding=1), mx.gluon.nn.Conv2D(32, 1))
        net.initialize()
        x = mx.np.ones(SHAPE) if numpy else mx.nd.ones(SHAPE)
        net(x)
        net.hybridize()
        weight = net[0].weight.data()
        first = net(x).asnumpy()
        for _ in range(4):
            np.testing.assert_array_equal(net(x).asnumpy(), first)
        assert is_sealed(weight)
        assert type(net(x)) is (mx.np.ndarray if numpy else mx.nd.NDArray)
        with mx.autograd.record():  # reads the memory
            loss = net(x).sum()
        loss.backward()
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})
        trainer.step(1)
        changed = net(x).asnumpy()
        assert not np.allclose(changed, first)
        for _ in range(4):
            np.testing.assert_array_equal(net(x).asnumpy(), changed)
        net[0].weight.set_data(weight * 0)
        first, then, last = [p.data().asnumpy() for p in (net[0].bias, net[1].weight, net[1].bias)]
        want = then[:, :, 0, 0] @ first + last
        np.testing.assert_allclose(net(x).asnumpy()[0, :, 0, 0], want, rtol=1e-4)


def test_loaded_parameters_can_be_sealed(tmp_path):
    net = mx.gluon.nn.Conv2D(32, 3, in_channels=32)
    net.initialize()
    net.save_parameters(str(tmp_path / "net.params"))
    other = mx.gluon.nn.Conv2D(32, 3, in_channels=32)
    other.load_parameters(str(tmp_path / "net.params"))
    other.hybridize()
    for _ in range(3):
        other(mx.nd.ones(SHAPE))
    assert is_sealed(other.weight.data())


def test_nothing_is_kept_on_request(monkeypatch):
    monkeypatch.setenv("BARYON_KEEP_WEIGHTS", "0")
    exe = bound()
    for _ in range(3):
        np.testing.assert_array_equal(run(exe), expected(exe))
    assert not is_sealed(exe.arg_dict["c0_weight"])


def test_custom_operators_may_do_what_they_like():
    class Touch(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            in_data[0][:] = in_data[0] + 1
            self.assign(out_data[0], req[0], in_data[0])

    @mx.operator.register("touches_its_input")
    class _(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Touch()

    weight = mx.sym.var("w", shape=(32, 32, 1, 1))
    window = {"kernel": (1, 1), "num_filter": 32, "no_bias": True}
    convolved = mx.sym.Convolution(mx.sym.var("data"), weight, **window)
    touched = mx.sym.Custom(weight, op_type="touches_its_input")
    exe = mx.sym.Group([convolved, touched]).simple_bind(mx.cpu(), grad_req="null", data=SHAPE)
    exe.arg_dict["data"][:] = 1
    for i in range(4):
        got = exe.forward()[0].asnumpy()
        assert got.max() in (32 * i, 32 * (i + 1))
    assert not is_sealed(exe.arg_dict["w"])


def test_kept_transforms_make_minimal_filtering_pay(monkeypatch):
    """Of a small image with many channels, where transforming weights in each call would not."""
    rng = np.random.default_rng(3)
    x, w = (rng.normal(size=s).astype("float32") for s in ((1, 64, 14, 14), (64, 64, 3, 3)))
    found = {}
    for keeps in ("0", "1"):
        monkeypatch.setenv("BARYON_KEEP_WEIGHTS", keeps)
        window = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 64, "no_bias": True}
        net = mx.sym.Convolution(mx.sym.var("x"), mx.sym.var("w"), **window)
        exe = net.bind(mx.cpu(), {"x": mx.nd.array(x), "w": mx.nd.array(w)}, grad_req="null")
        found[keeps] = [run(exe) for _ in range(4)]
        for again in found[keeps]:
            np.testing.assert_array_equal(again, found[keeps][0])
    padded = np.pad(x.astype("f8"), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    want = np.einsum("nchwyx,fcyx->nfhw", windows, w.astype("f8"))
    for keeps in found:
        np.testing.assert_allclose(found[keeps][0], want, rtol=1e-4, atol=1e-4)
    if native.isa() == "v4":
        assert not np.array_equal(found["0"][0], found["1"][0])


def test_what_large_batches_share_is_not_kept():
    """Transformed windows of 512 channels take 36 numbers a pair; those of 1 x 1 take one."""

    def kept(size, batch):
        x = mx.sym.Convolution(
            mx.sym.var("data"), num_filter=512, kernel=(size,) * 2, pad=(size // 2,) * 2, name="c"
        )
        exe = x.simple_bind(mx.cpu(), grad_req="null", data=(batch, 512, 7, 7))
        return exe._program(False)._native.kept_bytes

    assert kept(3, 1) >= 16 * 512 * 512 * 4
    assert kept(3, 16) == 0
    assert kept(1, 1) == kept(1, 16) == 512 * 512 * 4
