"""Tables of results: Markdown, which also reads well in a terminal, and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .runner import Result, measured, ratio, rival, spread, value
from .workloads import Bar

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def quantity(number: float | None, unit: str = "s") -> str:
    """Seconds (``s``) or bytes (``B``) with a unit that fits."""
    if number is None:
        return "-"
    if unit == "B":
        return f"{number / 2**20:.1f} MiB"
    for name, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number / 1e-9:.0f} ns"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * w for w in widths])
    cells = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def verdict(result: Result, bar: Bar) -> str:
    """Whether a bar is met."""
    found = measured(result, bar)
    if result.void or found is None:
        return "void" if result.void else "not measured"
    return "pass" if found <= bar.at_most else "**fail**"


def _bar_row(result: Result, bar: Bar) -> list[str]:
    unit = result.workload.unit if "#" in bar.ours else "s"
    found = measured(result, bar)
    if bar.against is None:
        got, limit = quantity(found, unit), quantity(bar.at_most, unit)
    else:
        got = "-" if found is None else f"{found:.3f}"
        limit = f"{bar.at_most:g} x {bar.against}"
        against = rival(result, bar)
        limit += f" ({against.partition('#')[0]})" if against not in (None, bar.against) else ""
    return [result.workload.name, bar.ours, got, f"<= {limit}", verdict(result, bar)]


def bars_table(results: Sequence[Result]) -> str:
    """One row a bar."""
    rows = [_bar_row(r, bar) for r in results for bar in r.workload.bars]
    return table(("workload", "baryon", "measured", "bar", "verdict"), rows)


def _contestant_rows(result: Result) -> Iterable[list[str]]:
    first = next(iter(result.times), "")
    for name, times in result.times.items():
        against = ratio(result, name, first)
        yield [
            result.workload.name,
            name,
            quantity(value(result, name)),
            f"± {spread(times):.0%}",
            "" if against is None else f"{against:.2f}",
            quantity(result.figures.get(name, {}).get("growth"), "B"),
        ]


def times_table(results: Sequence[Result]) -> str:
    """One row a contestant: the median step, its spread and ratio to the first contestant's, and
    the most memory that the process took from before the net was made.
    """
    rows = [row for r in results for row in _contestant_rows(r)]
    return table(("workload", "contestant", "step", "spread", "x first", "growth"), rows)


def figures_table(results: Sequence[Result]) -> str:
    """One row a figure of what is not timed."""
    rows = [
        [r.workload.name, contestant, name, quantity(number, r.workload.unit)]
        for r in results
        if not r.workload.timed
        for contestant, figures in r.figures.items()
        for name, number in figures.items()
    ]
    return table(("workload", "contestant", "figure", ""), rows)


def markdown(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """Everything."""
    versions = {peer: v for r in results for peer, v in r.versions.items()}
    told = [f"{k}: {v}" for k, v in {**facts, **versions}.items()]
    voids = [f"{r.workload.name} is void: {r.void}" for r in results if r.void]
    notes = dict.fromkeys(n for r in results for n in (f"{r.workload.name}: {x}" for x in r.notes))
    parts = ["; ".join(told) + ".", bars_table(results), times_table(results)]
    if any(any(r.figures.values()) for r in results if not r.workload.timed):
        parts.append(figures_table(results))
    parts += ["\n".join(f"- {line}" for line in (*voids, *notes))] if voids or notes else []
    return "\n\n".join(parts)


def replace_section(text: str, new: str) -> str:
    """`text` with `new` between the markers, which are added at its end where it has none."""
    section = f"{BEGIN}\n\n{new}\n\n{END}"
    if BEGIN in text and END in text:
        before, _, rest = text.partition(BEGIN)
        return before + section + rest.partition(END)[2]
    return f"{text.rstrip()}\n\n{section}\n".lstrip()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is the old or the new one, never half of it."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    os.replace(temporary, path)


def raw(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """All rounds as JSON."""
    entries: list[dict[str, Any]] = [
        {
            "workload": r.workload.name,
            "step": r.workload.step,
            "times": r.times,
            "figures": r.figures,
            "void": r.void,
            "notes": r.notes,
            "bars": [[b.ours, b.against, b.at_most, measured(r, b)] for b in r.workload.bars],
        }
        for r in results
    ]
    versions = {peer: v for r in results for peer, v in r.versions.items()}
    return json.dumps({"machine": dict(facts), "versions": versions, "results": entries}, indent=1)
