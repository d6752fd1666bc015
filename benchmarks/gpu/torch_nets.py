"""The same workloads in PyTorch: eager, compiled, and compiled with CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .sizes import Sizes

Prepared = tuple[Callable[[], object], Callable[[], object]]
MODES = {"compile": "default", "graphs": "reduce-overhead"}


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _compiled(function: Any, way: str) -> Any:
    return function if way == "eager" else torch.compile(function, mode=MODES[way])


def _training(
    net: Any, inputs: list, label: Any, half: str | None, way: str, optimizer: Any
) -> Prepared:
    dtype = getattr(torch, half) if half else None
    kind = label.device.type
    scaler = torch.amp.GradScaler(kind, enabled=half == "float16" and kind == "cuda")

    def loss_of() -> Any:
        with torch.autocast(kind, dtype=dtype, enabled=half is not None):
            out = net(*inputs)
            return F.cross_entropy(out.reshape(-1, out.shape[-1]).float(), label.reshape(-1))

    loss_of = _compiled(loss_of, way)

    def step() -> Any:
        if way == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return step, _finish


def _words(device: str, words: int, *shape: int) -> list:
    return [torch.randint(0, words, shape, device=device) for _ in range(2)]


class _Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        layers = []
        for i, (filters, size, pace) in enumerate(
            ((width, 1, 1), (width, 3, stride), (4 * width, 1, 1))
        ):
            given = before if i == 0 else width
            layers += [nn.Conv2d(given, filters, size, pace, size // 2, bias=False)]
            layers += [nn.BatchNorm2d(filters)] + ([nn.ReLU(True)] if i < 2 else [])
        self.body, self.side = nn.Sequential(*layers), nn.Identity()
        if stride > 1 or before != 4 * width:
            convolution = nn.Conv2d(before, 4 * width, 1, stride, bias=False)
            self.side = nn.Sequential(convolution, nn.BatchNorm2d(4 * width))

    def forward(self, x: Any) -> Any:
        return F.relu(self.body(x) + self.side(x))


def resnet50(sizes: Sizes, device: str, half: str, way: str) -> Prepared:
    batch, side = sizes.images
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True)]
    layers += [nn.MaxPool2d(3, 2, 1)]
    before = 64
    for stage, count in enumerate(sizes.stages):
        for i in range(count):
            layers.append(_Bottleneck(before, 64 << stage, 2 if stage and not i else 1))
            before = 4 * (64 << stage)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000)]
    net = nn.Sequential(*layers).to(device, memory_format=torch.channels_last)
    data = torch.randn(batch, 3, side, side, device=device)
    data = data.to(memory_format=torch.channels_last)
    label = torch.randint(0, 1000, (batch,), device=device)
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9, weight_decay=1e-4)
    return _training(net, [data], label, half, way, optimizer)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Any) -> Any:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)
        x = self.norm1(x + F.dropout(self.mix(seen.transpose(1, 2).flatten(2)), 0.1))
        return self.norm2(x + F.dropout(self.narrow(F.gelu(self.wide(x))), 0.1))


def bert(sizes: Sizes, device: str, half: str, way: str) -> Prepared:
    batch, steps = sizes.text
    layers, width, heads, words = sizes.bert
    net = nn.Sequential(nn.Embedding(words, width), nn.LayerNorm(width), nn.Dropout(0.1))
    net.extend([*(_Layer(width, heads) for _ in range(layers)), nn.Linear(width, words)])
    net.to(device)
    data, label = _words(device, words, batch, steps)
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    return _training(net, [data], label, half, way, optimizer)


def mlp(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    batch, *widths = sizes.mlp
    layers = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    net = nn.Sequential(*layers[:-1]).to(device)
    label = torch.randint(0, widths[-1], (batch,), device=device)
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)
    data = torch.randn(batch, widths[0], device=device)
    return _training(net, [data], label, half, way, optimizer)


def lenet(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    layers, before = [], 1
    for filters in (20, 50):
        layers += [nn.Conv2d(before, filters, 5), nn.ReLU(), nn.MaxPool2d(2, 2)]
        before = filters
    layers += [nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)]
    net = nn.Sequential(*layers).to(device)
    data = torch.randn(sizes.digits, 1, 28, 28, device=device)
    label = torch.randint(0, 10, (sizes.digits,), device=device)
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)
    return _training(net, [data], label, half, way, optimizer)


class _First(nn.Module):
    def __init__(self, lstm: Any) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x: Any) -> Any:
        return self.lstm(x)[0]


def lstm(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    steps, batch, width, words = sizes.lstm
    layers = nn.Embedding(words, width), _First(nn.LSTM(width, width, 2)), nn.Linear(width, words)
    net = nn.Sequential(*layers).to(device)
    data, label = _words(device, words, steps, batch)
    optimizer = torch.optim.SGD(net.parameters(), 1e-4)
    return _training(net, [data], label, half, way, optimizer)


def pointwise(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    x, y = (torch.randn(sizes.pointwise, device=device) for _ in range(2))

    def chain(x: Any, y: Any) -> Any:
        return torch.tanh(F.relu(x * 0.5 + y) * 1.5 - torch.sigmoid(x)) + y

    chain = _compiled(chain, way)
    return lambda: chain(x, y), _finish


def copy(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    x, y = (torch.randn(sizes.pointwise, device=device) for _ in range(2))
    return lambda: y.copy_(x), _finish


def eager(sizes: Sizes, device: str, half: str | None, way: str) -> Prepared:
    x, y = (torch.randn(sizes.small, device=device) for _ in range(2))

    def step() -> Any:
        for _ in range(100):
            z = x + y
        return z

    return step, _finish


WORKLOADS = {f.__name__: f for f in (resnet50, bert, mlp, lenet, lstm, pointwise, copy, eager)}
