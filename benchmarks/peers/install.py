"""What any package costs before it computes anything."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from .base import Prepared, prepares, repeat


@prepares("import", "import")
def importing(package: object, arrays: dict) -> Prepared:
    """A process of its own for each step; the first leaves compiled files for the others."""
    command = [sys.executable, "-c", f"import {package.__name__}"]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return Prepared([], repeat(lambda: subprocess.run(command, check=True, env=env)))


@prepares("wheel", "files")
def wheel(package: object, arrays: dict) -> Prepared:
    """All that a wheel would hold."""
    top, held = Path(package.__file__).parent, io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for path in top.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(top.parent))
    return Prepared([], figures={"wheel": float(held.tell())})
