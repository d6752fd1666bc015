"""Wrong shapes, dtypes, devices and attributes: errors that name operator, argument and facts."""

from __future__ import annotations

import re

import pytest

import baryon as mx
from baryon import nd, sym

X, INTS, HALVES = (2, 3), "int32", "float16"


def ones(*shape, dtype="float32"):
    return nd.ones(shape, dtype=dtype)


def conv(data=(1, 1, 5, 5), weight=(1, 1, 3, 3), **kwargs):
    attrs = {"kernel": (3, 3), "num_filter": 1, **kwargs}
    return nd.Convolution(ones(*data), ones(*weight), ones(1), **attrs)


# What is called, and words that its MXNetError has: operator, argument, expected and actual.
CALLS = {
    "weight": (lambda: nd.FullyConnected(ones(*X), ones(4, 5), ones(4), num_hidden=4),
               "operator FullyConnected: .*(4,5).*(4,3).*data (2,3), weight (4,5), bias (4)"),
    "missing bias": (lambda: nd.FullyConnected(ones(*X), ones(4, 3), num_hidden=4),
                     "operator FullyConnected: expects 3 inputs (data, weight, bias), got 2"),
    "hidden": (lambda: nd.FullyConnected(ones(*X), ones(4, 3), ones(4), num_hidden=-4),
               "operator FullyConnected: num_hidden is -4"),
    "not an int": (lambda: nd.FullyConnected(ones(*X), ones(4, 3), num_hidden="four"),
                   "operator FullyConnected: attribute num_hidden expects int, got 'four'"),
    "required": (lambda: nd.sgd_update(ones(*X), ones(*X)),
                 "operator sgd_update: attribute lr is required"),
    "unknown attribute": (lambda: nd.relu(ones(1), colour=1),
                          "operator relu: unknown attribute colour"),
    "choice": (lambda: nd.Activation(ones(*X), act_type="x"),
               "operator Activation: attribute act_type expects .*'tanh'.*got 'x'"),
    "rank": (lambda: conv(data=(2, 3)), "operator Convolution: data has 2 axes, expected 4"),
    "big kernel": (lambda: conv(data=(1, 1, 2, 2)), "operator Convolution: kernel reaches over 3"),
    "stride": (lambda: conv(stride=(0, 0)), "operator Convolution: stride (0, 0)"),
    "dilate": (lambda: conv(dilate=(0, 0)), "operator Convolution: dilate (0, 0)"),
    "groups": (lambda: conv(num_group=0), "operator Convolution: num_group is 0"),
    "pad": (lambda: conv(pad=(-1, -1)), "operator Convolution: pad (-1, -1)"),
    "pooling": (lambda: nd.Pooling(ones(1, 1, 5, 5), kernel=(0, 0), pool_type="max"),
                "operator Pooling: kernel (0, 0)"),
    "dtypes": (lambda: ones(*X) + ones(*X, dtype=HALVES),
               "operator broadcast_add: data types differ.*lhs float32, rhs float16"),
    "ints": (lambda: nd.dot(ones(2, 2), ones(2, 2, dtype=INTS)), "operator dot: .*int32"),
    "broadcast": (lambda: ones(*X) * ones(2, 2), "operator broadcast_mul: .*(2,3), (2,2)"),
    "plain": (lambda: nd.elemwise_add(ones(*X), ones(3, 2)),
              "operator elemwise_add: .*lhs (2,3), rhs (3,2)"),
    "dot": (lambda: nd.dot(ones(*X), ones(*X)), "operator dot: .*3 and 2 differ"),
    "concat": (lambda: nd.concat(ones(*X), ones(3, 3), dim=1), "operator Concat: .*arg1 (3,3)"),
    "concat axis": (lambda: nd.concat(ones(*X), dim=7), "operator Concat: axis 7"),
    "split": (lambda: nd.split(ones(*X), num_outputs=2), "operator SliceChannel: .*3.*2 parts"),
    "reshape": (lambda: ones(*X).reshape((4, 2)), "operator Reshape: .*(2,3) to (4,2)"),
    "axes": (lambda: nd.transpose(ones(*X), axes=(0, 0)), "operator transpose: .*twice"),
    "axis": (lambda: nd.sum(ones(*X), axis=2), "operator sum: axis 2.*2 dimensions"),
    "k": (lambda: nd.topk(ones(*X), k=10), "operator topk: k is 10"),
    "step": (lambda: nd.slice(ones(*X), begin=(0,), end=(2,), step=(0,)), "operator slice: step"),
    "index": (lambda: nd.take(ones(*X), nd.array([9]), mode="raise"), "operator take: index 9"),
    "embedding": (lambda: nd.Embedding(ones(1), ones(4, 2), input_dim=5, output_dim=2),
                  "operator Embedding: .*weight (4,2)"),
    "states": (lambda: nd.BatchNorm(ones(*X), ones(3), ones(3), ones(3), ones(4)),
               "operator BatchNorm: .*moving_var (4)"),
    "label": (lambda: nd.SoftmaxOutput(ones(*X), ones(5)),
              "operator SoftmaxOutput: label has shape (5), expected (2)"),
    "slopes": (lambda: nd.LeakyReLU(ones(*X), ones(7), act_type="prelu"),
               "operator LeakyReLU: gamma has 7 entries, expected 1 or 3"),
    "probability": (lambda: nd.Dropout(ones(*X), p=2), "operator Dropout: p is 2.0"),
    "rnn": (lambda: nd.RNN(ones(2, 1, 3), ones(7), ones(1, 1, 4), state_size=4, num_layers=1,
                           mode="gru"), "operator RNN: .*parameters (7)"),
    "cast": (lambda: nd.cast(ones(1), dtype="foo"), "operator Cast: attribute dtype.*'foo'"),
    "out shape": (lambda: nd.relu(ones(*X), out=ones(1)),
                  "operator relu: out has shape (1,), expected (2, 3)"),
    "out dtype": (lambda: nd.relu(ones(1), out=ones(1, dtype=HALVES)),
                  "operator relu: out has dtype float16, expected float32"),
    "out": (lambda: nd.relu(ones(1), out=3), "operator relu: out must be an NDArray, got int"),
    "no input": (lambda: nd.relu(), "operator relu: expects 1 inputs (data), got 0"),
    "a symbol": (lambda: nd.relu(sym.var("a")), "operator relu: input data must be.*Symbol"),
    "device": (lambda: nd.zeros((1,), ctx=mx.gpu(99)), "GPU|device"),
    "device type": (lambda: mx.Context("tpu"), "'tpu'.*cpu"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_call(name):
    call, words = CALLS[name]
    with pytest.raises(mx.MXNetError) as caught:
        call()
    pattern = ".*".join(map(re.escape, words.split(".*"))) if "|" not in words else words
    assert re.search(pattern, str(caught.value)), str(caught.value)


def two():
    return sym.elemwise_add(sym.var("a"), sym.var("b"), name="total")


BINDINGS = {
    "unbound": (lambda: two().bind(mx.cpu(), {"a": ones(2)}), ValueError, "`b` is missing"),
    "unbound in eval": (lambda: two().eval(a=ones(2)), ValueError, "`b` is missing"),
    "too few": (lambda: two().bind(mx.cpu(), [ones(2)]), ValueError, "1 args given for 2 names"),
    "no array": (lambda: two().bind(mx.cpu(), {"a": 1, "b": 2}), TypeError, r"args\['a'\].*int"),
    "shapes": (lambda: two().bind(mx.cpu(), {"a": ones(2), "b": ones(3)}), mx.MXNetError,
               r"'total': operator elemwise_add: .*lhs \(2\), rhs \(3\)"),
    "dtypes": (lambda: two().eval(a=ones(2), b=ones(2, dtype=HALVES)), mx.MXNetError,
               "'total': operator elemwise_add: .*lhs float32, rhs float16"),
    "grad_req": (lambda: two().bind(mx.cpu(), {"a": ones(2), "b": ones(2)}, grad_req="foo"),
                 ValueError, "'foo'"),
    "gradient": (lambda: two().bind(mx.cpu(), {"a": ones(2), "b": ones(2)}, {"a": ones(3)}),
                 mx.MXNetError, r"gradient of 'a' has shape \(3,\), expected \(2,\)"),
    "states": (lambda: sym.BatchNorm(sym.var("a"), name="n").bind(
        mx.cpu(), {"a": ones(*X), "n_gamma": ones(3), "n_beta": ones(3)}), ValueError,
        "`n_moving_mean` is missing in `aux_states`"),
    "unknown": (lambda: two().simple_bind(mx.cpu(), a=(2,), c=(2,)), UserWarning, "'c'.*'a'"),
    "type": (lambda: two().simple_bind(mx.cpu(), a=(2,), type_dict={"a": "foo"}), mx.MXNetError,
             "'foo'"),
    "device": (lambda: two().simple_bind(mx.gpu(99), a=(2,)), mx.MXNetError, "GPU|device"),
}  # fmt: skip


@pytest.mark.parametrize("name", BINDINGS)
def test_binding(name):
    call, error, words = BINDINGS[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integer_division_by_zero_kills_nothing(dtype):
    least = nd.array([-(2 ** (8 * nd.zeros(1, dtype=dtype).dtype(0).itemsize - 1))], dtype=dtype)
    zero, minus = nd.zeros((1,), dtype=dtype), nd.array([-1], dtype=dtype)
    for x in (least, zero):
        for y in (zero, minus):
            (x / y).asnumpy(), (x % y).asnumpy()
        for number in (0, -1):
            (x / number).asnumpy(), (x % number).asnumpy()
