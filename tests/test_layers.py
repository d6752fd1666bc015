"""The house's rooms: who may import whom, read from the source (docs/architecture.md)."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "baryon"

# Rooms from left to right; a room imports only itself and rooms to its left.
ROOMS = [
    {
        "base",
        "collector",
        "dtypes",
        "settings",
        "files",
        "native",
        "_native",
        "registry",
        "threads",
        "log",
        "foreign",
    },
    {"state", "streams", "name", "attribute", "context", "util", "nested", "pixels", "recordio"},
    {"backend"},
    {"ops"},
    {"cuda"},
    {"graph"},
    {"namespaces", "operands", "samplers", "stubs", "numpy_functions", "ndarray"},
    {"backward", "autograd", "random"},
    {"compiled", "interpreted", "executor", "watched"},
    {"symbol"},
    {
        "optimizer",
        "initializer",
        "metric",
        "lr_scheduler",
        "loss",
        "operator",
        "custom",
        "python_op",
    },
    {"runtime", "visualization", "engine", "monitor", "profiler"},
    {
        "numpy",
        "numpy_extension",
        "io",
        "image",
        "vocabulary",
        "callback",
        "progress",
        "checkpoint",
        "kvstore",
    },
    {"gluon", "module", "model", "executor_manager", "rnn"},
    {"contrib"},
    {"test_utils", "as_mxnet", "im2rec", "reference"},
]
# Imports inside a function that reach to the right, each for a reason.
LAZY = {
    ("ops", "cuda"): "kernels for GPU arrays are looked up when an operator first runs on one",
    ("autograd", "symbol"): "get_symbol returns the type of a later room",
    ("ndarray", "autograd"): "NDArray.backward and attach_grad are methods of an earlier room",
}
PLACE = {name: i for i, rooms in enumerate(ROOMS) for name in rooms}


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """(module of baryon, whether at import time) for each import statement of a file."""
    found = []
    package = ["baryon", *path.relative_to(SOURCE).with_suffix("").parts]
    tree = ast.parse(path.read_text())
    top = set(
        map(
            id,
            ast.walk(
                ast.Module(
                    [
                        n
                        for n in tree.body
                        if not isinstance(n, ast.FunctionDef | ast.ClassDef | ast.If)
                    ],
                    [],
                )
            ),
        )
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level]
            names = [node.module.split(".")] if node.module else [[a.name] for a in node.names]
            for name in names:
                full = [*base, *name]
                if len(full) > 1:
                    found.append((full[1], id(node) in top))
    return found


FILES = [p for p in sorted(SOURCE.rglob("*.py")) if p.parent != SOURCE or p.name != "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_left(path):
    room = path.relative_to(SOURCE).with_suffix("").parts[0]
    assert room in PLACE, f"{room} has no place in the order of rooms; see docs/architecture.md"
    for other, at_import in imports(path):
        if other in PLACE and PLACE[other] > PLACE[room]:
            assert not at_import and (room, other) in LAZY, (
                f"{path.name} imports {other} to its right"
            )


def test_every_allowed_exception_is_used():
    found = {
        (p.relative_to(SOURCE).with_suffix("").parts[0], o) for p in FILES for o, _ in imports(p)
    }
    assert set(LAZY) <= found, set(LAZY) - found
