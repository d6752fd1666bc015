"""A graph inside an operator: compiled for given specs, run forward, and backward by running again.

The backward program computes the forward part anew from the same inputs and random streams, so
nothing but a step's inputs must be kept between the passes (Chen et al., Training Deep Nets with
Sublinear Memory Cost, 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..backend import blanks
from ..dtypes import is_float
from ..ops.op import Spec
from .fuse import fuse
from .gradient import constant, gradient
from .graph import Entry, Node, rebuild, variable, walk, with_inputs
from .infer import typed
from .lower import Head, lower
from .program import Program
from .simplify import simplify


def variables_of(heads: Sequence[Entry]) -> list[Node]:
    """The variables of a graph in walking order: its inputs."""
    return [n for n in walk(heads) if n.op is None]


def written(heads: Sequence[Entry]) -> set[Node]:
    """The variables that some operator of a graph takes as an auxiliary state."""
    found = set()
    for node in walk(heads):
        if node.op is not None and node.op.aux:
            names = node.op.input_names(node.params, len(node.inputs))
            found |= {e.node for n, e in zip(names, node.inputs, strict=True) if n in node.op.aux}
    return {n for n in found if n.op is None}


class Step:
    """One graph for inputs of given specs, in the order of its variables, in one mode."""

    def __init__(self, heads: Sequence[Entry], specs: Sequence[Spec], train: bool) -> None:
        names = {node: f"in{i}" for i, node in enumerate(variables_of(heads))}

        def change(node: Node, inputs: list[Entry]) -> Node:
            if node.op is None:  # names of a graph's variables need not be unique
                return Node(None, names[node], attrs=node.attrs)
            return with_inputs(node, inputs)

        given = {f"in{i}": s for i, s in enumerate(specs)}
        states = written(heads)
        self._states = [i for i, node in enumerate(names) if node in states]
        self.outputs, found = typed(rebuild(heads, change), given, train)
        self.inputs = [found.get(n) or variable(n, s) for n, s in given.items()]
        self.specs = [e.spec for e in self.outputs]
        (drawn,) = fuse(simplify(self.outputs))
        self._program = Program(lower(self.inputs, [[Head(e) for e in drawn]]))

    @cached_property
    def _both(self) -> tuple[Program, list[bool]]:
        """Forward and backward as one program, and which outputs' gradients it reads."""
        floats = [e for e in self.outputs if is_float(e.dtype)]
        dys = [variable("dy", e.spec) for e in floats]
        wanted = [e for e in self.inputs if is_float(e.dtype)]
        grads = gradient(floats, dys, wanted) if floats else [None] * len(wanted)
        grads = [
            constant("_npi_zeros", e) if g is None else g
            for g, e in zip(grads, wanted, strict=True)
        ]
        both = simplify([*self.outputs, *grads])
        n = len(self.outputs)
        groups = [[Head(e) for e in heads] for heads in fuse(both[:n], both[n:])]
        return Program(lower([*self.inputs, *dys], groups)), [
            is_float(e.dtype) for e in self.outputs
        ]

    def forward(self, inputs: Sequence[np.ndarray], outs: Sequence[np.ndarray]) -> np.ndarray:
        """Compute into `outs`; the random streams of this run, as a key for `backward`."""
        key = self.streams()
        streams = tuple(map(int, key.view(np.uint64)))
        self._program.run(0, self._program.new_arena(outs[0]), [*inputs, *outs], streams)
        return key

    def streams(self) -> np.ndarray:
        """The random streams of the next run, as a key for `backward`."""
        return np.array(self._program.reserve_streams(), np.uint64).view(np.int64)

    def backward(
        self, inputs: Sequence[np.ndarray], dys: Sequence[np.ndarray], key: np.ndarray
    ) -> list[np.ndarray | None]:
        """Gradients of all inputs (None for integers) from those of all outputs."""
        program, floats = self._both
        like = dys[0] if dys else None
        arena, streams = program.new_arena(like), tuple(map(int, key.view(np.uint64)))
        outs = blanks(like, self.specs)
        made = iter(blanks(like, [e.spec for e in self.inputs if is_float(e.dtype)]))
        grads = [next(made) if is_float(e.dtype) else None for e in self.inputs]
        dys = [dy for dy, is_one in zip(dys, floats, strict=True) if is_one]
        given = [*inputs, *dys, *outs, *(g for g in grads if g is not None)]
        before = [inputs[i].copy() for i in self._states]
        program.run(0, arena, given, streams)
        for i, value in zip(self._states, before, strict=True):  # the first run changed them
            inputs[i][...] = value
        program.run(1, arena, given, streams)
        return grads
