"""The catalogue against MXNet 1.9.1's own list of operators: names, inputs, attributes, outputs."""

from __future__ import annotations

import inspect
import json

import pytest
import reference as found
from reference import reference

import baryon as mx
from baryon.ops import REGISTRY, Op
from baryon.ops.parameters import parameters

LIST = found.ROOT / "mxnet-1.9.1-ops.json"
RECORDS = json.loads(LIST.read_text())["operators"] if LIST.exists() else []
BY_NAME = {name: r for r in RECORDS for name in (r["name"], *r["aliases"])}
OPS = list(dict.fromkeys(REGISTRY.values()))
SHARED = [
    op
    for op in OPS
    if op.name in BY_NAME
    and not op.name.startswith("_backward_")
    and op.name not in {"_npi_det", "_npi_slogdet"}
]

# Attributes that symbol files of MXNet have although its list of operators does not name them.
UNLISTED = {
    "add_n": {"num_args"},
    "khatri_rao": {"num_args"},
    "_linspace": {"num", "endpoint"},
    "_npi_concatenate": {"axis"},
    "_npi_norm": {"ord", "axis", "keepdims", "flag"},
}
# Aliases of MXNet's that are operators here: NumPy's shape of one number is ().
APART = {"_linalg_det": {"_npi_det"}, "_linalg_slogdet": {"_npi_slogdet"}}
# Counted by the number of arrays where the caller does not say it; MXNet wants to be told.
COUNTED = {"amp_multicast": "num_outputs"}
# The oldest operators, whose states MXNet's list of inputs leaves out.
UNLISTED_STATES = {
    "BatchNorm_v1": ["moving_mean", "moving_var"],
    "IdentityAttachKLSparseReg": ["moving_avg"],
}
# Optional in MXNet, with a default that its list does not tell.
UNTOLD_DEFAULTS = {
    ("smooth_l1", "scalar"): 1.0,
    ("_set_value", "src"): 0.0,
    ("_npi_boolean_mask_assign_scalar", "value"): 0.0,
    ("_npi_boolean_mask_assign_scalar", "start_axis"): 0,
    ("_npi_boolean_mask_assign_tensor", "start_axis"): 0,
}


def test_reference_is_there():
    reference("mxnet-1.9.1-ops.json")
    assert len(SHARED) > 200


@pytest.fixture(params=SHARED, ids=lambda op: op.name)
def op(request) -> Op:
    return request.param


def test_names(op):
    record = BY_NAME[op.name]
    assert op.name == record["name"]
    assert set(op.aliases) | APART.get(op.name, set()) == set(record["aliases"])


def test_inputs(op):
    record = BY_NAME[op.name]
    listed = [i["name"] for i in record["inputs"]] + UNLISTED_STATES.get(op.name, [])
    assert list(op.inputs) == listed
    assert op.variadic == (record["key_var_num_args"] or COUNTED.get(op.name))


def test_attributes(op):
    listed = [a["name"] for a in BY_NAME[op.name]["attrs"]]
    assert [n for n in op.attrs if n not in UNLISTED.get(op.name, ())] == listed


def test_required_attributes_and_defaults(op):
    for listed in BY_NAME[op.name]["attrs"]:
        name, attr = listed["name"], op.attrs[listed["name"]]
        assert attr.required == listed["required"], name
        if attr.required:
            continue
        want = UNTOLD_DEFAULTS.get((op.name, name), listed["default"])
        want = attr.type.parse(want)
        if isinstance(want, float):  # float32 digits of numbers that we write in full
            want = pytest.approx(want, rel=1e-6)
        assert attr.default == want, name


def test_choices(op):
    for listed in BY_NAME[op.name]["attrs"]:
        parse = op.attrs[listed["name"]].type.parse
        for choice in listed["choices"] or ():
            assert parse("None" if choice is None else choice) == parse(choice)


def test_outputs_and_states(op):
    record = BY_NAME[op.name]["outputs"]
    if record is None or "probe_attrs" not in record:
        return
    params = op.attributes(record["probe_attrs"])
    assert op.visible(params) == record["visible_outputs"]
    assert op.counted(params) == record["total_outputs"]
    if not op.many:
        names = op.input_names(params)
        states = [n if n in names else names[int(n.removeprefix("in"))] for n in record["aux"]]
        assert [n for n in names if n in op.aux] == states


def test_public_operators_are_mxnets():
    """What is ours alone has no public name."""
    reference("mxnet-1.9.1-ops.json")
    ours = [n for n in REGISTRY if n not in BY_NAME]
    assert all(n.startswith("_") for n in ours)
    spaces = ("", "op", "random", "linalg", "contrib", "image", "sparse")
    public = {n for sub in spaces for n in mx.namespaces.names(sub).values()}
    assert not public & set(ours)


def test_parameters_are_those_that_inspect_finds():
    for op in OPS:
        found = inspect.signature(op.body).parameters.values()
        found = [p for p in found if p.kind is not p.VAR_KEYWORD]
        assert [(p.name, p.default) for p in parameters(op.body)] == [
            (p.name, p.default) for p in found
        ]
        assert [p.keyword_only for p in parameters(op.body)] == [
            p.kind is p.KEYWORD_ONLY for p in found
        ]
