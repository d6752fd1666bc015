"""What is watched, and what was recorded so far."""

from __future__ import annotations

import os
import threading
import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from .. import state
from ..base import MXNetError
from ..graph import program as programs

_DEFAULTS: dict[str, Any] = {
    "filename": "profile.json",
    "profile_all": False,
    "profile_symbolic": False,
    "profile_imperative": False,
    "profile_memory": False,
    "profile_api": False,
    "aggregate_stats": False,
    "continuous_dump": False,
    "dump_period": 1.0,
    "profile_process": "worker",
}
_PROCESSES, _STATES = ("worker", "server"), ("stop", "run")


class Total:
    """Calls of one name: how many, and nanoseconds, operations and bytes in all."""

    __slots__ = ("bytes", "count", "flops", "least", "most", "total")

    def __init__(self) -> None:
        self.count = self.total = self.most = self.flops = self.bytes = 0
        self.least: int | None = None

    def add(self, took: int, flops: int = 0, moved: int = 0) -> None:
        """One call more."""
        self.count += 1
        self.total += took
        self.least = took if self.least is None else min(self.least, took)
        self.most = max(self.most, took)
        self.flops += flops
        self.bytes += moved

    def row(self) -> tuple[int, float, float, float, float]:
        """Count; total, least, most and mean in milliseconds."""
        times = (self.total, self.least or 0, self.most, self.total / max(self.count, 1))
        return (self.count, *(t / 1e6 for t in times))


class _Cost(NamedTuple):
    """What an instruction is called and does in one run."""

    name: str
    flops: int
    bytes: int


class _Profiler:
    """What was set and recorded so far."""

    def __init__(self) -> None:
        self.config = dict(_DEFAULTS)
        self.running = self.paused = False
        self.events: list[dict[str, Any]] = []
        self.totals: dict[tuple[str, str], Total] = {}
        self.costs: dict[int, tuple[Any, list[_Cost]]] = {}
        self.lock = threading.Lock()

    def wants(self, what: str) -> bool:
        """Whether operators of a kind are watched."""
        return bool(self.config["profile_all"] or self.config[f"profile_{what}"])

    @property
    def active(self) -> bool:
        """Whether anything is recorded now."""
        return self.running and not self.paused

    def listen(self) -> None:
        """Watch what is to be watched now, and nothing else."""
        heard = self.heard_program in programs.listeners
        wanted = self.active and self.wants("symbolic")
        if wanted and not heard:
            programs.listeners.append(self.heard_program)
        elif heard and not wanted:
            programs.listeners.remove(self.heard_program)
        state.set_listener(self.heard_call if self.active and self.wants("imperative") else None)

    def span(self, category: str, name: str, begin: int, end: int, **more: Any) -> None:
        """Record that something took from `begin` to `end`, in nanoseconds."""
        event = {"name": name, "cat": category, "ph": "X", "ts": begin / 1e3}
        event |= {"dur": (end - begin) / 1e3, "pid": os.getpid(), "tid": threading.get_ident()}
        with self.lock:
            self.events.append({**event, "args": more} if more else event)
            total = self.totals.setdefault((category, name), Total())
            total.add(end - begin, more.get("flops", 0), more.get("bytes", 0))

    def instant(self, event: dict[str, Any]) -> None:
        """Record something that takes no time."""
        about = {"ts": now() / 1e3, "pid": os.getpid(), "tid": threading.get_ident()}
        with self.lock:
            self.events.append({**event, **about})

    def heard_call(self, name: str, begin: int, end: int) -> None:
        """An eager call ended."""
        self.span("operator", name, begin, end)

    def heard_program(self, program: Any, first: int, clock: np.ndarray) -> None:
        """Some instructions of a compiled network were run."""
        held = self.costs.get(id(program))
        if held is None:  # (holding the program keeps its id)
            held = self.costs[id(program)] = (program, costs_of(program))
        for cost, begin, end in zip(held[1][first:], clock[:-1], clock[1:], strict=False):
            more = {"flops": cost.flops, "bytes": cost.bytes}
            self.span("operator", cost.name, int(begin), int(end), **more)


def costs_of(program: Any) -> list[_Cost]:
    """The cost of every instruction; one that runs its reference body is marked ``(body)``."""
    found = []
    for i in program.lowered.instructions:
        ins, outs = [r.spec for r in i.ins], [r.spec for r in i.outs]
        flops = i.op.flops(i.params, ins, outs) if i.op.flops else 0
        name = i.op.name if i.numbers is not None else f"{i.op.name} (body)"
        found.append(_Cost(name, int(flops), sum(s.nbytes for s in (*ins, *outs))))
    return found


def now() -> int:
    return time.perf_counter_ns()


profiler = _Profiler()


# ---- switches ----------------------------------------------------------------------------------


def set_config(**kwargs: Any) -> None:
    """Choose what is watched, before `set_state`.

    profile_symbolic   : instructions of compiled networks.
    profile_imperative : eager calls.    profile_all : both.
    aggregate_stats    : whether `dumps` tells anything.
    filename           : of the trace that `dump` writes.
    MXNet's ``profile_memory``, ``profile_api``, ``continuous_dump``, ``dump_period`` and
    ``profile_process`` are accepted; there is no such thing to watch here. An unknown name is an
    MXNetError.

    >>> mx.profiler.set_config(profile_all=True, aggregate_stats=True, filename="trace.json")
    """
    for name in kwargs:
        if name not in _DEFAULTS:
            known = ", ".join(_DEFAULTS)
            raise MXNetError(f"Cannot find argument {name!r}, Possible Arguments: {known}")
    profiler.config = {**_DEFAULTS, **kwargs}
    profiler.listen()


def check_process(profile_process: str) -> None:
    if profile_process not in _PROCESSES:
        raise KeyError(profile_process)


def set_state(state: str = "stop", profile_process: str = "worker") -> None:
    """``"run"`` begins watching, ``"stop"`` ends it; what was recorded stays.

    >>> mx.profiler.set_state("run")
    >>> mx.profiler.set_state("stop")
    """
    if state not in _STATES:
        raise KeyError(state)
    check_process(profile_process)
    profiler.running, profiler.paused = state == "run", False
    profiler.listen()


def pause(profile_process: str = "worker") -> None:
    """Stop watching for a while."""
    check_process(profile_process)
    profiler.paused = True
    profiler.listen()


def resume(profile_process: str = "worker") -> None:
    """Go on after `pause`."""
    check_process(profile_process)
    profiler.paused = False
    profiler.listen()


def profiler_set_config(mode: str = "symbolic", filename: str = "profile.json") -> None:
    """The old form of `set_config`: `mode` is ``symbolic`` or ``all``."""
    warnings.warn("profiler_set_config is deprecated; use set_config", stacklevel=2)
    if mode not in ("symbolic", "all"):
        raise KeyError(mode)
    set_config(profile_symbolic=True, profile_all=mode == "all", filename=filename)


def profiler_set_state(state: str = "stop") -> None:
    """The old name of `set_state`."""
    warnings.warn("profiler_set_state is deprecated; use set_state", stacklevel=2)
    set_state(state)


def set_kvstore_handle(handle: Any) -> None:
    """Name the kvstore whose servers are profiled, too: there are no servers, so nothing happens.

    >>> mx.profiler.set_kvstore_handle(None)
    """
