"""The graph: nodes that apply operators, entries that name one output of a node, and walks.

A node is *untyped* as a user declares it (`specs` is None) or *typed* once shapes, dtypes and the
train/predict mode are known. Passes work on typed nodes and never change a node: they draw anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from ..native import native
from ..ops.attrs import Attrs
from ..ops.op import Op, Spec
from ..ops.operators import Arithmetic

Key = tuple["Node", int]


class Node:
    """One application of an operator, or a variable when `op` is None.

    inputs : the entries it reads.      params : parsed attributes (None for a variable).
    attrs  : attributes as strings, as symbol JSON has them, user attributes (``__lr_mult__``) too.
    specs  : a `Spec` for each output once inferred.
    """

    __slots__ = ("op", "name", "inputs", "attrs", "params", "specs", "_count", "__weakref__")

    def __init__(
        self,
        op: Op | None,
        name: str,
        inputs: Sequence[Entry] = (),
        params: Attrs | None = None,
        attrs: Mapping[str, str] | None = None,
        specs: tuple[Spec, ...] | None = None,
    ) -> None:
        self.op = op
        self.name = name
        self.inputs = tuple(inputs)
        self.params = params
        self.attrs = dict(attrs or {})
        self.specs = specs
        self._count = 0 if op is not None else 1

    def __repr__(self) -> str:
        return f"<Node {self.op.name if self.op else 'variable'} {self.name!r}>"

    @property
    def count(self) -> int:
        """Number of outputs, hidden ones included."""
        if not self._count:
            self._count = len(self.op.output_names(self.params))
        return self._count

    @property
    def entries(self) -> list[Entry]:
        """One entry for each output."""
        count = self.count
        return [Entry(self)] if count == 1 else [Entry(self, i) for i in range(count)]


class _Drawing(threading.local):
    now = (True, "")


_drawing = _Drawing()


class drawing:  # noqa: N801 (it reads as what it does, and is made for every node)
    """Nodes drawn inside run in this mode and carry this name."""

    __slots__ = ("_now", "_before")

    def __init__(self, train: bool, name: str) -> None:
        self._now = (train, name)

    def __enter__(self) -> None:
        self._before = _drawing.now
        _drawing.now = self._now

    def __exit__(self, *_: object) -> None:
        _drawing.now = self._before


class Entry(Arithmetic):
    """One output of a node. On typed nodes it has a shape and a dtype and Python's operators.

    key : a hashable name of the entry (`==` on entries draws a comparison).
    """

    __slots__ = ("node", "index", "key")

    def __init__(self, node: Node, index: int = 0) -> None:
        self.node = node
        self.index = index
        self.key: Key = (node, index)

    def __repr__(self) -> str:
        return f"<Entry {self.index} of {self.node!r}>"

    @property
    def spec(self) -> Spec:
        """Shape and dtype."""
        return self.node.specs[self.index]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, fully known."""
        return self.spec.shape

    @property
    def dtype(self) -> Any:
        """The numpy dtype."""
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.spec.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.spec.size

    def _broadcasts(self, other: Any) -> bool:
        return isinstance(other, Entry) and other.shape != self.shape

    @staticmethod
    def _apply(op: Op, inputs: Sequence[Entry], raw: Mapping[str, Any]) -> Any:
        drawn = draw(op, inputs, raw)
        return drawn[0] if len(drawn) == 1 else drawn


def draw(op: Op, inputs: Sequence[Entry], raw: Mapping[str, Any]) -> list[Entry]:
    """A typed node that applies `op` to typed entries; its outputs."""
    train, name = _drawing.now
    if "train" in raw:
        raw = dict(raw)
        train = raw.pop("train")
    if op.variadic and op.variadic not in raw:
        raw = {**raw, op.variadic: len(inputs)}
    params = op.attributes(raw, train)
    specs = op.infer(params, tuple([e.node.specs[e.index] for e in inputs]))
    return Node(op, name or op.name, inputs, params, specs=specs).entries


def variable(name: str, spec: Spec | None = None, attrs: Mapping[str, str] | None = None) -> Entry:
    """A new variable; typed when `spec` is given."""
    return Entry(Node(None, name, attrs=attrs, specs=None if spec is None else (spec,)))


def walk(heads: Iterable[Entry], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """All nodes that `heads` depend on, inputs before users; those of `stop` nodes left out."""
    if native is not None:
        return native.walk(heads, stop)
    order: list[Node] = []
    seen: set[Node] = set()
    open_nodes: list[Node] = []  # whose inputs are being walked; None on the stack ends the last
    for head in heads:
        stack: list[Node | None] = [head.node]
        while stack:
            node = stack.pop()
            if node is None:
                order.append(open_nodes.pop())
            elif node not in seen:
                seen.add(node)
                if not node.inputs or (stop is not None and stop(node)):
                    order.append(node)
                    continue
                open_nodes.append(node)
                stack.append(None)
                stack += [e.node for e in reversed(node.inputs)]
    return order


def rebuild(
    heads: Sequence[Entry],
    change: Callable[[Node, list[Entry]], Any],
    stop: Callable[[Node], bool] | None = None,
) -> list[Entry]:
    """Redraw a graph: ``change(node, new_inputs)`` gives a node, or entries in its outputs' place.

    Nodes whose inputs did not change and which `change` returns as they are stay the same objects.
    `stop` nodes are changed without looking at their inputs.
    """
    new: dict[Node, Sequence[Entry]] = {}
    for node in walk(heads, stop):
        stops = stop is not None and stop(node)
        inputs = [] if stops else [new[e.node][e.index] for e in node.inputs]
        changed = change(node, inputs)
        new[node] = changed.entries if isinstance(changed, Node) else changed
    return [new[e.node][e.index] for e in heads]


def cut(heads: Sequence[Entry], keys: Iterable[Key]) -> tuple[list[Entry], dict[Key, Entry]]:
    """The graph with the entries `keys` replaced by variables, and those of them it reads.

    A node of which other outputs are needed too stays for these.
    """
    replaced: dict[Node, dict[int, Entry]] = {}
    for node, index in keys:
        replaced.setdefault(node, {})[index] = variable(node.name, node.specs[index])
    computed = _beyond(heads, replaced)
    used: dict[Key, Entry] = {}

    def change(node: Node, inputs: list[Entry]) -> Any:
        if node not in replaced:
            return with_inputs(node, inputs)
        used.update(((node, i), e) for i, e in replaced[node].items())
        if node not in computed:
            return replaced[node]
        made = with_inputs(node, inputs).entries
        return [replaced[node].get(i, e) for i, e in enumerate(made)]

    return rebuild(heads, change, lambda n: n in replaced and n not in computed), used


def _beyond(heads: Sequence[Entry], known: Mapping[Node, Container[int]]) -> set[Node]:
    """Nodes of which an output is needed that is not known."""
    found: set[Node] = set()
    stack = list(heads)
    while stack:
        entry = stack.pop()
        if entry.index not in known.get(entry.node, ()) and entry.node not in found:
            found.add(entry.node)
            stack.extend(entry.node.inputs)
    return found


def substitute(
    heads: Sequence[Entry], place: Mapping[Node, Entry], around: Container[Node] = ()
) -> list[Entry]:
    """The graph with entries in place of variables; nodes of `around` are left as they are."""

    def change(node: Node, inputs: list[Entry]) -> Any:
        if node in place:
            return [place[node]]
        return node if node in around else with_inputs(node, inputs)

    return rebuild(heads, change, lambda node: node in place or node in around)


def with_inputs(node: Node, inputs: Sequence[Entry]) -> Node:
    """`node` itself if its inputs are these already, else a copy that reads them."""
    for a, b in zip(node.inputs, inputs, strict=True):
        if a.node is not b.node or a.index != b.index:
            return Node(node.op, node.name, inputs, node.params, node.attrs, node.specs)
    return node
