"""Ordinary tests with a GPU as the default context: what they say of arrays holds there, too."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import baryon as mx

FILES = ("gluon/test_gluon_layers.py", "gluon/test_gluon_trainer.py", "gluon/test_gluon_utils.py")


def _tests_of(file: str) -> dict[str, Any]:
    """A file's tests."""
    path = Path(__file__).parents[1] / file
    spec = importlib.util.spec_from_file_location(f"ordinary_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: x for name, x in vars(module).items() if name.startswith(("test_", "Test"))}


for _file in FILES:
    globals().update(_tests_of(_file))


@pytest.fixture(autouse=True)
def _on_gpu() -> Iterator[None]:
    with mx.gpu(0):
        yield
