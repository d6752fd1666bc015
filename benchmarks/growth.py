"""How cost grows: ``python -m benchmarks.growth [--only batch,threads] [--markdown FILE]``.

By batch, depth, length and number of threads, beside the fitting peers; and by the number of nodes
of a graph, in stages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .machine import facts
from .report import quantity, raw, replace_section, table, write_whole
from .runner import Result, measure, ratio, rival, value
from .workloads import BEST, Bar, Workload
from .workloads.growing import GRAPHS, SERIES, THREADS, Series

COUNTS = (1, 2)  # of threads
STAGES = ("build", "bind", "first", "next")


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    kinds = (*SERIES, "threads", "graph")
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description="how cost grows")
    parser.add_argument("--only", help=f"of {', '.join(kinds)}, separated by commas")
    parser.add_argument("--largest", type=int, help="leave out larger sizes and graphs")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a turn, about")
    parser.add_argument("--markdown", type=Path, help="file whose marked section is replaced")
    parser.add_argument("--json", type=Path, help="file for all rounds")
    found = parser.parse_args(arguments)
    found.kinds = found.only.split(",") if found.only else list(kinds)
    unknown = [kind for kind in found.kinds if kind not in kinds]
    if unknown:
        parser.error(f"unknown kind {unknown[0]!r}; there are {', '.join(kinds)}")
    return found


class Run:
    """Measures, and keeps all results."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen, self.results = chosen, list[Result]()

    def measure(self, workload: Workload, threads: int = 2) -> Result:
        """The result, which is kept."""
        print(f"{workload.name}, {threads} threads ...", file=sys.stderr, flush=True)
        result = measure(workload, self.chosen.rounds, self.chosen.seconds, threads)
        for line in (*result.notes, *filter(None, [result.void])):
            print(f"  {line}", file=sys.stderr)
        self.results.append(result)
        return result

    def fits(self, size: int) -> bool:
        """Whether a size was asked for."""
        return self.chosen.largest is None or size <= self.chosen.largest


def against_best(result: Result) -> str:
    """The first contestant's ratio to the best peer, and who that is."""
    ours = result.workload.contestants[0]
    peer = rival(result, Bar(ours, 1.0, BEST))
    return "" if peer is None else f"{ratio(result, ours, peer):.2f} ({peer.split('/')[0]})"


def series_table(run: Run, series: Series) -> str:
    """One row a size."""
    found = {n: run.measure(w) for n, w in series.workloads.items() if run.fits(n)}
    contestants = list(dict.fromkeys(c for r in found.values() for c in r.times))
    rows = []
    for size, result in found.items():
        took = [value(result, c) for c in contestants]
        each = [quantity(took[0] / size)] if series.unit and took and took[0] else []
        rows.append([str(size), *map(quantity, took), *each, against_best(result)])
    unit = [f"baryon, {series.unit}"] if series.unit else []
    head = [series.what, *contestants, *unit, "baryon / best"]
    return f"{series.step}:\n\n{table(head, rows)}"


def threads_table(run: Run) -> str:
    """One row a contestant: its time with one thread and two."""
    rows = []
    for workload in THREADS:
        found = [run.measure(workload, n) for n in COUNTS]
        for name in workload.contestants:
            took = [value(result, name) for result in found]
            if all(took):
                gain = f"{took[0] / took[-1]:.2f}"
                rows.append([workload.name, name, *map(quantity, took), gain])
    return table(["workload", "contestant", "1 thread", "2 threads", "times as fast"], rows)


def graphs_table(run: Run) -> str:
    """One row a graph and contestant: its stages, and what building and binding costs a node."""
    rows = []
    for workload in GRAPHS:
        _, kind, nodes = workload.name.split(".")
        if not run.fits(int(nodes)):
            continue
        result = run.measure(workload)
        for name, figures in result.figures.items():
            each = (figures["build"] + figures["bind"]) / int(nodes)
            took = [quantity(figures[stage]) for stage in STAGES]
            rows.append([kind, nodes, name, *took, quantity(each)])
    head = ["graph", "nodes", "contestant", "build", "bind", "first step", "next step", "a node"]
    return table(head, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a workload is void."""
    chosen = options(arguments)
    run, machine = Run(chosen), facts(max(COUNTS))
    parts = ["; ".join(f"{k}: {v}" for k, v in machine.items()) + "."]
    for kind in chosen.kinds:
        if kind in SERIES:
            parts.append(series_table(run, SERIES[kind]))
        else:
            parts.append({"threads": threads_table, "graph": graphs_table}[kind](run))
    text = "\n\n".join(parts)
    print(text)
    if chosen.markdown:
        before = chosen.markdown.read_text() if chosen.markdown.exists() else ""
        write_whole(chosen.markdown, replace_section(before, text))
    if chosen.json:
        write_whole(chosen.json, raw(run.results, machine))
    return int(any(r.void for r in run.results))


if __name__ == "__main__":
    sys.exit(main())
