"""Reverse-mode differentiation: the rules of the operators, drawn on typed entries."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ..base import MXNetError
from ..dtypes import is_float
from ..ops.op import Gradient, Pullback, get
from .graph import Entry, Key, Node, draw, drawing, substitute, variable, walk


def gradient(
    heads: Sequence[Entry], head_grads: Sequence[Entry | None], wrt: Sequence[Entry]
) -> list[Entry | None]:
    """Gradients of ``sum(head * head_grad)`` with respect to the entries `wrt`.

    A missing head gradient stands for ones. None is returned where no gradient flows; none flows
    through integers.
    """
    order = walk(heads)
    wanted = {e.key for e in wrt if is_float(e.dtype)}
    reach = _reaching(order, wanted)
    sums: dict[Key, list[Entry]] = defaultdict(list)
    for head, dy in zip(heads, head_grads, strict=True):
        if head.key in wanted or head.node in reach:
            sums[head.key].append(constant("_npi_ones", head) if dy is None else dy)
    for node in reversed(order):
        if node in reach:
            dys = [_total(sums, (node, i)) for i in range(node.count)]
            if any(dy is not None for dy in dys):
                _differentiate(node, dys, reach, wanted, sums)
    return [_total(sums, e.key) for e in wrt]


def _flows(entry: Entry, reach: set[Node], wanted: set[Key]) -> bool:
    """Whether a gradient that arrives at an entry is of use."""
    return entry.key in wanted or (entry.node in reach and is_float(entry.dtype))


def _reaching(order: Sequence[Node], wanted: set[Key]) -> set[Node]:
    """Operator nodes through which a gradient may flow to a wanted entry."""
    reach: set[Node] = set()
    for node in order:
        if any(_flows(e, reach, wanted) for e in node.inputs):
            reach.add(node)
    return reach


def constant(op: str, entry: Entry, shape: tuple[int, ...] | None = None) -> Entry:
    """``_npi_zeros`` or ``_npi_ones`` of an entry's shape, which may be ``()``, or of another, and
    of its dtype.

    It reads nothing: the tape may not have kept the entry's value.
    """
    shape = entry.shape if shape is None else shape
    return draw(get(op), [], {"shape": shape, "dtype": entry.dtype})[0]


def _total(sums: dict[Key, list[Entry]], key: Key) -> Entry | None:
    """The sum of the gradients that arrived at an entry, kept as one for later askers."""
    found = sums.get(key)
    if not found:
        return None
    if len(found) > 1:
        many = len(found) > 2
        found[:] = draw(get("add_n" if many else "elemwise_add"), found, {})
    return found[0]


def _differentiate(
    node: Node, dys: list, reach: set[Node], wanted: set[Key], sums: dict[Key, list[Entry]]
) -> None:
    """Run the rules of one node for the inputs that need a gradient."""
    if not _matters(node, dys):
        return
    if not node.op.gradients:
        grads = _through_expression(node, dys)
        for entry, grad in zip(node.inputs, grads, strict=True):
            _deliver(entry, grad, node, reach, wanted, sums)
        return
    names = list(node.op.inputs) if node.op.many else node.op.input_names(node.params)
    needed = {
        names[0] if node.op.many else names[k]
        for k, e in enumerate(node.inputs)
        if _flows(e, reach, wanted)
    }
    with drawing(bool(node.params.get("train", True)), f"{node.name}_backward"):
        for rule in node.op.gradients:
            if needed.intersection(rule.inputs):
                results = _call(rule, node, dys)
                for name, grad in zip(_targets(rule, node), results, strict=True):
                    _deliver(name, grad, node, reach, wanted, sums)


def _matters(node: Node, dys: Sequence[Entry | None]) -> bool:
    """Whether a gradient came to an output that users see, or to a hidden one that a rule reads."""
    arrived = [i for i, dy in enumerate(dys) if dy is not None]
    if any(i < node.op.visible(node.params) for i in arrived):
        return True
    names = node.op.output_names(node.params)
    read = {name for rule in node.op.gradients for name in rule.reads}
    return any(f"d_{names[i]}" in read for i in arrived)


def _through_expression(node: Node, dys: Sequence[Entry | None]) -> list[Entry | None]:
    """Gradients of the inputs of an operator that is declared as an expression of others.

    The expression is drawn on stand-ins for the inputs, which may depend on each other.
    """
    rule, names = node.op.expressed, node.op.input_names(node.params)
    if rule is None:
        if node.op.is_gradient:
            raise MXNetError(f"operator {node.op.name}: a gradient that has no gradient itself")
        return [None] * len(node.inputs)
    inside = [variable(name, e.spec) for name, e in zip(names, node.inputs, strict=True)]
    values = {**dict.fromkeys(node.op.inputs), **node.params, "attrs": node.params}
    values.update({node.op.inputs[0]: inside} if node.op.many else zip(names, inside, strict=True))
    train = bool(node.params.get("train", True))
    with drawing(train, f"{node.name}_backward"):
        outs = rule(**{name: values[name] for name in inspect.signature(rule).parameters})
        if isinstance(outs, Pullback):
            outs = gradient(outs.heads, outs.head_grads, outs.wrt)
        pairs = [(o, d) for o, d in zip(outs, dys, strict=True) if o is not None and d is not None]
        grads = gradient([o for o, _ in pairs], [d for _, d in pairs], inside)
    found = [g for g in grads if g is not None]
    place = {e.node: outer for e, outer in zip(inside, node.inputs, strict=True)}
    placed = iter(substitute(found, place, {d.node for _, d in pairs}))
    return [None if g is None else next(placed) for g in grads]


def _targets(rule: Gradient, node: Node) -> list[Entry | None]:
    """The input entries that a rule's results belong to (None for an absent optional input)."""
    if node.op.many:
        return list(node.inputs)
    names = node.op.input_names(node.params)
    return [node.inputs[names.index(n)] if n in names else None for n in rule.inputs]


def _call(rule: Gradient, node: Node, dys: list) -> Sequence[Entry | None]:
    """The rule's results, one for each target."""
    result = rule.rule(**{name: _read(name, node, dys) for name in rule.reads})
    return result if isinstance(result, (tuple, list)) else (result,)


def _read(name: str, node: Node, dys: list) -> Any:
    """What a name means in a rule. An input named like a head gradient or output, as backward
    operators have, goes before these.
    """
    op, params = node.op, node.params
    if op.many and name == op.inputs[0]:
        return list(node.inputs)
    if not op.many and name in op.inputs:
        names = op.input_names(params)
        return node.inputs[names.index(name)] if name in names else None
    if name in params:
        return params[name]
    outputs = op.output_names(params)
    if name in outputs:
        return Entry(node, outputs.index(name))
    if name[:2] == "d_" and name[2:] in outputs:
        return dys[outputs.index(name[2:])]
    if name not in _WHOLE:
        raise MXNetError(f"operator {op.name}: its gradient reads unknown {name!r}")
    return _WHOLE[name](node, dys)


def _or_zeros(dy: Entry | None, out: Entry) -> Entry:
    return constant("_npi_zeros", out) if dy is None else dy


_WHOLE: dict[str, Callable[[Node, list], Any]] = {  # what rules read of any operator
    "dy": lambda node, dys: _or_zeros(dys[0], Entry(node)),
    "dys": lambda node, dys: [_or_zeros(d, e) for d, e in zip(dys, node.entries, strict=True)],
    "out": lambda node, dys: Entry(node),
    "outs": lambda node, dys: node.entries,
    "attrs": lambda node, dys: node.params,
    "train": lambda node, dys: None,
}


def _deliver(
    target: Entry | None,
    grad: Entry | None,
    node: Node,
    reach: set[Node],
    wanted: set[Key],
    sums: dict[Key, list[Entry]],
) -> None:
    """Add a gradient to its entry: summed down to the entry's shape, in the entry's dtype."""
    if target is None or grad is None or not _flows(target, reach, wanted):
        return
    if grad.shape != target.shape:
        grad = draw(get("_unbroadcast"), [grad], {"shape": target.shape})[0]
    if grad.dtype != target.dtype:
        grad = draw(get("Cast"), [grad], {"dtype": target.dtype})[0]
    sums[target.key].append(grad)
