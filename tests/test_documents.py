"""Every Python snippet of the documents runs, and so do docstring examples of the modules."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import baryon as mx

ROOT = Path(__file__).parent.parent
PAGES = [
    p
    for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if "```python" in p.read_text()
]
SKIPPED = {"baryon._native"}


def modules():
    return sorted(
        m.name for m in pkgutil.walk_packages(mx.__path__, "baryon.") if m.name not in SKIPPED
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_snippets_run(page, tmp_path):
    pytest.importorskip("graphviz")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
    env = {**os.environ, "PYTHONPATH": str(Path(mx.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# Any one of these packages serves a module's examples.
NEEDS = {
    "baryon.image.geometry": ("cv2", "PIL"),
    "baryon.recordio": ("cv2", "PIL"),
    "baryon.visualization": ("graphviz",),
}


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    if name.startswith("baryon.ops.") and name != "baryon.ops.op":
        pytest.skip("operators' examples run in the contract tests")
    if name == "baryon.backend.cuda":
        pytest.importorskip("cupy")
    if name in NEEDS and not any(map(find_spec, NEEDS[name])):
        pytest.skip(f"needs {' or '.join(NEEDS[name])}")
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    mx.random.seed(0)
    np.random.seed(0)
    report: list[str] = []
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(verbose=False)
    for example in finder.find(module, name, globs={"mx": mx, "np": np}):
        runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
