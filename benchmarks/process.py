"""A contestant's process: its own interpreter, a fixed number of threads, JSON lines."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .peers.base import PACKAGES

ROOT = Path(__file__).parent.parent
THREAD_VARIABLES = (
    "BARYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NPROC",  # of JAX
)
PATIENCE = 600  # seconds for one answer


class PeerError(RuntimeError):
    """A peer answered with an error, or died, or said nothing for too long."""


def interpreter(peer: str) -> str | None:
    """The Python that has the peer: from the environment, or this one; None where there is none."""
    named = os.environ.get(f"BARYON_BENCH_{peer.upper()}_PYTHON")
    if named:
        return named
    return sys.executable if importlib.util.find_spec(PACKAGES.get(peer, peer)) else None


def environment(python: str, threads: int) -> dict[str, str]:
    """Variables of the process: the threads, and this interpreter's path only for itself."""
    found = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    found.pop("PYTHONPATH", None)
    if python == sys.executable:
        found["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)
    return found


class Peer:
    """One contestant in its process; a context manager that ends it."""

    def __init__(self, name: str, python: str, threads: int = 2) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        try:
            self._process = self._start(python, threads)
        except OSError as error:
            self._log.close()
            raise PeerError(f"{name} cannot start: {error.strerror}") from None

    def _start(self, python: str, threads: int) -> subprocess.Popen:
        return subprocess.Popen(
            [python, "-m", "benchmarks.peers", self.name.split("/")[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env=environment(python, threads),
            start_new_session=True,
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        # With whatever it forked: OpenVINO's import forks a process that may wait for ever on a
        # lock of ours, and keeps our pipes open.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._log.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request; PeerError for an error.

        Between its answers the process is stopped: threads of OpenMP that still spin for work after
        a turn would otherwise take a processor from whoever comes next.
        """
        self._process.send_signal(signal.SIGCONT)
        try:
            return self._answer(request)
        finally:
            self._process.send_signal(signal.SIGSTOP)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(f"{self.name} died: {self._last_words()}") from None
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise PeerError(f"{self.name} did not answer within {PATIENCE} s")
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self.name} died: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self.name}: {answer['error']}")
        return answer

    def prepare(self, workload: str) -> dict[str, Any]:
        """Check values, figures and version."""
        return self.ask(prepare=workload, way=self.name.split("/")[1])

    def run(self, steps: int) -> float:
        """Seconds that so many steps took."""
        return self.ask(run=steps)["seconds"]

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return lines[-1] if lines else "without a word"
