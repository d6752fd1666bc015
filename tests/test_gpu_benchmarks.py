"""The run for a machine with a GPU, tried on the stand-in for CuPy in tiny sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.probes import PROBES
from benchmarks.gpu.report import markdown
from benchmarks.gpu.sections import SECTIONS, Bar
from benchmarks.gpu.timing import measure

ROOT = Path(__file__).parent.parent
NAMES = {c for s in SECTIONS for c in s.contestants}


def test_bars_name_contestants_and_sections_name_tests():
    for section in SECTIONS:
        for bar in section.bars:
            assert {side for side in (bar.left, bar.right) if side} <= NAMES, bar.text
        assert all((ROOT / "tests" / "device" / t).is_file() for t in section.tests)
        assert set(section.probes) <= set(PROBES)
    assert sum(s.seconds for s in SECTIONS) < 800  # each may end early; the budget cuts the rest


def test_a_step_is_timed():
    calls = []
    found = measure(lambda: calls.append(1), lambda: None, 0.001)
    assert found["seconds"] > 0 and len(calls) > 10


@pytest.mark.skipif(sys.platform != "linux", reason="the emulator of CUDA sources wants g++")
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_finds_what_it_looks_for(name):
    command = [sys.executable, "-m", "benchmarks.gpu.probes", name, "--device", "cpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["found"]


@pytest.mark.skipif(sys.platform != "linux", reason="the emulator of CUDA sources wants g++")
def test_a_section_runs_and_is_reported(tmp_path):
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--section", "pointwise"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path), "--budget", "900"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    run = json.loads((tmp_path / "report.json").read_text())
    (section,) = run["sections"]
    assert section["outcome"] == "measured", done.stdout + done.stderr
    assert section["times"]["baryon/pointwise/eager/"]["seconds"] > 0
    assert "| pointwise | measured |" in (tmp_path / "report.md").read_text()


def test_a_report_tells_failures_and_bars():
    section = {
        "name": "x", "outcome": "measured in part", "took": 2.0, "said": "what went wrong",
        "probes": {"p": {"error": "exit status -11: no output", "took": 3.0},
                   "q": {"found": "a | b", "took": 1.0}},
        "times": {"a": {"error": "took too long"}, "b": {"seconds": 0.5, "spread": 0.1,
                                                         "warm-up": 1.0}},
        "bars": [{"text": "fast", "value": 1.25, "reached": True},
                 {"text": "lost", "value": None, "reached": False}],
    }  # fmt: skip
    text = markdown({"facts": {"GPU": "none"}, "sections": [section]})
    for part in ("| p | **failed**: exit status -11: no output | 3 |", "| q | a / b | 1 |",
                 "| a | took too long |", "| b | 500 | 10% | 1.0 |", "| fast | 1.25 | yes |",
                 "| lost | not measured |", "what went wrong"):  # fmt: skip
        assert part in text
    assert Bar("", "", None, 1.0).factor == 1.0
