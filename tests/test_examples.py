"""Every example that takes ``--tiny`` runs through with it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from reference import ROOT as REFERENCE

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = [
    path for path in sorted(ROOT.glob("examples/**/*.py")) if '"--tiny"' in path.read_text()
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: str(p.relative_to(ROOT / "examples")))
def test_example(path, tmp_path):
    if path.stem == "image_records" and not (find_spec("cv2") or find_spec("PIL")):
        pytest.skip("needs OpenCV or Pillow")
    if path.stem == "mnist_two_ways":
        pytest.importorskip("graphviz")
    source = str(ROOT / "src")
    known = {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    if REFERENCE.exists():
        known["BARYON_REFERENCE"] = str(REFERENCE)
    done = subprocess.run(
        [sys.executable, str(path), "--tiny"],
        cwd=tmp_path, env={**os.environ, **known}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def test_there_are_examples_of_both_apis():
    assert {p.parent.name for p in EXAMPLES} >= {"gluon", "symbolic"}
