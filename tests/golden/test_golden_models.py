"""Models that MXNet 1.9.1 saved: their symbols, parameters, predictions and training steps."""

from __future__ import annotations

import functools
import gzip
import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference as found
from reference import reference

import baryon as mx
from baryon.ops import REGISTRY

FOLDER = found.ROOT / "golden" / "models"
SYMBOLS = sorted(FOLDER.glob("*/*-symbol.json*"))
EXPORTS = [p for p in SYMBOLS if p.name.endswith("-export-symbol.json")]
ZOO = [p for p in SYMBOLS if p.name.endswith(".gz")]
MODULES = ("mlp", "resnet_small", "two_heads", "rnn_unrolled")


@functools.cache
def facts() -> dict:
    return json.loads(reference("golden", "models", "index.json").read_text())["models"]


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def runnable(path: Path) -> str:
    """The text of a symbol file; skips the test where it needs what is not in the catalogue."""
    text = text_of(path)
    missing = {n["op"] for n in json.loads(text)["nodes"]} - {*REGISTRY, "null"}
    if missing:
        pytest.skip(f"operators {sorted(missing)} are not in the catalogue yet")
    return text


def name_of(path: Path) -> str:
    return path.name.partition("-")[0]


def group(io, kind):
    """Arrays of an npz whose keys begin with ``kind/``."""
    return {k.split("/", 1)[1]: io[k] for k in io.files if k.startswith(kind + "/")}


def close(got, want, what, rtol=1e-5, atol=1e-6):
    got = got.asnumpy() if hasattr(got, "asnumpy") else got
    assert got.shape == want.shape, what
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, err_msg=what)


# ---- symbol files --------------------------------------------------------------------------------


def test_reference_data_is_there():
    reference("golden", "models", "index.json")
    assert len(ZOO) >= 20 and len(EXPORTS) >= 7


@pytest.mark.parametrize("path", SYMBOLS, ids=name_of)
def test_symbol_file_is_written_again_as_it_was(path):
    """Nodes, attributes, inputs and their versions, counts of outputs, heads: all of it."""
    text = runnable(path)
    want = json.loads(text)
    with mx.np_shape("is_np_shape" in want["attrs"]):
        assert json.loads(mx.sym.load_json(text).tojson()) == want


@pytest.mark.parametrize("path", ZOO, ids=name_of)
def test_zoo_shapes(path):
    network = facts()["zoo_symbols"]["networks"][name_of(path)]
    symbol = mx.sym.load_json(runnable(path))
    arg_shapes, out_shapes, aux_shapes = symbol.infer_shape(data=tuple(network["input"]))
    assert len(arg_shapes) == network["arguments"] and len(aux_shapes) == network["aux"]
    assert out_shapes == [tuple(network["output"])]
    count = sum(map(math.prod, arg_shapes)) - math.prod(network["input"])
    assert count == network["parameters"]


def zoo_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight by the rule of the reference data."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("weight"):
        return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    if name.endswith(("gamma", "running_var")):
        return rng.uniform(0.5, 1.5, shape)
    return rng.uniform(-0.2, 0.2, shape)


@pytest.mark.parametrize("network", ["resnet18_v1", "mobilenet0.25"])
def test_zoo_forward(network):
    io = np.load(reference("golden", "models", f"zoo_forward_{network}", "io.npz"))
    symbol = mx.sym.load_json(runnable(FOLDER / "zoo_symbols" / f"{network}-symbol.json.gz"))
    exe = symbol.simple_bind(mx.cpu(), grad_req="null", data=io["input/data"].shape)
    for name, x in (*exe.arg_dict.items(), *exe.aux_dict.items()):
        x[:] = io["input/data"] if name == "data" else zoo_value(name, x.shape)
    want = io["output/0"]
    error = np.abs(exe.forward()[0].asnumpy() - want).max()
    assert error < 1e-3 * np.abs(want).max()


# ---- exported by Gluon, bound as symbols ---------------------------------------------------------


@pytest.mark.parametrize("path", EXPORTS, ids=name_of)
def test_export_predicts(path):
    name = name_of(path)
    symbol = mx.sym.load_json(runnable(path))
    params = mx.nd.load(str(path.parent / f"{name}-export-0003.params"))
    values = {k.split(":", 1)[1]: v for k, v in params.items()}
    io = np.load(path.parent / "io.npz")
    values.update((k, mx.nd.array(v, dtype=v.dtype)) for k, v in group(io, "input").items())
    args = {n: values[n] for n in symbol.list_arguments()}
    aux = {n: values[n] for n in symbol.list_auxiliary_states()}
    outputs = symbol.bind(mx.cpu(), args, grad_req="null", aux_states=aux).forward()
    for i, want in group(io, "output").items():
        close(outputs[int(i)], want, f"output {i}")


# ---- trained by Module ---------------------------------------------------------------------------


class Training:
    """A golden module as an executor with an optimizer."""

    def __init__(self, name: str, weights: str) -> None:
        folder = reference("golden", "models", name)
        self.facts, self.io = facts()[name], np.load(folder / "io.npz")
        self.states = (folder / f"{name}-0001.states").read_bytes()
        self.symbol = mx.sym.load(str(folder / f"{name}-symbol.json"))
        shapes = {k: tuple(v) for k, v in {**self.facts["data"], **self.facts["label"]}.items()}
        reqs = {n: "write" for n in self.symbol.list_arguments() if n not in shapes}
        self.exe = self.symbol.simple_bind(mx.cpu(), grad_req=reqs, **shapes)
        self.names = [*reqs]
        for key, value in group(self.io, weights).items():
            kind, _, name = key.partition(":")
            (self.exe.arg_dict if kind == "arg" else self.exe.aux_dict)[name][:] = value
        optimizer = mx.optimizer.create(
            self.facts["optimizer"], sym=self.symbol, param_idx2name=dict(enumerate(self.names)),
            rescale_grad=self.facts["rescale_grad_used"], **self.facts["optimizer_params"],
        )  # fmt: skip
        self.updater = mx.optimizer.get_updater(optimizer)

    def step(self, batch: int) -> list[np.ndarray]:
        """Outputs in training mode, then one update of all parameters."""
        data = {k: mx.nd.array(v) for k, v in group(self.io, f"batch{batch}").items()}
        outputs = [o.asnumpy() for o in self.exe.forward(is_train=True, **data)]
        self.exe.backward()
        for i, name in enumerate(self.names):
            self.updater(i, self.exe.grad_dict[name], self.exe.arg_dict[name])
        return outputs

    def check(self, kind: str) -> None:
        """Parameters and auxiliary states against those of the reference."""
        for key, want in group(self.io, kind).items():
            which, _, name = key.partition(":")
            got = (self.exe.arg_dict if which == "arg" else self.exe.aux_dict)[name]
            close(got, want, key)


@pytest.mark.parametrize("name", MODULES)
def test_module_trains_and_predicts(name):
    run = Training(name, "init")
    steps = run.facts["steps"]
    for batch in range(steps):
        for i, out in enumerate(run.step(batch)):
            close(out, run.io[f"train_out{batch}/{i}"], f"batch {batch}, output {i}")
    run.check("param")
    data = {k: mx.nd.array(v) for k, v in group(run.io, "batch0").items()}
    for i, out in enumerate(run.exe.forward(is_train=False, **data)):
        close(out, run.io[f"predict_batch0/{i}"], f"prediction {i}")
    run.step(steps)
    run.check("continued")


@pytest.mark.parametrize("name", MODULES)
def test_module_resumes_from_its_files(name):
    run = Training(name, "param")
    saved = mx.nd.load(str(FOLDER / name / f"{name}-0001.params"))
    for key, want in group(run.io, "param").items():
        np.testing.assert_array_equal(saved[key].asnumpy(), want)
    run.updater.set_states(run.states)
    run.step(run.facts["steps"])
    run.check("reloaded")


# ---- files of versions before 0.9 ----------------------------------------------------------------


def without_versions(document: dict) -> dict:
    """Old files have no versions of inputs; what MXNet fills in depends on the way they came."""
    for node in document["nodes"]:
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    return document


def test_legacy_symbol_is_upgraded():
    symbol = mx.sym.load(str(reference("golden", "legacy", "save_000800.json")))
    upgraded = json.loads(reference("golden", "legacy", "save_000800.upgraded.json").read_text())
    assert without_versions(json.loads(symbol.tojson())) == without_versions(upgraded)
    known = json.loads(reference("golden", "legacy", "index.json").read_text())["save_000800.json"]
    assert symbol.list_arguments() == known["arguments"]
    assert symbol.list_auxiliary_states() == known["aux"]
    assert symbol.list_outputs() == known["outputs"]
    assert symbol.get_internals().list_outputs() == known["internals"]
    assert symbol.attr_dict() == known["attr_dict"]


def test_legacy_arrays():
    arrays = mx.nd.load(str(reference("golden", "legacy", "legacy_ndarray.v0")))
    with np.load(reference("golden", "legacy", "legacy_ndarray.npz")) as want:
        assert len(arrays) == len(want.files) == 6
        for i, x in enumerate(arrays):
            np.testing.assert_array_equal(x.asnumpy(), want[str(i)])
            assert x.dtype == np.float32
