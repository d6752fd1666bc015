"""Backward passes over the tape: drawn once, then compiled and kept under their structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import active, of_array
from .base import MXNetError
from .collector import waiting
from .context import Context
from .graph.fuse import fuse
from .graph.gradient import gradient
from .graph.graph import Entry, Key, Node, cut, draw, substitute, variable, walk
from .graph.layout import laid_out
from .graph.lower import Head, lower
from .graph.program import Program
from .graph.simplify import simplify
from .graph.tape import HostKey, Leaf, TapeGraph, TapeNode, tape_walk
from .ndarray.blocked import wrap
from .ndarray.invoke import _new, dense_class, invoke_all
from .ops.op import get
from .ops.stored import Stored, add_into, clear, write

_PROGRAMS: dict[Any, Any] = {}  # structure of a tape -> None (seen once), _Compiled or _Replayed
_PROGRAM_LIMIT = 512
_LARGE = 32 << 20  # bytes kept by a tape that is worth compiling, and planning, at first sight


def write_gradients(heads: Sequence[Any], head_grads: Sequence[Any], retain: bool) -> None:
    """Gradients of NDArrays `heads` into the ``grad`` arrays of the tape's leaves."""
    nodes = tape_walk([h._node for h in heads])
    _check_not_freed(nodes)
    if len(heads) > 1 and len({_memory(h.context) for h in heads}) > 1:
        if not any(isinstance(n, TapeNode) and n.plan.op.moves for n in nodes):
            for group in _by_memory(heads, head_grads):  # tapes that do not meet
                write_gradients(*group, retain)
            return
        head_grads = [_ones(h) if g is None else g for h, g in zip(heads, head_grads, strict=True)]
    with active(heads[0].context):
        kept = _program_for(nodes, heads, head_grads)
        if kept is not None:
            kept.run(nodes, heads, head_grads)
        else:
            _interpret(heads, head_grads)
    for node in nodes:
        if type(node) is Leaf:
            node.fresh = True
        elif not retain:
            node.saved = None


def _program_for(nodes: Sequence[Any], heads: Sequence[Any], head_grads: Sequence[Any]) -> Any:
    """What computes the gradients of a tape like this one; None where it is the first."""
    dense = _is_dense(nodes, heads, head_grads)
    on_gpu = heads[0].context.device_type == "gpu"
    key = (dense, on_gpu, _structure(nodes, heads, head_grads))
    kept = _PROGRAMS.get(key)
    if kept is not None:
        return kept
    if len(_PROGRAMS) >= _PROGRAM_LIMIT:
        _PROGRAMS.clear()
    if key in _PROGRAMS or (dense and _kept_bytes(nodes) > _LARGE):
        kept = (_Compiled if dense else _Replayed)(heads, head_grads, nodes)
    _PROGRAMS[key] = kept
    return kept


def _memory(ctx: Context) -> Context | None:
    """A GPU, or None for the memory of the CPU, which has many names."""
    return ctx if ctx.device_typeid == 2 else None


def _by_memory(heads: Sequence[Any], head_grads: Sequence[Any]) -> list[tuple[list, list]]:
    """Heads and their gradients, those of each device for themselves."""
    groups: dict[Context | None, tuple[list, list]] = {}
    for head, g in zip(heads, head_grads, strict=True):
        mine = groups.setdefault(_memory(head.context), ([], []))
        mine[0].append(head)
        mine[1].append(g)
    return list(groups.values())


def _ones(head: Any) -> Any:
    with active(head.context):
        xp = of_array(head._data).xp
        return head._like(xp.ones(head._data.shape, head._data.dtype))


def compute_gradients(
    heads: Sequence[Any],
    head_grads: Sequence[Any],
    wanted: Sequence[Any],
    retain: bool,
    create_graph: bool,
) -> list[Any]:
    """Gradients with respect to the NDArrays `wanted` as new NDArrays, None where none flows."""
    _check_not_freed(tape_walk([h._node for h in heads]))
    graph, cls = _tape_graph(heads, create_graph), dense_class(heads[0])
    places = {source: entry for entry, source in graph.sources.items()}
    wrt = [places.get((x._node, x._index)) for x in wanted]
    entries = [Entry(*k) for k in wrt if k is not None]
    found = iter(_evaluate_gradients(graph, heads, head_grads, entries, cls, create_graph))
    results = [None if k is None else next(found) for k in wrt]
    if not retain:
        _free(graph.nodes)
    return results


def _check_not_freed(nodes: Sequence[Any]) -> None:
    for node in nodes:
        if isinstance(node, TapeNode) and node.saved is None:
            raise MXNetError(
                f"backward: the buffers of operator {node.plan.op.name} were freed by an earlier "
                "backward pass; pass retain_graph=True to that one"
            )


def _free(nodes: Sequence[Any]) -> None:
    for node in nodes:
        if isinstance(node, TapeNode):
            node.saved = None


def _structure(nodes: Sequence[Any], heads: Sequence[Any], head_grads: Sequence[Any]) -> tuple:
    """A key that two tapes share exactly when one backward program serves both."""
    number = {None: -1}
    parts: list[Any] = []
    for i, node in enumerate(nodes):
        number[node] = i
        if type(node) is Leaf:
            parts += (node.spec, node.req)
        else:  # (the plan tells how many inputs there are)
            parts += (node.plan, node.indices)
            parts += map(number.__getitem__, node.parents)
    for head, grad in zip(heads, head_grads, strict=True):
        parts += (number[head._node], head._index, grad is None)
    return tuple(parts)


def _is_dense(nodes: Sequence[Any], heads: Sequence[Any], head_grads: Sequence[Any]) -> bool:
    """Whether a compiled program can serve: no array is sparse, and all are on one device."""
    for x in (*heads[:1], *head_grads):
        if x is not None and isinstance(x._data, Stored):
            return False
    for node in nodes:
        if type(node) is Leaf:
            if isinstance(node.grad._data, Stored):
                return False
        elif node.plan.stypes or node.plan.op.moves:
            return False
    return True


def _kept_bytes(nodes: Sequence[Any]) -> int:
    """Bytes of the buffers that a tape keeps."""
    kept = {id(a): a for n in nodes if isinstance(n, TapeNode) for a in n.saved if a is not None}
    return sum(getattr(a, "nbytes", 0) for a in kept.values())


def _tape_graph(heads: Sequence[Any], inline: bool = False) -> TapeGraph:
    return TapeGraph([(h._node, h._index) for h in heads], inline)


def _draw_head_grads(graph: TapeGraph, head_grads: Sequence[Any]) -> list[Entry | None]:
    """Variables for the head gradients that were given."""
    return [
        None if g is None else variable("head_grad", head.spec)
        for head, g in zip(graph.heads, head_grads, strict=True)
    ]


# ---- the first time: interpreted -----------------------------------------------------------------


def _interpret(heads: Sequence[Any], head_grads: Sequence[Any]) -> None:
    graph = _tape_graph(heads)
    grads = _evaluate_gradients(
        graph, heads, head_grads, graph.leaf_entries, dense_class(heads[0]), create_graph=False
    )
    for leaf, g in zip(graph.leaves, grads, strict=True):
        _write(leaf, None if g is None else g._data)


def _write(leaf: Leaf, value: Any) -> None:
    """Write or add a gradient (None: zero) where a leaf wants it."""
    target = leaf.grad._data
    with active(leaf.grad.context):
        if value is None:
            if leaf.req == "write":
                clear(target)
        elif leaf.req == "add":
            add_into(target, value)
        else:
            write(target, value)


def _evaluate_gradients(
    graph: TapeGraph,
    heads: Sequence[Any],
    head_grads: Sequence[Any],
    wrt: Sequence[Entry],
    cls: type,
    create_graph: bool,
) -> list[Any]:
    """Draw the gradients and compute them call by call, as NDArrays of class `cls`."""
    dys = _draw_head_grads(graph, head_grads)
    grads = gradient(graph.heads, dys, wrt)
    device = heads[0].context
    values = {
        k: wrap(data, device) if k in graph.blocked else _new(cls, data, _place(data, device))
        for k, data in graph.buffers.items()
    }
    if create_graph:
        for key, value in values.items():
            value._node, value._index = graph.sources.get(key, (None, 0))
    for dy, g in zip(dys, head_grads, strict=True):
        if dy is not None:
            values[dy.key] = g
    with device:  # where operators without inputs run
        _evaluate([g for g in grads if g is not None], values, cls)
    return [None if g is None else values[g.key] for g in grads]


def _place(data: Any, device: Context) -> Context:
    """Where a buffer of a tape lies: where the heads do, unless the tape crosses devices."""
    on_gpu = not isinstance(getattr(data, "values", data), np.ndarray)
    if type(data) is HostKey or (not on_gpu and device.device_typeid != 2):
        return device
    return Context(*of_array(data).context_of(data))


def _evaluate(heads: Sequence[Entry], values: dict[Key, Any], cls: type) -> None:
    """Compute every entry that `heads` need and `values` lacks, by eager calls."""
    needed, known = cut(heads, values)
    found = {entry.key: values[key] for key, entry in known.items()}
    _run_nodes(needed, found, cls)
    values.update((head.key, found[e.key]) for head, e in zip(heads, needed, strict=True))


def _run_nodes(needed: Sequence[Entry], found: dict[Key, Any], cls: type) -> None:
    """Compute entries whose variables `found` has; it keeps what is still to be read."""
    order = [node for node in walk(needed) if node.op is not None]
    last: dict[Key, Node | None] = {e.key: node for node in order for e in node.inputs}
    last.update((e.key, None) for e in needed)  # these are kept
    for node in order:
        inputs = [found[e.key] for e in node.inputs]
        outputs = invoke_all(node.op, inputs, node.params, cls=cls)
        for e, output in zip(node.entries, outputs, strict=True):
            if e.key in last:
                found[e.key] = output
        for e in node.inputs:
            if last[e.key] is node:
                found.pop(e.key, None)


# ---- a structure seen again ----------------------------------------------------------------------


class _Kept:
    """The gradients of one structure as entries, and where their inputs come from on a tape."""

    def __init__(
        self, heads: Sequence[Any], head_grads: Sequence[Any], nodes: Sequence[Any]
    ) -> None:
        graph = _tape_graph(heads)
        dys = _draw_head_grads(graph, head_grads)
        grads = gradient(graph.heads, dys, graph.leaf_entries)
        reached = [g for g in grads if g is not None]
        reached, kept = cut(reached, graph.buffers)
        reached, kept = _read_blocked(reached, kept, graph)
        self.results = simplify(reached)
        self.leaves = [
            (position, leaf.req, g is not None)
            for position, leaf, g in zip(_leaf_positions(nodes), graph.leaves, grads, strict=True)
        ]
        self.inputs = [*kept.values(), *(dy for dy in dys if dy is not None)]
        self.gather = [graph.slots[key] for key in kept]

    def read(self, nodes: Sequence[Any], head_grads: Sequence[Any]) -> list[Any]:
        """The raw arrays for `inputs` from a tape of this structure."""
        found = [nodes[n].saved[k] for n, k in self.gather]
        return found + [g._data for g in head_grads if g is not None]


class _Compiled(_Kept):
    """One Program, into the leaves' gradients."""

    @waiting()
    def __init__(
        self, heads: Sequence[Any], head_grads: Sequence[Any], nodes: Sequence[Any]
    ) -> None:
        super().__init__(heads, head_grads, nodes)
        reqs = [req for _, req, reached in self.leaves if reached]
        on_gpu = heads[0].context.device_type == "gpu"
        (results,) = fuse(laid_out(self.results, on_gpu), on_gpu=on_gpu)
        written = [Head(e, req == "add") for e, req in zip(results, reqs, strict=True)]
        self.program = Program(lower(self.inputs, [written]))

    def run(self, nodes: Sequence[Any], heads: Sequence[Any], head_grads: Sequence[Any]) -> None:
        """Compute the gradients of a tape of this structure."""
        externals = self.read(nodes, head_grads)
        for position, req, reached in self.leaves:
            target = nodes[position].grad._data
            if reached:
                externals.append(target)
            elif req == "write":
                target[...] = 0
        program, arena = self.program, self.program.new_arena(heads[0]._data)
        program.run(0, arena, externals, program.reserve_streams())


class _Replayed(_Kept):
    """Eager calls, where arrays are sparse."""

    def run(self, nodes: Sequence[Any], heads: Sequence[Any], head_grads: Sequence[Any]) -> None:
        """Compute the gradients of a tape of this structure."""
        cls, device = dense_class(heads[0]), heads[0].context
        arrays = zip(self.inputs, self.read(nodes, head_grads), strict=True)
        values = {e.key: _new(cls, data, _place(data, device)) for e, data in arrays}
        with device:  # where operators without inputs run
            _run_nodes(self.results, values, cls)
        results = iter(self.results)
        for position, _, reached in self.leaves:
            _write(nodes[position], values[next(results).key]._data if reached else None)


def _read_blocked(
    heads: Sequence[Entry], kept: dict[Key, Entry], graph: TapeGraph
) -> tuple[list[Entry], dict[Key, Entry]]:
    """The graph with the images that the tape kept blocked as variables of that layout."""
    place, kept = {}, dict(kept)
    for key in graph.blocked.intersection(kept):
        plain = kept[key]
        spec = plain.spec._replace(shape=graph.buffers[key].shape)
        kept[key] = variable(plain.node.name, spec)
        place[plain.node] = draw(get("_from_blocked"), [kept[key]], {})[0]
    return substitute(heads, place), kept


def _leaf_positions(nodes: Sequence[Any]) -> list[int]:
    return [i for i, n in enumerate(nodes) if isinstance(n, Leaf)]
