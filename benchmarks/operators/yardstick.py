"""What memory gives on this machine: rates of bare loops, and the time that traffic must take."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, Optional  # noqa: UP035 (the peers run Python 3.8)

Rates = Dict[str, float]  # noqa: UP006
SOURCE = Path(__file__).with_suffix(".cpp")
MEGABYTES = 32  # of each array, as in the large cases
ROUNDS = 31


class Yardstick:
    """Bytes a second that bare loops read, copy (both ways counted) and write.

    A context manager: it compiles ``yardstick.cpp`` for this machine into a temporary folder.
    Several measurements keep the best rates, for a disturbed one would flatter operators.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.rates: Rates = {}

    def __enter__(self) -> Yardstick:
        self._folder = tempfile.TemporaryDirectory()
        compiler = shlex.split(os.environ.get("CXX", "")) or [shutil.which("g++") or "c++"]
        self._program = str(Path(self._folder.name) / "yardstick")
        flags = ["-std=c++20", "-O3", "-march=native", "-pthread", str(SOURCE)]
        done = subprocess.run(
            [*compiler, *flags, "-o", self._program], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def measure(self, megabytes: int = MEGABYTES, rounds: int = ROUNDS) -> Rates:
        """The best rates so far, with one more measurement."""
        words = [self._program, str(self.threads), str(megabytes), str(rounds)]
        found = json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
        self.rates = {name: max(rate, self.rates.get(name, 0.0)) for name, rate in found.items()}
        return self.rates


def seconds(rates: Rates, read: float, written: float) -> Optional[float]:  # noqa: UP045
    """The time of reading and writing so many bytes once: what can be a copy goes at its rate."""
    if not rates:
        return None
    both = min(read, written)
    return (
        2 * both / rates["copy"] + (read - both) / rates["read"] + (written - both) / rates["fill"]
    )
