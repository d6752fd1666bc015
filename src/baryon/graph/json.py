"""Symbol JSON: the graph as MXNet 1.9.1 writes and reads it, and what older versions wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from ..collector import waiting
from ..ops.op import get
from ..util import is_np_shape
from . import control_flow, upgrade  # noqa: F401  (the first: operators that contain graphs)
from .graph import Entry, Node, walk
from .upgrade import HIDDEN_KEYS, set_initializer

VERSION = 10901  # of MXNet, whose format this is


@waiting()
def to_json(heads: Sequence[Entry]) -> str:
    """The graph of untyped entries as symbol JSON."""
    attrs = {"is_np_shape": ["int", 1]} if is_np_shape() else {}
    document = {**_describe(heads), "attrs": {**attrs, "mxnet_version": ["int", VERSION]}}
    return json.dumps(document, indent=2)


def _describe(heads: Sequence[Entry]) -> dict[str, Any]:
    """A graph, or a graph inside an operator, as the document has it."""
    nodes = walk(heads)
    number = {node: i for i, node in enumerate(nodes)}
    versions: dict[Node, int] = {}
    rows, described = [0], []
    for node in nodes:
        item: dict[str, Any] = {"op": node.op.name if node.op else "null", "name": node.name}
        if node.attrs:
            item["attrs"] = dict(sorted(node.attrs.items()))
        item["inputs"] = [[number[e.node], e.index, v] for e, v in _versioned(node, versions)]
        if node.op and node.op.graphs:
            item["subgraphs"] = [_describe(graph) for graph in node.op.graphs]
        described.append(item)
        rows.append(rows[-1] + (node.op.counted(node.params) if node.op else 1))
    return {
        "nodes": described,
        "arg_nodes": [i for i, n in enumerate(nodes) if n.op is None],
        "node_row_ptr": rows,
        "heads": [[number[e.node], e.index, versions.get(e.node, 0)] for e in heads],
    }


def _versioned(node: Node, versions: dict[Node, int]) -> list[tuple[Entry, int]]:
    """Inputs with nnvm's count of how often each was written so far, this node included."""
    if node.op is None:
        return []
    names = node.op.input_names(node.params, len(node.inputs))
    for name, e in zip(names, node.inputs, strict=True):
        if name in node.op.aux:
            versions[e.node] = versions.get(e.node, 0) + 1
    return [(e, versions.get(e.node, 0)) for e in node.inputs]


@waiting()
def from_json(text: str) -> list[Entry]:
    """The heads of a graph in symbol JSON; MXNetError that says where the document is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MXNetError(f"symbol JSON cannot be parsed: {error}") from None
    try:
        return _read_graph(document, _version(document))
    except RecursionError:
        raise MXNetError("symbol JSON: graphs are nested too deeply") from None


def _version(document: Any) -> int:
    """The version of MXNet that wrote a document; 0 where it does not say, as before 0.9."""
    attrs = document.get("attrs") if isinstance(document, dict) else None
    found = attrs.get("mxnet_version") if isinstance(attrs, dict) else None
    number = found[1] if isinstance(found, list) and len(found) == 2 else 0
    return number if isinstance(number, int) else 0


def _read_graph(document: Any, version: int) -> list[Entry]:
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise MXNetError("symbol JSON has no list of nodes")
    nodes: list[Node] = []
    for item in document["nodes"]:
        nodes.append(_read_node(item, nodes, version))
    heads = document.get("heads")
    if not isinstance(heads, list) or not heads:
        raise MXNetError("symbol JSON has no heads")
    return [_read_entry(h, nodes, "heads") for h in heads]


def _read_node(item: Any, nodes: list[Node], version: int) -> Node:
    """One node; its inputs must stand before it."""
    if not isinstance(item, dict) or not isinstance(item.get("op"), str):
        raise MXNetError(f"symbol JSON: node {len(nodes)} has no operator")
    name = item.get("name")
    if not isinstance(name, str):
        raise MXNetError(f"symbol JSON: node {len(nodes)} has no name")
    attrs = _read_attrs(item, name)
    given = item.get("inputs", [])
    if not isinstance(given, list):
        raise MXNetError(f"symbol JSON: inputs of node {name!r} are not a list")
    inputs = [_read_entry(e, nodes, f"node {name!r}") for e in given]
    if item["op"] == "null":
        return Node(None, name, attrs=attrs)
    graphs = item.get("subgraphs", [])
    if not isinstance(graphs, list):
        raise MXNetError(f"symbol JSON: subgraphs of node {name!r} are not a list")
    inner = [_read_graph(g, version) for g in graphs]
    try:
        return _operator_node(item["op"], name, inputs, attrs, inner, version)
    except MXNetError as error:
        raise MXNetError(f"symbol JSON: node {name!r}: {error}") from None


def _operator_node(
    kind: str,
    name: str,
    inputs: list[Entry],
    attrs: dict[str, str],
    graphs: list[list[Entry]],
    version: int,
) -> Node:
    op = get(kind)
    op = op.numpy if op.numpy is not None and is_np_shape() else op
    if op.derived:
        raise MXNetError(f"operator {kind} belongs to gradients and passes, not to files")
    own = {k: v for k, v in attrs.items() if not k.startswith("__")}
    if op.instantiate is not None:
        op = op.instantiate(own, graphs)
    upgrade.move_hidden(op, own, attrs, inputs)
    upgrade.change_attributes(op, own, attrs, version)
    if op.variadic:
        own.setdefault(op.variadic, str(len(inputs)))
    params = op.attributes(own)
    op.output_names(params)  # raises where their number is impossible
    inputs = inputs + upgrade.missing_inputs(op, params, name, attrs, len(inputs), version)
    names = op.input_names(params, len(inputs))
    if len(inputs) != len(names):
        raise MXNetError(
            f"operator {op.name} takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}"
        )
    if version < upgrade.INIT_IN_FILES:
        for which, e in zip(names, inputs, strict=True):
            set_initializer(op, which, e.node)
    return Node(op, name, inputs, params, attrs)


def _read_attrs(item: Mapping[str, Any], name: str) -> dict[str, str]:
    """Attributes under any of the keys that versions of MXNet have used."""
    attrs: dict[str, str] = {}
    for key in ("param", "attr", "attrs"):
        found = item.get(key) or {}
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise MXNetError(f"symbol JSON: {key} of node {name!r} does not map names to strings")
        attrs.update(found)
    for key in HIDDEN_KEYS:
        if key in attrs:
            attrs[f"__{key}__"] = attrs.pop(key)
    return attrs


def _read_entry(item: Any, nodes: Sequence[Node], where: str) -> Entry:
    if not isinstance(item, list) or len(item) < 2 or not all(isinstance(i, int) for i in item[:2]):
        raise MXNetError(f"symbol JSON: {where}: {item!r} is not [node, output, version]")
    node, index = item[:2]
    if not 0 <= node < len(nodes):
        raise MXNetError(f"symbol JSON: {where}: refers to node {node}, which is not before it")
    if not 0 <= index < nodes[node].count:
        raise MXNetError(f"symbol JSON: {where}: node {nodes[node].name!r} has no output {index}")
    return Entry(nodes[node], index)
