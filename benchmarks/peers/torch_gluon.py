"""The networks of `workloads.gluon` in PyTorch."""

from __future__ import annotations

from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

from ..workloads import gluon, language
from .torch_train import batch, fill, training


def _mlp(torch: object, net: gluon.MLP) -> object:
    nn, layers = torch.nn, []
    for before, width in zip(net.widths, net.widths[1:], strict=False):
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _lstm(torch: object, net: language.LSTM) -> object:
    nn = torch.nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(net.vocabulary, net.width)
            self.lstm = nn.LSTM(net.width, net.width, net.layers)
            self.output = nn.Linear(net.width, net.vocabulary)

        def forward(self, tokens: object) -> object:
            return self.output(self.lstm(self.embedding(tokens))[0]).reshape(-1, net.vocabulary)

    return Model()


def _transformer(torch: object, net: language.Transformer) -> object:
    nn, width = torch.nn, net.width
    attend = nn.functional.scaled_dot_product_attention

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
            self.mix, self.norm2 = nn.Linear(width, width), nn.LayerNorm(width)
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: object) -> object:
            y = self.qkv(self.norm1(x)).unflatten(2, (3, net.heads, -1))
            q, k, v = y.permute(2, 0, 3, 1, 4)
            x = x + self.mix(attend(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
            return x + self.narrow(torch.relu(self.wide(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(net.vocabulary, width)
            self.place = nn.Embedding(net.steps, width)
            self.body = nn.Sequential(*[Layer() for _ in range(net.layers)])
            self.output = nn.Linear(width, net.vocabulary)

        def forward(self, tokens: object) -> object:
            x = self.output(self.body(self.embedding(tokens.t()) + self.place.weight))
            return x.transpose(0, 1).reshape(-1, net.vocabulary)

    return Model()


def _declare(name: str, make: Callable) -> None:
    net = gluon.NETS[name]

    def build(torch: object, arrays: dict) -> tuple:
        data, label = batch(torch, arrays)
        values = {k: v for k, v in arrays.items() if k not in ("data", "label")}
        words = isinstance(net, language.LanguageModel)
        return fill(torch, make(torch, net), values), data.long() if words else data, label

    training(f"gluon.{name}", ("eager", "compile"), build)


MAKERS = {"mlp": _mlp, "lstm_lm": _lstm, "transformer_lm": _transformer, "lstm650": _lstm}
for _pair in MAKERS.items():
    _declare(*_pair)
