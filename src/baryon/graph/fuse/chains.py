"""Chains: connected pointwise operators become one node, an expression program (`ops.chain`).

Nodes are visited in an order in which pointwise ones come as early as they can. One joins the
chains that it reads from if all that has read from them so far is part of them. Whoever reads a
chain otherwise thus comes after all of it, and no two nodes can wait for each other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from math import prod

from ...ops.chain import Chain, Step, printable, step_kernel, written
from ...ops.op import get
from ...ops.rules import broadcast, broadcast_shapes
from ..graph import Entry, Key, Node, draw, drawing, walk, with_inputs
from .again import computed_again, computed_by_each

MOST_STEPS, MOST_INPUTS = 32, 24  # of one chain
SMALLEST = 4096  # elements: smaller tensors stay in the first cache by themselves
LONGEST_ROW = 8192  # elements


class _Group:
    """Nodes that become a chain; `open` while nobody else has read from them.

    row : how many elements the reductions among them take together; 0: there are none.
    """

    def __init__(self, node: Node, stage: int, row: int = 0) -> None:
        self.nodes = [node]
        self.stage, self.row = stage, row
        self.shape = node.inputs[0].shape if row else node.specs[0].shape
        self.open = True

    def takes(self, other: _Group) -> bool:
        """Whether another group may become part of this one, before what its last node reads."""
        alike = other.stage == self.stage and other.shape == self.shape
        if not (other.open and alike) or len({self.row, other.row} - {0}) > 1:
            return False
        read = {e.node for e in self.nodes[-1].inputs}
        if any(_row(n) and n in read for n in other.nodes):
            return False  # it needs the result of a whole row
        nodes = other.nodes + self.nodes
        return len(nodes) <= MOST_STEPS and len(_read(nodes)) <= MOST_INPUTS

    def take(self, other: _Group) -> None:
        """Make another group part of this one."""
        self.nodes[:0] = other.nodes
        self.row = self.row or other.row


def chained(groups: Sequence[Sequence[Entry]], on_gpu: bool = False) -> list[list[Entry]]:
    """The heads of groups that run one after the other, with chains as one node each."""
    if not on_gpu and not _any_large(groups):
        return [list(heads) for heads in groups]
    groups = computed_again(groups, _stages(groups), lambda node: _is_step(node, on_gpu))
    order, group_of = _chains(groups, on_gpu)
    drawn = computed_by_each(order, group_of, [e for heads in groups for e in heads])
    if drawn is not None:
        entries = iter(drawn)
        groups = [[next(entries) for _ in heads] for heads in groups]
        order, group_of = _chains(groups, on_gpu)
    new = _redrawn(order, group_of, [e for heads in groups for e in heads]) if group_of else {}
    return [[new.get(e.key, e) for e in heads] for heads in groups]


def _any_large(groups: Sequence[Sequence[Entry]]) -> bool:
    """Whether any tensor is large enough for a chain."""
    nodes = walk([e for heads in groups for e in heads])
    return any(prod(spec[0]) >= SMALLEST for node in nodes for spec in node.specs)


def _chains(
    groups: Sequence[Sequence[Entry]], on_gpu: bool
) -> tuple[list[Node], dict[Node, _Group]]:
    """The nodes in an order in which they may run, and the chain of each that is part of one."""
    stages = _stages(groups)
    nodes = sorted(walk([e for heads in groups for e in heads]), key=stages.__getitem__)
    order = _pointwise_first(nodes, stages)
    grouped = _grouped(order, stages, on_gpu)
    return order, {n: g for n, g in grouped.items() if len(g.nodes) > 1}


def _stages(groups: Sequence[Sequence[Entry]]) -> dict[Node, int]:
    """The first group that needs each node: it must not wait for what later ones are given."""
    stages: dict[Node, int] = {}
    for stage, heads in enumerate(groups):
        for node in walk(heads, stop=stages.__contains__):
            stages.setdefault(node, stage)
    return stages


def _pointwise_first(nodes: Sequence[Node], stages: dict[Node, int]) -> list[Node]:
    """The nodes, stage after stage, and pointwise ones as soon as what they read is there."""
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    waits = {node: {e.node for e in node.inputs} for node in nodes}
    for node in nodes:
        for source in waits[node]:
            users[source].append(node)
    order: dict[Node, None] = {}
    for node in nodes:
        ready = deque([node])
        while ready:
            taken = ready.popleft()
            if taken in order:
                continue
            order[taken] = None
            for user in users[taken]:
                waits[user].remove(taken)
                at_once = user.op.is_pointwise(user.params) and stages[user] == stages[node]
                if at_once and not waits[user]:
                    ready.append(user)
    return list(order)


def _grouped(order: Sequence[Node], stages: dict[Node, int], on_gpu: bool) -> dict[Node, _Group]:
    """The group of each node that may be part of a chain."""
    group_of: dict[Node, _Group] = {}
    for node in order:
        read = {group_of[e.node]: None for e in node.inputs if e.node in group_of}
        row = 0 if on_gpu else _row(node)
        if row or _is_step(node, on_gpu):
            own = group_of[node] = _Group(node, stages[node], row)
            for group in sorted(read, key=lambda g: -len(g.nodes)):
                if own.takes(group):
                    own.take(group)
                    group_of.update(dict.fromkeys(group.nodes, own))
        for group in read:
            group.open = False  # of one that became part of another nobody asks any more
    return group_of


def _is_step(node: Node, on_gpu: bool) -> bool:
    """Whether a node can be a step of a chain: pointwise, and somebody runs it on elements."""
    op = node.op
    if op is None or not op.is_pointwise(node.params) or node.count > 1:
        return False
    (spec,) = node.specs
    if op.is_random or op.needs_mode or op.mutated(node.params):
        return False
    if not 0 < len(node.inputs) <= MOST_INPUTS or spec.size < (1 if on_gpu else SMALLEST):
        return False
    if op.shape_rule is not broadcast and any(e.shape != spec.shape for e in node.inputs):
        return False
    dtypes = tuple(e.dtype for e in node.inputs)
    if on_gpu:
        return printable(op, node.params, dtypes, spec.dtype)
    return step_kernel(op, node.params, dtypes, spec.dtype) is not None


def _row(node: Node) -> int:
    """How many elements a node reduces to one, if they are a row that fits the cache, else 0."""
    reduces = node.op.fusion.reduces if node.op is not None else None
    if reduces is None or node.inputs[0].size < SMALLEST:
        return 0
    shape, dtype = node.inputs[0].shape, node.inputs[0].dtype
    axes = sorted(reduces(node.params, len(shape)))
    row = prod(shape[len(shape) - len(axes) :])
    if axes != list(range(len(shape) - len(axes), len(shape))) or not 1 < row <= LONGEST_ROW:
        return 0
    return row if step_kernel(node.op, node.params, (dtype,), node.specs[0].dtype) else 0


def _read(nodes: Sequence[Node]) -> dict[Key, Entry]:
    """What a chain of these nodes reads."""
    members = set(nodes)
    return {e.key: e for node in nodes for e in node.inputs if e.node not in members}


# ---- drawing -----------------------------------------------------------------------------------


def _redrawn(
    order: Sequence[Node], group_of: dict[Node, _Group], heads: Sequence[Entry]
) -> dict[Key, Entry]:
    """The new entry for each one."""
    readers: dict[Key, set] = {}
    for node in order:
        for e in node.inputs:
            readers.setdefault(e.key, set()).add(group_of.get(node, node))
    for e in heads:
        readers.setdefault(e.key, set()).add(None)
    missing = Counter(group_of.values())
    new: dict[Key, Entry] = {}
    for node in order:
        group = group_of.get(node)
        if group is None:
            outs = with_inputs(node, [new[e.key] for e in node.inputs]).entries
            new.update(((node, i), e) for i, e in enumerate(outs))
            continue
        missing[group] -= 1
        if not missing[group]:
            _draw_chain(group, readers, new)
    return new


def _draw_chain(group: _Group, readers: dict[Key, set], new: dict[Key, Entry]) -> None:
    results = [n for n in group.nodes if readers.get((n, 0), set()) - {group}]
    reads = _ordered(results, list(_read(group.nodes).values()), group, readers)
    number: dict[Key, int] = {e.key: i for i, e in enumerate(reads)}
    number.update(((n, 0), len(reads) + i) for i, n in enumerate(group.nodes))
    steps = [Step(n.op, n.params, tuple(number[e.key] for e in n.inputs)) for n in group.nodes]
    outputs = tuple(number[(n, 0)] for n in results)
    program = written(Chain(len(reads), tuple(steps), outputs))
    with drawing(False, results[-1].name):
        given = [new[e.key] for e in reads]
        inputs = [_small(e) for e in given]
        if _whole(inputs) != _whole(given):
            inputs = given  # all are of equal elements: one of them has to tell the shape
        drawn = draw(get("_fused_chain"), inputs, {"program": program})
    new.update(((n, 0), e) for n, e in zip(results, drawn, strict=True))


def _whole(inputs: Sequence[Entry]) -> tuple[int, ...]:
    return broadcast_shapes(*(e.shape for e in inputs))


def _small(entry: Entry) -> Entry:
    """One element in place of a tensor of equal ones, which a chain broadcasts."""
    node = entry.node
    if node.op is None or not node.op.fusion.uniform:
        return entry
    return draw(node.op, [], {**node.params, "shape": (1,) * entry.ndim})[0]


def _ordered(
    results: Sequence[Node], reads: list[Entry], group: _Group, readers: dict[Key, set]
) -> list[Entry]:
    """What a chain reads: at each result's place, if there is one, a value whose memory the result
    may take over, since nobody else reads it.
    """
    spare = [e for e in reads if e.node.op is not None and readers[e.key] == {group}]
    found: list[Entry | None] = []
    for node in results:
        fits = (e for e in spare if e.spec == node.specs[0] and all(e is not f for f in found))
        found.append(next(fits, None))
    chosen = {e.key for e in found if e is not None}
    rest = iter([e for e in reads if e.key not in chosen])
    placed = [next(rest, None) if e is None else e for e in found]
    return [e for e in placed if e is not None] + list(rest)
