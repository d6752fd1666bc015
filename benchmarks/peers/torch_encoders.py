"""The networks of `workloads.encoders` in PyTorch."""

from __future__ import annotations

from functools import partial

from ..workloads import encoders
from .torch_train import fill, inference


def _bert(torch: object, net: encoders.Encoder) -> object:
    nn, width = torch.nn, net.width
    attend = nn.functional.scaled_dot_product_attention

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.norm1 = nn.LayerNorm(width, eps=net.eps)
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.norm2 = nn.LayerNorm(width, eps=net.eps)

        def forward(self, x: object) -> object:
            q, k, v = self.qkv(x).unflatten(2, (3, net.heads, -1)).permute(2, 0, 3, 1, 4)
            x = self.norm1(x + self.mix(attend(q, k, v).transpose(1, 2).flatten(2)))
            return self.norm2(x + self.narrow(nn.functional.gelu(self.wide(x))))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(net.vocabulary, width)
            self.place = nn.Embedding(net.steps, width)
            self.segment = nn.Embedding(2, width)
            self.start = nn.LayerNorm(width, eps=net.eps)
            self.body = nn.Sequential(*[Layer() for _ in range(net.layers)])

        def forward(self, word: object, segment: object) -> object:
            x = self.word(word) + self.segment(segment) + self.place.weight
            return self.body(self.start(x))

    return Model()


def _encoder(torch: object, arrays: dict, net: encoders.Encoder) -> tuple:
    """Model, words, and segments."""
    values = dict(arrays)
    inputs = [torch.tensor(values.pop(name)).long() for name in ("data", "segment")]
    return fill(torch, _bert(torch, net), values), *inputs


def _recurrent(torch: object, arrays: dict, net: encoders.Recurrent) -> tuple:
    """Model and data."""
    values = dict(arrays)
    data = torch.tensor(values.pop("data"))

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(net.width, net.width, net.layers)

        def forward(self, x: object) -> object:
            return self.lstm(x)[0]

    return fill(torch, First(), values), data


for _name, _net in encoders.NETS.items():
    _build = _recurrent if isinstance(_net, encoders.Recurrent) else _encoder
    inference(_name, ("eager", "compile"), partial(_build, net=_net))
