"""The pass that puts quantized operators into a graph, and the one that tells them ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...graph.graph import Entry, Key, Node, rebuild, variable, walk
from ...ops.op import get
from ...ops.quantize import Twin
from ...symbol import Symbol

DEQUANTIZE, QUANTIZE, REQUANTIZE = (
    get(f"_contrib_{name}") for name in ("dequantize", "quantize_v2", "requantize")
)


class _Bytes(NamedTuple):
    """Integers, and the ends of the range that they stand for."""

    values: Entry
    low: Entry
    high: Entry


def _node(op: Any, name: str, inputs: Sequence[Entry], attrs: Mapping[str, str]) -> Node:
    raw = {k: v for k, v in attrs.items() if k in op.attrs}
    return Node(op, name, inputs, op.attributes(raw), attrs)


def entry_name(entry: Entry) -> str:
    """The name of a node's output, as symbols list it."""
    return Symbol([entry]).list_outputs()[0]


class Quantizer:
    """Draws a graph again with the quantized forms of the nodes that `wanted` chooses.

    params : variables that are quantized beforehand.    kind : int8, uint8 or auto.
    smart  : leave operators that only move numbers in float32 where numbers are float32.
    """

    def __init__(
        self, wanted: Callable[[Node], bool], params: set[str], kind: str, smart: bool
    ) -> None:
        self._wanted, self._params, self._kind, self._smart = wanted, params, kind, smart
        self._floats: dict[Key, Entry] = {}
        self._bytes: dict[Key, _Bytes] = {}
        self._signed: set[Key] = set()

    def run(self, heads: Sequence[Entry]) -> list[Entry]:
        """The new heads, in float32."""
        nodes = walk(heads)
        self._find_signed(nodes)
        for node in nodes:
            if node.op is None:
                self._floats[(node, 0)] = Entry(node)
            elif self._chooses(node):
                self._quantize(node)
            else:
                inputs = [self._float(e) for e in node.inputs]
                made = Node(node.op, node.name, inputs, node.params, node.attrs)
                self._floats |= {(node, e.index): e for e in made.entries}
        return [self._float(e) for e in heads]

    def _find_signed(self, nodes: Sequence[Node]) -> None:
        """What must be int8, because that is read directly or after it was only moved."""
        for node in reversed(nodes):
            twin = node.op.quantized if node.op is not None else None
            if twin is None:
                continue
            if twin.signed:
                self._signed.add(node.inputs[0].key)
            elif twin.follows and (node, 0) in self._signed:
                self._signed |= {e.key for e in node.inputs}

    def _chooses(self, node: Node) -> bool:
        twin = node.op.quantized
        if twin is None or not twin.serves(node.params) or not self._wanted(node):
            return False
        return not (twin.follows and self._smart) or all(e.key in self._bytes for e in node.inputs)

    def _out_type(self, key: Key) -> dict[str, str]:
        return {"out_type": "int8" if key in self._signed else self._kind}

    def _quantize(self, node: Node) -> None:
        twin: Twin = node.op.quantized
        names = node.op.input_names(node.params, len(node.inputs))
        values, ranges = [], []
        for name, e in zip(names, node.inputs, strict=True):
            if twin.inputs is not None and name not in twin.inputs:
                values.append(self._float(e))
                continue
            triple = self._byte(e)
            values.append(triple.values)
            ranges += triple[1:]
        kept = {k: v for k, v in node.attrs.items() if k in twin.op.attrs or k.startswith("__")}
        made = _node(twin.op, f"quantized_{node.name}", [*values, *ranges], kept)
        if twin.wide:
            outs = self._out_type((node, 0))
            made = _node(REQUANTIZE, f"requantize_{node.name}", made.entries[:3], outs)
        self._bytes[(node, 0)] = _Bytes(*made.entries[:3])

    def _byte(self, entry: Entry) -> _Bytes:
        """An entry of the old graph as integers."""
        if entry.key not in self._bytes:
            if entry.node.op is None and entry.node.name in self._params:
                stem = f"{entry.node.name}_quantize"
                parts = [variable(f"{stem}{end}") for end in ("", "_min", "_max")]
            else:
                name = f"{entry_name(entry)}_quantize"
                made = _node(QUANTIZE, name, [self._float(entry)], self._out_type(entry.key))
                parts = made.entries
            self._bytes[entry.key] = _Bytes(*parts)
        return self._bytes[entry.key]

    def _float(self, entry: Entry) -> Entry:
        """An entry of the old graph in float32."""
        if entry.key not in self._floats:
            name = f"{entry.node.name}_dequantize"
            made = _node(DEQUANTIZE, name, self._bytes[entry.key], {})
            self._floats[entry.key] = made.entries[0]
        return self._floats[entry.key]


# ---- ranges ------------------------------------------------------------------------------------

_LOW, _HIGH = "min_calib_range", "max_calib_range"
_BATCH_NORM = get("BatchNorm").quantized.op


def _layer(node: Node) -> str | None:
    """The output of the float graph whose range a node of the quantized one must know."""
    if node.op is QUANTIZE:
        return node.name.removesuffix("_quantize")
    if node.op is REQUANTIZE:
        return f"{node.name.removeprefix('requantize_')}_output"
    if node.op is _BATCH_NORM:
        return f"{node.name.removeprefix('quantized_')}_output"
    return None


def layers(heads: Sequence[Entry]) -> Iterator[str]:
    """Outputs of the float graph whose ranges a quantized graph must know."""
    found = (_layer(node) for node in walk(heads) if node.op is not None)
    return (name for name in dict.fromkeys(found) if name is not None)


def with_ranges(heads: Sequence[Entry], ranges: Mapping[str, tuple[float, float]]) -> list[Entry]:
    """The graph with the ranges of layers, by their names, in the nodes that must know them."""

    def change(node: Node, inputs: list[Entry]) -> Node:
        attrs = node.attrs
        name = _layer(node) if node.op is not None else None
        if name in ranges:
            low, high = ranges[name]
            attrs = {**attrs, _LOW: str(float(low)), _HIGH: str(float(high))}
        elif all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
            return node
        return node if node.op is None else _node(node.op, node.name, inputs, attrs)

    return rebuild(heads, change)
