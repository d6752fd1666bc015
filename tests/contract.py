"""Samples of the catalogue as arrays and calls: what the contract tests share."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import baryon as mx
from baryon.graph.graph import Entry, Node, variable
from baryon.ops import REGISTRY, Op, Spec
from baryon.ops.attrs import Attrs
from baryon.ops.philox import Philox
from baryon.ops.samples import Sample

SEED, STREAM = 1234567, 5


@dataclass
class Call:
    """One sample of one operator in one dtype: arrays in input order, and parsed attributes."""

    op: Op
    sample: Sample
    dtype: str
    arrays: list[np.ndarray]
    attrs: Attrs

    @property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(Spec(a.shape, a.dtype) for a in self.arrays)

    def body(self, arrays: list[np.ndarray] | None = None) -> list[np.ndarray]:
        """Outputs of the reference body in the inferred dtypes, then the mutated inputs."""
        arrays = self.arrays if arrays is None else arrays
        rng = Philox(np, SEED, STREAM) if self.op.is_random else None
        outs = self.op.run(np, self.attrs, [a.copy() for a in arrays], rng)
        specs = [*self.op.infer(self.attrs, tuple(Spec(a.shape, a.dtype) for a in arrays))]
        specs += [Spec(arrays[i].shape, arrays[i].dtype) for i in self.op.mutated(self.attrs)]
        return [np.asarray(o).astype(s.dtype) for o, s in zip(outs, specs, strict=True)]

    def graph(self) -> tuple[list[Entry], list[Entry]]:
        """Typed variables and the visible outputs of the operator applied to them."""
        inputs = [variable(f"in{i}", s) for i, s in enumerate(self.specs)]
        node = Node(self.op, "op", inputs, self.attrs, specs=self.op.infer(self.attrs, self.specs))
        return inputs, node.entries[: self.op.visible(self.attrs)]

    def symbol(self) -> Any:
        """The same call as an untyped symbol on variables in0, in1, …"""
        variables = [mx.sym.var(f"in{i}") for i in range(len(self.arrays))]
        return mx.sym.compose(self.op, variables, self.sample.attrs, name="op")

    def nds(self) -> list[Any]:
        """Inputs as NDArrays."""
        return [mx.nd.array(a, dtype=a.dtype) for a in self.arrays]


def calls(all_dtypes: bool = True) -> Iterator[tuple[str, tuple[Op, int, str]]]:
    """An id and the coordinates of every sample of every operator with known output shapes."""
    for op in (op for op in dict.fromkeys(REGISTRY.values()) if not op.dynamic):
        for i, sample in enumerate(op.samples):
            for dtype in sample.dtypes if all_dtypes else sample.dtypes[:1]:
                yield f"{op.name}-{i}-{dtype}", (op, i, dtype)


def make(op: Op, index: int, dtype: str) -> Call:
    """Draw the inputs of a sample."""
    sample = op.samples[index]
    rng = np.random.default_rng(zlib.crc32(f"{op.name}{index}".encode()))
    kind = mx.dtypes.as_dtype(dtype)
    arrays = []
    for name in op.inputs:
        drawn = sample.inputs.get(name)
        if drawn is not None:
            arrays += [d(rng, kind) for d in (drawn if isinstance(drawn, list) else [drawn])]
    raw = dict(sample.attrs)
    if op.variadic:
        raw.setdefault(op.variadic, len(arrays))
    return Call(op, sample, dtype, arrays, op.attributes(raw, sample.train))


def differentiable(call: Call) -> list[int]:
    """Positions of the inputs whose gradient can be checked numerically."""
    op, names = call.op, call.op.input_names(call.attrs, len(call.arrays))
    found = []
    for i, name in enumerate(names):
        key = op.inputs[0] if op.many else name
        rules = [g for g in op.gradients if key in g.inputs]
        reads_head = any(r in ("dy", "dys") or r.startswith("d_") for g in rules for r in g.reads)
        if reads_head and (call.sample.grad is None or key in call.sample.grad):
            found.append(i)
    return found


def tolerance(call: Call) -> dict[str, float]:
    """Absolute and relative tolerance of a comparison between two ways to compute the same."""
    coarse = {"float16": 4e-3, "bfloat16": 3e-2}.get(call.dtype)
    if coarse:
        return {"rtol": coarse, "atol": coarse}
    return {"rtol": call.sample.rtol, "atol": call.sample.atol}
