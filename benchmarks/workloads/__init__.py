"""All workloads, by name, and in groups."""

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

_FILES = {
    "overhead": (add16, chain100, tiny_hybrid, install),
    "training": (lenet, resnet, gluon),
    "inference": (convnets, encoders),
    "rest": (large_eager, memory, records),
}
GROUPS = {name: [w for f in files for w in f.WORKLOADS] for name, files in _FILES.items()}
ALL = {w.name: w for group in GROUPS.values() for w in group}


def select(only: str | None) -> list[Workload]:
    """Workloads by groups, names, or their parts before the dot, separated by commas; None: all."""
    if only is None:
        return list(ALL.values())
    found = []
    for wanted in filter(None, only.split(",")):
        named = [w for n, w in ALL.items() if wanted in (n, n.split(".")[0])]
        matching = GROUPS.get(wanted, named)
        if not matching:
            known = ", ".join((*GROUPS, *ALL))
            raise ValueError(f"unknown workload {wanted!r}; there are {known}")
        found += [w for w in matching if w not in found]
    return found


def without(workload: Workload, names: Sequence[str]) -> Workload:
    """The workload without these peers or contestants."""
    kept = [c for c in workload.contestants if c not in names and c.split("/")[0] not in names]
    return replace(workload, contestants=tuple(kept))


__all__ = ["ALL", "BARYON", "BEST", "Bar", "Workload", "select", "without"]
