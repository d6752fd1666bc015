"""Attention: softmax(queries keys^T) values becomes one node, whose scores are never stored.

Seen from the product with the values back: softmax, what is added to the scores, numbers they are
multiplied with, their product. Values that somebody else reads, as the backward pass does, are
left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from ...dtypes import is_float
from ...ops.fused_attention import fused_attention
from ...ops.fusion import NOTHING, Fusion, Scored, Weighed
from ..graph import Entry, Node, draw, drawing
from .redraw import Redrawn

FEWEST_QUERIES = 8  # for fewer the kernel's tiles would be empty


class Weights(NamedTuple):
    """What the weights of attention come from."""

    scored: Scored
    scale: float
    extra: list[Entry]  # mask and lengths, where they are
    flags: dict[str, bool]


def on_cpu(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """`attended` of what the CPU has kernels for."""
    fits = node.specs[0].dtype in (np.float32, np.float64)
    return attended(redrawn, node, inputs) if fits else None


def on_gpu(redrawn: Redrawn, node: Node, inputs: list[Entry]) -> Sequence[Entry] | None:
    """`attended`, with softmax in whatever type, which is float32 inside in any case."""
    return attended(redrawn, node, inputs, casts=True)


def attended(
    redrawn: Redrawn, node: Node, inputs: list[Entry], casts: bool = False
) -> Sequence[Entry] | None:
    """The node drawn as the end of attention, if that is what it is.

    casts : whether conversions on the way to softmax and from it are passed by.
    """
    fact = fact_of(node).weighs
    weighed = fact(inputs, node.params) if fact is not None else None
    if weighed is None:
        return None
    found = weights_of(redrawn, weighed.weights, casts)
    if found is None or found.scored.layout != weighed.layout:
        return None
    given = held_by(found.scored, weighed)
    if given is None:
        return None
    raw = {"layout": weighed.layout, "heads": found.scored.heads, "scale": found.scale}
    with drawing(False, node.name):
        return draw(fused_attention, [*given, *found.extra], {**raw, **found.flags})


def held_by(scored: Scored, weighed: Weighed) -> list[Entry] | None:
    """What holds queries, keys and values; None if these belong to different projections."""
    if weighed.layout == "stacked":
        return [*scored.inputs, weighed.values]
    return list(scored.inputs) if scored.inputs[-1].key == weighed.values.key else None


def uncast(redrawn: Redrawn, entry: Entry) -> Entry:
    """An entry before conversions of floats that nobody else reads."""
    while entry.node.op is not None and entry.node.op.converts and redrawn.alone(entry):
        if len(entry.node.inputs) > 1 or not is_float(entry.node.inputs[0].dtype):
            break
        entry = entry.node.inputs[0]
    return entry


def weights_of(redrawn: Redrawn, weights: Entry, casts: bool = False) -> Weights | None:
    """What weights come from, if they are softmax of scores that nobody else reads."""
    bare = partial(uncast, redrawn) if casts else lambda entry: entry
    weights = bare(weights)
    soft = weights.node
    fact = fact_of(soft).softens
    factor = fact(soft.params, weights.ndim) if fact is not None else None
    if factor is None or not redrawn.alone(weights) or weights.shape[-2] < FEWEST_QUERIES:
        return None
    scores, *lengths = soft.inputs
    scores, mask = bare(scores), []
    if fact_of(scores.node).adds and factor == 1 and redrawn.alone(scores):
        scores, mask = _sum(scores)
    scores, scale = _factors(redrawn, bare(scores))
    scores = bare(scores)
    fact, node = fact_of(scores.node).scores, scores.node
    scored = fact(node.inputs, node.params) if fact is not None and redrawn.alone(scores) else None
    if scored is None:
        return None
    scale *= factor * scored.scale
    if scored.layout == "stacked":  # numbers may have come before the product
        scored.inputs[0], more = _factors(redrawn, scored.inputs[0])
        scale *= more
    flags = {"masked": bool(mask), "use_length": bool(lengths)}
    return Weights(scored, scale, [*mask, *lengths], flags)


def _sum(entry: Entry) -> tuple[Entry, list[Entry]]:
    """Scores and the mask that is added to them; the sum itself if that is not what it is."""
    for scores, mask in (entry.node.inputs, entry.node.inputs[::-1]):
        fact, fits = fact_of(scores.node), scores.shape == entry.shape
        if (fact.scores or fact.factor) and fits and _is_mask(mask.shape, entry.shape):
            return scores, [mask]
    return entry, []


def _is_mask(shape: Sequence[int], scores: Sequence[int]) -> bool:
    """Whether a mask is the same for all heads or has one for each."""
    lead = shape[:-2]
    fits = prod(lead) == 1 or tuple(lead) == tuple(scores[:-2])
    return fits and len(shape) >= 2 and shape[-1] == scores[-1]


def _factors(redrawn: Redrawn, entry: Entry) -> tuple[Entry, float]:
    """An entry without the numbers that it was multiplied with, and their product."""
    scale = 1.0
    while redrawn.alone(entry):
        fact = fact_of(entry.node).factor
        factor = fact(entry.node.params) if fact is not None else None
        if factor is None or entry.node.inputs[0].dtype != entry.dtype:
            break
        entry, scale = entry.node.inputs[0], scale * factor
    return entry, scale


def fact_of(node: Node) -> Fusion:
    """What the fuse pass may know of a node."""
    return NOTHING if node.op is None else node.op.fusion
