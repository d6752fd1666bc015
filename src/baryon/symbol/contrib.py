"""Contributed functions of symbols (`mx.sym.contrib`): loops and branches, and sampling classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .. import attribute
from ..attribute import AttrScope
from ..graph.graph import Entry, Node, rebuild, with_inputs
from ..graph.step import variables_of
from ..nested import Form, flatten, regroup
from ..ops.op import get
from . import random
from ._symbol import Symbol, compose
from .contrib_updates import adamw_update, mp_adamw_update
from .creation import var
from .random import uniform
from .spelling import output_name

__all__ = [
    "adamw_update",
    "cond",
    "foreach",
    "mp_adamw_update",
    "rand_zipfian",
    "uniform",
    "while_loop",
]

_SCOPE = "__subgraph_name__"
_counts: Counter[str] = Counter()


def _scope_name(name: str) -> str:
    """A name for the symbols of one inner graph that no other graph has."""
    outer = attribute.current().get({}).get(_SCOPE)
    full = f"{outer}${name}" if outer else name
    _counts[full] += 1
    return f"{full}{_counts[full] - 1}"


def _placeholders(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Variables that stand for symbols inside a graph."""
    return [var(f"{s._entries[0].node.name}-{s._entries[0].index}") for s in symbols]


class _Graph:
    """What a Python function draws, cut off from the symbols that it uses from outside.

    heads : the graph's entries.     form : the function's result.
    outer : for each variable of the graph the outer entry that it stands for, or None where the
            variable itself is to be passed.
    """

    def __init__(self, name: str, draw: Callable[[], tuple[list[Symbol], Form]]) -> None:
        scope = _scope_name(name)
        with AttrScope(**{_SCOPE: scope}):
            symbols, self.form = draw()
            entries = [_only(s) for s in symbols]
            entries = [
                _copied(e) if _is_taken(e, entries[:k]) else e for k, e in enumerate(entries)
            ]
        self.heads = self._cut(entries, scope)
        self.variables = variables_of(self.heads)

    def _cut(self, entries: list[Entry], scope: str) -> list[Entry]:
        made: dict[Any, Entry] = {}
        self.outer: dict[Node, Entry] = {}

        def is_outside(node: Node) -> bool:
            return node.attrs.get(_SCOPE) != scope

        def stand_in(node: Node, index: int) -> Entry:
            if (node, index) not in made:
                entry = Entry(node, index)
                made[node, index] = Entry(Node(None, output_name(entry)))
                self.outer[made[node, index].node] = entry
            return made[node, index]

        def change(node: Node, inputs: list[Entry]) -> Any:
            if is_outside(node):
                return [stand_in(node, i) for i in range(node.count)]
            return with_inputs(node, inputs)

        return rebuild(entries, change, is_outside)


def _only(symbol: Symbol) -> Entry:
    if len(symbol._entries) != 1:
        raise ValueError(f"a result of several outputs must be indexed: {symbol!r}")
    return symbol._entries[0]


def _is_taken(entry: Entry, before: Sequence[Entry]) -> bool:
    """Whether a head needs a node of its own: it is a variable, or its node is a head already."""
    return (
        entry.node.op is None
        or any(entry.node is e.node for e in before)
        or entry.node.attrs.get(_SCOPE) != attribute.current().get({})[_SCOPE]
    )


def _copied(entry: Entry) -> Entry:
    return compose(get("_copy"), [Symbol([entry])], {}, hint="identity")._entries[0]


class _Inputs:
    """The inputs of a node that graphs share, each variable once."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._found: dict[Any, int] = {}

    def locate(
        self, graph: _Graph, bound: Sequence[Symbol], outside: Sequence[Symbol]
    ) -> list[int]:
        """Where the node has what each variable of a graph stands for.

        bound : the graph's placeholders.    outside : the symbols that these stand for.
        """
        slots = {s._entries[0].node: k for k, s in enumerate(bound)}
        places = []
        for node in graph.variables:
            if node in slots:
                key, entry = ("bound", slots[node]), outside[slots[node]]._entries[0]
            else:
                entry = graph.outer.get(node) or Entry(node)
                key = (entry.node if entry.node.op is None else node, entry.index)
            if key not in self._found:
                self._found[key] = len(self.entries)
                self.entries.append(entry)
            places.append(self._found[key])
        return places


def _node(kind: str, graphs: Sequence[_Graph], entries: list[Entry], **facts: Any) -> list[Symbol]:
    """The outputs of an operator made of graphs."""
    raw = {"num_args": len(entries) + len(graphs), **facts}
    op = get(kind).instantiate(raw, [g.heads for g in graphs])
    return list(compose(op, [Symbol([e]) for e in entries], raw, hint=kind))


def _single(symbols: Sequence[Symbol], what: str) -> None:
    for s in symbols:
        if len(s) != 1:
            raise ValueError(f"{what}: a symbol of {len(s)} outputs must be indexed")


def foreach(body: Callable, data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Loop over the first axis: ``body(slice, states)`` -> ``(outputs, new states)``.

    data        : a symbol or nested list of symbols whose slices the body gets.
    init_states : what the first call gets as states.

    Returns the outputs of all calls stacked, and the states of the last one.

    >>> total = mx.sym.contrib.foreach(
    ...     lambda x, s: (x + s, x + s), mx.sym.var("x"), mx.sym.var("s"))[0]
    >>> x, s = mx.nd.array([[1], [2], [3]]), mx.nd.zeros(1)
    >>> total.eval(x=x, s=s)[0].asnumpy()[:, 0]
    array([1., 3., 6.], dtype=float32)
    """
    flat, data_form = flatten(data, Symbol, "foreach data")
    starts, state_form = flatten(init_states, Symbol, "foreach init_states")
    _single([*flat, *starts], "foreach")
    bound: list[Symbol] = []
    count = 0
    state_result: Form = None

    def draw() -> tuple[list[Symbol], Form]:
        nonlocal count, state_result
        bound.extend(_placeholders([*flat, *starts]))
        slices, states = regroup(bound, data_form), regroup(bound[len(flat) :], state_form)
        outs, new = body(slices, states)
        outs, form = flatten(outs, Symbol, "foreach output")
        new, state_result = flatten(new, Symbol, "foreach loop_vars")
        if len(new) != len(starts):
            raise AssertionError(f"the body returns {len(new)} states, expected {len(starts)}")
        count = len(outs)
        return [*outs, *new], form

    graph = _Graph(name, draw)
    place = {node: p for p, node in enumerate(graph.variables)}
    located = [place.get(s._entries[0].node) for s in bound]
    for where, what in ((located[: len(flat)], "data"), (located[len(flat) :], "state")):
        if None in where:
            raise AssertionError(f"the {what} arrays have to be used in the loop body")
    remain = [p for p in range(len(graph.variables)) if p not in located]
    shared = [graph.outer.get(graph.variables[p]) or Entry(graph.variables[p]) for p in remain]
    made = _node(
        "_foreach",
        [graph],
        [*(s._entries[0] for s in (*flat, *starts)), *shared],
        num_outputs=len(graph.heads),
        num_out_data=count,
        in_state_locs=located[len(flat) :],
        in_data_locs=located[: len(flat)],
        remain_locs=remain,
    )
    return regroup(made, graph.form), regroup(made[count:], state_result)


def while_loop(
    cond: Callable,
    func: Callable,
    loop_vars: Any,
    max_iterations: int | None = None,
    name: str = "while_loop",
) -> tuple[Any, Any]:
    """Loop while ``cond(*loop_vars)``: ``func(*loop_vars)`` -> ``(outputs, new loop_vars)``.

    Returns the outputs stacked, zeros from the last step on up to `max_iterations`, and the final
    variables.

    >>> double = mx.sym.contrib.while_loop(
    ...     lambda n: n < 50, lambda n: (n, n * 2), mx.sym.var("n"), max_iterations=8)
    >>> double[0].eval(n=mx.nd.array([7.0]))[0].asnumpy()[:, 0]
    array([ 7., 14., 28.,  0.,  0.,  0.,  0.,  0.], dtype=float32)
    """
    if max_iterations is None:
        raise ValueError("max_iterations should be specified")
    starts, form = flatten(loop_vars, Symbol, "while_loop loop_vars")
    if not starts:
        raise ValueError("loop_vars should contain at least one element")
    _single(starts, "while_loop")
    bound: list[list[Symbol]] = []
    count = 0

    def variables() -> list:
        bound.append(_placeholders(starts))
        grouped = regroup(bound[-1], form)
        return [grouped] if form == 0 else grouped

    def draw_cond() -> tuple[list[Symbol], Form]:
        return flatten(cond(*variables()), Symbol, "while_loop cond")

    def draw_func() -> tuple[list[Symbol], Form]:
        nonlocal count
        outs, new = func(*variables())
        outs, out_form = flatten(outs, Symbol, "while_loop output")
        new, _ = flatten(new, Symbol, "while_loop loop_vars")
        if len(new) != len(starts):
            raise ValueError("The length of loop_vars should be consistent during the loop")
        count = len(outs)
        return [*outs, *new], out_form

    test, step = _Graph(f"{name}_cond", draw_cond), _Graph(f"{name}_func", draw_func)
    inputs = _Inputs()
    test_places = inputs.locate(test, bound[0], starts)
    step_places = inputs.locate(step, bound[1], starts)
    nodes = [s._entries[0].node for s in bound[1]]
    for k, node in enumerate(nodes):
        if node not in step.variables:
            raise ValueError(f"The {k + 1}-th loop_var doesn't involve into the computation")
    made = _node(
        "_while_loop",
        [test, step],
        inputs.entries,
        num_outputs=len(step.heads),
        num_out_data=count,
        max_iterations=int(max_iterations),
        cond_input_locs=test_places,
        func_input_locs=step_places,
        func_var_locs=[step.variables.index(n) for n in nodes],
    )
    return regroup(made, step.form), regroup(made[count:], form)


def cond(pred: Symbol, then_func: Callable, else_func: Callable, name: str = "cond") -> Any:
    """``then_func()`` where the scalar `pred` is not zero, else ``else_func()``; only one is run.

    Both return symbols of the same shapes.

    >>> x = mx.sym.var("x")
    >>> y = mx.sym.contrib.cond(x < 0, lambda: -x, lambda: x * 2)
    >>> y.eval(x=mx.nd.array([-3.0]))[0].asnumpy()
    array([3.], dtype=float32)
    """
    draws = {"pred": lambda: pred, "then": then_func, "else": else_func}
    graphs = [
        _Graph(f"{name}_{k}", lambda draw=draw: flatten(draw(), Symbol, "cond outputs"))
        for k, draw in draws.items()
    ]
    if len(graphs[1].heads) != len(graphs[2].heads):
        raise ValueError("Number of outputs differs between then-branch and else-branch")
    inputs = _Inputs()
    places = [inputs.locate(g, (), ()) for g in graphs]
    made = _node(
        "_cond",
        graphs,
        inputs.entries,
        num_outputs=len(graphs[1].heads),
        cond_input_locs=places[0],
        then_input_locs=places[1],
        else_input_locs=places[2],
    )
    return regroup(made, graphs[1].form)


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple[Symbol, ...]:
    """Classes drawn from an approximately Zipfian distribution, for sampled losses.

    Returns the drawn classes (int64), and how often the true and the drawn classes are expected
    among them (float64). Class c has probability ``log((c + 2) / (c + 1)) / log(range_max + 1)``.

    >>> drawn, _, _ = mx.sym.contrib.rand_zipfian(mx.sym.var("c"), 5, 10)
    >>> drawn.eval()[0].shape
    (5,)
    """
    span = math.log(range_max + 1)
    drawn = random.uniform(0, span, shape=(num_sampled,), dtype="float64").exp() - 1
    drawn = drawn.astype("int64") % range_max

    def expected(classes: Symbol) -> Symbol:
        c = classes.astype("float64")
        return ((c + 2) / (c + 1)).log() / span * num_sampled

    return drawn, expected(true_classes), expected(drawn)
