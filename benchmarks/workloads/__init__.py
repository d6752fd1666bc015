"""All workloads, by name. A name's first part, before the dot, is its file."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

from . import (
    add16,
    chain100,
    convnets,
    encoders,
    gluon,
    install,
    large_eager,
    lenet,
    memory,
    records,
    resnet,
    tiny_hybrid,
)
from .base import BARYON, BEST, Bar, Workload

_FILES = (
    *(add16, chain100, tiny_hybrid, lenet, resnet, convnets),
    *(encoders, gluon, large_eager, memory, records, install),
)
ALL = {w.name: w for file in _FILES for w in file.WORKLOADS}


def select(only: str | None) -> list[Workload]:
    """Workloads of a comma-separated list of names or first parts; all where it is None."""
    if only is None:
        return list(ALL.values())
    found = []
    for wanted in filter(None, only.split(",")):
        matching = [w for n, w in ALL.items() if wanted in (n, n.split(".")[0])]
        if not matching:
            raise ValueError(f"unknown workload {wanted!r}; there are {', '.join(ALL)}")
        found += [w for w in matching if w not in found]
    return found


def without(workload: Workload, names: Sequence[str]) -> Workload:
    """The workload without these peers or contestants."""
    kept = [c for c in workload.contestants if c not in names and c.split("/")[0] not in names]
    return replace(workload, contestants=tuple(kept))


__all__ = ["ALL", "BARYON", "BEST", "Bar", "Workload", "select", "without"]
