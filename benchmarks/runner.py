"""Runs workloads: prepare everybody, compare check values, then take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from .process import Peer, PeerError, interpreter
from .workloads import BARYON, BEST, Bar, Workload

TOLERANCE = 1e-3  # relative, of check values
SMALLEST = 1e-6  # check values closer than this agree


@dataclass
class Result:
    """What a workload gave.

    times : seconds a step for each round, by contestant.    figures : other numbers by contestant.
    void  : why the figures mean nothing, or None.
    """

    workload: Workload
    times: dict[str, list[float]] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    void: str | None = None


def disagreement(checks: Mapping[str, Sequence[float]]) -> str | None:
    """Who differs from the first contestant and where; None where all agree."""
    names = list(checks)
    for name in names[1:]:
        want, got = checks[names[0]], checks[name]
        if len(want) != len(got):
            return f"{name} gave {len(got)} check values, {names[0]} {len(want)}"
        for i, (x, y) in enumerate(zip(want, got, strict=True)):
            if not abs(x - y) <= TOLERANCE * max(abs(x), abs(y)) + SMALLEST:
                return f"check value {i} is {y:.6g} with {name}, {x:.6g} with {names[0]}"
    return None


def steps_for(run: Callable[[int], float], seconds: float) -> int:
    """How many steps take about `seconds`."""
    run(1)  # (what is done once, and cold caches)
    steps, took = 1, run(1)
    while took < seconds / 4 and steps < 10**7:
        steps = min(steps * 10, max(steps + 1, int(steps * seconds / max(took, 1e-9))))
        took = run(steps)
    return max(1, round(steps * seconds / took))


def take_turns(peers: Iterable[Peer], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a step, A B C A B C ...: whatever disturbs the machine disturbs everybody alike.

    A turn begins with a step that is not counted. It wakes threads and fetches from memory what the
    others drove out of the caches; a short turn of few steps would measure little else.
    """
    peers = list(peers)
    steps = {p.name: steps_for(p.run, seconds) for p in peers}
    times: dict[str, list[float]] = {p.name: [] for p in peers}
    for _ in range(rounds):
        for p in peers:
            p.run(1)
            times[p.name].append(p.run(steps[p.name]) / steps[p.name])
    return times


def measure(
    workload: Workload,
    rounds: int = 15,
    seconds: float = 0.1,
    threads: int = 2,
    find: Callable[[str], str | None] | None = None,
) -> Result:
    """One workload with every contestant that can be had; those that fail are noted."""
    notes, peers = [], {}
    with ExitStack() as stack:
        for name in workload.contestants:
            python = (find or interpreter)(name.split("/")[0])
            if python is None:
                notes.append(f"{name} skipped: its package is not installed")
                continue
            try:
                peers[name] = stack.enter_context(Peer(name, python, threads))
            except PeerError as error:
                notes.append(f"failed: {error}")
        result = contest(workload, peers, rounds, seconds)
    result.notes = [*notes, *result.notes]
    return result


def contest(workload: Workload, peers: Mapping[str, Peer], rounds: int, seconds: float) -> Result:
    """One workload among those of its contestants that run already."""
    result, checks, ready = Result(workload), {}, []
    for name in workload.contestants:
        if name not in peers:
            continue
        try:
            answer = peers[name].prepare(workload.name)
        except PeerError as error:
            result.notes.append(f"failed: {error}")
            continue
        checks[name] = answer["check"]
        result.figures[name] = answer["figures"]
        result.versions[name.split("/")[0]] = answer["version"]
        ready.append(peers[name])
    result.void = disagreement(checks)
    if workload.timed and not result.void:
        result.times = take_turns(ready, rounds, seconds)
    return result


def value(result: Result, name: str) -> float | None:
    """A contestant's median time, or its figure named after ``#``; None where there is none."""
    contestant, _, figure = name.partition("#")
    if figure:
        return result.figures.get(contestant, {}).get(figure)
    times = result.times.get(contestant)
    return statistics.median(times) if times else None


def rival(result: Result, bar: Bar) -> str | None:
    """Whom a bar is against: of all peers the one with the highest ratio where it says ``best``."""
    name, _, figure = (bar.against or "").partition("#")
    if name != BEST:
        return bar.against
    peers = [c + f"#{figure}" * bool(figure) for c in result.workload.contestants]
    ratios = {p: ratio(result, bar.ours, p) for p in peers if not p.startswith(f"{BARYON}/")}
    known = {p: found for p, found in ratios.items() if found is not None}
    return max(known, key=known.get) if known else None


def ratio(result: Result, ours: str, against: str) -> float | None:
    """Ours over theirs: of figures, or the median of ratios by round, which share disturbances."""
    mine, theirs = result.times.get(ours), result.times.get(against)
    if mine and theirs:
        return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    a, b = value(result, ours), value(result, against)
    return None if a is None or not b else a / b


def measured(result: Result, bar: Bar) -> float | None:
    """The number that a bar limits."""
    if bar.against is None:
        return value(result, bar.ours)
    against = rival(result, bar)
    return None if against is None else ratio(result, bar.ours, against)


def spread(times: Sequence[float]) -> float:
    """Half the interquartile range over the median."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / 2 / middle
