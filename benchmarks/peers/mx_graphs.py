"""Graphs of many small operators in MXNet's API."""

from __future__ import annotations

import time
from functools import partial

from ..workloads import graphs
from .base import Prepared, digest, prepares


def stages(mx: object, arrays: dict, kind: str, nodes: int) -> Prepared:
    """Seconds of each stage; the first step may compile what binding left to it."""
    x = mx.nd.array(arrays["x"])
    graphs.symbol(mx.sym, kind, 2).simple_bind(mx.cpu(), x=x.shape)  # loads what is loaded late
    clock = [time.perf_counter()]
    symbol = graphs.symbol(mx.sym, kind, nodes)
    clock.append(time.perf_counter())
    executor = symbol.simple_bind(mx.cpu(), x=x.shape)
    clock.append(time.perf_counter())
    for _ in range(2):
        executor.forward(is_train=True, x=x)
        executor.backward(mx.nd.ones(x.shape))
        mx.nd.waitall()
        clock.append(time.perf_counter())
    spent = [after - before for before, after in zip(clock, clock[1:])]  # noqa: B905
    check = digest(executor.outputs[0].asnumpy(), executor.grad_dict["x"].asnumpy())
    return Prepared(check, figures=dict(zip(("build", "bind", "first", "next"), spent)))  # noqa: B905


for _name, (_kind, _nodes) in graphs.RUNS.items():
    prepares(_name, "symbol")(partial(stages, kind=_kind, nodes=_nodes))
