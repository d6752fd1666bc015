"""Fusion: neighbours are drawn as one node where one kernel does their work in fewer passes.

A rule is a function ``(redrawn, node, inputs)`` in a file of its family. It is shown every operator
node, users after what they read, with the inputs already redrawn; it looks back through these and
gives the entries that stand in for the node's outputs, or None. A `Rule` names the function, and
operators without which it has nothing to do, for most graphs do not have them. Patterns thus grow
one node at a time, from a fused call to a longer one. `Redrawn.alone` says whether a value has no
other reader, so that nobody misses it. What operators mean to a rule they state themselves, in
`Op.fusion`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import settings
from ..graph import Entry
from ..simplify import simplify
from . import attention, endings, idle, lean, linear, loading, moments, trained
from .chains import chained
from .redraw import Rule, redraw

# The first that answers for a node is taken. Some draw what has kernels for one device alone.
_IDLE = Rule(idle.left_out, lambda op: op.fusion.idle)
CPU_RULES: tuple[Rule, ...] = (
    _IDLE,
    Rule(endings.on_cpu, lambda op: op.origin and op.origin.fusion.begins),
    Rule(moments.measured, lambda op: op.origin and op.origin.fusion.measures),
    Rule(attention.on_cpu, lambda op: op.fusion.weighs),
    Rule(lean.shortened, lambda op: op.fusion.lean),
)
GPU_RULES: tuple[Rule, ...] = (
    _IDLE,
    Rule(endings.on_gpu, lambda op: op.fusion.begins),
    Rule(linear.activated, lambda op: op.fusion.linear),
    Rule(attention.on_gpu, lambda op: op.fusion.weighs),
)
TRAINED_RULES: tuple[Rule, ...] = (Rule(trained.attended, lambda op: op.fusion.weighs),)


def fuse(*groups: Sequence[Entry], on_gpu: bool = False) -> list[list[Entry]]:
    """The same values from fewer passes over memory: heads of groups that run one after another."""
    if not settings.get("BARYON_FUSE"):
        return [list(heads) for heads in groups]
    rules = GPU_RULES if on_gpu else CPU_RULES
    heads = redraw([e for heads in groups for e in heads], rules)
    drawn = iter(heads if on_gpu else loading.loaded(heads))
    return chained([[next(drawn) for _ in heads] for heads in groups], on_gpu)


def fuse_before_gradients(heads: Sequence[Entry]) -> list[Entry]:
    """The same values on a GPU, by operators that have gradients of their own."""
    return redraw(simplify(heads), TRAINED_RULES) if settings.get("BARYON_FUSE") else list(heads)
