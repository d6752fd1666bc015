"""Writes ``cupy_facts.json``: the names, parameters and types that an installed CuPy has.

    pip download cupy-cuda13x==14.2.0 --no-deps; unzip it into FOLDER (no GPU and driver needed)
    python tests/device/make_facts.py FOLDER

The stand-in for CuPy offers what these facts list and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

MODULES = (
    "cupy",
    "cupy.linalg",
    "cupy.fft",
    "cupy.lib.stride_tricks",
    "cupyx",
    "cupyx.scipy.special",
)
TARGET = Path(__file__).with_name("cupy_facts.json")


def parameters(function: Any) -> list[str] | None:
    """Names of a function's parameters; None: unknown.

    Stars stand before what may come in any number, ``=`` behind what must be named.
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return _documented(function)
    return [_written(p) for p in found if p.name != "self"]


def _written(p: inspect.Parameter) -> str:
    stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    return f"{stars}{p.name}{'=' if p.kind is p.KEYWORD_ONLY else ''}"


def keywords(cupy: Any) -> list[str]:
    """Keywords that functions by element take: others are wrong before a driver is looked for."""
    found = []
    for name in ("out", "dtype", "casting", "where", "order", "subok", "axis", "keepdims", "sig"):
        try:
            cupy.add(1, 2, **{name: None})
        except TypeError as error:
            if "Wrong arguments" in str(error):
                continue
        except Exception:  # there may be no driver
            pass
        found.append(name)
    return found


def _documented(function: Any) -> list[str] | None:
    """Compiled functions begin their documentation with their signature."""
    line = re.match(r"[\w.]*\((.*?)\)", (function.__doc__ or "").strip())
    if line is None:
        return None
    names = re.split(r",\s*", re.sub(r"=[^,]+", "", line[1]))
    return [n.split(":")[0].split(" ")[-1] for n in names if n and n.split(" ")[-1] != "self"]


def describe(name: str, ufunc: type) -> dict[str, Any]:
    """Functions with their parameters, ufuncs with their loops, and the other public names."""
    found: dict[str, Any] = {"functions": {}, "ufuncs": {}, "names": []}
    module = importlib.import_module(name)
    for key in sorted(n for n in dir(module) if not n.startswith("_")):
        value = getattr(module, key)
        if isinstance(value, ufunc):
            found["ufuncs"][key] = value.types
        elif isinstance(value, type) or not callable(value):
            found["names"].append(key)
        else:
            found["functions"][key] = parameters(value)
    return found


def main() -> None:
    """Read the package in the given folder, write the facts beside this file."""
    sys.path.insert(0, sys.argv[1])
    cupy = importlib.import_module("cupy")
    facts = {name: describe(name, cupy.ufunc) for name in MODULES}
    methods = {n: getattr(cupy.ndarray, n) for n in dir(cupy.ndarray)}
    facts["ndarray"] = {
        n: parameters(m) if callable(m) else None
        for n, m in methods.items()
        if not n.startswith("_") or n.startswith("__")
    }
    facts["ufunc_keywords"] = keywords(cupy)
    facts["version"] = cupy.__version__
    facts["ufunc"] = [n for n in dir(cupy.ufunc) if not n.startswith("_")]
    TARGET.write_text(json.dumps(facts, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
