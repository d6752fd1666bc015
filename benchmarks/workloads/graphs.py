"""Graphs of many small operators: what building, binding and running them costs a node."""

from __future__ import annotations

import numpy as np

from .base import Bar, Workload, floats

NODES = (10, 100, 1_000, 10_000, 100_000)
KINDS = ("chain", "dag")
WIDTH, REACH = 4, 50
MXNET_LIMIT = 10_000  # beyond, its recursion ends the process


def arrays() -> dict[str, np.ndarray]:
    """The only input."""
    return {"x": floats(np.random.RandomState(7), WIDTH)}


def symbol(sym: object, kind: str, nodes: int) -> object:
    """Sums and tanh in turn: of the last value, or of it and one of the last `REACH` before."""
    rng, seen = np.random.RandomState(8), [sym.var("x")]
    back = rng.randint(1, REACH, nodes)
    for i in range(nodes):
        if i % 2:
            seen.append(sym.tanh(seen[-1]))
        elif kind == "chain":
            seen.append(seen[-1] + 0.1)
        else:
            seen.append(seen[-1] + seen[max(-back[i], -len(seen))])
    return seen[-1]


RUNS = {f"graph.{kind}.{n}": (kind, n) for kind in KINDS for n in NODES}


def _workload(name: str) -> Workload:
    kind, nodes = RUNS[name]
    return Workload(
        name,
        f"{kind} of {nodes} nodes: build, bind for training, first step, next step",
        arrays,
        ("baryon/symbol", "mxnet/symbol") if nodes <= MXNET_LIMIT else ("baryon/symbol",),
        (Bar("baryon/symbol#bind", 2.0),) if nodes == 10_000 else (),
        timed=False,
        unit="s",
    )


WORKLOADS = tuple(map(_workload, RUNS))
