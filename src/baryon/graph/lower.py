"""Lowering: a typed graph becomes a flat list of instructions over planned memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(eq=False, slots=True)
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
        self.refs: dict[Key, Ref] = {}
        self.accepted: dict[Any, tuple | None] = {}  # of calls that are alike: `accepted_params`
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

    def _last_uses(self) -> dict[Key, int]:
        """When the bytes of each entry are read for the last time, by it or by views of it."""
        last: dict[Key, int] = {}
        viewed: dict[Key, Key] = {}  # of views: the entry whose bytes they are
        for step, (node, _) in enumerate(self.steps):
            for e in node.inputs:
                last[viewed.get(e.key, e.key)] = step
            if node.op.view:
                key = node.inputs[0].key
                viewed[node, 0] = viewed.get(key, key)
        for heads in self.groups:
            for h in heads:
                last[viewed.get(h.entry.key, h.entry.key)] = FOREVER
        return last

    def _parts(self) -> dict[Key, tuple[Entry, int]]:
        """Entries that are computed where they lie in what joins them, and at which byte of it."""
        found: dict[Key, tuple[Entry, int]] = {}
        group_of = dict(self.steps)
        for node, group in self.steps:
            ins, joined = node.inputs, node.op.joined
            if joined is None or not joined(node.params, [e.spec for e in ins]):
                continue
            whole, keys = Entry(node), {e.key for e in ins}
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
            self.storage[node, 0] = self.storage[key]
            if key in self.shift:
                self.shift[node, 0] = self.shift[key]
            return
        if not node.inputs and not node.op.is_random:
            self._fold(node)
            return
        for index, spec in enumerate(node.specs):
            key = (node, index)
            if key in self.parts:
                self._assign_part(key, step, group)
                continue
            if key in self.storage:  # of parts that are there
                continue
            last = self.last_use.get(key, step)
            shared = self._takes_over(node, index, step, group)
            if shared is None:
                shared = _Storage(ARENA, spec.nbytes, step, last, len(self.arena), group)
                self.arena.append(shared)
            elif shared.last < last:
                shared.last = last
            self.storage[key] = shared

    def _assign_part(self, part: Key, step: int, group: int) -> None:
        """Memory for a part: for the whole, if it is the first one."""
        whole, at = self.parts[part]
        if whole.key not in self.storage:
            last = self.last_use[whole.key]
            made = _Storage(ARENA, whole.spec.nbytes, step, last, len(self.arena), group, True)
            self.arena.append(made)
            self.storage[whole.key] = made
        made = self.storage[whole.key]
        made.last = max(made.last, self.last_use[part])
        self.storage[part] = made
        self.shift[part] = at

    def _takes_over(self, node: Node, index: int, step: int, group: int) -> _Storage | None:
        """Storage of the input that this output may be computed in place of."""
        name = node.op.overwrites(index)
        if name is None:
            return None
        k = 0
        if len(node.inputs) > 1:
            names = node.op.input_names(node.params, len(node.inputs))
            k = names.index(name) if name in names else 0
        source, spec = self.storage[node.inputs[k].key], node.specs[index]
        if source.space != ARENA or source.last > step or source.nbytes != spec.nbytes:
            return None
        others = [self.storage[e.key] for j, e in enumerate(node.inputs) if j != k]
        is_head = self.last_use.get((node, index)) == FOREVER
        kept = is_head and (source.group != group or source.in_parts)
        if kept or source in others or node.inputs[k].dtype != spec.dtype:
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

    def _ref(self, key: Key) -> Ref:
        found = self.refs.get(key)
        if found is None:
            s = self.storage[key]
            offset = s.index
            if s.space == ARENA:
                offset = self.offsets[s.index] + self.shift.get(key, 0)
            found = self.refs[key] = Ref(s.space, offset, key[0].specs[key[1]])
        return found

    def _emit(self, copies: list) -> tuple[list[Instruction], list[int]]:
        instructions: list[Instruction] = []
        boundaries = []
        steps = deque(self.steps)  # group after group
        for group, late in enumerate(copies):
            while steps and steps[0][1] == group:
                node, _ = steps.popleft()
                if not node.op.view and self._computed(node):
                    instructions.append(self._instruction(node))
            for head, external in late:
                instructions.append(self._finish(head, external))
            boundaries.append(len(instructions))
        return instructions, boundaries

    def _computed(self, node: Node) -> bool:
        part = self.parts.get(node.inputs[0].key) if node.inputs else None
        joined = part is not None and part[0].node is node
        return self.storage[node, 0].space != CONSTANT and not joined

    def _instruction(self, node: Node) -> Instruction:
        op, params = node.op, node.params
        ins = tuple([self._ref(e.key) for e in node.inputs])
        outs = [self._ref((node, i)) for i in range(len(node.specs))]
        if op.mutates:
            outs += [ins[i] for i in op.mutated(params)]
        key = (op, params, *[r.spec for r in ins], None, *[r.spec for r in outs])
        if key not in self.accepted:
            divide = len(ins) + 2
            self.accepted[key] = accepted_params(op, params, key[2:divide], key[divide + 1 :])
        return Instruction(node.name, op, params, ins, tuple(outs), self.accepted[key])

    def _finish(self, head: Head, external: int) -> Instruction:
        """Copy a head into its external array, or add it there."""
        source, spec = self._ref(head.entry.key), head.entry.spec
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
    return tuple(numbers) if native.accepts(op.kernel, ins, outs, trial) else None
