"""Inference on a few samples at a time: the large values of early layers need not all be there.

Early layers of convolutional networks have large images and few weights, late ones the reverse. So
a network's beginning is run slice by slice of the batch, up to a value through which everything
passes. There the slices' results lie side by side, and the rest goes on with the whole batch, for
which it reads its weights once. What is computed for each sample by itself operators say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from .. import settings
from ..ops.op import get
from .graph import Entry, Key, Node, draw, rebuild, with_inputs
from .schedule import schedule

LARGE = 32 << 20  # bytes that a graph needs at once: below that nothing is done
WORTH = 0.75  # of these may remain
LEAST = 4  # samples of a slice
READ = 0.5  # bytes of memory are given for a byte of weights that is not read once more


def sliced(inputs: Sequence[Entry], heads: Sequence[Entry]) -> list[Entry]:
    """The heads of an inference graph, its beginning drawn once for each slice of the batch."""
    steps: list[Node] = []
    if settings.get("BARYON_SLICE_BATCH"):
        steps = [node for node, _ in schedule(inputs, [heads])]
    cut = _Search(steps, heads).best()
    return list(heads) if cut is None else _drawn(steps[: cut.step + 1], heads, cut)


class _Cut(NamedTuple):
    """Steps up to `step` run in `count` slices; all that the others need of them is `value`.

    peak : bytes needed at once then.    more : bytes of weights that are read more than before.
    rows : positions of the inputs of these steps that have a row a sample; none: run once.
    """

    peak: int
    more: int
    count: int
    step: int
    value: Entry
    rows: dict[Node, tuple[int, ...]]


class _Search:
    """Where slices may come together again, and what memory the graph needs then."""

    def __init__(self, steps: Sequence[Node], heads: Sequence[Entry]) -> None:
        self.steps = steps
        self.last: dict[Key, int] = {e.key: i for i, n in enumerate(steps) for e in n.inputs}
        self.last.update((e.key, len(steps)) for e in heads)
        self.live = self._live_bytes()

    def _live_bytes(self) -> list[int]:
        """Bytes of all results at each step; views and what is done in place count as well."""
        change = [0] * (len(self.steps) + 2)
        for step, node in enumerate(self.steps):
            for e in node.entries:
                change[step] += e.spec.nbytes
                change[self.last.get(e.key, step) + 1] -= e.spec.nbytes
        return list(accumulate(change))[: len(self.steps)]

    def best(self) -> _Cut | None:
        """The cut that saves most, if that is much; what is read several times counts."""
        whole = max(self.live, default=0)
        found = self._cuts() if whole >= LARGE else ()
        worth = (c for c in found if c.peak <= WORTH * whole and c.peak + READ * c.more < whole)
        return min(worth, key=lambda c: c.peak + READ * c.more, default=None)

    def _cuts(self) -> Iterator[_Cut]:
        rows, batch = self._by_sample()
        within = list(accumulate(self.live, max))
        behind = [*accumulate(reversed(self.live), max, initial=0)][::-1]
        open_: set[Key] = set()
        weights = 0
        for step, node in enumerate(self.steps[: len(rows)]):
            open_ = {k for k in open_ if self.last[k] > step}
            if rows[node]:
                weights += sum(
                    e.spec.nbytes for i, e in enumerate(node.inputs) if i not in rows[node]
                )
                open_ |= {e.key for e in node.entries if self.last.get(e.key, step) > step}
            value = Entry(node)
            if open_ != {value.key} or self.last[value.key] == len(self.steps):
                continue
            for count in (c for c in range(2, batch // LEAST + 1) if batch % c == 0):
                peak = max(value.spec.nbytes + within[step] // count, behind[step + 1])
                yield _Cut(peak, (count - 1) * weights, count, step, value, rows)

    def _by_sample(self) -> tuple[dict[Node, tuple[int, ...]], int]:
        """Inputs with a row a sample of each of the first steps that may be sliced; the batch."""
        rows: dict[Node, tuple[int, ...]] = {}
        batch = 0
        for node in self.steps:
            depends = {i for i, e in enumerate(node.inputs) if rows.get(e.node)}
            found = () if node.op.is_pointwise(node.params) and not depends else _row_inputs(node)
            if not depends and not found:
                rows[node] = ()
                continue
            sizes = {e.shape[:1] for e in (*[node.inputs[i] for i in found], Entry(node))}
            batch = batch or max(sizes)[0]
            read = any((node, i) in self.last for i in range(1, node.count))
            if sizes != {(batch,)} or read or not depends <= set(found):
                break
            rows[node] = found
        return rows, batch


def _row_inputs(node: Node) -> tuple[int, ...]:
    """Positions of the inputs that have a row a sample, as the first output has; none: unknown."""
    op, shape = node.op, node.specs[0].shape
    if op.is_random or not shape:
        return ()
    if op.is_pointwise(node.params) and all(e.shape == shape for e in node.inputs):
        return tuple(range(len(node.inputs)))
    names = op.input_names(node.params, len(node.inputs))
    return tuple(i for i, name in enumerate(names) if name in op.rowwise(node.params))


def _drawn(steps: Sequence[Node], heads: Sequence[Entry], cut: _Cut) -> list[Entry]:
    rows = cut.value.shape[0] // cut.count
    made = [_slice(steps, cut, i * rows, (i + 1) * rows) for i in range(cut.count)]
    joined = draw(get("Concat"), made, {"dim": 0})

    def change(node: Node, inputs: list[Entry]) -> Node | list[Entry]:
        return joined if node is cut.value.node else with_inputs(node, inputs)

    return rebuild(heads, change, lambda node: node is cut.value.node)


def _slice(steps: Sequence[Node], cut: _Cut, begin: int, end: int) -> Entry:
    """The value at which slices come together, of samples [begin, end)."""
    new: dict[Key, Entry] = {}

    def part(e: Entry) -> Entry:
        if e.key not in new:
            new[e.key] = draw(get("slice_axis"), [e], {"axis": 0, "begin": begin, "end": end})[0]
        return new[e.key]

    for node in steps:
        if chosen := cut.rows[node]:
            inputs = [part(e) if i in chosen else e for i, e in enumerate(node.inputs)]
            specs = tuple(
                s._replace(shape=(end - begin, *s.shape[1:])) if i == 0 else s
                for i, s in enumerate(node.specs)
            )
            made = Node(node.op, node.name, inputs, node.params, node.attrs, specs)
            new[node, 0] = Entry(made)
    return new[cut.value.key]
