"""Where in a model an error happened, as a path of attributes: ``net0.features[3].conv1``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base import MXNetError


class ShapeInferenceError(MXNetError, ValueError):
    """The shapes of a Block's Parameters cannot be found from its inputs."""


class _Location:
    """The Block an error came from, and the path to it from the outermost Block it passed."""

    def __init__(self, error: MXNetError, block: Any) -> None:
        self.message = str(error)
        self.path, inner = _find(block, getattr(error, "node", None))
        self.kind = type(inner).__name__
        self.outermost = block

    def leave(self, block: Any) -> None:
        """Note that the error passes on to the Block around."""
        paths = (path for path, inner in _descendants(block) if inner is self.outermost)
        self.path = next(paths, _step(self.outermost.name)) + self.path
        self.outermost = block

    def __str__(self) -> str:
        return f"Block {self.outermost.name}{self.path} ({self.kind}): {self.message}"


def locate(error: MXNetError, block: Any) -> None:
    """Put the path from `block` to where an error happened in front of its message.

    To be called for every Block that the error passes, the innermost first. Errors about
    Parameters name these already.
    """
    if type(error) not in (MXNetError, ShapeInferenceError):
        return
    found = getattr(error, "location", None)
    if found is None:
        found = error.location = _Location(error, block)  # type: ignore[attr-defined]
    else:
        found.leave(block)
    error.args = (str(found),)


def _step(name: str) -> str:
    return f"[{name}]" if name.isdigit() else f".{name}"


def _find(block: Any, node: str | None) -> tuple[str, Any]:
    """Path and Block within `block` that drew a node: the one with the longest fitting prefix."""
    fitting = [(path, b) for path, b in _descendants(block) if (node or "").startswith(b.prefix)]
    return max(fitting, key=lambda pair: len(pair[1].prefix), default=("", block))


def _descendants(block: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, block
    for name, child in block._children.items():
        yield from _descendants(child, path + _step(name))
