"""Composing symbols: names, inputs, groups, internals, attributes; as seen in MXNet 1.9.1."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import sym
from baryon.base import NotImplementedForSymbol


@pytest.fixture(autouse=True)
def _fresh_names():
    with mx.name.NameManager():
        yield


def fc(x, **kwargs):
    return sym.FullyConnected(x, num_hidden=3, **kwargs)


def net():
    return fc(sym.relu(fc(sym.var("data"), name="fc1"), name="r"), name="fc2")


WEIGHTS = ["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"]


def test_calling_replaces_variables():
    original = net()
    made = original(data=fc(sym.var("x"), name="pre"), name="new")
    assert made.list_arguments() == ["x", "pre_weight", "pre_bias", *WEIGHTS]
    assert made.name == "new" and original.name == "fc2"
    assert original.list_arguments() == ["data", *WEIGHTS]
    assert net()(sym.var("z")).list_arguments() == ["z", *WEIGHTS]
    both = sym.Group([sym.var("a"), sym.var("b") + 1])(a=sym.var("c"))
    assert both.list_arguments() == ["c", "b"]
    swapped = (sym.var("a") - sym.var("b"))(a=sym.var("b"), b=sym.var("a"))
    x = swapped.eval(a=mx.nd.array([1.0]), b=mx.nd.array([5.0]))[0]
    assert x.asscalar() == 4


def test_calling_refuses_what_does_not_fit():
    x = sym.var("x")
    with pytest.raises(TypeError, match="not both"):
        net()(x, data=x)
    with pytest.raises(mx.MXNetError, match="no argument 'foo'.*fc1_weight"):
        net()(foo=x)
    with pytest.raises(TypeError, match="data must be a Symbol, got int"):
        net()(data=3)
    with pytest.raises(mx.MXNetError, match="takes 1 arguments, got 2"):
        sym.relu(x)(x, x)


def test_lists():
    assert net().list_outputs() == ["fc2_output"]
    assert sym.split(sym.var("a"), num_outputs=2, name="s").list_outputs() == [
        "s_output0", "s_output1",
    ]  # fmt: skip
    bn = sym.BatchNorm(sym.var("a"), name="bn")
    assert bn.list_arguments() == ["a", "bn_gamma", "bn_beta"]
    assert bn.list_auxiliary_states() == ["bn_moving_mean", "bn_moving_var"]
    assert bn.list_inputs() == [*bn.list_arguments(), *bn.list_auxiliary_states()]
    assert fc(sym.var("a"), no_bias=True, name="f").list_arguments() == ["a", "f_weight"]
    assert sym.elemwise_add(rhs=sym.var("b"), lhs=sym.var("a")).list_arguments() == ["a", "b"]
    assert sym.elemwise_add(sym.var("a"), name="e").list_arguments() == ["a", "e_rhs"]
    assert sym.Concat(num_args=2, name="c").list_arguments() == ["c_arg0", "c_arg1"]


@pytest.mark.parametrize("name", ["Concat", "add_n", "ElementWiseSum", "stack", "khatri_rao"])
def test_any_number_of_inputs_by_name(name):
    x, y, make = sym.var("x"), sym.var("y"), getattr(sym, name)
    made = make(arg1=x, arg0=y, name="c")
    assert made.list_arguments() == ["y", "x"] and made.list_attr()["num_args"] == "2"
    assert make(arg0=x, arg2=y, num_args=3, name="c").list_arguments() == ["x", "c_arg1", "y"]
    assert make(x, y, num_args=3, name="c").list_arguments() == ["x", "y", "c_arg2"]
    with pytest.raises(TypeError, match="position"):
        make(x, arg1=y)
    with pytest.raises(mx.base.MXNetError, match="no input is called arg1"):
        make(arg1=x)


def test_internals_and_children():
    internals = net().get_internals()
    assert internals.list_outputs() == [
        "data", "fc1_weight", "fc1_bias", "fc1_output", "r_output", "fc2_weight", "fc2_bias",
        "fc2_output",
    ]  # fmt: skip
    assert internals["fc1_output"].list_arguments() == ["data", "fc1_weight", "fc1_bias"]
    assert net().get_children().list_outputs() == ["r_output", "fc2_weight", "fc2_bias"]
    assert net().get_children().get_children().list_outputs() == ["fc1_output"]
    assert sym.var("a").get_children() is None
    cut = sym.split(sym.var("a"), num_outputs=2, name="s")[1] + 1
    assert cut.get_internals().list_outputs() == [
        "a",
        "s_output0",
        "s_output1",
        "_plusscalar0_output",
    ]
    hidden = sym.BatchNorm(sym.var("a"), name="bn").get_internals().list_outputs()
    assert hidden[-1] == "bn_output" and len(hidden) == 6


def test_groups_and_slices():
    parts = sym.split(sym.var("a"), num_outputs=4, name="s")
    assert len(parts) == parts.num_outputs == 4 and parts.name == "s"
    assert parts[1:3].list_outputs() == ["s_output1", "s_output2"]
    assert parts[::2].list_outputs() == ["s_output0", "s_output2"]
    assert parts[-1].list_outputs() == ["s_output3"]
    assert [p.list_outputs() for p in parts[:2]] == [["s_output0"], ["s_output1"]]
    nested = sym.Group([sym.Group([sym.var("a"), sym.var("b")]), sym.var("c")])
    assert nested.list_outputs() == ["a", "b", "c"] and nested.name is None
    assert repr(net()) == "<Symbol fc2>" and repr(nested) == "<Symbol group [a, b, c]>"


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: net()[5], IndexError, "output 5"),
        (lambda: net()[1.5], TypeError, "integer, name or slice"),
        (lambda: net().get_internals()["fc9_output"], ValueError, "fc9_output"),
        (lambda: sym.Group([]), TypeError, "at least one"),
        (lambda: sym.Group([1]), TypeError, "Symbol"),
        (lambda: bool(sym.var("a")), NotImplementedForSymbol, "truth value"),
        (lambda: sym.relu(sym.Group([sym.var("a"), sym.var("b")])), mx.MXNetError, "2 outputs"),
        (lambda: sym.relu(3), TypeError, "relu: input data"),
        (lambda: sym.relu(mx.nd.ones((1,))), TypeError, "relu: input data"),
        (lambda: sym.relu(dato=sym.var("a")), mx.MXNetError, "relu.*dato"),
        (lambda: sym.relu(sym.var("a"), colour=1), mx.MXNetError, "relu.*colour"),
        (lambda: sym.FullyConnected(sym.var("a")), mx.MXNetError, "num_hidden is required"),
        (lambda: fc(sym.var("a"), flatten="maybe"), mx.MXNetError, "flatten.*'maybe'"),
        (lambda: sym.Activation(sym.var("a"), act_type="foo"), mx.MXNetError, "act_type.*'foo'"),
        (lambda: sym.concat(dim=0), mx.MXNetError, "Concat.*at least one input"),
        (lambda: sym.var("a") + "x", TypeError, "unsupported"),
        (lambda: sym.var(3), TypeError, "name"),
        (lambda: sym.var("a", foo="x"), ValueError, "foo"),
        (lambda: sym.var("a", attr={"x": 1}), ValueError, "string"),
        (lambda: fc(sym.var("a"), attr={"mood": "x"}), mx.MXNetError, "unknown attribute mood"),
        (lambda: net()._set_attr(mood="x"), mx.MXNetError, "unknown attribute mood"),
        (lambda: net()._set_attr(num_hidden=3), ValueError, "string"),
        (lambda: net().list_attr(recursive=True), DeprecationWarning, "attr_dict"),
    ],
)  # fmt: skip
def test_refusals(wrong, error, text):
    with pytest.raises(error, match=text):
        wrong()


@pytest.mark.parametrize(
    "name", ["asnumpy", "asscalar", "as_in_context", "backward", "copy", "detach", "wait_to_read"]
)
def test_methods_of_arrays_say_that_symbols_lack_them(name):
    with pytest.raises(NotImplementedForSymbol, match=name):
        getattr(sym.var("a"), name)()


def test_automatic_names():
    x, y = sym.var("x"), sym.var("y")
    made = [fc(x), fc(x), x + y, x + 1, 1 - x, x > y, x > 1, 2**x, sym.maximum(x, 1), -x, abs(x)]
    assert [m.name for m in made] == [
        "fullyconnected0", "fullyconnected1", "_plus0", "_plusscalar0", "_rminusscalar0",
        "_greater0", "_greater_scalar0", "_rpower_scalar0", "_maximumscalar0", "_mulscalar0",
        "abs0",
    ]  # fmt: skip
    with mx.name.Prefix("p_"):
        inside = fc(x), fc(x, name="z")
    assert [m.name for m in inside] == ["p_fullyconnected0", "p_z"]
    assert inside[1].list_arguments() == ["x", "p_z_weight", "p_z_bias"]
    with mx.name.NameManager():
        assert fc(x).name == "fullyconnected0"
    assert fc(x).name == "fullyconnected2"
    assert x.reshape(shape=(2,)).name == "reshape0" and x.astype("int32").name == "cast0"
    assert x.split_v2(2).name == "_split_v20" and x.flatten().name == "flatten0"


def test_attributes_and_scopes():
    with mx.AttrScope(ctx_group="a", __x__="1"):
        v = sym.var("v", attr={"__x__": "2"}, lr_mult=3)
        with mx.AttrScope(ctx_group="b"):
            f = fc(v, name="f")
    assert v.list_attr() == {
        "__x__": "2", "__ctx_group__": "a", "ctx_group": "a", "__lr_mult__": "3", "lr_mult": "3",
    }  # fmt: skip
    own = {"num_hidden": "3", "__x__": "1", "__ctx_group__": "b", "ctx_group": "b"}
    assert f.attr_dict() == {"v": v.list_attr(), "f": own, "f_weight": own, "f_bias": own}
    assert f.attr("ctx_group") == "b" and f.attr("num_hidden") == "3" and f.attr("nope") is None
    with pytest.raises(ValueError, match="string"):
        mx.AttrScope(ctx_group=1)


def test_set_attr_changes_the_operator():
    f = fc(sym.var("v"), name="f")
    f._set_attr(num_hidden="5", ctx_group="g")
    assert f.infer_shape(v=(2, 3))[1] == [(2, 5)]
    assert f.attr("ctx_group") == f.attr("__ctx_group__") == "g"
    assert sym.load_json(f.tojson()).infer_shape(v=(2, 3))[1] == [(2, 5)]


def test_variables_keep_what_they_are_given():
    v = sym.var("a", shape=(1, 2), dtype="float16", init=mx.init.One(), wd_mult=2, stype="default",
                __k__="v")  # fmt: skip
    assert v.list_attr() == {
        "__shape__": "(1, 2)", "__dtype__": "2", "__init__": '["one", {}]', "__wd_mult__": "2",
        "wd_mult": "2", "__storage_type__": "0", "__k__": "v",
    }  # fmt: skip


METHODS = {
    "reshape": ({"shape": (3, 2)}, (3, 2)), "transpose": ({}, (3, 2)), "sum": ({"axis": 1}, (2,)),
    "expand_dims": ({"axis": 0}, (1, 2, 3)), "squeeze": ({}, (2, 3)), "flatten": ({}, (2, 3)),
    "broadcast_to": ({"shape": (2, 3)}, (2, 3)), "tile": ({"reps": (2, 1)}, (4, 3)),
    "slice_axis": ({"axis": 1, "begin": 0, "end": 2}, (2, 2)), "norm": ({}, (1,)),
    "astype": ({"dtype": "int32"}, (2, 3)), "clip": ({"a_min": 0, "a_max": 1}, (2, 3)),
    "softmax": ({}, (2, 3)), "argmax": ({"axis": 1}, (2,)), "repeat": ({"repeats": 2}, (12,)),
    "one_hot": ({"depth": 4}, (2, 3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_methods_compute_what_those_of_arrays_do(method):
    kwargs, shape = METHODS[method]
    x = mx.nd.array([[0, 1, 2], [3, -1, 1]])
    (got,) = getattr(sym.var("x"), method)(**kwargs).eval(x=x)
    assert got.shape == shape
    np.testing.assert_array_equal(got.asnumpy(), getattr(x, method)(**kwargs).asnumpy())


def test_debug_str_names_every_node():
    text = net().debug_str()
    for word in (
        "output[0]=fc2(0)",
        "Variable:data",
        "Op:FullyConnected, Name=fc1",
        "num_hidden=3",
    ):
        assert word in text
