"""How far this process has grown: the most memory that it held since a mark."""

from __future__ import annotations

import re

STATUS, CLEAR = "/proc/self/status", "/proc/self/clear_refs"


def _status(field: str) -> int:
    with open(STATUS) as file:
        return int(re.search(rf"{field}:\s*(\d+) kB", file.read()).group(1)) * 1024


def mark() -> int | None:
    """Bytes held now, from which on the most is counted; None where the system cannot tell."""
    try:
        with open(CLEAR, "w") as file:
            file.write("5")  # sets the peak back to what is held now
        return _status("VmRSS")
    except OSError:
        return None


def since(before: int | None) -> dict[str, float]:
    """The figure ``growth``, or nothing."""
    return {} if before is None else {"growth": float(_status("VmHWM") - before)}
