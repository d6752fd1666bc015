"""Cases of single operators, and the workloads that they make."""

from __future__ import annotations

from . import elementwise, matrix, network
from .case import PEERS, SIZES, Case

CASES = {c.name: c for c in (*elementwise.CASES, *matrix.CASES, *network.CASES)}
WORKLOADS = {w.name: w for w in (case.workload(size) for case in CASES.values() for size in SIZES)}

__all__ = ["CASES", "PEERS", "SIZES", "WORKLOADS", "Case"]
