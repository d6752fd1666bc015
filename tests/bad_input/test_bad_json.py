"""Symbol JSON that is cut, changed or made up: it loads, or MXNetError says what is wrong."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baryon as mx

DATA = Path(__file__).resolve().parents[1] / "symbol" / "data"
TEXTS = {p.stem: p.read_text() for p in sorted(DATA.glob("*.json"))}
many = settings(max_examples=150, deadline=None, derandomize=True)


def loads_or_refuses(text: str) -> None:
    """Whatever loads is a whole symbol: it can be asked, written again and inferred or refused."""
    try:
        symbol = mx.sym.load_json(text)
    except mx.MXNetError as error:
        assert str(error)
        return
    symbol.list_arguments(), symbol.list_outputs(), symbol.attr_dict()
    written = symbol.tojson(remove_amp_cast=False)
    assert mx.sym.load_json(written).tojson(remove_amp_cast=False) == written
    for shape in ((2, 3, 4, 5), (2, 3), (1,)):
        with contextlib.suppress(mx.MXNetError):
            symbol.infer_shape_partial(**dict.fromkeys(symbol.list_arguments()[:1], shape))


@pytest.mark.parametrize("name", TEXTS)
def test_truncated(name):
    text = TEXTS[name].rstrip()
    for end in range(0, len(text) - 1, 7):
        with pytest.raises(mx.MXNetError, match="symbol JSON"):
            mx.sym.load_json(text[:end])


@many
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_changed_characters(name, data):
    text = TEXTS[name]
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.text(max_size=3) | st.sampled_from(['"', "-1", "999", "null", "{", "[]"]))
    loads_or_refuses(text[:at] + new + text[at + data.draw(st.integers(0, 3)) :])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=5), v, max_size=4),
    max_leaves=10,
)


def replaced(document, rng: random.Random, value):
    """The document with one randomly chosen part replaced."""
    places = []

    def visit(part):
        children = part.items() if isinstance(part, dict) else enumerate(part)
        for key, child in children:
            places.append((part, key))
            if isinstance(child, (dict, list)):
                visit(child)

    visit(document)
    part, key = rng.choice(places)
    part[key] = value
    return document


@many
@given(st.sampled_from(sorted(TEXTS)), st.randoms(use_true_random=False), values)
def test_changed_values(name, rng, value):
    loads_or_refuses(json.dumps(replaced(json.loads(TEXTS[name]), rng, value)))


operators = st.sampled_from(
    ["null", "relu", "FullyConnected", "Concat", "BatchNorm", "RNN", "nope"]
)
entries = st.lists(st.integers(-1, 4), min_size=1, max_size=4)
nodes = st.fixed_dictionaries(
    {"op": operators, "name": st.text(max_size=3), "inputs": st.lists(entries, max_size=6)},
    optional={"attrs": st.dictionaries(
        st.sampled_from(["num_hidden", "num_args", "axis", "__x__", "mode", "state_size"]),
        st.sampled_from(["3", "-1", "(1, 2)", "", "lstm", "1e400", "None", "9" * 30]), max_size=3,
    )},
)  # fmt: skip


@many
@given(st.lists(nodes, max_size=5), st.lists(entries, max_size=3))
def test_made_up_graphs(listed, heads):
    loads_or_refuses(json.dumps({"nodes": listed, "arg_nodes": [], "heads": heads}))


@many
@given(values)
def test_any_json(value):
    loads_or_refuses(json.dumps(value))


@many
@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_text(text):
    loads_or_refuses(text)


def one_node(**changes) -> str:
    node = {"op": "relu", "name": "r", "inputs": [[0, 0, 0]], **changes}
    x = {"op": "null", "name": "x", "inputs": []}
    version = {"mxnet_version": ["int", 10901]}
    document = {"nodes": [x, node], "arg_nodes": [0], "heads": [[1, 0, 0]], "attrs": version}
    return json.dumps(document)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "cannot be parsed"),
        ("[" * 100000, "cannot be parsed"),
        ("[]", "no list of nodes"),
        ('{"nodes": []}', "no heads"),
        (one_node(op="no_such_operator"), "'r': unknown operator 'no_such_operator'"),
        (one_node(op=3), "node 1 has no operator"),
        (one_node(name=None), "node 1 has no name"),
        (one_node(inputs=[[1, 0, 0]]), "'r': refers to node 1, which is not before it"),
        (one_node(inputs=[[0, 1, 0]]), "'r': node 'x' has no output 1"),
        (one_node(inputs=[[0]]), r"'r': \[0\] is not \[node, output, version\]"),
        (one_node(inputs=3), "inputs of node 'r'"),
        (one_node(inputs=[]), r"'r': operator relu takes 1 inputs \(data\), got 0"),
        (
            one_node(op="sum", attrs={"colour": "red"}),
            "'r': operator sum: unknown attribute colo",
        ),
        (
            one_node(op="split", attrs={"num_outputs": "1000000000"}),
            "'r': .*outputs are not possible",
        ),
        (one_node(attrs={"colour": 3}), "attrs of node 'r' does not map names to strings"),
        (one_node(op="Activation"), "'r': operator Activation: attribute act_type is required"),
        (one_node(op="Activation", attrs={"act_type": "x"}), "act_type expects .*'relu'.*got 'x'"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(mx.MXNetError, match=message):
        mx.sym.load_json(text)


def test_the_file_is_named(tmp_path):
    path = tmp_path / "broken.json"
    for content in (b"{", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(mx.MXNetError, match="broken.json"):
            mx.sym.load(str(path))
