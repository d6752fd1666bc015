"""Memory planning: one arena, offsets by first fit, nothing overlapping in both time and space.

Interval packing is NP-hard; largest-first (Gergov's greedy, as in TVM's and TFLite's planners)
comes within 2 % of the lower bound on real networks, and a few other orders are tried when not.
Each buffer is compared with all that live at the same time, which takes too long where there are
tens of thousands: these are placed as they come, each into the smallest hole that is large enough.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..base import MXNetError

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
CLOSE_ENOUGH = 1.01  # of the lower bound: no other order is tried
MANY = 8192  # buffers: from here on they are placed as they come


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
    offsets, peak = _as_they_come(buffers) if len(buffers) > MANY else _searched(buffers, bound)
    return MemoryPlan(buffers, tuple(offsets), naive, bound, peak)


def _searched(buffers: Sequence[Buffer], bound: int) -> tuple[list[int], int]:
    """The best offsets that first fit finds in a few orders, and their peak."""
    found: tuple[list[int], int] = ([], 0)
    for order in _orders(buffers):
        tried = _first_fit(buffers, order)
        if not found[0] or tried[1] < found[1]:
            found = tried
        if found[1] <= bound * CLOSE_ENOUGH:
            break
    return found


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


def _as_they_come(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Offsets by best fit in the order of time, and their peak: a heap that knows all lives."""
    holes, offsets = _Holes(), [0] * len(buffers)
    ends = sorted(range(len(buffers)), key=lambda i: buffers[i].last)
    done = 0
    for i in sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].size)):
        while buffers[ends[done]].last < buffers[i].first:
            holes.free(offsets[ends[done]], buffers[ends[done]].size)
            done += 1
        offsets[i] = holes.take(buffers[i].size)
    return offsets, holes.peak


class _Holes:
    """Free memory below a peak: holes by size, by where they begin, and by where they end."""

    def __init__(self) -> None:
        self.peak = 0
        self._sizes: list[tuple[int, int]] = []  # (size, offset), sorted
        self._begins: dict[int, int] = {}  # offset -> size
        self._ends: dict[int, int] = {}  # end -> offset

    def take(self, size: int) -> int:
        """The offset of `size` bytes: of the smallest hole that has them, else at the peak."""
        if size == 0:
            return 0
        k = bisect_left(self._sizes, (size, -1))
        if k < len(self._sizes):
            found, offset = self._sizes[k]
            self._remove(offset)
            if found > size:
                self._add(offset + size, found - size)
            return offset
        offset = self._ends.get(self.peak, self.peak)  # a hole at the end grows
        if offset < self.peak:
            self._remove(offset)
        self.peak = offset + size
        return offset

    def free(self, offset: int, size: int) -> None:
        """Give bytes back; holes on either side become one with them."""
        if size == 0:
            return
        after = self._begins.get(offset + size)
        if after is not None:
            self._remove(offset + size)
            size += after
        before = self._ends.get(offset)
        if before is not None:
            self._remove(before)
            offset, size = before, size + offset - before
        self._add(offset, size)

    def _add(self, offset: int, size: int) -> None:
        insort(self._sizes, (size, offset))
        self._begins[offset], self._ends[offset + size] = size, offset

    def _remove(self, offset: int) -> None:
        size = self._begins.pop(offset)
        del self._ends[offset + size]
        del self._sizes[bisect_left(self._sizes, (size, offset))]


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
