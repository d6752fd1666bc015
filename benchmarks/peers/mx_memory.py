"""What a training executor plans, in MXNet's API; baryon tells more about its plan."""

from __future__ import annotations

import re

import numpy as np

from ..workloads.base import MIB
from ..workloads.memory import NETWORKS
from .base import Prepared, prepares

_TOTAL = re.compile(r"Total (\d+) MB allocated")


def bound(mx: object, workload: str) -> object:
    """The network bound for gradients of all parameters."""
    build, shape = NETWORKS[workload]
    symbol = build(mx.sym)
    inputs = ("data", "softmax_label")
    requests = {n: "null" if n in inputs else "write" for n in symbol.list_arguments()}
    return symbol.simple_bind(mx.cpu(), data=shape, grad_req=requests)


def plan(executor: object) -> dict[str, float]:
    """Bytes of the plan: from the report of the executor, or MXNet's debugging text."""
    if not hasattr(executor, "memory_plan"):
        return {"planned": int(_TOTAL.search(executor.debug_str()).group(1)) * MIB}
    report = executor.memory_plan()
    return {name: getattr(report, name) for name in ("planned", "lower_bound", "naive")}


def _network(workload: str) -> None:
    @prepares(workload, "symbol")
    def prepare(mx: object, arrays: dict) -> Prepared:
        executor = bound(mx, workload)
        counts = [float(np.prod(x.shape)) for x in executor.arg_arrays]
        return Prepared([float(len(counts)), sum(counts)], figures=plan(executor))


for _name in NETWORKS:
    _network(_name)
