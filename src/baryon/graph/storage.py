"""Storage types of everything in a graph, from those of its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from ..ops.stored import STYPES
from .graph import Key, Node

DECLARED = "__storage_type__"


def infer_storage(
    nodes: Sequence[Node], given: Mapping[str, str], found: dict[Key, str] | None = None
) -> dict[Key, str]:
    """The storage type of every entry; `nodes` has inputs before users.

    given : storage types of variables by name. Others are what their declaration says, or dense.
    found : entries that are known already, to which the rest is added.
    """
    found = {} if found is None else found
    results: dict[Any, Sequence[str]] = {}  # of calls that are alike
    for node in nodes:
        if (node, 0) in found:
            continue
        if node.op is None:
            stypes: Sequence[str] = (given.get(node.name) or _declared(node),)
        else:
            key = (node.op, node.params, *[found[e.key] for e in node.inputs])
            stypes = results.get(key, ())
            if not stypes:
                stypes = results[key] = node.op.result_stypes(node.params, key[2:])
        for i, stype in enumerate(stypes):
            found[node, i] = stype
    return found


def _declared(node: Node) -> str:
    code = node.attrs.get(DECLARED, "0")
    if code not in ("-1", "0", "1", "2"):
        raise MXNetError(f"variable {node.name!r}: unknown storage type {code!r}")
    return STYPES[max(int(code), 0)]
