"""Lowering: a typed graph becomes a flat list of instructions over planned memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..native import native
from ..ops.attrs import Attrs
from ..ops.op import Op, Spec, get
from .graph import Entry, Key, Node
from .plan import ALIGNMENT, Buffer, MemoryPlan, plan_memory
from .schedule import schedule

ARENA, EXTERNAL, CONSTANT = 0, 1, 2
FOREVER = 1 << 40


class Ref(NamedTuple):
    """A tensor's place: byte offset in the arena, or index among the externals or constants."""

    space: int
    offset: int
    spec: Spec


class Instruction(NamedTuple):
    """One step of a Program. `numbers` are the kernel's parameters; None: the body runs."""

    name: str
    op: Op
    params: Attrs
    ins: tuple[Ref, ...]
    outs: tuple[Ref, ...]
    numbers: tuple | None


class Head(NamedTuple):
    """A result that the program leaves in an external array, written or added to it."""

    entry: Entry
    accumulate: bool = False


@dataclass
class Lowered:
    """Instructions and all that running them needs.

    externals  : specs of the arrays a run is given: the inputs, then every head in order.
    boundaries : number of instructions up to the end of each group of heads.
    """

    instructions: list[Instruction]
    externals: list[Spec]
    constants: list[np.ndarray]
    plan: MemoryPlan
    boundaries: list[int]

    @property
    def random_count(self) -> int:
        """How many instructions draw random numbers."""
        return sum(i.op.is_random for i in self.instructions)


@dataclass(eq=False)
class _Storage:
    """Memory that one or more entries share (views, pairs computed in place, and parts of it)."""

    space: int
    nbytes: int
    first: int = 0
    last: int = 0
    index: int = -1  # among externals, constants, or planned buffers
    group: int = 0
    in_parts: bool = False


def lower(inputs: Sequence[Entry], groups: Sequence[Sequence[Head]]) -> Lowered:
    """Lower the heads, group after group; a run may execute the groups one at a time.

    A group's results stay readable for later groups: forward is one group, backward the next.
    """
    return _Lowering(inputs, groups).result()


class _Lowering:
    def __init__(self, inputs: Sequence[Entry], groups: Sequence[Sequence[Head]]) -> None:
        self.inputs, self.groups = inputs, groups
        self.storage: dict[Key, _Storage] = {}
        self.shift: dict[Key, int] = {}  # of parts: bytes from where their storage begins
        self.constants: list[np.ndarray] = []
        self.arena: list[_Storage] = []
        for i, e in enumerate(inputs):
            self.storage[e.key] = _Storage(EXTERNAL, e.spec.nbytes, last=FOREVER, index=i)
        self.steps = self._order()
        self.last_use = self._last_uses()
        self.parts = self._parts()

    def _order(self) -> list[tuple[Node, int]]:
        """Operator nodes with their group, in the order in which they run."""
        steps = schedule(self.inputs, [[h.entry for h in heads] for heads in self.groups])
        for node, _ in steps:
            if node.op is None:
                raise MXNetError(f"variable {node.name!r} is not bound to an array")
        return steps

    def _root(self, entry: Entry) -> Key:
        """The entry whose bytes `entry` is a view of (itself if it is none)."""
        node = entry.node
        while node.op is not None and node.op.view and entry.key not in self.storage:
            entry = node.inputs[0]
            node = entry.node
        return entry.key

    def _last_uses(self) -> dict[Key, int]:
        last: dict[Key, int] = {}
        for step, (node, _) in enumerate(self.steps):
            for e in node.inputs:
                last[self._root(e)] = step
        for heads in self.groups:
            for h in heads:
                last[self._root(h.entry)] = FOREVER
        return last

    def _parts(self) -> dict[Key, tuple[Entry, int]]:
        """Entries that are computed where they lie in what joins them, and at which byte of it."""
        found: dict[Key, tuple[Entry, int]] = {}
        group_of = dict(self.steps)
        for node, group in self.steps:
            ins, whole = node.inputs, Entry(node)
            keys = {e.key for e in ins}
            if node.op.joined is None or not node.op.joined(node.params, [e.spec for e in ins]):
                continue
            made = all(
                group_of.get(e.node) == group and not e.node.op.view and e.node.inputs for e in ins
            )
            heads = any(self.last_use.get(k) == FOREVER for k in (*keys, whole.key))
            aligned = all(e.spec.nbytes % ALIGNMENT == 0 for e in ins)
            if made and aligned and not heads and len(keys) == len(ins) and not keys & found.keys():
                starts = accumulate((e.spec.nbytes for e in ins), initial=0)
                found.update((e.key, (whole, at)) for e, at in zip(ins, starts, strict=False))
        return found

    # ---- storage ---------------------------------------------------------------------------------

    def result(self) -> Lowered:
        """Assign storage, plan the arena, and write the instructions."""
        for step, (node, group) in enumerate(self.steps):
            self._assign(step, node, group)
        copies = self._place_heads()
        end = len(self.steps)
        plan = plan_memory([Buffer(s.nbytes, s.first, min(s.last, end)) for s in self.arena])
        self.offsets = plan.offsets
        instructions, boundaries = self._emit(copies)
        externals = [e.spec for e in self.inputs]
        externals += [h.entry.spec for heads in self.groups for h in heads]
        return Lowered(instructions, externals, self.constants, plan, boundaries)

    def _assign(self, step: int, node: Node, group: int) -> None:
        if node.op.view:
            key = node.inputs[0].key
            self.storage[(node, 0)], self.shift[(node, 0)] = (
                self.storage[key],
                self.shift.get(key, 0),
            )
            return
        if not node.inputs and not node.op.is_random:
            self._fold(node)
            return
        for out in node.entries:
            if out.key in self.parts:
                self._assign_part(out, step, group)
                continue
            if out.key in self.storage:  # of parts that are there
                continue
            last = max(self.last_use.get(out.key, step), step)
            shared = self._takes_over(node, out, step, group)
            if shared is None:
                shared = _Storage(ARENA, out.spec.nbytes, step, last, len(self.arena), group)
                self.arena.append(shared)
            shared.last = max(shared.last, last)
            self.storage[out.key] = shared

    def _assign_part(self, part: Entry, step: int, group: int) -> None:
        """Memory for a part: for the whole, if it is the first one."""
        whole, at = self.parts[part.key]
        if whole.key not in self.storage:
            last = self.last_use[whole.key]
            made = _Storage(ARENA, whole.spec.nbytes, step, last, len(self.arena), group, True)
            self.arena.append(made)
            self.storage[whole.key] = made
        made = self.storage[whole.key]
        made.last = max(made.last, self.last_use[part.key])
        self.storage[part.key] = made
        self.shift[part.key] = at

    def _takes_over(self, node: Node, out: Entry, step: int, group: int) -> _Storage | None:
        """Storage of the input that this output may be computed in place of."""
        name = node.op.overwrites(out.index)
        if name is None:
            return None
        names = node.op.input_names(node.params, len(node.inputs))
        k = names.index(name) if name in names else 0
        source = self.storage[node.inputs[k].key]
        others = [self.storage[e.key] for j, e in enumerate(node.inputs) if j != k]
        free = source.space == ARENA and source.last <= step and source not in others
        is_head = self.last_use.get(out.key) == FOREVER
        same = source.nbytes == out.spec.nbytes and node.inputs[k].dtype == out.dtype
        if not free or not same or (is_head and (source.group != group or source.in_parts)):
            return None
        return source

    def _fold(self, node: Node) -> None:
        """A node that reads nothing is computed now, once."""
        values = node.op.run(np, node.params, [])
        for out, value in zip(node.entries, values, strict=True):
            array = np.ascontiguousarray(value, out.dtype).reshape(out.shape)
            store = _Storage(CONSTANT, array.nbytes, last=FOREVER, index=len(self.constants))
            self.constants.append(array)
            self.storage[out.key] = store

    def _place_heads(self) -> list[list[tuple[Head, int]]]:
        """Let heads live in their external array where they can; the rest need a copy."""
        external, copies = len(self.inputs), []
        for group, heads in enumerate(self.groups):
            late = []
            for h in heads:
                s = self.storage[h.entry.key]
                if s.space == ARENA and s.group == group and not h.accumulate:
                    s.space, s.index = EXTERNAL, external
                else:
                    late.append((h, external))
                external += 1
            copies.append(late)
        self.arena = [s for s in self.arena if s.space == ARENA]
        for i, s in enumerate(self.arena):
            s.index = i
        return copies

    # ---- instructions ----------------------------------------------------------------------------

    def _ref(self, entry: Entry) -> Ref:
        s = self.storage[entry.key]
        offset = s.index
        if s.space == ARENA:
            offset = self.offsets[s.index] + self.shift.get(entry.key, 0)
        return Ref(s.space, offset, entry.spec)

    def _emit(self, copies: list) -> tuple[list[Instruction], list[int]]:
        instructions: list[Instruction] = []
        boundaries = []
        for group, late in enumerate(copies):
            for node, its_group in self.steps:
                if its_group == group and not node.op.view and self._computed(node):
                    instructions.append(self._instruction(node))
            for head, external in late:
                instructions.append(self._finish(head, external))
            boundaries.append(len(instructions))
        return instructions, boundaries

    def _computed(self, node: Node) -> bool:
        joined = bool(node.inputs) and node.inputs[0].key in self.parts
        joined = joined and self.parts[node.inputs[0].key][0].node is node
        return self.storage[(node, 0)].space != CONSTANT and not joined

    def _instruction(self, node: Node) -> Instruction:
        ins = tuple(self._ref(e) for e in node.inputs)
        outs = [self._ref(e) for e in node.entries]
        outs += [ins[i] for i in node.op.mutated(node.params)]
        return make_instruction(node.name, node.op, node.params, ins, tuple(outs))

    def _finish(self, head: Head, external: int) -> Instruction:
        """Copy a head into its external array, or add it there."""
        source, spec = self._ref(head.entry), head.entry.spec
        target = Ref(EXTERNAL, external, spec)
        if head.accumulate:
            op, ins = get("elemwise_add"), (target, source)
        else:
            op, ins = get("_copy"), (source,)
        return make_instruction("head", op, op.attributes({}), ins, (target,))


def make_instruction(
    name: str, op: Op, params: Attrs, ins: tuple[Ref, ...], outs: tuple[Ref, ...]
) -> Instruction:
    """An instruction that runs the op's kernel where it accepts this call, else its body."""
    in_specs, out_specs = [r.spec for r in ins], [r.spec for r in outs]
    numbers = accepted_params(op, params, in_specs, out_specs)
    return Instruction(name, op, params, ins, outs, numbers)


def accepted_params(op: Op, params: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> Any:
    """Numbers for the op's native kernel if there is one that accepts this call, else None."""
    if native is None or op.kernel is None or not native.has_kernel(op.kernel):
        return None
    numbers = op.kernel_params(params, ins, outs)
    if numbers is None:
        return None
    trial = (*numbers, 0, 0, 0) if op.is_random else tuple(numbers)
    described = _described(tuple(ins)), _described(tuple(outs))
    accepted = native.accepts(op.kernel, *described, trial)
    return tuple(numbers) if accepted else None


@lru_cache(maxsize=4096)
def _described(specs: tuple[Spec, ...]) -> list[tuple[tuple[int, ...], int]]:
    from ..dtypes import dtype_code

    return [(s.shape, dtype_code(s.dtype)) for s in specs]
