"""Pictures and tables of networks: `plot_network`, `print_summary`, `plot_memory`."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .base import MXNetError
from .files import write_atomically
from .graph.graph import Entry, Node, walk
from .graph.infer import typed
from .graph.plan import MemoryPlan
from .ops.op import Spec
from .symbol import Symbol
from .symbol.inference import auxiliary_nodes

__all__ = ["plot_memory", "plot_network", "print_summary", "save_graph"]

# Fill colours by kind of operator (ColorBrewer's Set3): the first pattern found in its name.
_COLOURS = (
    (("Convolution", "FullyConnected", "Deconvolution", "dot"), "#fb8072"),
    (("BatchNorm", "Norm"), "#bebada"),
    (("Activation", "LeakyReLU", "relu", "sigmoid", "tanh"), "#ffffb3"),
    (("Pooling",), "#80b1d3"),
    (("Concat", "Flatten", "Reshape", "transpose", "SliceChannel"), "#fdb462"),
    (("Softmax", "softmax", "Output", "Loss"), "#b3de69"),
)
_OTHER, _VARIABLE = "#fccde5", "#8dd3c7"
_SHOWN = ("kernel", "stride", "num_filter", "num_hidden", "pool_type", "act_type")


def _is_parameter(node: Node, states: set[Node]) -> bool:
    """Whether a variable is a weight rather than an input or label."""
    ends = ("_weight", "_bias", "_gamma", "_beta", "_parameters", "_moving_mean", "_moving_var",
            "_running_mean", "_running_var")  # fmt: skip
    return node.op is None and (node in states or node.name.endswith(ends))


def _specs(symbol: Symbol, shape: Mapping[str, Sequence[int]], dtype: Any) -> dict[str, Node]:
    """Typed nodes by name, for inputs of these shapes."""
    kinds = dtype if isinstance(dtype, Mapping) else {}
    known = {n: Spec(tuple(s), np.dtype(kinds.get(n, "float32"))) for n, s in shape.items()}
    unknown = set(known) - set(symbol.list_inputs())
    if unknown:
        raise ValueError(f"{sorted(unknown)} are not inputs of the symbol")
    heads, _ = typed(symbol._entries, known, train=False)
    return {n.name: n for n in walk(heads)}


def _label(node: Node) -> str:
    if node.op is None:
        return node.name
    lines = [f"{node.op.name}"]
    facts = [f"{k}={node.attrs[k]}" for k in _SHOWN if k in node.attrs]
    return "\n".join([*lines, node.name, ", ".join(facts)]).rstrip()


def _colour(node: Node) -> str:
    if node.op is None:
        return _VARIABLE
    found = (c for patterns, c in _COLOURS if any(p in node.op.name for p in patterns))
    return next(found, _OTHER)


def plot_network(
    symbol: Symbol,
    title: str = "plot",
    save_format: str = "pdf",
    shape: Mapping[str, Sequence[int]] | None = None,
    dtype: Mapping[str, Any] | None = None,
    node_attrs: Mapping[str, str] | None = None,
    hide_weights: bool = True,
) -> Any:
    """The network as a `graphviz.Digraph`; `save_graph` writes it to a file.

    shape        : shapes of the inputs; with them every edge carries the shape of its tensor.
    dtype        : element types of the inputs.    save_format : what ``.render()`` makes.
    node_attrs   : graphviz attributes of all nodes.
    hide_weights : leave out the variables that hold parameters.

    >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="fc")
    >>> "fc" in mx.viz.plot_network(net, shape={"data": (1, 8)}).source
    True
    """
    try:
        from graphviz import Digraph
    except ImportError:
        raise ImportError("plot_network needs graphviz: pip install 'baryon[viz]'") from None
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol, got {type(symbol).__name__}")
    nodes = walk(symbol._entries)
    typed_nodes = _specs(symbol, shape, dtype) if shape else {}
    states = auxiliary_nodes(nodes)
    hidden = {n for n in nodes if hide_weights and _is_parameter(n, states)}
    look = {"shape": "box", "style": "filled,rounded", "fontname": "Helvetica", "fontsize": "11",
            "color": "#00000044", **(node_attrs or {})}  # fmt: skip
    dot = Digraph(name=title, format=save_format, node_attr=look)
    dot.attr("graph", rankdir="BT", nodesep="0.35", ranksep="0.3")
    dot.attr("edge", fontname="Helvetica", fontsize="9", arrowsize="0.6")
    for node in nodes:
        if node not in hidden:
            shape_of = {"shape": "ellipse"} if node.op is None else {}
            dot.node(node.name, _label(node), fillcolor=_colour(node), **shape_of)
            for e in node.inputs:
                if e.node not in hidden:
                    dot.edge(e.node.name, node.name, label=_edge_label(e, typed_nodes))
    return dot


def _edge_label(entry: Entry, typed_nodes: Mapping[str, Node]) -> str:
    node = typed_nodes.get(entry.node.name)
    if node is None:
        return ""
    return "×".join(map(str, node.specs[entry.index].shape))


def save_graph(graph: Any, path: str) -> str:
    """Write a graph of `plot_network` as an SVG picture; the path of the file that was written.

    Without graphviz's ``dot`` program the ``.gv`` source is written instead, and a warning says how
    to get the program.
    """
    stem = path.removesuffix(".svg")
    if shutil.which("dot"):
        write_atomically(stem + ".svg", [graph.pipe(format="svg")])
        return stem + ".svg"
    write_atomically(stem + ".gv", [graph.source.encode()])
    warnings.warn(
        f"the dot program is not installed, so {stem}.gv was written instead of a picture; "
        f"install it (apt install graphviz) and run: dot -Tsvg -O {stem}.gv",
        stacklevel=2,
    )
    return stem + ".gv"


# ---- tables --------------------------------------------------------------------------------------

_HEADINGS = ("Layer (type)", "Output Shape", "Param #", "FLOPs", "Activation", "Previous Layer")
_WIDTHS = (0.30, 0.48, 0.60, 0.72, 0.84, 1.0)


def print_summary(
    symbol: Symbol,
    shape: Mapping[str, Sequence[int]] | None = None,
    line_length: int = 120,
    positions: Sequence[float] | None = None,
) -> None:
    """Print a table of the layers: output shape, parameters, FLOPs, activation memory, inputs.

    shape       : shapes of the inputs; without them only names and types are known.
    line_length : characters in a line.
    positions   : where each of the six columns ends, as fractions of the line; four of them leave
                  out FLOPs and activation memory, as MXNet's table does.

    >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="fc")
    >>> mx.viz.print_summary(net, shape={"data": (1, 8)}, line_length=60)  # doctest: +ELLIPSIS
    ____...
    """
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol, got {type(symbol).__name__}")
    ends = tuple(positions or _WIDTHS)
    if len(ends) not in (4, 6):
        raise ValueError(f"positions must have 4 or 6 entries, got {len(ends)}")
    columns = range(6) if len(ends) == 6 else (0, 1, 2, 5)
    stops = [int(line_length * p) if p <= 1 else int(p) for p in ends]
    rows = _rows(symbol, shape or {})
    print("_" * line_length)
    print(_line([_HEADINGS[c] for c in columns], stops))
    print("=" * line_length)
    for row in rows:
        print(_line([row[c] for c in columns], stops))
        print("_" * line_length)
    _print_totals(rows, line_length)


def _line(fields: Sequence[Any], stops: Sequence[int]) -> str:
    text = ""
    for field, stop in zip(fields, stops, strict=True):
        shown = f"{field:,}" if isinstance(field, int) else str(field)
        text = (text + shown)[: stop - 1].ljust(stop)
    return text.rstrip()


def _rows(symbol: Symbol, shape: Mapping[str, Sequence[int]]) -> list[list]:
    """One row for each operator and data input; parameters are counted where first used."""
    nodes = walk(symbol._entries)
    states = auxiliary_nodes(nodes)
    typed_nodes = _specs(symbol, shape, None) if shape else {}
    counted: set[Node] = set()
    rows = []
    for node in nodes:
        if _is_parameter(node, states):
            continue
        own = [e.node for e in node.inputs if _is_parameter(e.node, states)]
        previous = [e.node.name for e in node.inputs if e.node not in own]
        fresh = [n for n in dict.fromkeys(own) if n not in counted and n not in states]
        counted.update(fresh)
        known = typed_nodes.get(node.name)
        kind = "null" if node.op is None else node.op.name
        title = f"{node.name} ({kind})"
        if known is None:
            rows.append([title, "", 0, 0, "", ", ".join(previous)])
            continue
        parameters = sum(typed_nodes[n.name].specs[0].size for n in fresh)
        out = known.specs[0]
        rows.append([title, out.shape, parameters, _flops(known), _bytes(out.nbytes),
                     ", ".join(previous)])  # fmt: skip
    return rows


def _flops(node: Node) -> int:
    if node.op is None or node.op.view:
        return 0
    ins = [e.spec for e in node.inputs]
    if node.op.flops is not None:
        return int(node.op.flops(node.params, ins, node.specs))
    return node.specs[0].size


def _bytes(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} GB"


def _print_totals(rows: Sequence[Sequence[Any]], line_length: int) -> None:
    print(f"Total params: {sum(r[2] for r in rows):,}")
    print(f"Total FLOPs: {sum(r[3] for r in rows):,}")
    print("_" * line_length)


# ---- memory --------------------------------------------------------------------------------------


def plot_memory(plan: MemoryPlan, path: str, width: int = 900, height: int = 400) -> str:
    """Draw a memory plan as an SVG picture: time to the right, the arena's bytes upward.

    Each buffer is a rectangle from its first to its last step, at its offset.

    >>> import tempfile, os
    >>> exe = (mx.sym.exp(mx.sym.var("x")) + 1).simple_bind(mx.cpu(), x=(8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.path.getsize(mx.viz.plot_memory(exe.memory_plan(), folder + "/plan.svg")) > 0
    True
    """
    if not isinstance(plan, MemoryPlan):
        raise MXNetError(f"plot_memory: expected a MemoryPlan, got {type(plan).__name__}")
    steps = max((b.last for b in plan.buffers), default=0) + 1
    x, y = width / steps, (height - 40) / max(plan.planned, 1)
    shapes = [_rectangle(o, b, i, x, y, height) for i, (o, b) in enumerate(
        zip(plan.offsets, plan.buffers, strict=True))]  # fmt: skip
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="Helvetica" font-size="12">\n<text x="4" y="14">{escape(str(plan))}</text>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )
    write_atomically(path, [picture.encode()])
    return path


def _rectangle(offset: int, b: Any, index: int, x: float, y: float, height: int) -> str:
    hue = index * 47 % 360
    top = height - 10 - (offset + b.size) * y
    box = f'x="{b.first * x:.1f}" y="{top:.1f}" width="{(b.last - b.first + 1) * x:.1f}"'
    return (
        f'<rect {box} height="{b.size * y:.1f}" fill="hsl({hue},60%,70%)" stroke="#555" '
        f'stroke-width="0.3"><title>{b.size:,} bytes, steps {b.first} to {b.last}</title></rect>'
    )
