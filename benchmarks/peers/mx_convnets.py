"""Inference with convolutional networks in MXNet's API."""

from __future__ import annotations

from ..workloads import convnets
from .base import Prepared, digest, prepares, repeat
from .mx_eager import arrays_of
from .mx_train import bound


def infer(mx: object, arrays: dict, net: convnets.Net, fused: bool) -> Prepared:
    """A bound executor; `fused` by MXNet's own subgraph backend."""
    values = arrays_of(mx, arrays)
    data = values.pop("data")
    symbol = convnets.symbol(mx.sym, net)
    if fused:
        symbol = symbol.get_backend_symbol("MKLDNN")
    executor = bound(mx, symbol, {**values, "data": data.copy()})

    def step() -> object:
        return executor.forward(is_train=False, data=data)[0]

    return Prepared(digest(step().asnumpy()), repeat(step), mx.nd.waitall)


def _declare(name: str, net: convnets.Net) -> None:
    for way, fused in (("symbol", False), ("fused", True)):
        prepares(name, way)(lambda mx, arrays, fused=fused: infer(mx, arrays, net, fused))


for _name, (_net, _) in convnets.RUNS.items():
    _declare(_name, _net)
