"""Operators that do nothing in this mode, such as dropout in inference, are left out."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph import Entry, Node
from .redraw import Redrawn


def left_out(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """The input of an idle node in the place of its output."""
    idle = node.op.fusion.idle
    if idle is None or not idle(node.params) or not redrawn.unread(node, first=1):
        return None
    redrawn.pass_by(node)
    return inputs[:1]
