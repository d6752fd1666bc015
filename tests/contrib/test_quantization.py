"""Quantized networks: the graph that MXNet draws, calibration, and accuracy on digits."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon.contrib import quantization as quant


def names(sym):
    nodes = json.loads(sym.tojson())["nodes"]
    return [(n["op"], n["name"]) for n in nodes if n["op"] != "null"]


def tour():
    """A graph with most operators that have quantized forms."""
    x = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=4, name="conv1")
    x = mx.sym.Activation(x, act_type="relu", name="relu1")
    x = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool1")
    y = mx.sym.Convolution(x, kernel=(3, 3), num_filter=4, pad=(1, 1), name="conv2", no_bias=True)
    x = mx.sym.BatchNorm(mx.sym.elemwise_add(x, y, name="add"), name="bn")
    x = mx.sym.flatten(mx.sym.Concat(x, y, name="cat"), name="flat")
    x = mx.sym.FullyConnected(x, num_hidden=6, name="fc1")
    x = mx.sym.Activation(x, act_type="tanh", name="tanh")
    x = mx.sym.FullyConnected(x, num_hidden=3, name="fc2")
    return mx.sym.SoftmaxOutput(x, name="softmax")


# The nodes of MXNet 1.9.1's quantized graph.
NODES = """
_contrib_quantize_v2 data_quantize
_contrib_quantized_conv quantized_conv1
_contrib_requantize requantize_conv1
_contrib_quantized_act quantized_relu1
_contrib_quantized_pooling quantized_pool1
_contrib_quantized_conv quantized_conv2
_contrib_requantize requantize_conv2
_contrib_quantized_elemwise_add quantized_add
_contrib_requantize requantize_add
_contrib_quantized_batch_norm quantized_bn
_contrib_quantized_concat quantized_cat
_contrib_quantized_flatten quantized_flat
_contrib_quantized_fully_connected quantized_fc1
_contrib_requantize requantize_fc1
_contrib_dequantize fc1_dequantize
Activation tanh
_contrib_quantize_v2 tanh_output_quantize
_contrib_quantized_fully_connected quantized_fc2
_contrib_requantize requantize_fc2
_contrib_dequantize fc2_dequantize
SoftmaxOutput softmax
"""


@pytest.fixture(scope="module")
def model():
    sym = tour()
    exe = sym.simple_bind(mx.cpu(), data=(4, 3, 8, 8))
    rng = np.random.default_rng(0)
    args = {n: mx.nd.array(rng.normal(size=x.shape) * 0.3) for n, x in exe.arg_dict.items()}
    data = rng.uniform(size=(16, 3, 8, 8)).astype("float32")
    return sym, {n: x for n, x in args.items() if "_" in n and "label" not in n}, exe.aux_dict, data


def batches(data):
    return mx.io.NDArrayIter(data, np.zeros(len(data)), 4)


def predict(sym, args, aux, data):
    given = {**args, "data": mx.nd.array(data), "softmax_label": mx.nd.zeros(len(data))}
    exe = sym.bind(mx.cpu(), given, aux_states=aux, grad_req="null")
    return exe.forward()[0].asnumpy()


@pytest.mark.parametrize("kind", ["int8", "auto"])
def test_calibrated_graph_is_mxnets_and_near_the_float_one(model, kind):
    sym, args, aux, data = model
    made, qargs, qaux = quant.quantize_model(
        sym, args, aux, calib_mode="naive", calib_data=batches(data), quantized_dtype=kind
    )
    assert names(made) == [tuple(line.split()) for line in NODES.split("\n") if line]
    assert qargs["conv1_weight_quantize"].dtype == np.int8
    assert qargs["fc1_bias_quantize_max"].shape == (1,)
    again = mx.sym.load_json(made.tojson())
    error = predict(again, qargs, qaux, data) - predict(sym, args, aux, data)
    assert np.abs(error).max() < 0.08


def test_ranges_are_those_of_the_data(model):
    sym, args, aux, data = model
    made, *_ = quant.quantize_model(
        sym, args, aux, calib_mode="naive", calib_data=batches(data), num_calib_examples=8
    )
    attrs = made.attr_dict()
    conv = sym.get_internals()["conv1_output"]
    out = conv.eval(
        data=mx.nd.array(data[:8]), **{n: args[n] for n in ("conv1_weight", "conv1_bias")}
    )[0].asnumpy()
    for name, values in (("data_quantize", data[:8]), ("requantize_conv1", out)):
        found = [float(attrs[name][f"{end}_calib_range"]) for end in ("min", "max")]
        np.testing.assert_allclose(found, [values.min(), values.max()], rtol=1e-5)


def test_without_calibration_norms_stay_as_they_are(model):
    sym, args, aux, data = model
    made, qargs, qaux = quant.quantize_model(sym, args, aux, calib_mode="none")
    assert ("BatchNorm", "bn") in names(made)
    error = predict(made, qargs, qaux, data) - predict(sym, args, aux, data)
    assert np.abs(error).max() < 0.08


def test_exclusions_and_modes(model):
    sym, args, aux, _ = model
    found = {}
    for mode in ("full", "smart"):
        made, *_ = quant.quantize_model(
            sym, args, aux, calib_mode="none", quantize_mode=mode, excluded_sym_names=["conv1"],
            excluded_op_names=["FullyConnected"],
        )  # fmt: skip
        found[mode] = names(made)
        assert ("Convolution", "conv1") in found[mode] and ("FullyConnected", "fc2") in found[mode]
    assert ("_contrib_quantized_act", "quantized_relu1") in found["full"]
    assert ("Activation", "relu1") in found["smart"]  # it would be quantized for itself alone


def test_calibration_by_a_monitor(model):
    sym, args, aux, data = model
    made, qargs, qaux, collector = quant.quantize_graph(sym, args, aux, calib_mode="naive")
    given = {**args, "data": mx.nd.array(data), "softmax_label": mx.nd.zeros(16)}
    exe = sym.bind(mx.cpu(), given, aux_states=aux, grad_req="null")
    exe.set_monitor_callback(collector.collect, monitor_all=True)
    exe.forward(is_train=False)
    made, qargs, qaux = quant.calib_graph(made, qargs, qaux, collector, "naive")
    whole, *_ = quant.quantize_model(
        sym, args, aux, calib_mode="naive", calib_data=batches(data), quantize_mode="full"
    )
    assert made.tojson() == whole.tojson()


def test_histograms_grow():
    collector = quant._LayerHistogramCollector(num_bins=101)
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=500) * s for s in (1, 0.5, 3)]
    for part in parts:
        collector.collect("x", mx.nd.array(part))
    hist, edges, low, high, reach = collector.hist_dict["x"]
    whole = np.concatenate(parts).astype("float32")
    assert hist.sum() == 1500 and len(edges) == len(hist) + 1
    assert (low, high) == (whole.min(), whole.max()) and reach >= abs(whole).max()
    np.testing.assert_array_equal(hist, np.histogram(whole, edges)[0])


# ---- digits ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lenet():
    """A small LeNet trained on digits, and test images."""
    mx.random.seed(0)
    np.random.seed(0)
    net = mx.gluon.nn.HybridSequential()
    net.add(
        mx.gluon.nn.Conv2D(8, 5, activation="relu"), mx.gluon.nn.MaxPool2D(),
        mx.gluon.nn.Conv2D(16, 3, activation="relu"), mx.gluon.nn.MaxPool2D(),
        mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(64, activation="relu"), mx.gluon.nn.Dense(10),
    )  # fmt: skip
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.003})
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    images, labels = mx.io.embedded_mnist(train=True)
    x, y = images[:, None].astype("float32") / 255, labels.astype("float32")
    for _ in range(2):
        order = np.random.permutation(len(x))
        for i in range(0, len(x) - 63, 64):
            pick = order[i : i + 64]
            with mx.autograd.record():
                loss = loss_of(net(mx.nd.array(x[pick])), mx.nd.array(y[pick]))
            loss.backward()
            trainer.step(64)
    images, labels = mx.io.embedded_mnist(train=False)
    return net, images[:500, None].astype("float32") / 255, labels[:500]


def accuracy(net, images, labels):
    return float((net(mx.nd.array(images)).asnumpy().argmax(1) == labels).mean())


@pytest.mark.parametrize("mode", ["none", "naive", "entropy"])
def test_digits_keep_their_accuracy(lenet, mode):
    net, images, labels = lenet
    before = accuracy(net, images, labels)
    assert before > 0.9
    data = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(images[:128], labels[:128]), 64)
    made = quant.quantize_net_v2(
        net, calib_mode=mode, calib_data=data, num_calib_examples=128, quantized_dtype="auto"
    )
    assert {np.dtype(p.dtype).name for p in made.collect_params().values()} == {"int8", "float32"}
    assert accuracy(made, images, labels) >= before - 0.01


def test_digits_through_files(lenet, tmp_path):
    net, images, labels = lenet
    made = quant.quantize_net(net, data_shapes=[(1, 1, 28, 28)], exclude_layers_match=["dense"])
    made.hybridize()
    want = made(mx.nd.array(images[:8])).asnumpy()
    files = made.export(str(tmp_path / "digits"))
    again = mx.gluon.SymbolBlock.imports(files[0], ["data"], files[1])
    np.testing.assert_allclose(again(mx.nd.array(images[:8])).asnumpy(), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("error", "what", "kwargs"),
    [
        (ValueError, "calib_mode must be one of", {"calib_mode": "best"}),
        (ValueError, "quantized_dtype must be one of", {"quantized_dtype": "int4"}),
        (ValueError, "needs calib_data", {"calib_mode": "naive"}),
        (mx.MXNetError, "only tensor-wise", {"quantize_granularity": "channel-wise"}),
    ],
)
def test_wrong_arguments(model, error, what, kwargs):
    with pytest.raises(error, match=what):
        quant.quantize_model(*model[:3], **{"calib_mode": "none", **kwargs})
