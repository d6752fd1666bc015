"""A graph compiled for given input specs and one mode, and hybridized calls built on it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import settings, state
from .backend import blanks
from .base import MXNetError
from .collector import waiting
from .graph.function import dynamic_op, with_stream
from .graph.fuse import fuse, fuse_before_gradients
from .graph.gradient import constant, gradient
from .graph.graph import Entry, Node, rebuild, variable, walk, with_inputs
from .graph.infer import typed
from .graph.layout import laid_out
from .graph.lower import Head, lower
from .graph.mirror import mirror
from .graph.program import Program
from .graph.recompute import recomputed
from .graph.simplify import simplify
from .graph.slices import sliced
from .graph.storage import infer_storage
from .graph.tape import HostKey, Leaf, Plan, TapeNode
from .interpreted import Split, evaluate, is_dynamic, split
from .ndarray.invoke import _new, dense_class
from .ndarray.sealed import peek, read
from .ops.op import Spec
from .ops.stored import Stored

_NO_STREAMS = np.zeros(2, np.int64)  # the key of a run without random numbers
WORTH_KEEPING = 16 << 10  # bytes of weights: asking who wrote to smaller ones costs more


class Drawn:
    """A graph and its gradients, drawn for given specs and one mode.

    heads : untyped entries.    specs : spec of every variable, in the order in which arrays come.
    reqs  : for each input ``"null"``, ``"write"`` or ``"add"``.

    outputs, grads  : typed entries; a gradient for each input that wants one, `wanted` how.
    train : the mode.    on_gpu : whether it will run on a GPU.
    reads_head_grad : for each output, whether the gradients depend on its gradient (loss heads
            ignore theirs).
    """

    @waiting()
    def __init__(
        self,
        heads: Sequence[Entry],
        specs: Mapping[str, Spec],
        train: bool,
        reqs: Sequence[str],
        on_gpu: bool = False,
    ) -> None:
        self.train, self.on_gpu = train, on_gpu
        outputs, variables = typed(heads, specs, train)
        if on_gpu and any(r != "null" for r in reqs):
            outputs = fuse_before_gradients(outputs)
        self.inputs = [variables.get(n) or variable(n, s) for n, s in specs.items()]
        self.output_specs = [e.spec for e in outputs]
        self.typed_outputs = outputs
        wrt = [e for e, r in zip(self.inputs, reqs, strict=True) if r != "null"]
        self.wanted = [r for r in reqs if r != "null"]
        self.dys = [variable("head_grad", s) for s in self.output_specs]
        grads = gradient(outputs, self.dys, wrt) if wrt else []
        drawn = [
            constant("_npi_zeros", e) if g is None else g for g, e in zip(grads, wrt, strict=True)
        ]
        used = set(walk(drawn))
        self.reads_head_grad = [dy.node in used for dy in self.dys]
        both = simplify([*outputs, *drawn])
        self.outputs, self.grads = both[: len(outputs)], both[len(outputs) :]

    def storage(self, given: Mapping[str, str]) -> tuple[list[str], list[str], bool]:
        """Storage types of outputs and gradients, and whether the outputs need a sparse array.

        Head gradients are taken to be stored as their outputs are.
        """
        found = infer_storage(walk(self.outputs), given)
        outs = [found[e.key] for e in self.outputs]
        sparse = any(s != "default" for s in found.values())
        found.update(zip((dy.key for dy in self.dys), outs, strict=True))
        infer_storage(walk(self.grads), given, found)
        return outs, [found[e.key] for e in self.grads], sparse


class Compiled:
    """Forward, and backward where gradients are wanted, as two ranges of one Program."""

    @waiting()
    def __init__(self, drawn: Drawn) -> None:
        self.drawn, on_gpu = drawn, drawn.on_gpu
        self.output_specs = drawn.output_specs
        self.reads_head_grad = drawn.reads_head_grad
        count = len(drawn.outputs)
        grads = mirror(drawn.outputs, drawn.grads)
        infers = not drawn.wanted and not drawn.train
        keeps = settings.get("BARYON_KEEP_WEIGHTS") and infers and not on_gpu
        both = laid_out([*drawn.outputs, *grads], on_gpu, infers, keeps)
        outputs, grads = fuse(both[:count], both[count:], on_gpu=on_gpu)
        grads = grads if on_gpu else recomputed(outputs, grads)
        outputs = sliced(drawn.inputs, outputs) if infers and not on_gpu else outputs
        results = [Head(e) for e in outputs]
        backward = [Head(g, r == "add") for g, r in zip(grads, drawn.wanted, strict=True)]
        self.program = Program(lower([*drawn.inputs, *drawn.dys], [results, backward]))
        kept = self.program.kept if keeps else []
        large = sum(drawn.inputs[i].spec.nbytes for i in kept) >= WORTH_KEEPING
        self.kept = kept if large else []
        self._no_dys = [None] * len(drawn.dys)
        self._no_grads = [None] * len(drawn.wanted)

    def take(self, inputs: list[Any]) -> tuple[list[np.ndarray], list[int]] | None:
        """The memory and the stamps for `forward` of arrays as they most often are; else None."""
        return self.program.take(inputs, bool(self.kept))

    def forward(
        self,
        inputs: Sequence[np.ndarray],
        outs: Sequence[np.ndarray],
        arena: np.ndarray,
        streams: tuple[int, int],
        stamps: Sequence[int] = (),
    ) -> None:
        """Compute the outputs into `outs`; `stamps` of the inputs `kept`, or none."""
        externals = [*inputs, *self._no_dys, *outs, *self._no_grads]
        self.program.run(0, arena, externals, streams, stamps)

    def backward(
        self,
        inputs: Sequence[np.ndarray],
        outs: Sequence[np.ndarray],
        dys: Sequence[np.ndarray],
        grads: Sequence[np.ndarray],
        arena: np.ndarray,
        streams: tuple[int, int],
    ) -> None:
        """Compute gradients into `grads`, after `forward` on the same arrays and arena."""
        self.program.run(1, arena, [*inputs, *dys, *outs, *grads], streams)


class CachedGraph:
    """A graph that is called like a function: what a hybridized Block runs.

    heads : untyped entries.    input_names : variables in the order in which arrays are passed.
    Each combination of input specs, mode and wanted gradients is compiled once.
    """

    def __init__(self, heads: Sequence[Entry], input_names: Sequence[str]) -> None:
        self._entries = list(heads)
        self._names = tuple(input_names)
        missing = {n.name for n in walk(heads) if n.op is None} - set(self._names)
        if missing:
            raise MXNetError(f"inputs {sorted(missing)} of the graph are not among those passed")
        self._calls: dict[Any, _Call] = {}
        self._recent: dict[tuple[bool, bool], _Call] = {}  # by mode: the last one, of plain arrays
        self._splits: dict[tuple, tuple[Split, CachedGraph] | None] = {}  # by sparse inputs
        self._dynamic = is_dynamic(self._entries)

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Run on NDArrays; recorded as one call when it should be.

        Where shapes depend on values, operator by operator instead, and so is what sparse arrays
        reach.
        """
        recording, train = state.is_recording(), state.is_training()
        recent = self._recent.get((train, recording))
        if recent is not None and (not recording or recent.is_wanted(inputs)):
            taken = recent.compiled.take(inputs)
            if taken is not None:
                return recent(inputs, *taken)
        if self._dynamic:
            return evaluate(self._entries, dict(zip(self._names, inputs, strict=True)))
        sparse = _sparse(self._names, inputs, recording)
        if sparse:
            return self._run_split(sparse, dict(zip(self._names, inputs, strict=True)))
        arrays = [peek(x) for x in inputs]
        wants = tuple([x._node is not None for x in inputs]) if recording else None
        on_gpu = bool(arrays) and not isinstance(arrays[0], np.ndarray)
        key = (train, wants, on_gpu, *[(a.shape, a.dtype) for a in arrays])
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = self._compile(arrays, train, wants, on_gpu)
        del arrays  # (what is held cannot be sealed)
        arrays, stamps = read(inputs, call.compiled.kept)
        if not on_gpu:
            self._recent[train, recording] = call
        return call(inputs, arrays, stamps)

    def _run_split(self, sparse: tuple, given: dict[str, Any]) -> list[Any]:
        """The front that sparse arrays reach by calls, the rest compiled."""
        if sparse not in self._splits:
            parts = split(self._entries, dict(sparse))
            names = [] if parts is None else [n.name for n in walk(parts.heads) if n.op is None]
            self._splits[sparse] = parts and (parts, CachedGraph(parts.heads, names))
        found = self._splits[sparse]
        if found is None:
            return evaluate(self._entries, given)
        parts, rest = found
        given.update(zip(parts.names, evaluate(parts.front, given), strict=True))
        return rest([given[n] for n in rest._names])

    def _compile(
        self, arrays: Sequence[Any], train: bool, wants: tuple | None, on_gpu: bool
    ) -> _Call:
        specs = [Spec(a.shape, a.dtype) for a in arrays]
        reqs = ["write" if w else "null" for w in wants or (False,) * len(specs)]
        named = dict(zip(self._names, specs, strict=True))
        return _Call(Compiled(Drawn(self._entries, named, train, reqs, on_gpu)), specs, reqs)

    def memory_plan(self) -> Any:
        """The memory plan of the most recently compiled call."""
        if not self._calls:
            raise MXNetError("the graph has not been called yet")
        return [*self._calls.values()][-1].compiled.program.plan


def _sparse(names: Sequence[str], inputs: Sequence[Any], recording: bool) -> tuple:
    """Names and storage types of sparse arrays and of those whose gradients will be sparse."""
    return tuple(
        (name, x.stype)
        for name, x in zip(names, inputs, strict=True)
        if isinstance(peek(x), Stored) or (recording and _collects_sparse(x._node))
    )


def _collects_sparse(node: Any) -> bool:
    return isinstance(node, Leaf) and isinstance(node.grad._data, Stored)


class _Call:
    """One compiled variant as a pair of operators on the tape.

    The forward one has a hidden output, the arena, which the backward one reads: calls are
    independent of each other, and the tape keeps exactly what it must.
    """

    def __init__(self, compiled: Compiled, ins: Sequence[Spec], reqs: Sequence[str]) -> None:
        self.compiled = compiled
        self.ins = tuple(ins)
        self._empty = [(s.shape, s.dtype) for s in compiled.output_specs]
        self._wants = [r != "null" for r in reqs]
        self._wanted = [i for i, wanted in enumerate(self._wants) if wanted]
        self.plan = self._make_plan() if self._wanted else None

    def is_wanted(self, inputs: Sequence[Any]) -> bool:
        """Whether a recorded call of these inputs is one of this variant, as far as tapes go."""
        nodes = [x._node for x in inputs]
        leaves = [n for n in nodes if type(n) is Leaf]
        return [n is not None for n in nodes] == self._wants and not any(
            [isinstance(leaf.grad._data, Stored) for leaf in leaves]
        )

    def __call__(
        self, inputs: Sequence[Any], arrays: list[Any], stamps: Sequence[int]
    ) -> list[Any]:
        """NDArrays of the results, on the tape where wanted. `arrays` are the inputs' memory."""
        outs, arena, streams = self._run(arrays, stamps)
        device, cls = inputs[0].context, dense_class(inputs[0])
        made = [_new(cls, data, device) for data in outs]
        if self._wanted:
            self._record(inputs, arrays, made, outs, arena, streams)
        return made

    def _run(
        self, arrays: Sequence[np.ndarray], stamps: Sequence[int]
    ) -> tuple[list, np.ndarray, tuple[int, int]]:
        """Outputs, the arena of this run, and its random streams."""
        program, like = self.compiled.program, arrays[0] if arrays else None
        outs = blanks(like, self._empty)
        arena, streams = program.new_arena(like), program.reserve_streams()
        self.compiled.forward(arrays, outs, arena, streams, stamps)
        return outs, arena, streams

    def _record(
        self,
        inputs: Sequence[Any],
        arrays: list,
        made: Sequence[Any],
        outs: list,
        arena: np.ndarray,
        streams: tuple[int, int],
    ) -> None:
        """Put a run on the tape."""
        key = np.array(streams, np.uint64).view(np.int64) if any(streams) else _NO_STREAMS
        key = key if isinstance(arena, np.ndarray) else key.view(HostKey)
        saved = (*arrays, *outs, arena, key)
        parents, indices = tuple(x._node for x in inputs), tuple(x._index for x in inputs)
        node = TapeNode(self.plan, parents, indices, saved)
        for i, x in enumerate(made):
            x._node, x._index = node, i

    def _make_plan(self) -> Plan:
        compiled = self.compiled
        count = len(compiled.output_specs)
        hidden = [
            Spec((compiled.program.arena_bytes,), np.dtype(np.uint8)),
            Spec((2,), np.dtype(np.int64)),
        ]
        outs = (*compiled.output_specs, *hidden)
        op = dynamic_op("CachedGraph", self._not_again, outs, visible=count)
        op.inline = self._inline
        grads = dynamic_op(
            "_backward_CachedGraph", self._backward, [self.ins[i] for i in self._wanted]
        )
        grads.fill = self._fill_gradients
        op.gradient("data")(self._rule(grads, count))
        return Plan(op, op.attributes({}), self.ins, outs)

    def _not_again(self, xp: Any, *data: Any) -> Any:
        raise TypeError("a recorded graph call is not computed again")

    def _rule(self, grads: Any, count: int) -> Any:
        def rule(data: list, dys: list, outs: list) -> list:
            found = grads(*data, *outs, *dys[:count])
            listed = found if isinstance(found, list) else [found]
            by_input = dict(zip(self._wanted, listed, strict=True))
            return [by_input.get(i) for i in range(len(data))]

        return rule

    def _backward(self, xp: Any, *data: np.ndarray) -> Any:
        grads = blanks(data[0], [self.ins[i] for i in self._wanted])
        self._fill_gradients(data, grads)
        return tuple(grads)

    def _fill_gradients(self, data: Sequence[np.ndarray], grads: Sequence[np.ndarray]) -> None:
        n, count = len(self.ins), len(self._empty)
        inputs, outs, dys = data[:n], data[n : n + count], data[n + count + 2 :]
        arena, streams = data[n + count], data[n + count + 1]
        seed, first = streams.view(np.uint64).tolist()
        self.compiled.backward(inputs, outs, dys, grads, arena, (seed, first))

    def _inline(self, inputs: Sequence[Entry], saved: Sequence[Any]) -> list[Entry]:
        """The graph itself drawn over other inputs, for gradients of gradients."""
        drawn = self.compiled.drawn
        place = {e.node: outer for e, outer in zip(drawn.inputs, inputs, strict=True)}
        seed, first = map(int, saved[-1].view(np.uint64))
        streams = itertools.count(first)  # random nodes take them in the order of the walk

        def change(node: Node, new: list[Entry]) -> Any:
            if node in place:
                return [place[node]]
            if node.op is None or not node.op.is_random:
                return with_inputs(node, new)
            op = with_stream(node.op, seed, next(streams))
            return Node(op, node.name, new, node.params, node.attrs, node.specs)

        return rebuild(drawn.typed_outputs, change, place.__contains__)
