"""Graphs that tests draw; ``data/NAME.json`` is what MXNet 1.9.1 writes for each.

Each function takes the package to draw with, so that the same lines ran in MXNet.
"""

from __future__ import annotations

from typing import Any


def lenet(mx: Any) -> Any:
    """Names by hand and by the name manager."""
    x = mx.sym.var("data")
    x = mx.sym.Convolution(x, kernel=(5, 5), num_filter=6, name="conv1")
    x = mx.sym.Activation(x, act_type="tanh")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.Convolution(data=x, kernel=(3, 3), num_filter=8, pad=(1, 1), no_bias=True)
    x = mx.sym.Pooling(x, pool_type="avg", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=10)
    return mx.sym.SoftmaxOutput(x, name="softmax")


def resnet_unit(mx: Any) -> Any:
    """Auxiliary states, whose entries carry versions."""
    x = mx.sym.Variable("data")
    bn = mx.sym.BatchNorm(x, fix_gamma=False, eps=2e-5, momentum=0.9, name="bn1")
    act = mx.sym.Activation(bn, act_type="relu", name="relu1")
    conv = mx.sym.Convolution(
        act, num_filter=4, kernel=(3, 3), pad=(1, 1), no_bias=True, workspace=256, name="conv1"
    )
    bn2 = mx.sym.BatchNorm(conv, use_global_stats=True)
    shortcut = mx.sym.Convolution(act, num_filter=4, kernel=(1, 1), no_bias=True, name="sc")
    return mx.sym.Pooling(bn2 + shortcut, global_pool=True, kernel=(7, 7), pool_type="avg")


def lstm_unrolled(mx: Any) -> Any:
    """Two steps of an LSTM cell on shared weights, written out."""
    names = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
    w = {n: mx.sym.var("lstm_" + n) for n in names}
    steps = mx.sym.SliceChannel(mx.sym.var("data"), num_outputs=2, axis=1, squeeze_axis=1)
    h, c, outputs = mx.sym.zeros((0, 4)), mx.sym.var("c0", shape=(0, 4)), []
    for t in range(2):
        i2h = mx.sym.FullyConnected(
            steps[t], w["i2h_weight"], w["i2h_bias"], num_hidden=16, name=f"t{t}_i2h"
        )
        h2h = mx.sym.FullyConnected(
            data=h, weight=w["h2h_weight"], bias=w["h2h_bias"], num_hidden=16, name=f"t{t}_h2h"
        )
        parts = mx.sym.split(i2h + h2h, num_outputs=4, name=f"t{t}_slice")
        i = mx.sym.Activation(parts[0], act_type="sigmoid")
        f = mx.sym.sigmoid(parts[1])
        o = mx.sym.sigmoid(parts[3], name=f"t{t}_o")
        c = f * c + i * mx.sym.tanh(parts[2])
        h = o * mx.sym.tanh(c)
        outputs.append(h)
    return mx.sym.Group([mx.sym.stack(*outputs, axis=1), c])


def split_concat(mx: Any) -> Any:
    """Operators with many inputs and many outputs, several of which are heads."""
    a, b = mx.sym.var("a"), mx.sym.var("b")
    parts = mx.sym.SliceChannel(a, num_outputs=3, axis=1)
    joined = mx.sym.concat(parts[2], b, parts[0], dim=0)
    total = mx.sym.add_n(joined, joined, mx.sym.Concat(b, a, b, dim=0, name="again"))
    found = mx.sym.topk(total, k=2, ret_typ="both", axis=-1)
    return mx.sym.Group([found, parts[1], mx.sym.BlockGrad(total), parts])


def scalars(mx: Any) -> Any:
    """Python's operators with numbers of every kind on both sides, and with symbols."""
    x, y = mx.sym.var("x"), mx.sym.var("y")
    z = (x + 1) * 2.5 - (3 - x) / 4
    z = 1e-5 / (z**2 + 7) + 2.0**x - (-y) % 3
    z = (z > 0) + (z >= y) * (1 != z) - (y == x)  # noqa: SIM300
    return mx.sym.maximum(z, 0) + mx.sym.minimum(x, y) ** y + mx.sym.hypot(3, z) + abs(x)


def rnn(mx: Any) -> Any:
    """The fused operator with all its states, reductions, and an embedding."""
    x = mx.sym.Embedding(mx.sym.var("tokens"), input_dim=11, output_dim=4, name="embed")
    x = mx.sym.swapaxes(x, dim1=0, dim2=1)
    out = mx.sym.RNN(
        data=x, state_size=5, num_layers=2, mode="lstm", bidirectional=True, state_outputs=True,
        p=0.25, name="lstm",
    )  # fmt: skip
    last = mx.sym.slice_axis(out[0], axis=0, begin=-1, end=None)
    return mx.sym.Group([mx.sym.mean(last, axis=(0, 1), keepdims=True), out[1], out[2]])


def prelu(mx: Any) -> Any:
    """Variables with initializers, and shapes with attributes of their own."""
    w = mx.sym.var("w", shape=(3, 4), dtype="float32", lr_mult=0.5, init=mx.init.Xavier())
    x = mx.sym.LeakyReLU(mx.sym.dot(mx.sym.var("x"), w, transpose_a=True), act_type="prelu")
    x = mx.sym.reshape(x, shape=(0, -1, 2)).transpose(axes=(0, 2, 1)).expand_dims(axis=1)
    x = mx.sym.Dropout(x.squeeze(axis=1), p=0.3, mode="always", axes=(1,))
    x = x.clip(a_min=-1, a_max=1.5).sum(axis=1, exclude=True)
    return mx.sym.Cast(mx.sym.one_hot(x, depth=5, on_value=2.0), dtype="float16")


def attributes(mx: Any) -> Any:
    """Attribute scopes, name prefixes, and attributes given to calls."""
    with mx.AttrScope(ctx_group="stage1", __layer__="first"), mx.name.Prefix("net_"):
        x = mx.sym.var("data", attr={"mood": "calm"})
        x = mx.sym.FullyConnected(x, num_hidden=3, attr={"__lr_mult__": "2"}, name="fc")
        with mx.AttrScope(ctx_group="stage2"):
            x = mx.sym.relu(x)
    return mx.sym.FullyConnected(x, num_hidden=3, lr_mult=0.1, flatten=False)


def loops(mx: Any) -> Any:
    """A loop in a loop over an outer result, and a loop with a condition."""
    x, s, w = mx.sym.var("x"), mx.sym.var("s"), mx.sym.var("w")

    def rows(row: Any, total: Any) -> Any:
        _, new = mx.sym.contrib.foreach(lambda v, t: (v * t, t + v * w), row, total)
        return new * 2, new

    rows_out, last = mx.sym.contrib.foreach(rows, mx.sym.exp(x), s)
    steps, ends = mx.sym.contrib.while_loop(
        lambda n, p: n < 3, lambda n, p: (p * w, [n + 1, p * w]), [mx.sym.var("n"), last], 4
    )
    return mx.sym.Group([rows_out, steps, ends[1]])


def branch(mx: Any) -> Any:
    """One of two graphs, of which each reads something else."""
    a, b = mx.sym.var("a"), mx.sym.var("b")
    return mx.sym.contrib.cond(mx.sym.sum(a) > 0, lambda: a * b, lambda: b - 3) * 2


GRAPHS = {
    f.__name__: f
    for f in (
        lenet, resnet_unit, lstm_unrolled, split_concat, scalars, rnn, prelu, attributes, loops,
        branch,
    )
}  # fmt: skip
