"""Operators that MXNet registers twice: the NumPy interface's twin of a legacy operator.

A twin shares body, attributes, gradients and kernel; it differs in its name (which symbol files
spell), in what it calls its inputs, and where NumPy's semantics differ, in a rule. The first sample
is enough to see that it is wired as its source.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .op import REGISTRY, Gradient, Op
from .rules import Rule
from .samples import Sample


def twin(
    source: Op,
    name: str,
    *,
    inputs: Iterable[str] | None = None,
    aliases: Iterable[str] = (),
    shape: Rule | None = None,
    dtype: Rule | None = None,
    body: Callable[..., Any] | None = None,
    kernel: str | bool = True,
    params: Callable[..., tuple | None] | None = None,
    doc: str | None = None,
) -> Op:
    """Declare the operator `name` as a twin of `source`.

    inputs : its own names of the inputs, in order.      shape, dtype : rules that replace.
    body   : replaces the body; called like that of `source`.
    kernel : True: that of `source`, with its parameters and use of an input's memory; False: none;
             else the name of one of its own, with its `params`.
    doc    : its documentation; by default that of `source`, its example in ``mx.np``.
    """
    made = copy.copy(source)
    made.name, made.aliases = name, tuple(aliases)
    made.__doc__ = _numpy_doc(source, name) if doc is None else doc
    names = dict(zip(source.inputs, inputs or source.inputs, strict=True))
    made.inputs = tuple(names.values())
    made.optional = {names[n] for n in source.optional}
    made.present = {names[n]: given for n, given in source.present.items()}
    if kernel is not True:
        made.kernel, made.params, made._inplace = kernel or None, params, {}
    elif not callable(source._inplace):
        made._inplace = {i: names[n] for i, n in source._inplace.items()}
    made.shape_rule = shape or source.shape_rule
    made.dtype_rule = dtype or source.dtype_rule
    made.body = body or source.body
    made.gradients = [_renamed(g, names) for g in source.gradients]
    made.samples = [_sample(s, names) for s in source.samples[:1]]
    made._memo, made._interned, made._inferred = {}, {}, {}
    for key in (name, *made.aliases):
        if key in REGISTRY:
            raise ValueError(f"operator {key} is declared twice")
        REGISTRY[key] = made
    return made


def _sample(sample: Sample, names: Mapping[str, str]) -> Sample:
    inputs = {names[n]: draw for n, draw in sample.inputs.items()}
    grad = None if sample.grad is None else tuple(names[n] for n in sample.grad)
    return replace(sample, inputs=inputs, grad=grad)


def _renamed(gradient: Gradient, names: Mapping[str, str]) -> Gradient:
    """A rule that is asked in the twin's names and answers with the source's."""

    def rule(**values: Any) -> Any:
        return gradient.rule(**{n: values[names.get(n, n)] for n in gradient.reads})

    reads = tuple(names.get(n, n) for n in gradient.reads)
    return Gradient(tuple(names[n] for n in gradient.inputs), rule, reads)


def _numpy_doc(source: Op, name: str) -> str:
    """Documentation of the twin: that of `source` with its example in ``mx.np`` (or ``mx.npx``)."""
    space, public = ("npx", name[5:]) if name.startswith("_npx_") else ("np", name.split("_", 2)[2])
    text = (source.__doc__ or "").replace(f"operator ``{source.name}``", f"``mx.{space}.{public}``")
    text = text.replace(f"mx.nd.{source.name}(", f"mx.{space}.{public}(")
    return text.replace("mx.nd.", "mx.np.")
