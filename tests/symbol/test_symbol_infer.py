"""Inference of shapes and types, whole and partial, both ways. As seen in MXNet 1.9.1."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import sym

V = sym.var


def fc(x, **kwargs):
    return sym.FullyConnected(x, num_hidden=3, **kwargs)


def net():
    return fc(sym.relu(fc(V("data"), name="fc1"), name="r"), name="fc2")


WHOLE = ([(2, 5), (3, 5), (3,), (3, 3), (3,)], [(2, 3)], [])


def test_forward():
    assert net().infer_shape(data=(2, 5)) == WHOLE
    assert net().infer_shape((2, 5)) == WHOLE
    bn = sym.BatchNorm(V("a"), name="bn").infer_shape(a=(2, 3, 4, 4))
    assert bn == ([(2, 3, 4, 4), (3,), (3,)], [(2, 3, 4, 4)], [(3,), (3,)])
    assert (V("a", shape=(2, 3)) * V("b")).infer_shape() == ([(2, 3), (2, 3)], [(2, 3)], [])


def test_backward_and_unknown_dimensions():
    assert (V("a") + V("b")).infer_shape(b=(2, 3))[0] == [(2, 3), (2, 3)]
    assert (V("a", shape=(0, 3)) * V("b")).infer_shape(b=(4, 0))[1] == [(4, 3)]
    assert net().infer_shape_partial() == ([()] * 5, [()], [])
    partial = net().infer_shape_partial(data=(0, 5))
    assert partial == ([(0, 5), (3, 5), (3,), (3, 3), (3,)], [(0, 3)], [])
    conv = sym.Convolution(V("a"), kernel=(3, 3), num_filter=2, name="c")
    assert conv.infer_shape_partial(c_weight=(2, 5, 3, 3))[0][1:] == [(2, 5, 3, 3), ()]
    with pytest.warns(UserWarning, match="Cannot decide shape.*\n.*data"):
        assert net().infer_shape() == (None, None, None)


def test_errors_name_node_and_shapes():
    with pytest.raises(mx.MXNetError, match=r"'fc1'.*FullyConnected.*\(3,7\)"):
        net().infer_shape(data=(2, 5), fc1_weight=(3, 7))
    with pytest.raises(mx.MXNetError, match="'foo'.*not an input.*data"):
        net().infer_shape(foo=(2, 5))
    with pytest.raises(ValueError, match="not both"):
        net().infer_shape((2, 5), data=(2, 5))
    with pytest.raises(ValueError, match="1 arguments"):
        V("a").infer_shape((1,), (2,))
    with pytest.raises(TypeError, match="data.*'x'"):
        net().infer_shape(data="x")


def test_types():
    half = np.float16
    assert net().infer_type(data="float16") == ([half] * 5, [half], [])
    assert net().infer_type(data=np.float64)[1] == [np.float64]
    cast = sym.Cast(V("a"), dtype="int32").infer_type(a="float32")
    assert cast == ([np.float32], [np.int32], [])
    ids = sym.Embedding(V("a"), input_dim=3, output_dim=2, name="e").infer_type(a="int32")
    assert ids == ([np.int32, np.float32], [np.float32], [])
    assert V("a", dtype="float64").infer_type()[0] == [np.float64]
    assert net().infer_type() == (None, None, None)
    assert net().infer_type_partial() == ([None] * 5, [None], [])
    with pytest.raises(mx.MXNetError, match=r"'fc1'.*float16.*float32|'fc1'.*float32.*float16"):
        net().infer_type(data="float16", fc1_weight="float32")
    with pytest.raises(mx.MXNetError, match="foo"):
        net().infer_type(data="foo")


def test_numpy_shapes_have_real_zeros():
    with mx.util.np_shape(True):
        assert (V("a") * 2).infer_shape(a=(0, 3))[1] == [(0, 3)]
        assert (V("a") + V("b")).infer_shape_partial(a=(-1, 3), b=(2, -1))[1] == [(2, 3)]


def test_storage_types():
    assert net().infer_storage_type() == (["default"] * 5, ["default"], [])
    sparse = mx.sym.square(mx.sym.var("x", stype="row_sparse"))
    assert sparse.infer_storage_type() == (["row_sparse"], ["row_sparse"], [])
    assert sparse.infer_storage_type(x="csr") == (["csr"], ["csr"], [])
    with pytest.raises(mx.MXNetError, match="data.*'ellpack'"):
        net().infer_storage_type(data="ellpack")


@pytest.mark.parametrize(
    ("draw", "want"),
    [
        (lambda a: sym.sum(a, axis=(1, 2)), [(0, 8)]),
        (lambda a: sym.mean(a, axis=1, keepdims=True, exclude=True), [(1, 4, 1, 1)]),
        (lambda a: sym.repeat(a, repeats=2, axis=1), [(0, 8, 7, 8)]),
        (lambda a: sym.UpSampling(a, scale=2, sample_type="nearest"), [(0, 4, 14, 16)]),
        (lambda a: sym.split_v2(a, (1, 3), axis=1), [(0, 1, 7, 8), (0, 2, 7, 8), (0, 1, 7, 8)]),
        (lambda a: sym.Crop(a, h_w=(3, 3), num_args=1), [(0, 4, 3, 3)]),
        (lambda a: sym.depth_to_space(a, block_size=2), [(0, 1, 14, 16)]),
        (lambda a: sym.slice_axis(a, axis=0, begin=0, end=3), [(0, 4, 7, 8)]),
    ],
)
def test_an_unknown_batch_leaves_the_rest_known(draw, want):
    assert draw(V("a")).infer_shape_partial(a=(0, 4, 7, 8))[1] == want


def test_labels_follow_data_of_unknown_batch():
    for head in (sym.SoftmaxOutput, sym.SVMOutput):
        assert head(V("a"), name="h").infer_shape_partial(a=(0, 3))[0] == [(0, 3), (0,)]


def test_types_of_positions_follow_the_data():
    masked = sym.SequenceMask(V("a"), V("n"), use_sequence_length=True)
    assert masked.infer_type(a="float64")[0] == [np.float64, np.float64]
    assert sym.batch_take(V("a"), V("i")).infer_type(a="float64")[0] == [np.float64, np.int32]


def test_bilinear_upsampling_makes_its_weight():
    net = sym.UpSampling(V("a"), scale=2, sample_type="bilinear", num_filter=4, name="up")
    assert net.list_arguments() == ["a", "up_weight"]
    assert net.infer_shape(a=(2, 4, 7, 8))[0] == [(2, 4, 7, 8), (4, 1, 4, 4)]
    assert net.attr_dict()["up_weight"]["__init__"] == '["bilinear", {}]'
    assert sym.load_json(net.tojson()).list_arguments() == ["a", "up_weight"]
