"""The functions made from the catalogue: where they are, how they are called, their stubs."""

import ast
import importlib
import inspect
import json
import pickle

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import namespaces, nd, stubs
from baryon.ndarray import accelerate
from baryon.ops import REGISTRY


def test_names_are_where_mxnet_has_them():
    records = json.loads(reference("mxnet-1.9.1-ops.json").read_text())["operators"]
    checked = 0
    for record in records:
        for name in (record["name"], *record["aliases"]):
            place = namespaces.locate(name)
            if name.startswith("_np") or place is None or name not in REGISTRY:
                continue
            sub, public = place
            path = ".".join(filter(None, ("nd", sub, public)))
            if record["group"] != "backward" and record["namespaces"]:
                assert path in record["namespaces"], name
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("package", ["nd", "sym"])
def test_every_public_operator_is_reachable(package):
    root = getattr(mx, package)
    for sub in ("", *namespaces.SUBS):
        space = getattr(root, sub) if sub else root
        found = namespaces.names(sub)
        assert set(found) <= set(dir(space))
        for public in found:
            made = getattr(space, public)
            assert callable(made)
            assert made is getattr(space, public)
        with pytest.raises(AttributeError, match="no_such_operator"):
            space.no_such_operator  # noqa: B018
    linalg = importlib.import_module(f"baryon.{root.__name__.split('.')[1]}.linalg")
    assert linalg is root.linalg


def test_signatures_and_documentation():
    relu = nd.relu
    assert relu.__name__ == "relu"
    assert relu.__doc__ == REGISTRY["relu"].__doc__
    assert str(inspect.signature(relu)) == "(data, *, out=None, name=None)"
    assert list(inspect.signature(nd.sum).parameters)[:3] == ["data", "axis", "keepdims"]
    assert "num_hidden" in inspect.signature(nd.FullyConnected).parameters
    assert inspect.signature(nd.concat).parameters["data"].kind is inspect.Parameter.VAR_POSITIONAL
    assert "data" not in inspect.signature(nd.ones(1).relu).parameters
    for name in set(REGISTRY):
        if not name.startswith("_backward_"):
            namespaces.signature(REGISTRY[name], nd.FRONT)


def test_calls():
    x = nd.array([[-1, 2], [3, -4]])
    want = [[0, 2], [3, 0]]
    assert nd.relu(x).asnumpy().tolist() == want
    assert nd.relu(data=x, name="ignored").asnumpy().tolist() == want
    out = nd.zeros((2, 2))
    assert nd.relu(x, out=out) is out
    assert out.asnumpy().tolist() == want
    assert nd.relu(x, out=x).asnumpy().tolist() == want
    assert nd.sum(x, 1).shape == nd.sum(x, axis=(1,)).shape == (2,)
    assert nd.sum(x, axis=namespaces._Null).shape == (1,)
    assert nd.concat(x, x, dim=0).shape == (4, 2)
    assert nd.cast(x, dtype=np.float64).dtype is np.float64
    assert nd.cast(x, "int32").dtype is np.int32
    assert nd.FullyConnected(x, x, None, num_hidden=2, no_bias=True).shape == (2, 2)
    assert nd.op.relu(x).shape == nd._internal._plus_scalar(x, scalar=1).shape == (2, 2)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: nd.relu(x, colour=1), ["relu", "colour"]),
        (lambda x: nd.relu(), ["relu", "data"]),
        (lambda x: nd.relu(3), ["relu", "data", "int"]),
        (lambda x: nd.relu(x, x, x), ["relu", "got 3"]),
        (lambda x: nd.relu(x, data=x), ["relu", "twice"]),
        (lambda x: nd.sum(x, axis="text"), ["sum", "axis", "text"]),
        (lambda x: nd.sum(x, axis=5), ["sum", "5"]),
        (lambda x: nd.relu(x, out=nd.zeros((3, 3))), ["relu", "out"]),
        (lambda x: nd.Activation(x, act_type="none such"), ["Activation", "act_type"]),
        (lambda x: nd.dot(x, nd.ones((3, 3))), ["dot", r"\(2,2\)", r"\(3,3\)"]),
        (lambda x: nd.cast(x), ["Cast", "dtype"]),
    ],
)
def test_wrong_calls_name_operator_and_argument(call, words):
    with pytest.raises(mx.MXNetError) as caught:
        call(nd.ones((2, 2)))
    for word in words:
        assert caught.match(word)


@pytest.mark.skipif(not accelerate.available, reason="no native engine")
def test_the_fast_path_and_python_agree():
    x, y = nd.array([[1, 2], [3, 4]]), nd.array([[5, 6], [7, 8]])
    for name in ("relu", "exp", "elemwise_add", "broadcast_mul", "dot"):
        made = getattr(nd, name)
        plain = inspect.unwrap(made)
        arguments = (x, y) if REGISTRY[name].inputs[1:] else (x,)
        np.testing.assert_array_equal(made(*arguments).asnumpy(), plain(*arguments).asnumpy())
    for kind in ("add", "sub", "mul", "truediv"):
        made = vars(nd.NDArray)[f"__{kind}__"]
        plain = inspect.unwrap(made)
        for other in (y, 2, 2.5):
            np.testing.assert_array_equal(made(x, other).asnumpy(), plain(x, other).asnumpy())


def test_functions_can_be_pickled_by_name():
    for function in (nd.random.uniform, nd.maximum, nd.zeros):
        assert pickle.loads(pickle.dumps(function)) is function


def test_stubs_are_python_and_complete(tmp_path):
    files = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in stubs.write(tmp_path)}
    for text in files.values():
        ast.parse(text)
    assert "def relu(data: NDArray, *" in files["ndarray/__init__.pyi"]
    assert "act_type: Literal[" in files["symbol/__init__.pyi"]
    assert "def uniform(" in files["ndarray/random.pyi"]
    assert "dtype: Any = 'int32'" in files["ndarray/random.pyi"]
    assert files["ndarray/contrib.pyi"].count("def boolean_mask(") == 1
    assert "def concatenate(seq: Sequence[Any], axis" in files["numpy/__init__.pyi"]
    assert "def transpose(a: Any, axes" in files["numpy/__init__.pyi"]
    assert "def convolution(data: Any, weight" in files["numpy_extension/__init__.pyi"]
    assert "def normal(loc: Any" in files["numpy/random.pyi"]
    [body] = [
        n for n in ast.parse(files["ndarray/ndarray.pyi"]).body if isinstance(n, ast.ClassDef)
    ]
    declared = {n.name for n in body.body if isinstance(n, ast.FunctionDef)}
    assert {"exp", "sum", "reshape", "attach_grad", "context", "asnumpy"} <= declared
