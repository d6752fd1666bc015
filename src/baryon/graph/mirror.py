"""Recomputation: a backward pass that computes cheap forward values again and does not keep them.

What operators of many operations (convolutions, products) gave is kept, and what lies between is
computed anew from it when the backward pass comes by (Chen et al., Training Deep Nets with
Sublinear Memory Cost, 2016). Every few steps of a chain a value is kept all the same, so that
chains which run through a whole network, as residual sums do, stay short.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import settings
from ..ops.op import REGISTRY
from .graph import Entry, Node, rebuild, walk, with_inputs

FORCED = "__force_mirroring__"
LONGEST = 12  # operators in a row: of 4, 8, … 100 this took least memory for a ResNet-50


def mirror(outputs: Sequence[Entry], grads: Sequence[Entry]) -> list[Entry]:
    """The gradients, reading copies of the forward nodes that are better computed again.

    These are all cheap ones if ``MXNET_BACKWARD_DO_MIRROR`` is set, and any whose attribute
    ``__force_mirroring__`` says so; never those that draw random numbers or change their inputs.
    """
    forward = walk(outputs)
    again = _chosen(forward)
    if not again:
        return list(grads)
    copies: dict[Node, Node] = {}
    for node in forward:
        if node in again:
            inputs = [Entry(copies.get(e.node, e.node), e.index) for e in node.inputs]
            copies[node] = Node(node.op, node.name, inputs, node.params, node.attrs, node.specs)
    known = set(forward)

    def change(node: Node, inputs: list[Entry]) -> Node:
        if node in known:
            return copies.get(node, node)  # stops here: a copy has its inputs already
        return with_inputs(node, inputs)

    return rebuild(grads, change, known.__contains__)


def _chosen(forward: Sequence[Node]) -> set[Node]:
    everything = settings.get("MXNET_BACKWARD_DO_MIRROR")
    steps: dict[Node, int] = {}
    for node in forward:
        if node.op is None or not node.inputs or not _is_repeatable(node):
            continue
        length = 1 + max(steps.get(e.node, 0) for e in node.inputs)
        forced = settings.flag(node.attrs.get(FORCED, ""))
        if forced or (everything and (node.op.view or _is_cheap(node) and length <= LONGEST)):
            steps[node] = length - 1 if node.op.view else length
    return set(steps)


def _is_repeatable(node: Node) -> bool:
    """Whether a second run gives the same; operators made on the spot may have state of theirs."""
    op = node.op
    writes = op.mutated(node.params) and not op.idempotent
    return REGISTRY.get(op.name) is op and not op.is_random and not writes


def _is_cheap(node: Node) -> bool:
    """Few operations, and results that take as much memory as what they are computed from."""
    read = sum(e.spec.nbytes for e in node.inputs)
    return node.op.flops is None and 2 * sum(s.nbytes for s in node.specs) >= read
