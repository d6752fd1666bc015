"""Symbol files of older versions, read as MXNet 1.9.1 was seen to read them."""

from __future__ import annotations

import json

import pytest

import baryon as mx


def read(op, inputs, attrs, version=None, key="attrs"):
    """A symbol of one operator on variables, from a file of a version."""
    nodes = [{"op": "null", "name": n, "inputs": []} for n in inputs]
    own = {"op": op, "name": "n", "inputs": [[i, 0] for i in range(len(inputs))], key: attrs}
    document = {"nodes": [*nodes, own], "arg_nodes": [], "heads": [[len(nodes), 0]]}
    if version:
        document["attrs"] = {"mxnet_version": ["int", version]}
    return mx.sym.load_json(json.dumps(document))


@pytest.mark.parametrize("key", ["param", "attr", "attrs"])
def test_inputs_left_out_become_variables(key):
    net = read("FullyConnected", ["x"], {"num_hidden": "3"}, key=key)
    assert net.list_arguments() == ["x", "n_weight", "n_bias"]
    assert net.attr_dict()["n_bias"] == {"num_hidden": "3"}
    with pytest.raises(mx.MXNetError, match="takes 3 inputs"):
        read("FullyConnected", ["x"], {"num_hidden": "3"}, 900)


def test_auxiliary_states_left_out():
    net = read("BatchNorm", ["x", "g", "b"], {"eps": "0.001"})
    assert net.list_auxiliary_states() == ["n_moving_mean", "n_moving_var"]
    assert net.attr_dict()["n_moving_var"]["__init__"] == '["one", {}]'


@pytest.mark.parametrize("version, axis", [(None, None), (904, None), (905, "-1"), (10901, "-1")])
@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_axis_of_positions(op, version, axis):
    assert read(op, ["x"], {"axis": "-1"}, version).attr("axis") == axis
    assert read(op, ["x"], {"axis": "1"}, version).attr("axis") == "1"


@pytest.mark.parametrize("version, says", [(None, True), (903, True), (904, False)])
def test_initializers_left_out(version, says):
    net = read("LeakyReLU", ["x", "g"], {"act_type": "prelu"}, version)
    found = net.attr_dict().get("g", {}).get("__init__")
    assert found == ('["Constant", {"value": 0.25}]' if says else None)


def test_multipliers_of_inputs_stood_on_the_operator():
    attrs = {"num_hidden": "3", "weight_lr_mult": "0.1", "wd_mult": "3", "bias_wd_mult": "7"}
    found = read("FullyConnected", ["x", "w", "b"], attrs).attr_dict()
    assert found["w"] == {"__lr_mult__": "0.1", "lr_mult": "0.1"}
    assert found["b"] == {"__wd_mult__": "7", "wd_mult": "7"}
    assert found["n"] == {"num_hidden": "3", "__wd_mult__": "3", "wd_mult": "3"}


def test_attributes_of_operators_that_have_none_are_kept():
    net = read("relu", ["x"], {"foo": "3"})
    assert json.loads(net.tojson())["nodes"][1]["attrs"] == {"foo": "3"}


def test_composing_notes_how_given_variables_begin():
    x, mean = mx.sym.var("x"), mx.sym.var("m", init=mx.init.One())
    net = mx.sym.BatchNorm(x, moving_mean=mean, moving_var=mx.sym.var("v"), name="bn")
    assert net.attr_dict()["v"] == {"__init__": '["one", {}]'}
    assert net.attr_dict()["m"] == {"__init__": '["one", {}]'}
