"""``python -m benchmarks [--only lenet,add16] [--rounds 15] [--markdown FILE] [--json FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .machine import facts
from .report import markdown, raw, replace_section, write_whole
from .runner import Result, measure
from .workloads import select, without


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="baryon against its peers")
    parser.add_argument("--only", help="groups or workloads, separated by commas")
    parser.add_argument("--without", default="", help="peers or contestants to leave out")
    parser.add_argument("--rounds", type=int, default=15, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a turn, about")
    parser.add_argument("--threads", type=int, default=2, help="of each contestant")
    parser.add_argument("--markdown", type=Path, help="file whose marked section is replaced")
    parser.add_argument("--json", type=Path, help="file for all rounds")
    found = parser.parse_args(arguments)
    try:
        found.workloads = [without(w, found.without.split(",")) for w in select(found.only)]
    except ValueError as error:
        parser.error(str(error))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a workload is void."""
    chosen, results = options(arguments), list[Result]()
    machine = facts(chosen.threads)
    for workload in chosen.workloads:
        print(f"{workload.name}: {workload.step} ...", file=sys.stderr, flush=True)
        results.append(measure(workload, chosen.rounds, chosen.seconds, chosen.threads))
    text = markdown(results, machine)
    print(text)
    if chosen.markdown:
        before = chosen.markdown.read_text() if chosen.markdown.exists() else ""
        write_whole(chosen.markdown, replace_section(before, text))
    if chosen.json:
        write_whole(chosen.json, raw(results, machine))
    return int(any(r.void for r in results))


if __name__ == "__main__":
    sys.exit(main())
