"""Memory planning: one arena, offsets by first fit, nothing overlapping in both time and space.

Interval packing is NP-hard; largest-first (Gergov's greedy, as in TVM's and TFLite's planners)
comes within 2 % of the lower bound on real networks, and a few other orders are tried when not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..base import MXNetError

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
CLOSE_ENOUGH = 1.01  # of the lower bound: no other order is tried


@dataclass(frozen=True)
class Buffer:
    """`size` bytes that must exist from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where each buffer lies, and how good that is.

    naive, lower_bound, planned : bytes if nothing were shared, that any plan needs, of this plan.
    """

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    naive: int
    lower_bound: int
    planned: int

    def __str__(self) -> str:
        mb = [x / 2**20 for x in (self.naive, self.lower_bound, self.planned)]
        return "memory: naive {:.1f} MB, lower bound {:.1f} MB, planned {:.1f} MB".format(*mb)

    def live_bytes(self) -> np.ndarray:
        """Bytes in use at each step."""
        steps = max((b.last for b in self.buffers), default=-1) + 1
        change = np.zeros(steps + 1, np.int64)
        for b in self.buffers:
            change[b.first] += b.size
            change[b.last + 1] -= b.size
        return np.cumsum(change)[:steps]


def align(size: int) -> int:
    """`size` rounded up to the arena's alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def plan_memory(buffers: Sequence[Buffer]) -> MemoryPlan:
    """Offsets for all buffers in one arena."""
    buffers = tuple(Buffer(align(b.size), b.first, b.last) for b in buffers)
    naive = sum(b.size for b in buffers)
    empty = MemoryPlan(buffers, (0,) * len(buffers), naive, 0, 0)
    bound = int(empty.live_bytes().max(initial=0))
    best, best_offsets = None, empty.offsets
    for order in _orders(buffers):
        offsets, peak = _first_fit(buffers, order)
        if best is None or peak < best:
            best, best_offsets = peak, offsets
        if best <= bound * CLOSE_ENOUGH:
            break
    return MemoryPlan(buffers, tuple(best_offsets), naive, bound, best or 0)


def _orders(buffers: Sequence[Buffer]) -> list[list[int]]:
    indices = range(len(buffers))
    by_size = sorted(indices, key=lambda i: (-buffers[i].size, buffers[i].first))
    by_area = sorted(indices, key=lambda i: -buffers[i].size * (_span(buffers[i]) + 1))
    by_span = sorted(indices, key=lambda i: (-_span(buffers[i]), -buffers[i].size))
    by_start = sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].size))
    return [by_size, by_area, by_span, by_start]


def _span(b: Buffer) -> int:
    return b.last - b.first


def _first_fit(buffers: Sequence[Buffer], order: Sequence[int]) -> tuple[list[int], int]:
    """Place buffers in `order`, each at the lowest offset free during its whole life."""
    n = len(buffers)
    first, last, start, end = (np.zeros(n, np.int64) for _ in range(4))
    offsets, peak = [0] * n, 0
    for placed, i in enumerate(order):
        b = buffers[i]
        near = np.flatnonzero((first[:placed] <= b.last) & (last[:placed] >= b.first))
        offset = _lowest_gap(start[near], end[near], b.size)
        first[placed], last[placed] = b.first, b.last
        start[placed], end[placed] = offset, offset + b.size
        offsets[i] = offset
        peak = max(peak, offset + b.size)
    return offsets, peak


def _lowest_gap(starts: np.ndarray, ends: np.ndarray, size: int) -> int:
    """The lowest offset at which `size` bytes fit between the intervals [starts, ends)."""
    if not len(starts):
        return 0
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    reached = np.concatenate(([0], np.maximum.accumulate(ends[order])))
    gaps = np.flatnonzero(starts - reached[:-1] >= size)
    return int(reached[gaps[0]] if len(gaps) else reached[-1])


def check_plan(plan: MemoryPlan) -> None:
    """Prove that no two buffers overlap in both time and space; MXNetError if two do."""
    placed = sorted(zip(plan.offsets, plan.buffers, strict=True), key=lambda p: p[0])
    for k, (offset, b) in enumerate(placed):
        for other_offset, other in placed[k + 1 :]:
            if other_offset >= offset + b.size:
                break
            if b.first <= other.last and other.first <= b.last and b.size and other.size:
                raise MXNetError(f"memory plan: {b} and {other} overlap at byte {other_offset}")
        if offset + b.size > plan.planned:
            raise MXNetError(f"memory plan: {b} ends after the arena of {plan.planned} bytes")
