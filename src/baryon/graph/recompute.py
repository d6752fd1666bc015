"""Forward values that the backward pass computes again from what it keeps anyway.

Batch norm, sums and activations take as long as memory takes to read and write. Their results need
not wait for the backward pass beside what they were computed from, which it reads, too: they are
computed once more when their time has come, as the same numbers, in one pass over the data. What
is asked for by `mirror` goes further: it repeats chains, and needs nobody else to keep anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .. import settings
from ..ops.op import REGISTRY
from .graph import Entry, Key, Node, draw, drawing, rebuild, walk, with_inputs
from .lower import accepted_params

LARGE = 1 << 20  # bytes: smaller values are not worth an instruction
MOST = 2  # operators for one value, and large values that they read
LONGEST = 3  # values in a row that are computed one from the other: all are there with the last


def recomputed(outputs: Sequence[Entry], grads: Sequence[Entry]) -> list[Entry]:
    """The gradients, reading the cheap values of the forward pass from copies of their own."""
    if not settings.get("BARYON_RECOMPUTE") or not grads:
        return list(grads)
    kept = _Kept(outputs, grads)
    copies: dict[Key, Entry] = {}
    for node in kept.forward:
        again = kept.choose(node)
        if again is not None:
            copies[node, 0] = again
    if not copies:
        return list(grads)

    def change(node: Node, inputs: list[Entry]) -> Node | Sequence[Entry]:
        if node in kept.first:
            return [copies.get(e.key, e) for e in node.entries]
        return with_inputs(node, inputs)

    return rebuild(grads, change, kept.first.__contains__)


class _Again(NamedTuple):
    """A value drawn once more: the entry, how many operators that takes, in which place of a row
    of such values it is, and the large values that are read.
    """

    entry: Entry
    count: int
    row: int
    reads: frozenset[Key]


class _Kept:
    """What lies between forward and backward.

    forward : operators of the forward pass in order.    first : these, and its variables.
    """

    def __init__(self, outputs: Sequence[Entry], grads: Sequence[Entry]) -> None:
        nodes = walk(outputs)
        self.forward = [n for n in nodes if n.op is not None]
        self.first = set(nodes)
        self._heads = {e.key for e in outputs}
        self._read: set[Key] = set()  # by the backward pass
        self._changed: set[Key] = set()  # by anybody
        self._again: dict[Key, _Again] = {}
        self._chosen: dict[Key, tuple[Entry, int]] = {}  # how, and how many in a row
        for node in walk([*outputs, *grads]):
            if node not in self.first:
                self._read.update(e.key for e in node.inputs)
            if node.op is not None and not node.op.idempotent:
                self._changed.update(node.inputs[i].key for i in node.op.mutated(node.params))

    def choose(self, node: Node) -> Entry | None:
        """How a node's first output is computed again, if it is large, wanted and that is cheap."""
        key = (node, 0)
        if node.specs[0].nbytes < LARGE or key in self._heads:
            return None
        found = self._once_more(node)
        if found is None:
            return None
        if key not in self._read:
            self._again[key] = found  # (somebody behind it may want it)
            return None
        self._chosen[key] = found.entry, found.row
        return found.entry

    def _once_more(self, node: Node) -> _Again | None:
        drawn = _drawn(node)
        if drawn is None:
            return None
        count, row, reads, inputs = 1, 1, set(), []
        for e in drawn.inputs:
            again = self._again.get(e.key)
            if 8 * e.spec.nbytes <= node.specs[0].nbytes:
                if e.key in self._changed:
                    return None
            elif e.key in self._chosen:
                reads.add(e.key)
                e, before = self._chosen[e.key]
                row = max(row, before + 1)
            elif e.key in self._read:
                reads.add(e.key)
            elif again is not None:
                count, row, reads = count + again.count, max(row, again.row), reads | again.reads
                e = again.entry
            else:
                return None
            inputs.append(e)
        few = count <= MOST and len(reads) <= MOST and row <= LONGEST
        if not few or reads & self._changed:
            return None
        return _Again(Entry(with_inputs(drawn, inputs)), count, row, frozenset(reads))


def _drawn(node: Node) -> Node | None:
    """A node that gives the first output of `node` in one pass over memory, or None."""
    origin = node.op.origin or node.op
    if origin.again is None:
        pointwise = node.op.is_pointwise(node.params) and node.count == 1 and not node.op.is_random
        plain = REGISTRY.get(node.op.name) is node.op and not node.op.mutated(node.params)
        return node if plain and pointwise and node.op.flops is None else None
    begun = origin.again(node.inputs, node.entries, node.params)
    op = begun.op if node.op.origin is None else begun.op.blocked.op
    more = {k: node.params[k] for k in ("block", "plain") if k in op.attrs}
    with drawing(True, node.name):
        made = draw(op, begun.inputs, {**begun.raw, **more})[0].node
    ins = [e.spec for e in made.inputs]
    return made if accepted_params(op, made.params, ins, made.specs) is not None else None
