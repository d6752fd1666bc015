"""The networks of `workloads.gluon` in PyTorch."""

from __future__ import annotations

from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

from ..workloads import gluon, resnet
from .base import Prepared, prepares, repeat
from .torch_resnet import train as train_resnet


def _mlp(torch: object, net: gluon.MLP) -> object:
    nn, layers = torch.nn, []
    for before, width in zip(net.widths, net.widths[1:], strict=False):
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _lstm(torch: object, net: gluon.LSTM) -> object:
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


def _transformer(torch: object, net: gluon.Transformer) -> object:
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


def _train(torch: object, arrays: dict, make: Callable, net: object) -> Prepared:
    """A step as users write it."""
    values = dict(arrays)
    data, label = torch.tensor(values.pop("data")), torch.tensor(values.pop("label")).long()
    if data.ndim == 2 and isinstance(net, gluon.LanguageModel):
        data = data.long()
    model = make(torch, net)
    with torch.no_grad():
        for param, value in zip(model.parameters(), values.values(), strict=True):
            if tuple(param.shape) != value.shape:
                raise ValueError(f"a parameter of shape {tuple(param.shape)} for {value.shape}")
            param.copy_(torch.tensor(value))
    loss_of = torch.nn.CrossEntropyLoss()
    options = {"lr": gluon.LEARNING_RATE, "momentum": gluon.MOMENTUM}
    sgd = torch.optim.SGD(model.parameters(), **options)

    def step() -> object:
        sgd.zero_grad()
        loss = loss_of(model(data), label)
        loss.backward()
        sgd.step()
        return loss

    losses = [step().item() for _ in range(gluon.CHECKED_STEPS)]
    return Prepared(losses, repeat(step))


for _name, _make in (("mlp", _mlp), ("lstm_lm", _lstm), ("transformer_lm", _transformer)):
    prepares(f"gluon.{_name}", "eager")(
        lambda torch, arrays, make=_make, name=_name: _train(torch, arrays, make, gluon.NETS[name])
    )
prepares("gluon.resnet20", "eager")(
    lambda torch, arrays: train_resnet(torch, arrays, resnet.RESNET20)
)
