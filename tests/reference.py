"""Where the reference data of the real MXNet lies; tests that need it skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "reference"
ROOT = Path(os.environ.get("BARYON_REFERENCE", _BESIDE))


def reference(*parts: str) -> Path:
    """A file or folder of the reference data; skips the test when it is absent."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"reference data {'/'.join(parts)} not found; set BARYON_REFERENCE")
    return path
