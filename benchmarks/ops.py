"""Operators one by one: ``python -m benchmarks.ops [--only exp,sum] [--size L1]``.

Every peer keeps one process for all cases. The table gives baryon's time and its ratio to each
peer; the summary their geometric means, and what is slower than it should be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from .machine import facts
from .operators import CASES, PEERS, SIZES
from .operators.summary import summary, table_of
from .operators.yardstick import Yardstick
from .process import Peer, interpreter
from .report import raw, replace_section, write_whole
from .runner import Result, contest

LARGE_TURN = 5  # times as long: at first a turn finds its data gone from caches that others filled


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.ops", description="operators one by one")
    parser.add_argument("--only", help="operators or cases, separated by commas")
    parser.add_argument("--size", choices=SIZES, action="append", help="default: all of them")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=0.02, help="length of a turn, about")
    parser.add_argument("--threads", type=int, default=2, help="of each contestant")
    parser.add_argument("--markdown", type=Path, help="file whose marked section is replaced")
    parser.add_argument("--json", type=Path, help="file for all rounds")
    found = parser.parse_args(arguments)
    wanted = found.only.split(",") if found.only else []
    unknown = [w for w in wanted if not any(w in (c.op, c.name) for c in CASES.values())]
    if unknown:
        parser.error(f"unknown operator {unknown[0]!r}")
    found.cases = [c for c in CASES.values() if not wanted or c.op in wanted or c.name in wanted]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a case is void."""
    chosen, results = options(arguments), dict[tuple[str, str], Result]()
    with ExitStack() as stack:
        peers, yardstick = {}, stack.enter_context(Yardstick(chosen.threads))
        yardstick.measure()
        for name in PEERS:
            python = interpreter(name)
            if python is None:
                print(f"{name} skipped: its package is not installed", file=sys.stderr)
                continue
            peers[f"{name}/call"] = stack.enter_context(
                Peer(f"{name}/call", python, chosen.threads)
            )
        for case in chosen.cases:
            for size in chosen.size or SIZES:
                print(f"{case.name} {size} ...", file=sys.stderr, flush=True)
                workload = case.workload(size)
                turn = chosen.seconds * (LARGE_TURN if size == "large" else 1)
                result = contest(workload, peers, chosen.rounds, turn)
                results[case.name, size] = result
        yardstick.measure()
    machine = facts(chosen.threads)
    told = "; ".join(f"{k}: {v}" for k, v in machine.items())
    text = f"{told}.\n\n{summary(results, yardstick.rates)}\n\n{table_of(results)}"
    print(text)
    if chosen.markdown:
        before = chosen.markdown.read_text() if chosen.markdown.exists() else ""
        write_whole(chosen.markdown, replace_section(before, text))
    if chosen.json:
        write_whole(chosen.json, raw(list(results.values()), machine))
    return int(any(r.void for r in results.values()))


if __name__ == "__main__":
    sys.exit(main())
