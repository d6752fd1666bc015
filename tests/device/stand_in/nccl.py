"""``cupy.cuda.nccl`` for the stand-in: communicators of one process, work at a group's end."""

from __future__ import annotations

import ctypes
from types import ModuleType, SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np

from .calls import counts
from .cuda import current_device

KINDS = {
    "NCCL_INT8": (0, np.int8),
    "NCCL_UINT8": (1, np.uint8),
    "NCCL_INT32": (2, np.int32),
    "NCCL_INT64": (4, np.int64),
    "NCCL_FLOAT16": (6, np.float16),
    "NCCL_FLOAT32": (7, np.float32),
    "NCCL_FLOAT64": (8, np.float64),
    "NCCL_BFLOAT16": (9, ml_dtypes.bfloat16),
}
TYPES = {code: np.dtype(dtype) for code, dtype in KINDS.values()}
_group: list[tuple] | None = None


def _at(address: int, count: int, kind: int) -> np.ndarray:
    memory = (ctypes.c_char * (count * TYPES[kind].itemsize)).from_address(address)
    return np.frombuffer(memory, TYPES[kind])


class NcclCommunicator:
    """One device's end of a clique."""

    def __init__(self, clique: object, rank: int, size: int, device: int) -> None:
        self.clique, self.rank, self.count, self.device = clique, rank, size, device

    @staticmethod
    def initAll(devices: Any) -> list[NcclCommunicator]:
        devices = list(range(devices)) if isinstance(devices, int) else devices
        clique = object()
        return [NcclCommunicator(clique, i, len(devices), d) for i, d in enumerate(devices)]

    def _put(self, kind: str, *call: Any) -> None:
        assert _group is not None, "several devices of one thread need a group"
        assert current_device() == self.device
        _group.append((kind, self, *call))

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        self._put("sum", sendbuf, recvbuf, count, datatype, None)

    def reduce(self, sendbuf, recvbuf, count, datatype, op, root, stream):
        self._put("sum", sendbuf, recvbuf, count, datatype, root)

    def broadcast(self, sendbuff, recvbuff, count, datatype, root, stream):
        self._put("copy", sendbuff, recvbuff, count, datatype, root)


def groupStart() -> None:
    global _group
    _group = []


def _ends(kind: str, calls: list[tuple]) -> None:
    """One collective: each device's call, in the order of ranks."""
    assert [c[1].rank for c in calls] == list(range(calls[0][1].count)), "a device is missing"
    assert len({c[4:] for c in calls}) == 1, "counts, types or roots differ"
    _, _, _, _, count, dtype, root = calls[0]
    if kind == "sum":
        value = sum(_at(c[2], count, dtype).astype(np.float64) for c in calls)
    else:
        value = _at(calls[root][2], count, dtype).copy()
    for call in calls:
        if kind == "copy" or root in (None, call[1].rank):
            _at(call[3], count, dtype)[...] = value


def groupEnd() -> None:
    global _group
    calls, _group = _group, None
    counts["groups"] += 1
    while calls:
        size = calls[0][1].count
        _ends(calls[0][0], calls[:size])
        del calls[:size]


def module() -> ModuleType:
    """The module."""
    made = ModuleType("cupy.cuda.nccl")
    values = {n: code for n, (code, _) in KINDS.items()}
    made.__dict__.update(vars(SimpleNamespace(NCCL_SUM=0, available=True, **values)))
    for value in (NcclCommunicator, groupStart, groupEnd):
        setattr(made, value.__name__, value)
    return made
