"""Tracing a HybridBlock into a graph, and calling that graph compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import symbol
from ..autograd import pause
from ..base import MXNetError
from ..compiled import CachedGraph
from ..graph.graph import Entry, walk
from ..ndarray import NDArray
from ..symbol import Symbol
from ._structure import Format, _flatten, _regroup, trimmed
from .utils import in_mode

OpHook = tuple[Callable, bool]  # a callback, and whether it sees operators' inputs too


class Trace(NamedTuple):
    """A Block drawn as a Symbol.

    names      : the variable of each flattened argument, None where the argument is None.
    variables  : the same as Symbols, nested like the arguments.
    symbol     : all outputs.
    in_format  : structure of the arguments.      out_format : structure of the outputs.
    """

    names: list[str | None]
    variables: list
    symbol: Symbol
    in_format: list
    out_format: Format

    def fits(self, args: tuple) -> bool:
        """Whether arguments have the structure that was traced."""
        return trimmed(_flatten(args, "input")[1]) == trimmed(self.in_format)

    def require(self, fmt: list) -> None:
        """ValueError unless arguments of this structure fit."""
        if trimmed(fmt) != trimmed(self.in_format):
            raise ValueError(
                f"The argument structure of HybridBlock does not match the cached version. Stored "
                f"format = {self.in_format}, input format = {fmt}; call hybridize() again to drop "
                f"the cached version"
            )

    def facts(self, rule: Callable, args: tuple, fact: str) -> dict[str, Any]:
        """Shapes or dtypes of all inputs of the graph by name, as far as they are known."""
        flat, _ = _flatten(args, "input")
        inputs = set(self.symbol.list_inputs())
        known = {
            name: getattr(x, fact)
            for name, x in zip(self.names, flat, strict=False)
            if name in inputs
        }
        arguments, _, states = rule(**known)
        names = [*self.symbol.list_arguments(), *self.symbol.list_auxiliary_states()]
        return dict(zip(names, [*arguments, *states], strict=True))


def trace(block: Any, args: tuple) -> Trace:
    """Draw `block` on variables shaped like `args`."""
    flat, in_format = _flatten(args, "input")
    count = sum(x is not None for x in flat)
    if not count:
        raise ValueError("all arguments are None, so there is nothing to compute from")
    names = [
        None if x is None else "data" if count == 1 else f"data{i}" for i, x in enumerate(flat)
    ]
    made = [None if name is None else in_mode(symbol.var(name)) for name in names]
    variables, _ = _regroup(made, in_format)
    with pause():
        out, out_format = _flatten(block._draw(*variables), "output")
    found = [x for x in out if x is not None]
    return Trace(names, variables, symbol.Group(found), in_format, out_format)


class CompiledCall:
    """A traced Block with its compiled graph: called with the Block's arguments."""

    def __init__(self, block: Any, traced: Trace, hook: OpHook | None = None) -> None:
        self.trace = traced
        self._formats = [traced.in_format]
        params = {param.name: param for param in block.collect_params().values()}
        used = traced.symbol.list_inputs()
        self._slots: list = []
        for name in used:
            if name in traced.names:
                self._slots.append(traced.names.index(name))
            elif name in params:
                self._slots.append(params[name])
            else:
                raise MXNetError(
                    f"Block {block.name}: its graph reads variable {name!r}, which is neither an "
                    f"input nor one of its Parameters"
                )
        _warn_of_unused(traced.names, params, set(used))
        self._monitor = _Monitor(traced.symbol, hook) if hook else None
        graph = self._monitor.symbol if self._monitor else traced.symbol
        self._graph = CachedGraph(graph._entries, used)

    def __call__(self, ctx: Any, args: tuple) -> Any:
        """Run on NDArrays that all live on `ctx`."""
        if len(args) == 1 and isinstance(args[0], NDArray):
            flat, fmt = args, [0]
        else:
            flat, fmt = _flatten(args, "input")
            _require_one_context(flat, ctx)
        if fmt not in self._formats:
            self.trace.require(fmt)
            self._formats.append(fmt)
        inputs = [flat[s] if type(s) is int else s.data(ctx) for s in self._slots]
        out = self._graph(inputs)
        if self._monitor is not None:
            out = self._monitor.report(out)
        out_format = self.trace.out_format
        return out[0] if out_format == 0 else _regroup(_with_nones(out, out_format), out_format)[0]


def _with_nones(out: list, fmt: Format) -> list:
    """Flat outputs with None put back where the structure has it."""
    arrays: Iterator = iter(out)

    def place(form: Format) -> list:
        if isinstance(form, list):
            return [x for inner in form for x in place(inner)]
        return [None] if form == -1 else [next(arrays) for _ in range(form or 1)]

    return place(fmt)


def _require_one_context(flat: list, ctx: Any) -> None:
    found = {x.context for x in flat if isinstance(x, NDArray)}
    if len(found) > 1:
        raise ValueError(
            f"Find multiple contexts in the input, After hybridized, the HybridBlock only supports "
            f"one input context. You can print the ele.ctx in the input arguments to inspect their "
            f"contexts. Find all contexts = {found}; expected {ctx}"
        )
    for i, x in enumerate(flat):
        if isinstance(x, Symbol):
            raise ValueError(f"input {i} is a Symbol where other inputs are NDArrays")


def _warn_of_unused(names: list, params: dict, used: set[str]) -> None:
    for i, name in enumerate(names):
        if name is not None and name not in used:
            warnings.warn(
                f"The {i}-th input to HybridBlock is not used by any computation. "
                f"Is this intended?",
                stacklevel=6,
            )
    for name in params:
        if name not in used:
            warnings.warn(
                f"Parameter {name} is not used by any computation. Is this intended?", stacklevel=6
            )


class _Monitor:
    """Shows a callback the arrays inside a graph."""

    def __init__(self, traced: Symbol, hook: OpHook) -> None:
        self._callback, every = hook
        self._watched: list[tuple[str, str]] = []
        entries: list[Entry] = []
        for node in walk(traced._entries):
            if node.op is None:
                continue
            if every:
                for name, entry in zip(
                    node.op.input_names(node.params, len(node.inputs)), node.inputs, strict=True
                ):
                    self._watched.append((f"{node.name}_{name}", node.op.name))
                    entries.append(entry)
            names = node.op.output_names(node.params)[: node.op.visible(node.params)]
            for name, entry in zip(names, node.entries, strict=False):
                self._watched.append((f"{node.name}_{name}", node.op.name))
                entries.append(entry)
        self._count = len(traced._entries)
        self.symbol = Symbol([*traced._entries, *entries])

    def report(self, out: list) -> list:
        """Pass the arrays on; returns the graph's own outputs."""
        for (name, op), array in zip(self._watched, out[self._count :], strict=True):
            self._callback(name, op, array)
        return out[: self._count]
