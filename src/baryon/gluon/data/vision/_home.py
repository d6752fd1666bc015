"""Where datasets lie that are not told otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``$MXNET_HOME/datasets``, by default ``~/.mxnet/datasets``."""
    return Path(os.environ.get("MXNET_HOME", "~/.mxnet")).expanduser() / "datasets"
