"""``python -m benchmarks.gpu [--section NAME] [--device cpu] [--out FOLDER] [--budget SECONDS]``.

Runs section after section, each within its own time and all within the budget, goes on after
failures, and writes ``report.md`` and ``report.json`` anew after each.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .report import markdown
from .sections import SECTIONS, Bar, Section

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds for a probe
TAIL = 6000  # characters of a failing command's output that are kept


def _run(command: list[str], seconds: float) -> tuple[int | None, str]:
    """Exit status (None: it took too long) and output of a command."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, timeout=max(seconds, 1), text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        text = error.stdout or b""
        return None, text.decode(errors="replace") if isinstance(text, bytes) else text
    return done.returncode, done.stdout


def _slow(device: str) -> int:
    """How much more patience a device asks for: a stand-in is slow."""
    return 10 if device == "cpu" else 1


def _facts(device: str) -> dict[str, str]:
    """The GPU, its driver, and versions."""
    found = {"device": device, "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    query = "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"
    try:
        found["GPU"] = subprocess.run(
            ["nvidia-smi", *query], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found["GPU"] = "none"
    found["python"] = sys.version.split()[0]
    for name in ("numpy", "cupy", "cudnn", "torch"):
        code = f"import {name}; print({name}.__version__)"
        status, text = _run([_python(name), "-c", code], 60)
        found[name] = text.strip().splitlines()[-1] if status == 0 and text.strip() else "none"
    return found


def _python(peer: str) -> str:
    return os.environ.get(f"BARYON_BENCH_{peer.upper()}_PYTHON") or sys.executable


def _tests(section: Section, seconds: float) -> tuple[str, str]:
    """How the section's tests ended, and what they said."""
    command = [sys.executable, "-m", "pytest", "-q", "--maxfail=40", "--tb=short", "-p"]
    command += ["no:cacheprovider", *(f"tests/device/{name}" for name in section.tests)]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(min(6, os.cpu_count() or 1))]
    status, text = _run(command, seconds)
    last = text.strip().splitlines()[-1] if text.strip() else "no output"
    if status is None:
        return f"stopped after {seconds:.0f} s", text[-TAIL:]
    return last.strip("= "), "" if status == 0 else text[-TAIL:]


def _probe(name: str, device: str, seconds: float) -> dict[str, Any]:
    """What a probe found, or why it failed."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.gpu.probes", name, "--device", device]
    status, text = _run(command, seconds)
    last = text.strip().splitlines()[-1] if text.strip() else "no output"
    took = time.monotonic() - begun
    if status == 0:
        return {"found": json.loads(last)["found"], "took": took}
    why = "took too long" if status is None else f"exit status {status}: {last[:300]}"
    return {"error": why, "said": text[-TAIL:], "took": took}


def _contestant(name: str, device: str, seconds: float) -> dict[str, Any]:
    """Times of a contestant, or why there are none."""
    peer, workload, way, half = name.split("/")
    command = [_python(peer), "-m", "benchmarks.gpu.contestant", peer, workload, "--way", way]
    command += ["--device", device, "--seconds", "0.2" if device == "cpu" else "2"]
    command += ["--half", half] if half else []
    status, text = _run(command, seconds)
    if status == 0:
        return json.loads(text.strip().splitlines()[-1])
    last = text.strip().splitlines()[-1][:200] if text.strip() else "no output"
    why = "took too long" if status is None else last
    return {"error": why, "said": text[-TAIL:]}


def _judged(bar: Bar, times: dict[str, dict]) -> dict[str, Any]:
    """A bar with the value that was measured."""
    sides = [times.get(side, {}).get("seconds") for side in (bar.left, bar.right) if side]
    value = None
    if None not in sides:
        value = bar.factor * (sides[0] / sides[1] if bar.right else sides[0])
    reached = value is not None and (value <= bar.limit if bar.at_most else value >= bar.limit)
    return {"text": bar.text, "value": value, "reached": reached}


def _section(section: Section, device: str, seconds: float) -> dict[str, Any]:
    begun, times = time.monotonic(), {}
    made: dict[str, Any] = {"name": section.name, "outcome": "measured", "said": ""}
    made["probes"] = {}
    for name in section.probes:
        left = seconds - (time.monotonic() - begun)
        found = made["probes"][name] = _probe(name, device, min(left, PATIENCE * _slow(device)))
        made["said"] += found.pop("said", "")
    if section.probes:
        failed = sum("error" in p for p in made["probes"].values())
        made["outcome"] = f"{failed} of {len(section.probes)} failed" if failed else "all hold"
    if section.tests:
        made["outcome"], made["said"] = _tests(section, seconds)
    wanted = [c for c in section.contestants if device == "gpu" or c.startswith("baryon/")]
    for i, name in enumerate(wanted):
        left = seconds - (time.monotonic() - begun)
        share = left / (len(wanted) - i)
        found = _contestant(name, device, max(share, min(left, 30.0)))
        made["said"] += found.pop("said", "")
        times[name] = found
    if any("error" in t for t in times.values()):
        made["outcome"] = "measured in part"
    made["times"], made["bars"] = times, [_judged(bar, times) for bar in section.bars]
    made["took"] = time.monotonic() - begun
    return made


def _broken(section: Section, said: str) -> dict[str, Any]:
    bars = [_judged(bar, {}) for bar in section.bars]
    made = {"name": section.name, "outcome": "broke off", "said": said, "took": 0.0}
    return made | {"probes": {}, "times": {}, "bars": bars}


def main() -> int:
    """Run; 1 where something failed or a bar was not reached."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu")
    names = [s.name for s in SECTIONS]
    parser.add_argument("--section", action="append", choices=names, help="only this one")
    parser.add_argument("--device", default="gpu", choices=("gpu", "cpu"))
    parser.add_argument("--out", type=Path, default=Path("gpu-report"))
    parser.add_argument("--budget", type=float, default=570.0, help="seconds for everything")
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.budget
    chosen.out.mkdir(parents=True, exist_ok=True)
    run: dict[str, Any] = {"facts": _facts(chosen.device), "sections": []}
    for section in SECTIONS:
        left = end - time.monotonic()
        if (chosen.section and section.name not in chosen.section) or left < 10:
            continue
        patience = min(section.seconds * _slow(chosen.device), left - 5)
        try:
            made = _section(section, chosen.device, patience)
        except Exception:  # (a mistake in one must not cost the rest)
            made = _broken(section, traceback.format_exc())
        run["sections"].append(made)
        print(f"{section.name}: {made['outcome']} ({made['took']:.0f} s)", flush=True)
        (chosen.out / "report.json").write_text(json.dumps(run, indent=1) + "\n")
        (chosen.out / "report.md").write_text(markdown(run))
    print(markdown(run))
    said = any(s["said"] for s in run["sections"])
    return int(said or not all(b["reached"] for s in run["sections"] for b in s["bars"]))


if __name__ == "__main__":
    sys.exit(main())
