"""What the figures of single operators say together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from ..report import quantity, table
from ..runner import Result, ratio, value
from . import CASES
from .case import PEERS, SIZES
from .yardstick import Rates, seconds

Results = Mapping[tuple[str, str], Result]
OURS = "baryon/call"
BARS = {"mxnet": (2.0, "at least 2 x MXNet"), "torch": (1.2, "at least 1.2 x PyTorch")}
SLOWER = 1.1  # times MXNet's: slower than this is a fault
SHARE = 0.7  # of the memory bandwidth, for what memory alone should limit


def speed(result: Result, peer: str) -> float | None:
    """How many times as fast as a peer; None where one of the two is missing."""
    found = None if result.void else ratio(result, OURS, f"{peer}/call")
    return 1 / found if found else None


def geometric(values: Sequence[float]) -> float:
    """Their geometric mean."""
    return math.exp(statistics.fmean(map(math.log, values)))


def share(result: Result, rates: Rates) -> float | None:
    """The time that memory needs for what a step moves, over the time that we take."""
    taken, figures = value(result, OURS), result.figures.get(OURS, {})
    needed = seconds(rates, figures.get("read", 0), figures.get("written", 0))
    return needed / taken if taken and needed else None


def bandwidth(results: Results, rates: Rates) -> str:
    """What memory alone should limit, against what bare loops reach on this machine."""
    shares = {
        name: found
        for (name, size), result in results.items()
        if size == "large" and CASES[name].bound and not result.void
        if (found := share(result, rates)) is not None
    }
    if not shares:
        return ""
    reach = sum(s >= SHARE for s in shares.values())
    told = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items())
    head = (
        f"Limited by memory, large: {reach} of {len(shares)} reach {SHARE:.0%} of what bare loops "
        f"give (GB/s: {told})."
    )
    return "\n\n".join([head, "\n".join(f"- {n}: {s:.0%}" for n, s in shares.items())])


def summary(results: Results, rates: Rates) -> str:
    """Geometric means by peer and size, the bars, the cases behind MXNet, and bandwidth."""
    rows = []
    for peer in PEERS[1:]:
        speeds = {k: s for k, r in results.items() if (s := speed(r, peer)) is not None}
        if not speeds:
            continue
        by_size = [[s for (_, z), s in speeds.items() if z == size] for size in SIZES]
        cells = [f"{geometric(s):.2f}" if s else "-" for s in (*by_size, [*speeds.values()])]
        bar, text = BARS.get(peer, (0, "-"))
        verdict = "" if not bar else "pass" if geometric([*speeds.values()]) >= bar else "**fail**"
        rows.append([peer, *cells, text, verdict])
    found = table(("times as fast as", *SIZES, "all", "bar", "verdict"), rows)
    slow = {k: s for k, r in results.items() if (s := speed(r, "mxnet")) and s < 1 / SLOWER}
    lines = [f"- {name} ({size}): {s:.2f} of MXNet's speed" for (name, size), s in slow.items()]
    voids = [f"- {n} ({z}) is void: {r.void}" for (n, z), r in results.items() if r.void]
    head = f"Slower than MXNet by more than a tenth: {len(lines)} of {len(results)}."
    parts = [found, head, "\n".join(lines), *voids, bandwidth(results, rates)]
    return "\n\n".join(p for p in parts if p)


def table_of(results: Results) -> str:
    """One row a case and size: our time, and how many times as fast as each peer."""
    rows = []
    for (name, size), result in results.items():
        speeds = [speed(result, peer) for peer in PEERS[1:]]
        cells = ["-" if s is None else f"{s:.2f}" for s in speeds]
        rows.append([name, size, quantity(value(result, OURS), True), *cells])
    return table(("operator", "size", "baryon", *(f"x {p}" for p in PEERS[1:])), rows)
