"""The small modules of contrib: the older autograd, loaders as iterators, logs, namespaces."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon.contrib import autograd, tensorboard
from baryon.contrib.io import DataLoaderIter


def test_modules_by_their_names():
    assert mx.contrib.nd is mx.contrib.ndarray and mx.contrib.sym is mx.contrib.symbol
    assert mx.contrib.ndarray.box_nms is mx.nd.contrib.box_nms
    assert mx.contrib.symbol.ROIAlign is mx.sym.contrib.ROIAlign
    assert "box_nms" in dir(mx.contrib.ndarray)
    with pytest.raises(AttributeError, match="nope"):
        mx.contrib.nope  # noqa: B018


# ---- updates -----------------------------------------------------------------------------------


def adamw(w, g, m, v, lr, eta, wd):
    """One step by its definition, with the defaults of the update."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    return w - eta * (lr * m / (np.sqrt(v) + 1e-8) + wd * w), m, v


@pytest.mark.parametrize("scale", [0.5, "array"])
def test_adamw_of_one_and_many(scale):
    rng = np.random.default_rng(0)
    scale = mx.nd.array([0.5]) if scale == "array" else scale
    values = [[rng.uniform(0.5, 1, 3).astype("float32") for _ in range(2)] for _ in range(4)]
    many = [[mx.nd.array(x) for x in group] for group in values]
    one = [[mx.nd.array(x) for x in group] for group in values]
    lrs, wds, etas = [0.1, 0.2], [0.01, 0.02], [1, 0.5]
    mx.nd.contrib.multi_adamw_update(*many, scale, lrs, wds, etas, out=many[0])
    for i in range(2):
        w, g, m, v = (group[i] for group in one)
        mx.nd.contrib.adamw_update(w, g, m, v, scale, lrs[i], etas[i], wd=wds[i], out=w)
        raw = [group[i] for group in values]
        want = adamw(raw[0], 0.5 * raw[1], raw[2], raw[3], lrs[i], etas[i], wds[i])
        for got in ((w, m, v), [many[k][i] for k in (0, 2, 3)]):
            for a, b in zip(got, want, strict=True):
                np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-5)


def test_symbols_of_updates_compute_the_same():
    inputs = [mx.sym.var(n) for n in ("weight", "grad", "mean", "var")]
    values = {n: mx.nd.array([1.0, 2.0]) for n in ("weight", "grad", "mean", "var")}
    sym = mx.sym.contrib.adamw_update(*inputs, 0.5, lr=0.1, eta=1, wd=0.01)
    want = adamw(
        *(np.array(x) for x in ([1.0, 2.0], [0.5, 1.0], [1.0, 2.0], [1.0, 2.0])), 0.1, 1, 0.01
    )
    states = {n: values.pop(n) for n in sym.list_auxiliary_states()}
    exe = sym.bind(mx.cpu(), values, aux_states=states, grad_req="null")
    np.testing.assert_allclose(exe.forward()[0].asnumpy(), want[0], rtol=1e-5)


# ---- autograd ----------------------------------------------------------------------------------


def test_gradient_and_value():
    x, y = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, 4.0])
    grads, value = autograd.grad_and_loss(lambda a, b: a * a * b)(x, y)
    np.testing.assert_array_equal(value.asnumpy(), [3, 16])
    np.testing.assert_array_equal(grads[0].asnumpy(), [6, 16])
    np.testing.assert_array_equal(grads[1].asnumpy(), [1, 4])
    (only,) = autograd.grad(lambda a, b: a * a * b, argnum=1)(x, y)
    np.testing.assert_array_equal(only.asnumpy(), [1, 4])
    with pytest.raises(TypeError, match="NDArrays"):
        autograd.grad(lambda a: a)(3)


def test_sections():
    def modes():
        return mx.autograd.is_training(), mx.autograd.is_recording()

    with autograd.train_section():
        assert modes() == (True, True)
        with autograd.test_section():
            assert modes() == (False, False)
        assert modes() == (True, True)
    assert modes() == (False, False)


# ---- io ----------------------------------------------------------------------------------------


def loader(**kwargs):
    data = np.arange(10, dtype="float32").reshape(5, 2)
    return mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(data, np.arange(5)), 2, **kwargs)


@pytest.mark.parametrize(("last", "pads"), [("keep", [0, 0, 1]), ("discard", [0, 0])])
def test_loader_as_iterator(last, pads):
    batches = DataLoaderIter(loader(last_batch=last), data_name="x", label_name="y")
    assert batches.batch_size == 2 and batches.provide_data[0].shape == (2, 2)
    assert [d.name for d in (*batches.provide_data, *batches.provide_label)] == ["x", "y"]
    for _ in range(2):
        found = list(batches)
        assert [b.pad for b in found] == pads
        assert all(b.data[0].shape == (2, 2) and b.label[0].dtype == np.float32 for b in found)
        if last == "keep":
            np.testing.assert_array_equal(found[2].data[0].asnumpy(), [[8, 9], [0, 0]])
        batches.reset()


def test_a_module_trains_on_a_loader():
    x = mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=5), name="softmax"
    )
    module = mx.mod.Module(x)
    module.fit(DataLoaderIter(loader()), num_epoch=1)
    assert module.score(DataLoaderIter(loader()), "acc")[0][0] == "accuracy"


# ---- tensorboard -------------------------------------------------------------------------------


def records(data):
    """The records of a TFRecord file, whose checksums are those of `_masked_crc`."""
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        assert data[8:12] == tensorboard._masked_crc(data[:8])
        assert data[12 + size : 16 + size] == tensorboard._masked_crc(data[12 : 12 + size])
        yield data[12 : 12 + size]
        data = data[16 + size :]


def test_checksum_of_the_standard():
    # RFC 3720, B.4: CRC-32C of 32 zero bytes is 8a9136aa; TFRecord rotates it and adds a constant.
    crc = 0x8A9136AA
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert tensorboard._masked_crc(bytes(32)) == struct.pack("<I", masked)


def test_metrics_are_logged(tmp_path):
    log = mx.contrib.tensorboard.LogMetricsCallback(tmp_path / "logs", prefix="train")
    metric = mx.metric.Accuracy()
    metric.update(mx.nd.array([1, 0]), mx.nd.array([[0, 1], [0, 1]]))
    for _ in range(2):
        log(mx.model.BatchEndParam(epoch=0, nbatch=0, eval_metric=metric, locals=None))
    log(mx.model.BatchEndParam(epoch=0, nbatch=0, eval_metric=None, locals=None))
    (file,) = (tmp_path / "logs").iterdir()
    head, first, second = records(file.read_bytes())
    assert file.name.startswith("events.out.tfevents.") and b"brain.Event:2" in head
    for event, step in ((first, 1), (second, 2)):
        wall = struct.unpack("<d", event[1:9])[0]
        assert event == tensorboard._event(wall, step, tensorboard._scalar("train-accuracy", 0.5))
    log.close()


def test_events_are_those_of_mxboard():
    path = reference("mxboard", "logs", "curves", "exp")
    (file,) = path.iterdir()
    _, *events = records(file.read_bytes())
    assert len(events) == 20
    for step, event in enumerate(events):
        wall = struct.unpack("<d", event[1:9])[0]
        want = tensorboard._event(wall, step, tensorboard._scalar("curves", np.exp(-step / 5)))
        assert event == want
