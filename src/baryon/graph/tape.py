"""The tape: what recorded eager calls leave behind, and its reading as a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..native import native
from ..ops.attrs import Attrs
from ..ops.blocked import blocked_shape
from ..ops.op import Op, Spec
from .gradient import gradient
from .graph import Entry, Key, Node, variable, walk
from .layout import BlockedCall, blocked_call
from .lower import accepted_params


class Leaf:
    """A marked array on the tape: where its gradient goes, and how (`write`, `add` or `null`).

    fresh : set by every backward pass that reaches it; Trainer clears it.
    """

    __slots__ = ("fresh", "grad", "req", "spec", "__weakref__")

    def __init__(self, spec: Spec, grad: Any, req: str) -> None:
        self.spec = spec
        self.grad = grad
        self.req = req
        self.fresh = False


class HostKey(np.ndarray):
    """Numbers for the host that a tape keeps among arrays of a GPU."""


class TapeNode:
    """One recorded call.

    parents, indices : for each input the Leaf or TapeNode it came from (None: a constant) and
                       which of its outputs it was.
    saved            : buffers of the inputs, then of all outputs, None where no rule reads one;
                       None as a whole once a backward pass has freed them.
    """

    __slots__ = ("plan", "parents", "indices", "saved", "__weakref__")

    def __init__(self, plan: Plan, parents: tuple, indices: tuple, saved: tuple) -> None:
        self.plan = plan
        self.parents = parents
        self.indices = indices
        self.saved = saved


class Plan:
    """All that is worth knowing before running one operator on inputs of given specs.

    visible : outputs that the caller sees.      saves : which inputs and outputs its rules read.
    outs    : None as long as they are not known, before a dynamic operator has run.
    numbers : the kernel's parameters (None: the body runs).   native : C++ may run the whole call.
    stypes  : storage types of the inputs of a call with a sparse input or result, else None.
    blocked : for inputs, then outputs, whether a tape keeps them channel-blocked; empty: none.
    """

    blocked: tuple[bool, ...] = ()

    __slots__ = (
        "op",
        "attrs",
        "ins",
        "outs",
        "visible",
        "kernel",
        "params",
        "saves",
        "differentiable",
        "native",
        "stypes",
        "names",
    )

    def __init__(
        self,
        op: Op,
        attrs: Attrs,
        ins: tuple[Spec, ...],
        outs: tuple[Spec, ...] | None,
        stypes: tuple[str, ...] | None = None,
    ) -> None:
        self.op, self.attrs, self.ins, self.outs = op, attrs, ins, outs
        self.stypes = stypes
        self.names: list[str] | None = None  # of the inputs, once somebody asked
        self.visible = op.visible(attrs)
        self.differentiable = op.differentiable
        self.kernel = op.kernel
        self.params, self.native, self.saves = None, False, ()
        if outs is None:
            return
        written = op.mutated(attrs)
        mutated = [ins[i] for i in written]
        self.params = accepted_params(op, attrs, ins, [*outs, *mutated])
        dense = not op.is_stored(attrs, ("default",) * len(ins))
        self.native = self.params is not None and not op.is_random and not written and dense
        if self.native and op.blocked is not None and op.blocked.heavy:  # Python reorders images
            self.native = blocked_call(op, attrs, ins, outs, (False,) * len(ins)) is None
        self.saves = _reads(op, attrs, ins, outs)


class BlockedPlan(Plan):
    """The plan of a call that runs on channel-blocked images, and is recorded as the plain one.

    inner : what is run.
    """

    __slots__ = ("blocked", "inner")

    def __init__(self, plain: Plan, call: BlockedCall) -> None:
        super().__init__(plain.op, plain.attrs, plain.ins, plain.outs)
        self.blocked = (*call.ins, *call.outs)
        specs = (
            s._replace(shape=blocked_shape(s.shape, call.block)) if is_blocked else s
            for s, is_blocked in zip(plain.ins, call.ins, strict=True)
        )
        self.inner = make_plan(call.op, call.params, tuple(specs))


def make_plan(
    op: Op, attrs: Attrs, ins: Sequence[tuple], stypes: tuple[str, ...] | None = None
) -> Plan:
    """The plan of a call; MXNetError if the inputs do not fit the operator."""
    specs = tuple(Spec(tuple(shape), dtype) for shape, dtype in ins)
    return Plan(op, attrs, specs, None if op.dynamic else op.infer(attrs, specs), stypes)


def _reads(op: Op, attrs: Attrs, ins: tuple[Spec, ...], outs: tuple[Spec, ...]) -> tuple[bool, ...]:
    """Which inputs and outputs the gradient rules read: found by drawing them once."""
    if not op.gradients:  # an expression reads inputs alone
        return (op.expressed is not None,) * len(ins) + (False,) * len(outs)
    inputs = [variable(f"in{i}", s) for i, s in enumerate(ins)]
    node = Node(op, op.name, inputs, attrs, specs=outs)
    heads = node.entries[: op.visible(attrs)]
    dys = [variable(f"dy{i}", h.spec) for i, h in enumerate(heads)]
    grads = [g for g in gradient(heads, dys, inputs) if g is not None]
    read: set[Key] = {e.key for g in grads for e in (g, *_inputs_of(g, node))}
    return tuple(e.key in read for e in (*inputs, *node.entries))


def _inputs_of(head: Entry, stop: Node) -> list[Entry]:
    return [e for n in walk([head], stop=lambda n: n is stop) if n is not stop for e in n.inputs]


class TapeGraph:
    """A part of the tape as a typed graph.

    leaves  : the Leafs found, `leaf_entries` their variables.    nodes : tape nodes, inputs first.
    buffers : the kept array of each entry that a rule may read, `slots` where on the tape it is:
              the position of a node and an index into its ``saved``. Those of `blocked` are images
              in blocked layout.
    """

    def __init__(self, heads: Sequence[tuple[Any, int]], inline: bool = False) -> None:
        self.nodes = tape_walk([n for n, _ in heads])
        self.leaves: list[Leaf] = []
        self.leaf_entries: list[Entry] = []
        self.buffers: dict[Key, np.ndarray] = {}
        self.slots: dict[Key, tuple[int, int]] = {}
        self.blocked: set[Key] = set()
        self.sources: dict[Key, tuple[Any, int]] = {}
        self._entries: dict[Any, list[Entry]] = {}
        for position, node in enumerate(self.nodes):
            if isinstance(node, Leaf):
                self._add_leaf(node)
            else:
                self._add_node(position, node, inline)
        self.heads = [self._entries[n][i] for n, i in heads]

    def _add_leaf(self, leaf: Leaf) -> None:
        entry = variable(f"var{len(self.leaves)}", leaf.spec)
        self.leaves.append(leaf)
        self.leaf_entries.append(entry)
        self._entries[leaf] = [entry]
        self.sources[entry.key] = (leaf, 0)

    def _add_node(self, position: int, node: TapeNode, inline: bool) -> None:
        plan = node.plan
        inputs = []
        for i, (parent, index) in enumerate(zip(node.parents, node.indices, strict=True)):
            known = self._entries[parent][index] if parent is not None else None
            inputs.append(known or variable(f"constant{i}", plan.ins[i]))
        expand: Callable | None = getattr(plan.op, "inline", None) if inline else None
        if expand is not None:
            outputs = expand(inputs, node.saved)
        else:
            outputs = Node(plan.op, plan.op.name, inputs, plan.attrs, specs=plan.outs).entries
        self._entries[node] = outputs
        for k, entry in enumerate((*inputs, *outputs[: len(plan.outs)])):
            if node.saved[k] is not None:
                self.buffers[entry.key] = node.saved[k]
                self.slots[entry.key] = (position, k)
                keep = (
                    self.blocked.add if plan.blocked and plan.blocked[k] else self.blocked.discard
                )
                keep(entry.key)
        for i, entry in enumerate(outputs):
            self.sources[entry.key] = (node, i)


def tape_walk(heads: Sequence[Any]) -> list[Any]:
    """All Leafs and TapeNodes that `heads` depend on, inputs before users."""
    if native is not None:
        return native.tape_walk(heads)
    order: list[Any] = []
    seen: set[Any] = set()
    open_nodes: list[Any] = []  # whose parents are being walked; None on the stack ends the last
    for head in heads:
        stack: list[Any] = [head]
        while stack:
            node = stack.pop()
            if node is None:
                order.append(open_nodes.pop())
            elif node not in seen:
                seen.add(node)
                if type(node) is Leaf:
                    order.append(node)
                    continue
                open_nodes.append(node)
                stack.append(None)
                stack += [p for p in reversed(node.parents) if p is not None]
    return order
