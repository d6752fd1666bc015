"""Training Gluon networks in MXNet's API, recorded call by call and hybridized."""

from __future__ import annotations

from ..workloads import gluon, language
from . import mx_train
from .base import Prepared, prepares
from .mx_train import STATIC

INPUTS = ("data", "label", "segment")


def _mlp(mx: object, net: gluon.MLP) -> object:
    nn = mx.gluon.nn
    block = nn.HybridSequential()
    for width in net.widths[1:-1]:
        block.add(nn.Dense(width, activation="relu"))
    block.add(nn.Dense(net.widths[-1]))
    return block


def _lstm(mx: object, net: language.LSTM) -> object:
    nn = mx.gluon.nn
    block = nn.HybridSequential()
    block.add(nn.Embedding(net.vocabulary, net.width))
    block.add(mx.gluon.rnn.LSTM(net.width, net.layers, input_size=net.width))
    block.add(nn.Dense(net.vocabulary, flatten=False))
    block.add(nn.HybridLambda(lambda F, x: x.reshape((-1, net.vocabulary))))
    return block


def _transformer(mx: object, net: language.Transformer) -> object:
    nn, steps, width, heads = mx.gluon.nn, net.steps, net.width, net.heads
    each = width // heads

    class Layer(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.qkv = nn.LayerNorm(), nn.Dense(3 * width, flatten=False)
            self.mix, self.norm2 = nn.Dense(width, flatten=False), nn.LayerNorm()
            self.wide = nn.Dense(4 * width, flatten=False, activation="relu")
            self.narrow = nn.Dense(width, flatten=False)
            self.ahead = self.params.get_constant("ahead", mx.nd.array(net.ahead()))

        def hybrid_forward(self, F: object, x: object, ahead: object) -> object:
            y = self.qkv(self.norm1(x)).reshape((0, 0, 3, heads, each))
            y = F.transpose(y, axes=(2, 0, 3, 1, 4)).reshape((3, -1, steps, each))
            q, k, v = F.split(y, num_outputs=3, axis=0, squeeze_axis=True)
            scores = F.batch_dot(q, k, transpose_b=True) * each**-0.5
            seen = F.batch_dot(F.softmax(F.broadcast_add(scores, ahead)), v)
            seen = F.transpose(seen.reshape((-1, heads, steps, each)), axes=(0, 2, 1, 3))
            x = x + self.mix(seen.reshape((0, 0, -1)))
            return x + self.narrow(self.wide(self.norm2(x)))

    class Model(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(net.vocabulary, width)
            self.place = self.params.get("place", shape=(steps, width))
            self.body = nn.HybridSequential()
            self.body.add(*[Layer() for _ in range(net.layers)])
            self.output = nn.Dense(net.vocabulary, flatten=False)

        def hybrid_forward(self, F: object, tokens: object, place: object) -> object:
            x = F.broadcast_add(self.embedding(F.transpose(tokens)), F.expand_dims(place, axis=0))
            x = F.transpose(self.output(self.body(x)), axes=(1, 0, 2))
            return x.reshape((-1, net.vocabulary))

    return Model()


MAKERS = {"mlp": _mlp, "lstm_lm": _lstm, "transformer_lm": _transformer, "lstm650": _lstm}


def _train(mx: object, arrays: dict, name: str, hybrid: bool) -> Prepared:
    net = MAKERS[name](mx, gluon.NETS[name])
    net.initialize()
    if hybrid:
        net.hybridize(**STATIC)
    net(mx.nd.array(arrays["data"]))
    fill(mx, net, arrays)
    return mx_train.imperative(mx, net, arrays)


def fill(mx: object, net: object, arrays: dict) -> None:
    """Give the parameters that are trained their values, which come in the same order."""
    named = [(n, v) for n, v in arrays.items() if n not in INPUTS]
    params = [p for p in _in_order(net) if p.grad_req != "null"]
    if len(params) != len(named):
        raise ValueError(f"{len(params)} parameters for {len(named)} values")
    for param, (name, value) in zip(params, named):  # noqa: B905 (MXNet's Python is 3.8)
        if tuple(param.shape) != value.shape:
            raise ValueError(f"{param.name} {param.shape} is not {name} {value.shape}")
        param.set_data(mx.nd.array(value))


def _in_order(net: object) -> list:
    """Parameters in the order of layers; a Block's own come after its first layer."""
    own = list(net._reg_params.values())
    children = [p for child in net._children.values() for p in _in_order(child)]
    return children[:1] + own + children[1:] if own and children else own + children


for _name in MAKERS:
    for _way, _hybrid in (("block", False), ("hybrid", True)):
        prepares(f"gluon.{_name}", _way)(
            lambda mx, arrays, name=_name, hybrid=_hybrid: _train(mx, arrays, name, hybrid)
        )
for _way, _train_symbol in (("symbol", mx_train.symbolic), ("module", mx_train.fitted)):
    prepares("gluon.mlp", _way)(
        lambda mx, arrays, train=_train_symbol: train(
            mx, arrays, mx.sym.SoftmaxOutput(gluon.NETS["mlp"].symbol(mx.sym), name="softmax")
        )
    )
