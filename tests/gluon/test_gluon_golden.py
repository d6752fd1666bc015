"""Models that the real MXNet saved: outputs, files, graphs and training steps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import gluon
from baryon.gluon import nn, rnn


class Golden:
    """One model of the reference data."""

    def __init__(self, name):
        self.folder = reference("golden", "models", name)
        self.name = name
        index = json.loads(reference("golden", "models", "index.json").read_text())
        self.facts = index["models"][name]
        self.io = np.load(self.folder / "io.npz")

    def file(self, ending):
        return str(self.folder / f"{self.name}{ending}")

    def group(self, kind):
        return {k.split("/", 1)[1]: self.io[k] for k in self.io.files if k.startswith(kind + "/")}

    @property
    def inputs(self):
        return [mx.nd.array(x, dtype=x.dtype) for x in self.group("input").values()]


def conv_net():
    net = nn.HybridSequential(prefix="convnet_")
    with net.name_scope():
        net.add(
            nn.Conv2D(4, 3, padding=1, in_channels=2),
            nn.BatchNorm(in_channels=4),
            nn.Activation("relu"),
            nn.MaxPool2D(),
            nn.Conv2D(6, 3, groups=2, use_bias=False, in_channels=4),
            nn.BatchNorm(in_channels=6, scale=False),
            nn.LeakyReLU(0.1),
            nn.GlobalAvgPool2D(),
            nn.Flatten(),
            nn.Dense(8, activation="sigmoid", in_units=6),
            nn.Dropout(0.0),
            nn.Dense(3, in_units=8),
        )
    return net


def autoencoder():
    net = nn.HybridSequential(prefix="autoenc_")
    with net.name_scope():
        net.add(
            nn.Conv2D(3, 3, strides=2, padding=1, activation="relu"),
            nn.GroupNorm(),
            nn.Conv2DTranspose(2, 4, strides=2, padding=1),
            nn.ELU(0.7),
            nn.Conv2DTranspose(1, 3, padding=1, use_bias=False),
            nn.HybridLambda(lambda F, x: F.sigmoid(x)),
        )
    return net


class LSTMNet(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.emb = nn.Embedding(15, 4)
            self.lstm = rnn.LSTM(5, 2, layout="NTC", bidirectional=True, input_size=4)
            self.out = nn.Dense(3, flatten=False, in_units=10)

    def hybrid_forward(self, F, x):
        last = F.slice_axis(self.lstm(self.emb(x)), axis=1, begin=-1, end=None)
        return self.out(F.squeeze(last, axis=1))


class Net(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.c1 = nn.Conv1D(4, 3, dilation=2, in_channels=2)
            self.p1 = nn.AvgPool1D(2, padding=1, count_include_pad=False)
            self.c3 = nn.Conv3D(2, (1, 2, 2), in_channels=1)
            self.p3 = nn.MaxPool3D((1, 2, 2), ceil_mode=True)
            self.act = nn.PReLU(in_channels=4)

    def hybrid_forward(self, F, x, y):
        return self.p1(self.act(self.c1(x))), self.p3(self.c3(y))


MODELS = {
    "gluon_conv": conv_net,
    "gluon_autoencoder": autoencoder,
    "gluon_lstm": lambda: LSTMNet(prefix="lstmnet0_"),
    "gluon_conv1d3d": lambda: Net(prefix="c13_"),
}
TRAINED = ("gluon_conv", "gluon_autoencoder", "gluon_lstm")
EXPORTED = (*MODELS, "gluon_transformer", "gluon_split")


def as_list(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]


def check_outputs(golden, outputs, rtol=1e-5, atol=1e-6):
    expected = golden.group("output")
    outputs = as_list(outputs)
    assert len(outputs) == len(expected)
    for out, want in zip(outputs, expected.values(), strict=True):
        np.testing.assert_allclose(out.asnumpy(), want, rtol=rtol, atol=atol)


def loaded(golden, context=None):
    net = MODELS[golden.name]()
    net.load_parameters(golden.file(".params"), ctx=context)
    return net


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("hybrid", [False, True])
def test_parameters_and_outputs(name, hybrid):
    golden = Golden(name)
    net = loaded(golden)
    if hybrid:
        net.hybridize()
    check_outputs(golden, net(*golden.inputs))
    assert repr(net).split("\n") == golden.facts["repr"]
    params = net._collect_params_with_prefix()
    for key, value in golden.group("param").items():
        np.testing.assert_array_equal(params[key].data().asnumpy(), value)


@pytest.mark.parametrize("name", MODELS)
def test_exported_graph_is_mxnets(name, tmp_path):
    golden = Golden(name)
    net = MODELS[name]()
    net.initialize()
    net.hybridize()
    net(*golden.inputs)
    net.load_parameters(golden.file(".params"))
    symbol_file, params_file = net.export(str(tmp_path / "out"), epoch=3)
    assert params_file.endswith("out-0003.params")
    with open(symbol_file) as made, open(golden.file("-export-symbol.json")) as wanted:
        made, wanted = json.load(made), json.load(wanted)
    assert made["nodes"] == wanted["nodes"]
    assert made["heads"] == wanted["heads"]
    ours, theirs = mx.nd.load(params_file), mx.nd.load(golden.file("-export-0003.params"))
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key].asnumpy(), value.asnumpy())


@pytest.mark.parametrize("name", EXPORTED)
def test_imported_graph(name):
    golden = Golden(name)
    net = gluon.SymbolBlock.imports(
        golden.file("-export-symbol.json"),
        list(golden.group("input")),
        golden.file("-export-0003.params"),
    )
    check_outputs(golden, net(*golden.inputs))


def train(net, trainer, inputs, steps):
    for _ in range(steps):
        with mx.autograd.record():
            outputs = as_list(net(*inputs))
            loss = sum(mx.nd.mean(mx.nd.square(o) * (k + 1)) for k, o in enumerate(outputs))
        loss.backward()
        trainer.step(inputs[0].shape[0])


def check_params(net, expected):
    params = net._collect_params_with_prefix()
    for key, value in expected.items():
        np.testing.assert_allclose(
            params[key].data().asnumpy(), value, rtol=1e-4, atol=1e-6, err_msg=key
        )


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("hybrid", [False, True])
def test_training_and_resuming(name, hybrid, tmp_path):
    golden = Golden(name)
    net = loaded(golden)
    for key, value in golden.group("before_training").items():
        net._collect_params_with_prefix()[key].set_data(mx.nd.array(value))
    if hybrid:
        net.hybridize()
    facts = golden.facts
    trainer = gluon.Trainer(net.collect_params(), facts["trainer"], facts["trainer_params"])
    assert [p.name for p in trainer._params] == facts["trainer_param_order"]
    train(net, trainer, golden.inputs, facts["trainer_steps"])
    check_params(net, golden.group("trained"))
    # Their states continue our training, and so do our own.
    own = str(tmp_path / "own.states")
    trainer.save_states(own)
    for states in (golden.file(".trainer.states"), own):
        net = loaded(golden)
        for key, value in golden.group("trained").items():
            net._collect_params_with_prefix()[key].set_data(mx.nd.array(value))
        trainer = gluon.Trainer(net.collect_params(), facts["trainer"], facts["trainer_params"])
        trainer.load_states(states)
        train(net, trainer, golden.inputs, 1)
        check_params(net, golden.group("resumed"))


def shared_net():
    net = nn.HybridSequential(prefix="shared_")
    with net.name_scope():
        net.add(nn.Dense(4, in_units=4, activation="relu"))
        net.add(nn.Dense(4, in_units=4, params=net[0].params))
        net.add(nn.Dense(2, in_units=4))
    return net


@pytest.mark.parametrize("file", ["plain.params", "deduplicated.params", "by_full_name.params"])
def test_shared_parameters(file, tmp_path):
    golden = Golden("gluon_shared")
    net = shared_net()
    path = str(golden.folder / file)
    if file.startswith("by"):
        net.collect_params().load(path)
        net.collect_params().save(str(tmp_path / file))
    else:
        net.load_parameters(path)
        net.save_parameters(str(tmp_path / file), deduplicate=file.startswith("dedup"))
    assert sorted(mx.nd.load(str(tmp_path / file))) == golden.facts["keys"][file]
    check_outputs(golden, net(*golden.inputs))


def test_float16_parameters():
    golden = Golden("gluon_float16")
    net = nn.HybridSequential()
    net.add(nn.Dense(5, in_units=6), nn.Dense(2, in_units=5))
    path = str(golden.folder / "half.params")
    with pytest.raises(AssertionError, match="cast_dtype=True"):
        net.load_parameters(path)
    net.load_parameters(path, cast_dtype=True, dtype_source="saved")
    for key, value in golden.group("param").items():
        array = net._collect_params_with_prefix()[key].data()
        assert array.dtype == np.float16
        np.testing.assert_array_equal(array.asnumpy(), value)
