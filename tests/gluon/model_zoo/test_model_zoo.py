"""The networks of the model zoo against what the real MXNet builds and computes."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon.model_zoo import model_store, vision

# Of each network of MXNet 1.9.1: CRC-32 of its symbol's JSON (sorted keys), of its Parameters by
# structural name, of its printed form, and the number of its weights.
DIGESTS = json.loads((Path(__file__).parent / "digests.json").read_text())
STORED = [
    "alexnet",
    "densenet121",
    "densenet201",
    "inceptionv3",
    "mobilenet0.25",
    "mobilenet0.75",
    "mobilenet1.0",
    "mobilenetv2_0.25",
    "mobilenetv2_0.5",
    "mobilenetv2_1.0",
    "resnet101_v1",
    "resnet152_v2",
    "resnet18_v1",
    "resnet18_v2",
    "resnet34_v2",
    "resnet50_v1",
    "squeezenet1.1",
    "vgg11",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16",
    "vgg19",
    "vgg19_bn",
]


def fresh(name, **kwargs):
    """A network whose names count from zero."""
    with mx.name.NameManager():
        return vision.get_model(name, **kwargs)


def drawn(net):
    with mx.name.NameManager():
        return net(mx.sym.var("data"))


def checksum(text):
    return zlib.crc32(text.encode())


@pytest.mark.parametrize("name", DIGESTS)
def test_network_is_mxnets(name):
    net = fresh(name)
    graph = drawn(net)
    params = net._collect_params_with_prefix()
    facts = {k: [p.name, list(p.shape), p.grad_req] for k, p in params.items()}
    size = 299 if name == "inceptionv3" else 224
    shapes = dict(
        zip(graph.list_arguments(), graph.infer_shape(data=(1, 3, size, size))[0], strict=True)
    )
    assert {
        "graph": checksum(json.dumps(json.loads(graph.tojson()), sort_keys=True)),
        "params": checksum(json.dumps(facts)),
        "repr": checksum(repr(net)),
        "weights": sum(int(np.prod(s)) for n, s in shapes.items() if n != "data"),
    } == DIGESTS[name]


@pytest.mark.parametrize("name", STORED)
def test_symbol_is_the_stored_one(name):
    folder = reference("golden", "models", "zoo_symbols")
    stored = json.loads(gzip.decompress((folder / f"{name}-symbol.json.gz").read_bytes()))
    assert json.loads(drawn(fresh(name)).tojson()) == stored


def test_get_model_knows_all_names():
    assert set(vision._MODELS) == set(DIGESTS)
    with pytest.raises(ValueError, match=r"Model nonesuch is not supported.*\n\talexnet"):
        vision.get_model("NoneSuch")


def fill(net):
    """Weights that depend on names alone, as the stored outputs were made with."""
    for param in net.collect_params().values():
        r = np.random.RandomState(checksum(param.name))
        shape = param.shape
        if param.name.endswith("weight"):
            value = r.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif param.name.endswith(("gamma", "running_var")):
            value = r.uniform(0.5, 1.5, shape)
        else:
            value = r.uniform(-0.2, 0.2, shape)
        param.set_data(mx.nd.array(value.astype("float32")))


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("name", ["resnet18_v1", "mobilenet0.25"])
def test_forward_is_the_stored_one(name, hybrid):
    stored = np.load(reference("golden", "models", f"zoo_forward_{name}") / "io.npz")
    r = np.random.RandomState(zlib.crc32(f"input:{name}".encode()))
    x = mx.nd.array(r.uniform(-1, 1, (2, 3, 64, 64)).astype("float32"))
    net = fresh(name)
    net.initialize()
    net.infer_shape(x)
    for param in net.collect_params().values():
        param._finish_deferred_init()
    fill(net)
    if hybrid:
        net.hybridize()
    expected = stored["output/0"]
    np.testing.assert_array_equal(x.asnumpy(), stored["input/data"])
    np.testing.assert_allclose(
        net(x).asnumpy(), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )


SMALL = {  # network -> size of the smallest image it accepts here
    "alexnet": 64,
    "squeezenet1.1": 224,
    "mobilenet0.25": 32,
    "mobilenetv2_0.25": 32,
    "resnet18_v2": 32,
    "resnet50_v1": 32,
    "vgg11_bn": 32,
}


@pytest.mark.parametrize("name", SMALL)
def test_hybridized_is_imperative(name):
    net = vision.get_model(name, classes=7)
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(np.random.randn(1, 3, SMALL[name], SMALL[name]).astype("float32"))
    imperative = net(x).asnumpy()
    net.hybridize(static_alloc=True)
    compiled = net(x).asnumpy()
    assert imperative.shape == (1, 7)
    np.testing.assert_allclose(
        compiled, imperative, rtol=1e-5, atol=1e-5 * np.abs(imperative).max()
    )


@pytest.mark.parametrize("name", ["mobilenetv2_0.25", "resnet18_v1"])
def test_exported_is_original(name, tmp_path):
    net = vision.get_model(name, classes=5)
    net.initialize(mx.init.Xavier())
    net.hybridize()
    x = mx.nd.array(np.random.randn(2, 3, 32, 32).astype("float32"))
    expected = net(x).asnumpy()
    symbol, params = net.export(str(tmp_path / "net"), epoch=3)
    again = gluon.SymbolBlock.imports(symbol, "data", params)
    np.testing.assert_array_equal(again(x).asnumpy(), expected)


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("name", ["mobilenet0.25", "resnet18_v2"])
def test_training_lowers_the_loss(name, hybrid):
    mx.random.seed(0)
    np.random.seed(0)
    net = vision.get_model(name, classes=4)
    net.initialize(mx.init.Xavier())
    if hybrid:
        net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.05})
    x = mx.nd.array(np.random.randn(8, 3, 32, 32).astype("float32"))
    y = mx.nd.array(np.arange(8) % 4)
    losses = []
    for _ in range(10):
        with autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(x), y)
        loss.backward()
        trainer.step(8)
        losses.append(float(loss.mean().asscalar()))
    assert losses[-1] < 0.9 * losses[0]


def test_thumbnails_start_with_one_convolution():
    net = vision.get_resnet(2, 18, classes=10, thumbnail=True)
    assert [type(b).__name__ for b in net.features][:3] == [
        "BatchNorm",
        "Conv2D",
        "HybridSequential",
    ]
    net.initialize()
    assert net(mx.nd.zeros((1, 3, 8, 8))).shape == (1, 10)


def test_densenet_and_inception_variants():
    net = vision.DenseNet(8, 4, [1, 2], dropout=0.5, classes=3)
    net.initialize()
    assert net(mx.nd.zeros((1, 3, 56, 56))).shape == (1, 3)
    aux = vision.inception.make_aux(10)
    aux.initialize()
    assert aux(mx.nd.zeros((1, 16, 17, 17))).shape == (1, 10)


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda: vision.get_resnet(3, 18), "Invalid resnet version: 3"),
        (lambda: vision.get_resnet(1, 19), "Invalid number of layers: 19"),
        (lambda: vision.SqueezeNet("1.2"), "Unsupported SqueezeNet version 1.2"),
        (lambda: vision.VGG([1], [2, 3]), "1 layers and 2 filters"),
        (lambda: vision.ResNetV1(vision.BasicBlockV1, [1], [2]), "1 stages need 2"),
    ],
)
def test_wrong_arguments_are_assertions(build, words):
    with pytest.raises(AssertionError, match=words):
        build()


def test_pretrained_reads_a_local_file(tmp_path):
    root = str(tmp_path)
    with pytest.raises(mx.MXNetError, match=r"mobilenet0\.25-9f83e440\.params"):
        vision.mobilenet0_25(pretrained=True, root=root)
    net = vision.mobilenet0_25()
    net.initialize()
    x = mx.nd.ones((1, 3, 32, 32))
    expected = net(x).asnumpy()
    net.save_parameters(str(tmp_path / "mobilenet0.25.params"))
    again = vision.get_model("mobilenet0.25", pretrained=True, root=root, ctx=mx.cpu())
    np.testing.assert_array_equal(again(x).asnumpy(), expected)

    published = tmp_path / "mobilenet0.25-9f83e440.params"
    published.write_bytes(b"something else")
    with pytest.raises(mx.MXNetError, match="not what was published"):
        model_store.get_model_file("mobilenet0.25", root)
    model_store.purge(root)
    assert not list(tmp_path.iterdir())


def test_only_published_networks_have_a_hash():
    assert set(model_store._model_sha1) == set(DIGESTS)
    with pytest.raises(ValueError, match="Pretrained model for foo is not available"):
        model_store.short_hash("foo")
