"""Inference: shapes and dtypes of every entry, from whatever is known, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype
from ..ops.op import Spec
from ..ops.rules import known, show, unify, unify_dtypes
from .graph import Entry, Node, rebuild, walk

Facts = dict[Node, list]  # for each node, one fact (shape or dtype) an output


def infer_shapes(nodes: Sequence[Node], given: Mapping[Node, Any]) -> Facts:
    """Shapes (partial ones included) of all outputs of `nodes`, which are in walking order."""
    return _complete(nodes, given, lambda n, i, o: n.op.infer_shapes(n.params, i, o), unify, known)


def infer_dtypes(nodes: Sequence[Node], given: Mapping[Node, Any]) -> Facts:
    """Dtypes of all outputs of `nodes`; None where nothing decides."""

    def unify_two(a: Any, b: Any) -> Any:
        return unify_dtypes([a, b])

    def decided(dtype: Any) -> bool:
        return dtype is not None

    def ask(node: Node, ins: list, outs: list) -> tuple[list, list]:
        return node.op.infer_dtypes(node.params, ins, outs)

    return _complete(nodes, given, ask, unify_two, decided)


def _complete(
    nodes: Sequence[Node],
    given: Mapping[Node, Any],
    ask: Callable[[Node, list, list], tuple[list, list]],
    unify_two: Callable[[Any, Any], Any],
    is_known: Callable[[Any], bool],
) -> Facts:
    """Sweep forward and backward over the nodes until no rule adds anything.

    A node of which all is known once its rule was asked has nothing to learn any more. Nodes of
    large graphs are alike: what one has learnt from some facts, the others learn, too.
    """
    facts: Facts = {n: [given.get(n)] * n.count for n in nodes}
    lessons: dict[Any, _Lesson] = {}
    pending, order = True, [n for n in nodes if n.op is not None]
    while pending:
        pending, left = False, []
        for node in order:
            ins, outs = [facts[e.node][e.index] for e in node.inputs], facts[node]
            key = (node.op, node.params, tuple(ins), tuple(outs))
            lesson = lessons.get(key)
            if lesson is None:
                lesson = lessons[key] = _learn(node, ins, outs, ask, unify_two, is_known)
            for place, fact in lesson.ins:
                entry = node.inputs[place]
                facts[entry.node][entry.index] = fact
            if lesson.outs:
                facts[node] = list(lesson.outs)
            pending = pending or bool(lesson.ins or lesson.outs)
            if not lesson.complete:
                left.append(node)
        order = left[::-1]
    return facts


class _Lesson(NamedTuple):
    """What a rule adds to some facts.

    ins : new facts of inputs by their place.    outs : all of the outputs', or none if nothing is
    new.    complete : whether there is nothing left to learn.
    """

    ins: list[tuple[int, Any]]
    outs: list
    complete: bool


def _learn(
    node: Node, ins: list, outs: list, ask: Callable, unify_two: Callable, is_known: Callable
) -> _Lesson:
    """Ask one node's rule."""
    try:
        new_ins, new_outs = ask(node, ins, outs)
        new_ins = [unify_two(a, b) for a, b in zip(ins, new_ins, strict=True)]
        new_outs = [unify_two(a, b) for a, b in zip(outs, new_outs, strict=True)]
    except MXNetError as error:
        located = MXNetError(f"node {node.name!r}: {error}")
        located.node = node.name  # type: ignore[attr-defined]
        raise located from None
    changed = [(i, b) for i, (a, b) in enumerate(zip(ins, new_ins, strict=True)) if _differ(a, b)]
    differs = any(map(_differ, new_outs, outs))
    complete = all(map(is_known, (*new_outs, *new_ins)))
    return _Lesson(changed, new_outs if differs else [], complete)


def _differ(a: Any, b: Any) -> bool:
    """Whether two facts differ (numpy holds ``dtype("float64") == None`` for true)."""
    return (a is None) != (b is None) or a != b


def declared_shapes(nodes: Sequence[Node]) -> dict[Node, Any]:
    """Shapes that variables carry in their ``__shape__`` attribute (0 and -1 are unknown)."""
    found = {}
    for node in nodes:
        text = node.attrs.get("__shape__") if node.op is None else None
        if text:
            dims = text.strip("()[] ").replace(" ", "").split(",")
            try:
                sizes = [int(d) for d in dims if d]
            except ValueError:
                raise MXNetError(
                    f"variable {node.name!r}: __shape__ is not a shape: {text!r}"
                ) from None
            found[node] = tuple(d if d > 0 else -1 for d in sizes)
    return found


def declared_dtypes(nodes: Sequence[Node]) -> dict[Node, np.dtype]:
    """Dtypes that variables carry in their ``__dtype__`` attribute (a name or MXNet's code)."""
    from ..dtypes import BY_CODE

    found = {}
    for node in nodes:
        text = node.attrs.get("__dtype__") if node.op is None else None
        if text:
            if re.fullmatch(r"-?[0-9]{1,9}", text) is None:
                found[node] = as_dtype(text)
            elif int(text) in BY_CODE:
                found[node] = BY_CODE[int(text)]
    return found


def typed(
    heads: Sequence[Entry], given: Mapping[str, Spec], train: bool
) -> tuple[list[Entry], dict[str, Entry]]:
    """Typed copies of `heads` for inputs of these specs in this mode, and the typed variables."""
    nodes = walk(heads)
    variables = [n for n in nodes if n.op is None]
    shapes = declared_shapes(nodes)
    dtypes = declared_dtypes(nodes)
    shapes.update((n, given[n.name].shape) for n in variables if n.name in given)
    dtypes.update((n, given[n.name].dtype) for n in variables if n.name in given)
    shapes = infer_shapes(nodes, shapes)
    dtypes = infer_dtypes(nodes, dtypes)
    found: dict[str, Entry] = {}

    def change(node: Node, inputs: list[Entry]) -> Node:
        if not all(map(known, shapes[node])):
            kind = "variable" if node.op is None else f"output of operator {node.op.name}"
            raise MXNetError(
                f"node {node.name!r}: the shape of this {kind} cannot be inferred, "
                f"found {show(shapes[node][0])}"
            )
        specs = tuple(
            Spec(tuple(s), d if d is not None else np.dtype("float32"))
            for s, d in zip(shapes[node], dtypes[node], strict=True)
        )
        op, params = node.op, node.params
        if op is not None:
            op = op.for_graph()
        if op is not None and (op.needs_mode or not node.inputs):
            raw = {k: params[k] for k in op.attrs}
            # Zeros of shape (0, 5): 0 was unknown. The shape of a gamma distribution is a number.
            if not node.inputs and "shape" in raw and not isinstance(raw["shape"], float):
                raw["shape"] = specs[0].shape
            params = op.attributes(raw, train)
        copy = Node(op, node.name, inputs, params, node.attrs, specs)
        if node.op is None:
            found[node.name] = Entry(copy)
        return copy

    return rebuild(heads, change), found
