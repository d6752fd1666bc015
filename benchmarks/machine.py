"""Facts about the machine that figures depend on; none that name it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cpu_model() -> str:
    """The processor's name, or the architecture where the system does not say."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def vectors() -> str:
    """The widest vector instructions."""
    flags = set(re.findall(r"\w+", _read("/proc/cpuinfo")))
    return next((f for f in ("avx512f", "avx2", "sse4_2", "asimd") if f in flags), "unknown")


def facts(threads: int) -> dict[str, str]:
    """By name, for people."""
    kilobytes = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    memory = f"{int(kilobytes.group(1)) / 2**20:.0f} GiB" if kilobytes else "unknown"
    return {
        "processor": f"{cpu_model()} ({vectors()})",
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "threads each": str(threads),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
    }
