"""Programs: lowered instructions ready to run, in C++ where the extension is built.

The Python loop here is the specification: it runs every reference body on views of the same arena.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import of_array
from ..native import native
from ..ops.philox import Philox
from ..streams import reserve
from .lower import ARENA, CONSTANT, Instruction, Lowered, Ref
from .replay import DeviceProgram

# Called with (program, first instruction, clock) after each run while a profiler listens.
listeners: list[Callable[[Program, int, np.ndarray], None]] = []


class Program:
    """A lowered graph and its loop. One Program may run on many arenas at the same time."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.plan = lowered.plan
        self.boundaries = [0, *lowered.boundaries]
        # (A graph without intermediate results has an arena too: a shape of 0 means unknown.)
        self.arena_bytes = max(lowered.plan.planned, 1)
        self._streams = lowered.random_count
        self._on_gpu: dict[int, DeviceProgram] = {}
        self._native = None if native is None else _build_native(lowered)
        self.kept: list[int] = [] if self._native is None else self._native.kept

    def new_arena(self, like: Any = None) -> Any:
        """Uninitialised memory for one run, on the device of the array `like`."""
        if like is None or isinstance(like, np.ndarray):
            return np.empty(self.arena_bytes, np.uint8)
        with like.device:
            return self.on_gpu(like.device.id).lease(of_array(like).xp)

    def on_gpu(self, device_id: int) -> DeviceProgram:
        """The program as a GPU runs it."""
        found = self._on_gpu.get(device_id)
        if found is None:
            made = DeviceProgram(self.lowered, self.boundaries, self.arena_bytes)
            found = self._on_gpu.setdefault(device_id, made)
        return found

    def take(
        self, inputs: list[Any], keeps: bool = False
    ) -> tuple[list[np.ndarray], list[int]] | None:
        """The memory of NDArrays that fit the first externals, and the stamps of those `kept`.

        None: look closer, for some are no ordinary ones, or if it `keeps`, no sealed ones.
        """
        return None if self._native is None else self._native.take(inputs, keeps)

    def reserve_streams(self) -> tuple[int, int]:
        """Seed and first random stream of the next run."""
        return reserve(self._streams) if self._streams else (0, 0)

    def run(
        self,
        group: int,
        arena: np.ndarray,
        externals: Sequence[np.ndarray | None],
        streams: tuple[int, int] = (0, 0),
        stamps: Sequence[int] = (),
        numbers: Sequence[float] = (),
    ) -> None:
        """Run one group of instructions. Externals that the group does not touch may be None.

        stamps : of the externals `kept`, or none. As long as one that is not zero stays the same,
                 so do the values of that external, and what kernels made of them may be kept.
        numbers : parameters of the last kernels in this run in the place of their own, which needs
                 the extension.
        """
        begin, end = self.boundaries[group], self.boundaries[group + 1]
        clock = np.zeros(end - begin + 1, np.int64) if listeners else None
        if not isinstance(arena, np.ndarray):
            with arena.device:
                self.on_gpu(arena.device.id).run(group, arena, externals, streams, clock)
        elif self._native is not None:
            self._native.run(begin, end, arena, externals, *streams, clock, stamps, numbers)
        else:
            _run_python(self.lowered, begin, end, arena, externals, streams, clock)
        for listener in listeners:
            listener(self, begin, clock)


def _run_python(
    lowered: Lowered,
    begin: int,
    end: int,
    arena: np.ndarray,
    externals: Sequence[np.ndarray | None],
    streams: tuple[int, int],
    clock: np.ndarray | None = None,
) -> None:
    def view(ref: Ref) -> np.ndarray:
        if ref.space == ARENA:
            piece = arena[ref.offset : ref.offset + ref.spec.nbytes]
            return piece.view(ref.spec.dtype).reshape(ref.spec.shape)
        source = lowered.constants if ref.space == CONSTANT else externals
        return source[ref.offset].reshape(ref.spec.shape)

    seed, stream = streams
    stream += sum(i.op.is_random for i in lowered.instructions[:begin])
    times = [time.perf_counter_ns()]
    for instruction in lowered.instructions[begin:end]:
        body = call_body(instruction)
        body([view(r) for r in instruction.ins], [view(r) for r in instruction.outs], seed, stream)
        stream += instruction.op.is_random
        times.append(time.perf_counter_ns())
    if clock is not None:
        clock[:] = times


def call_body(instruction: Instruction) -> Callable[..., None]:
    """A function that runs an instruction's reference body on arrays: (ins, outs, seed, stream)."""
    op, params, fill = instruction.op, instruction.params, instruction.op.fill

    def call(ins: list[np.ndarray], outs: list[np.ndarray], seed: int, stream: int) -> None:
        if fill is not None:
            fill(ins, outs)
            return
        rng = Philox(np, seed, stream) if op.is_random else None
        with np.errstate(all="ignore"):  # MXNet casts to inf without a word
            for out, value in zip(outs, op.run(np, params, ins, rng), strict=True):
                out[...] = value

    return call


def _build_native(lowered: Lowered) -> Any:
    instructions = []
    for i in lowered.instructions:
        runs_body = i.numbers is None
        work = call_body(i) if runs_body else i.op.kernel
        numbers = () if runs_body else i.numbers
        instructions.append((work, i.ins, i.outs, numbers, i.op.is_random))
    return native.Program(
        instructions, lowered.externals, lowered.plan.planned, constants=lowered.constants
    )
