"""The walk that applies rules of fusion, and what a rule may ask about the graph drawn so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...ops.op import Op
from ..graph import Entry, Key, Node, walk, with_inputs


class Rule(NamedTuple):
    """A rule of fusion.

    draws : what it draws a node as.    needs : whether an operator is one of those without which
    a graph has nothing for the rule.
    """

    draws: Callable[[Redrawn, Node, list[Entry]], Sequence[Entry] | None]
    needs: Callable[[Op], Any]


def redraw(heads: Sequence[Entry], rules: Sequence[Rule]) -> list[Entry]:
    """The graph with every node as the first rule that answers draws it, else as it was."""
    nodes = walk(heads)
    ops = {node.op for node in nodes if node.op is not None}
    rules = [rule for rule in rules if any(map(rule.needs, ops))]
    if not rules:
        return list(heads)
    redrawn = Redrawn(nodes, heads)
    for node in nodes:
        inputs = [redrawn.new[e.key] for e in node.inputs]
        answers = (rule.draws(redrawn, node, inputs) for rule in rules if node.op is not None)
        outs = next((found for found in answers if found is not None), None)
        redrawn.add(node, with_inputs(node, inputs).entries if outs is None else outs)
    return [redrawn.new[e.key] for e in heads]


class Redrawn:
    """The graph drawn so far.

    new : the entry that stands for each entry of the given graph.
    """

    def __init__(self, nodes: Sequence[Node], heads: Sequence[Entry]) -> None:
        self.new: dict[Key, Entry] = {}
        self._readers = Counter(e.key for node in nodes for e in node.inputs)
        self._readers.update(e.key for e in heads)
        self._stands_for: dict[Node, dict[int, list[Key]]] = {}
        self._read: set[Key] = set()

    def readers(self, entry: Entry) -> int:
        """How many inputs and heads of the given graph read what a new entry stands for."""
        found = self._stands_for.get(entry.node, {}).get(entry.index, ())
        return sum(self._readers[key] for key in found)

    def alone(self, entry: Entry) -> bool:
        """Whether a new entry has one reader, and no other output of its node has been read yet.

        That reader may then be drawn as one with the entry's node (see `supersede`).
        """
        outputs = self._stands_for.get(entry.node, {})
        others = ((entry.node, i) for i in outputs if i != entry.index)
        return self.readers(entry) == 1 and not any(key in self._read for key in others)

    def unread(self, node: Node, first: int = 0) -> bool:
        """Whether nobody will ever read the outputs of a given node from the index `first` on."""
        return not any(self._readers[(node, i)] for i in range(first, node.count))

    def pass_by(self, node: Node) -> None:
        """Count a given node, in whose place its first input is read, as a reader no more."""
        self._readers[node.inputs[0].key] -= 1

    def untouched(self, node: Node) -> bool:
        """Whether nobody drawn so far reads an output of a new node."""
        return not any((node, i) in self._read for i in range(node.count))

    def supersede(self, node: Node, outs: Sequence[Entry], first: int = 1) -> None:
        """Let `outs` stand for what the outputs of a new node from `first` on stand for."""
        for index, keys in self._stands_for.pop(node, {}).items():
            if index >= first:
                for key in keys:
                    self._put(key, outs[index])

    def add(self, node: Node, outs: Sequence[Entry]) -> None:
        """Let `outs` stand for the outputs of a given node."""
        for index, entry in enumerate(outs[: node.count]):
            self._put((node, index), entry)
        for entry in outs[:1]:
            self._read.update(e.key for e in entry.node.inputs)

    def _put(self, key: Key, entry: Entry) -> None:
        self.new[key] = entry
        self._stands_for.setdefault(entry.node, {}).setdefault(entry.index, []).append(key)
