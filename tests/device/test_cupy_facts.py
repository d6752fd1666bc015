"""What operators ask of ``xp``: every name, and every keyword of a call, is one that CuPy has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in.functions import FACTS

import baryon

SOURCE = Path(baryon.__file__).parent
FILES = sorted(p for room in ("ops", "cuda") for p in (SOURCE / room).glob("*.py"))
UFUNC = set(FACTS["ufunc_keywords"])


def _path(node: ast.AST) -> list[str] | None:
    """``["linalg", "norm"]`` for ``xp.linalg.norm``; None for what does not begin with ``xp``."""
    found: list[str] = []
    while isinstance(node, ast.Attribute):
        found.insert(0, node.attr)
        node = node.value
    return found if isinstance(node, ast.Name) and node.id == "xp" and found else None


def _uses(file: Path) -> Iterator[tuple[int, list[str], list[str]]]:
    """Line, name and keywords of what is taken from ``xp``; no keywords where it is not called."""
    tree = ast.parse(file.read_text())
    called = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        path = _path(node)
        if path is not None:
            call = called.get(id(node))
            words = [] if call is None else [k.arg for k in call.keywords if k.arg is not None]
            yield node.lineno, path, words


def _wrong(path: list[str], keywords: list[str]) -> str | None:
    *modules, name = path
    facts = FACTS.get(".".join(["cupy", *modules]))
    if facts is None or modules in (["cuda"],):
        return None
    if name in facts["ufuncs"]:
        unknown = set(keywords) - UFUNC
    elif name in facts["functions"]:
        known = facts["functions"][name] or []
        many = any(n.startswith("**") for n in known)
        unknown = set() if many else set(keywords) - {n.removesuffix("=") for n in known}
    elif name in facts["names"] or f"cupy.{name}" in FACTS or name in ("cuda", "lib"):
        return None
    else:
        return f"cupy.{name} does not exist"
    return f"cupy.{name} takes no {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize("file", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_names_and_keywords_exist(file):
    found = [(line, _wrong(path, words)) for line, path, words in _uses(file)]
    assert [f"line {line}: {what}" for line, what in found if what] == []


def test_wrong_uses_are_told():
    assert _wrong(["sum"], ["axis", "keepdims"]) is _wrong(["float32"], []) is None
    assert _wrong(["sum"], ["where"]) == "cupy.sum takes no where"
    assert _wrong(["add"], ["order"]) == "cupy.add takes no order"
    assert _wrong(["insert"], []) == "cupy.insert does not exist"
    assert sum(1 for file in FILES for _ in _uses(file)) > 1000
