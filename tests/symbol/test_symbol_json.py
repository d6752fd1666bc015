"""Symbol JSON: what is drawn here is written as MXNet 1.9.1 writes it, and is read again."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from graphs import GRAPHS

import baryon as mx
from baryon import sym

DATA = Path(__file__).parent / "data"


@pytest.fixture(params=GRAPHS)
def graph(request):
    """A drawn graph and what MXNet writes for it."""
    sym.contrib._counts.clear()  # inner graphs are numbered for the whole process
    with mx.name.NameManager():
        symbol = GRAPHS[request.param](mx)
    return symbol, json.loads((DATA / f"{request.param}.json").read_text())


def test_written_as_mxnet_does(graph):
    symbol, want = graph
    got = json.loads(symbol.tojson())
    for ours, theirs in zip(got["nodes"], want["nodes"], strict=True):
        assert ours == theirs
    assert got == want


def test_read_back(graph):
    symbol, want = graph
    again = sym.load_json(json.dumps(want))
    assert json.loads(again.tojson()) == want
    assert again.list_arguments() == symbol.list_arguments()
    assert again.list_outputs() == symbol.list_outputs()
    assert again.attr_dict() == symbol.attr_dict()


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies_are_equal_and_independent(graph, copied):
    symbol, want = graph
    twin = copied(symbol)
    assert json.loads(twin.tojson()) == want
    twin[0]._set_attr(__mood__="angry")
    assert symbol[0].attr("__mood__") is None and json.loads(symbol.tojson()) == want


def test_casts_of_mixed_precision_are_left_out_of_files():
    x = sym.var("x")
    y = sym.amp_cast(x, dtype="float16", name="cast") * 2
    assert "amp_cast" in y.tojson(remove_amp_cast=False)
    assert "amp_cast" not in y.tojson()
    a, b = sym.amp_multicast(x, sym.var("z"), num_outputs=2)
    assert sym.load_json((b - a).tojson()).list_arguments() == ["z", "x"]


def test_files(tmp_path):
    path = str(tmp_path / "net.json")
    net = GRAPHS["lenet"](mx)
    net.save(path)
    assert sym.load(path).tojson() == net.tojson()
    assert os.listdir(tmp_path) == ["net.json"]
    for kind in (FileNotFoundError, mx.MXNetError):
        with pytest.raises(kind, match=r"No such file or directory: .none\.json"):
            sym.load("none.json")
    with pytest.raises(FileNotFoundError):
        sym.load(str(tmp_path / "absent.json"))
    with pytest.raises(TypeError, match="file name"):
        sym.load(3)
    with pytest.raises(TypeError, match="string"):
        sym.load_json(3)


def test_save_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "net.json"
    net = sym.var("x") + 1
    net.save(str(path))
    before = path.read_bytes()

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="full"):
        (net * 2).save(str(path))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.json"]


def test_versions_count_earlier_writes_of_shared_states():
    """Two BatchNorms on one pair of states: nnvm numbers the entries by writes."""
    mean, var = sym.var("mean"), sym.var("var")
    x = sym.var("x")
    for i in range(2):
        x = sym.BatchNorm(x, moving_mean=mean, moving_var=var, name=f"bn{i}")
    nodes = [n for n in json.loads(x.tojson())["nodes"] if n["op"] == "BatchNorm"]
    assert [[e[2] for e in n["inputs"]] for n in nodes] == [[0, 0, 0, 1, 1], [0, 0, 0, 2, 2]]


@pytest.mark.parametrize(
    "given, text",
    [
        (lambda x: sym.clip(x, a_min=-1e-7, a_max=9), {"a_min": "-1e-07", "a_max": "9"}),
        (lambda x: sym.sum(x, axis=None), {"axis": "None"}),
        (lambda x: sym.sum(x, axis=[0, 1], keepdims=1), {"axis": "[0, 1]", "keepdims": "1"}),
        (lambda x: sym.Cast(x, dtype=np.float16), {"dtype": "float16"}),
        (lambda x: x * 1e20, {"scalar": "1e+20"}),
        (lambda x: x * float("inf"), {"scalar": "inf"}),
        (lambda x: x / 3.0, {"scalar": "3.0"}),
        (lambda x: sym.Pooling(x, kernel=(np.int64(2), 2)), {"kernel": "(2, 2)"}),
        (lambda x: sym.split_v2(x, (1, 3))[0],
         {"indices": "[0, 1, 3]", "axis": "0", "squeeze_axis": "False", "sections": "0"}),
        (lambda x: sym.arange(3),
         {"start": "3", "stop": "None", "step": "1.0", "repeat": "1", "infer_range": "False",
          "dtype": "float32"}),
    ],
)  # fmt: skip
def test_attributes_are_spelt_as_the_caller_did(given, text):
    assert given(sym.var("x")).list_attr() == text
