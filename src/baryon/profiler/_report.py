"""What was recorded, as a trace and as tables."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

from ..files import write_atomically
from ._peaks import peaks
from ._recorder import Total, check_process, profiler, set_state

_SORTS = {"count": 0, "total": 1, "min": 2, "max": 3, "avg": 4}  # columns of `Total.row`


def dump(finished: bool = True, profile_process: str = "worker") -> None:
    """Write a trace for ``chrome://tracing`` or Perfetto to the configured file.

    finished : also end watching. Spans carry operations and bytes of their operator, if known.
    """
    check_process(profile_process)
    if finished:
        set_state("stop")
    name = {"name": "process_name", "ph": "M", "pid": os.getpid(), "args": {"name": "baryon"}}
    with profiler.lock:
        trace = {"traceEvents": [name, *profiler.events], "displayTimeUnit": "ms"}
    write_atomically(profiler.config["filename"], [json.dumps(trace).encode()])


def dump_profile() -> None:
    """The old name of `dump`."""
    warnings.warn("dump_profile is deprecated; use dump", stacklevel=2)
    dump(True)


def _sorted(sort_by: str, ascending: bool) -> dict[str, list[tuple[str, Total]]]:
    """Totals by category."""
    with profiler.lock:
        items = [(c, n, t) for (c, n), t in profiler.totals.items()]
    column = _SORTS[sort_by]
    items.sort(key=lambda item: item[2].row()[column], reverse=not ascending)
    found: dict[str, list[tuple[str, Total]]] = {}
    for category, name, total in items:
        found.setdefault(category, []).append((name, total))
    return dict(sorted(found.items()))


def dumps(
    reset: bool = False, format: str = "table", sort_by: str = "total", ascending: bool = False
) -> str:
    """Totals by name as a table or as JSON; empty unless ``aggregate_stats`` was configured.

    reset : forget everything recorded.    sort_by : total, avg, min, max or count.

    >>> mx.profiler.set_config(aggregate_stats=True)
    >>> mx.profiler.dumps(reset=True).split()[:2]
    ['Profile', 'Statistics:']
    """
    assert format in ("table", "json"), f"Invalid value provided for format: {format}"
    assert sort_by in _SORTS, f"Invalid value provided for sort_by: {sort_by}"
    text = ""
    if profiler.config["aggregate_stats"]:
        found = _sorted(sort_by, ascending)
        text = _as_table(found) if format == "table" else _as_json(found)
    if reset:
        with profiler.lock:
            profiler.events.clear()
            profiler.totals.clear()
            profiler.costs.clear()
    return text


_COLUMNS = ("Total Count", "Time (ms)", "Min Time (ms)", "Max Time (ms)", "Avg Time (ms)")


def _line(name: str, cells: Any) -> str:
    return f"{name:<40}" + "".join(f"{cell:>17}" for cell in cells)


def _as_table(found: dict[str, list[tuple[str, Total]]]) -> str:
    lines = ["", "Profile Statistics:"]
    for category, rows in found.items():
        lines += [category, "=================", _line("Name", _COLUMNS)]
        lines.append(_line("----", ("-" * len(c) for c in _COLUMNS)))
        for name, total in rows:
            count, *times = total.row()
            lines.append(_line(name, (count, *(f"{t:.4f}" for t in times))))
        lines.append("")
    return "\n".join(lines)


def _as_json(found: dict[str, list[tuple[str, Total]]]) -> str:
    names = ("Count", "Total", "Min", "Max", "Avg")
    tree = {c: {n: dict(zip(names, t.row(), strict=True)) for n, t in r} for c, r in found.items()}
    return json.dumps({"Time": tree, "Unit": {"Time": "ms"}}, indent=4)


def table(category: str = "operator") -> str:
    """Where the time of a category went, the dearest first: share, and work a second.

    GFLOP/s counts the multiplications and additions of the direct method, so that a faster method
    shows as more; GB/s counts every input and output once. Of peak is the time that the work would
    take at the machine's `peaks`, as a share of what it took; it is more than all where a faster
    method is used or the caches spare the memory. Baryon's own, MXNet has no such table.

    >>> mx.profiler.table().split()[:3]
    ['Name', 'Count', 'ms']
    """
    rows = _sorted("total", False).get(category, [])
    whole = sum(total.total for _, total in rows) or 1
    lines = [
        f"{'Name':<44}{'Count':>8}{'ms':>12}{'share':>8}{'GFLOP/s':>10}{'GB/s':>8}{'of peak':>9}"
    ]
    for name, t in rows:
        rates = (t.flops / max(t.total, 1), t.bytes / max(t.total, 1))
        of_peak = peaks().share(t.flops, t.bytes, t.total)
        share = 100 * t.total / whole
        lines.append(
            f"{name:<44}{t.count:>8}{t.total / 1e6:>12.3f}{share:>7.1f}%"
            f"{rates[0]:>10.1f}{rates[1]:>8.1f}{100 * of_peak:>8.1f}%"
        )
    return "\n".join(lines)
