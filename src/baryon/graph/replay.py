"""Programs on a GPU: instruction by instruction, then captured once and replayed as a CUDA graph.

A graph reads and writes the addresses that it was captured with. Arrays that keep their address
between runs (parameters, the arena) it uses where they are; for those that move (a batch, results
that the caller owns) it has buffers of its own, copied before and after. Random numbers advance by
a number in device memory, written before each launch.

Some programs cannot be captured: those that wait for the device (shapes and decisions that depend
on values), and those that call a user's Python. They run instruction by instruction every time.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend, settings
from ..cuda.launch import destinations
from ..ops.device import generator
from .lower import ARENA, CONSTANT, EXTERNAL, Instruction, Lowered, Ref

_MOST_CAPTURES = 4  # of one group, before every array is taken to move
_WORD = 2**64


class DeviceProgram:
    """Arenas, constants and graphs of one Program on one GPU.

    refusal : why the program is not captured; None while nothing speaks against it.
    """

    def __init__(self, lowered: Lowered, boundaries: Sequence[int], arena_bytes: int) -> None:
        self.lowered, self._boundaries, self._bytes = lowered, boundaries, arena_bytes
        self._free: dict[int, list[Any]] = {}  # arenas that nobody uses, by stream
        self._arenas: dict[int, Any] = {}  # all arenas, by address
        self._groups: dict[tuple[int, int], _Group] = {}
        self.constants: list[Any] | None = None
        self.refusal = _refusal(lowered.instructions)
        if not settings.get("BARYON_CUDA_GRAPHS"):
            self.refusal = "BARYON_CUDA_GRAPHS is off"

    def lease(self, xp: Any) -> Any:
        """An arena for one run or many; taken back when nothing refers to it."""
        free = self._free.setdefault(xp.cuda.get_current_stream().ptr, [])
        if free:
            arena = free.pop()
        else:
            arena = xp.empty(self._bytes, np.uint8)
            self._arenas[arena.data.ptr] = arena
        lent = arena.view()
        weakref.finalize(lent, free.append, arena).atexit = False
        return lent

    def run(
        self,
        group: int,
        arena: Any,
        externals: Sequence[Any],
        streams: tuple[int, int],
        clock: np.ndarray | None = None,
    ) -> None:
        """Queue one group of instructions on the current stream.

        clock : takes the time before the first one and after each, in ns, which is waited for.
        """
        xp = backend.of_array(arena).xp
        if self.constants is None:
            self.constants = [xp.asarray(c) for c in self.lowered.constants]
        key = group, arena.data.ptr
        if key not in self._groups:
            own = self._arenas.get(arena.data.ptr, arena)  # another program may share its arena
            self._groups[key] = _Group(self, xp, own, *self._boundaries[group : group + 2])
        self._groups[key].run(externals, streams, clock)


def _refusal(instructions: Sequence[Instruction]) -> str | None:
    for i in instructions:
        if i.op.fill is not None or not i.op.replays:
            return f"operator {i.op.name} does more than work on the GPU"
    return None


class _Group:
    """A range of instructions on one arena, and the graph that it was captured as."""

    def __init__(self, program: DeviceProgram, xp: Any, arena: Any, begin: int, end: int) -> None:
        self._program, self._xp, self._arena = program, xp, arena
        before, self._steps = program.lowered.instructions[:begin], []
        self._first = sum(i.op.is_random for i in before)
        self._views: dict[Ref, Any] = {}
        self._reads: set[int] = set()
        self._writes: set[int] = set()
        for i in program.lowered.instructions[begin:end]:
            self._steps.append((i, [not _overlaps(i, k) for k in range(len(i.outs))]))
            self._reads.update(r.offset for r in i.ins if r.space == EXTERNAL)
            self._writes.update(r.offset for r in i.outs if r.space == EXTERNAL)
        self._used = self._reads | self._writes
        self._random = any(i.op.is_random for i, _ in self._steps)
        self._warm = False
        self._graph: Any = None
        self._captures = 0
        self._moving: set[int] = set()
        self._places: dict[int, int] = {}  # address of each external when last looked at
        self._held: tuple = ()  # what the graph uses: the pool of its temporaries, its buffers

    def run(
        self, externals: Sequence[Any], streams: tuple[int, int], clock: np.ndarray | None
    ) -> None:
        """Run on these arrays."""
        given = {i: externals[i] for i in self._used}
        if clock is not None:
            self._calls(given, streams, clock=clock)
            return
        places = {i: x.data.ptr for i, x in given.items()} if self._program.refusal is None else {}
        if self._program.refusal is not None or not self._warm or self._is_captured():
            self._calls(given, streams)
            self._warm, self._places = True, places
        elif self._fits(places, streams) or self._capture(given, places, streams):
            self._launch(given, streams)
        else:
            self._calls(given, streams)

    def _is_captured(self) -> bool:
        """Whether a program that runs this one as a part of itself is being captured."""
        return self._xp.cuda.get_current_stream().is_capturing()

    # ---- instruction by instruction --------------------------------------------------------------

    def _calls(
        self,
        given: dict[int, Any],
        streams: tuple[int, int],
        advance: Any = None,
        clock: np.ndarray | None = None,
    ) -> None:
        seed, stream = streams[0], streams[1] + self._first
        own: dict[Ref, Any] = {}

        def view(ref: Ref) -> Any:
            views = own if ref.space == EXTERNAL else self._views
            found = views.get(ref)
            if found is None:
                found = views[ref] = self._view(ref, given)
            return found

        self._tick(clock, 0)
        for k, (instruction, direct) in enumerate(self._steps, 1):
            ins, outs = list(map(view, instruction.ins)), list(map(view, instruction.outs))
            rng = None
            if instruction.op.is_random:
                rng, stream = generator(self._xp, seed, stream % _WORD, advance), stream + 1
            _compute(self._xp, instruction, ins, outs, direct, rng)
            self._tick(clock, k)

    def _tick(self, clock: np.ndarray | None, k: int) -> None:
        if clock is not None:
            self._xp.cuda.get_current_stream().synchronize()
            clock[k] = time.perf_counter_ns()

    def _view(self, ref: Ref, given: dict[int, Any]) -> Any:
        if ref.space == ARENA:
            piece = self._arena[ref.offset : ref.offset + ref.spec.nbytes]
            return piece.view(ref.spec.dtype).reshape(ref.spec.shape)
        source = self._program.constants if ref.space == CONSTANT else given
        return source[ref.offset].reshape(ref.spec.shape)

    # ---- as a graph ------------------------------------------------------------------------------

    def _fits(self, places: dict[int, int], streams: tuple[int, int]) -> bool:
        """Whether the graph serves arrays at these addresses; remembers what has moved."""
        moved = {i for i, at in places.items() if at != self._places.get(i)} - self._moving
        self._places = places
        if moved:
            self._moving |= moved if self._captures < _MOST_CAPTURES else self._used
        reseeded = self._random and self._graph is not None and self._captured[0] != streams[0]
        return self._graph is not None and not moved and not reseeded

    def _capture(
        self, given: dict[int, Any], places: dict[int, int], streams: tuple[int, int]
    ) -> bool:
        """Make the graph; False where it cannot be, and then it is not tried again."""
        from ..backend.cuda import capture  # the module exists where there is a GPU

        xp = self._xp
        self._buffers = {i: xp.empty(given[i].shape, given[i].dtype) for i in self._moving}
        self._advance = xp.zeros(1, np.uint64)
        stream, pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        error = None
        with capture(stream, pool):
            try:
                self._calls({**given, **self._buffers}, streams, self._advance)
            except Exception as failure:  # whatever a body or CuPy says of a captured stream
                error = failure
            try:
                self._graph = stream.end_capture()
            except Exception as failure:
                error = error or failure
        if error is not None:
            self._graph, self._program.refusal = None, str(error)
            return False
        self._captured, self._held = streams, (pool, stream)
        self._captures += 1
        return True

    def _launch(self, given: dict[int, Any], streams: tuple[int, int]) -> None:
        for i in self._moving & self._reads:
            self._buffers[i][...] = given[i]
        if self._random:
            self._advance.fill(np.uint64((streams[1] - self._captured[1]) % _WORD))
        self._graph.launch()
        for i in self._moving & self._writes:
            given[i][...] = self._buffers[i]


def _overlaps(instruction: Instruction, index: int) -> bool:
    """Whether a result lies where an input does, so that not every kernel may write it at once.

    It may where the whole input lies there whose memory the operator lets the result take over.
    """
    op, out = instruction.op, instruction.outs[index]
    if op.is_pointwise(instruction.params):
        return False
    names = op.input_names(instruction.params, len(instruction.ins))
    return any(
        _meet(r, out) and not (r == out and name == op.overwrites(index))
        for name, r in zip(names, instruction.ins, strict=True)
    )


def _meet(a: Ref, b: Ref) -> bool:
    if a.space != b.space or a.space == EXTERNAL:
        return a.space == b.space and a.offset == b.offset
    return a.offset < b.offset + b.spec.nbytes and b.offset < a.offset + a.spec.nbytes


def _compute(
    xp: Any, instruction: Instruction, ins: list, outs: list, direct: list[bool], rng: Any
) -> None:
    """Run one instruction; a kernel of the operator's own may write into `outs` itself."""
    op = instruction.op
    if op.fill is not None:
        op.fill(ins, outs)
        return
    with destinations([out if free else None for out, free in zip(outs, direct, strict=True)]):
        values = op.run(xp, instruction.params, ins, rng)
    for out, value in zip(outs, values, strict=True):
        if value is not out:
            out[...] = value
