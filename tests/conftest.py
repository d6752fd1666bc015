"""What all tests share (its presence puts this folder on the import path)."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test starts from the same random numbers."""
    mx.random.seed(0)
    np.random.seed(0)
