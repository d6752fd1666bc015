"""Trained networks in mixed precision: graphs with casts put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import symbol
from ...base import MXNetError
from ...context import Context, gpu
from ...dtypes import dtype_code, dtype_name
from ...gluon import SymbolBlock
from ...graph.graph import Entry, Key, Node, rebuild, walk
from ...module import BucketingModule
from ...ndarray import NDArray
from ...ops.op import get
from ...symbol import Symbol
from .rules import HIGH, LOW, WIDEST, Conditions, Rules, low_type

_HIGH_TYPE = np.dtype("float32")


class _Reduction:
    """Draws a graph again, with the inputs of every node in the type that the rules want.

    optional : variables that become of the low type themselves where only low nodes read them.
    """

    def __init__(self, rules: Rules, excluded: Sequence[str], optional: set[str]) -> None:
        self._rules, self._excluded = rules, set(excluded)
        self._optional = optional
        self._dtypes: dict[Key, np.dtype | None] = {}
        self._unsure: set[Key] = set()  # what MXNet does not know the type of
        self._casts: dict[tuple[Key, np.dtype], Entry] = {}

    def run(self, heads: Sequence[Entry]) -> list[Entry]:
        """The new heads, in float32."""
        readers: dict[Node, set[str | None]] = {}
        for node in walk(heads):
            for e in node.inputs:
                readers.setdefault(e.node, set()).add(self._kind(node))
        self._low = {
            node
            for node, kinds in readers.items()
            if node.op is None and node.name in self._optional and kinds == {LOW}
        }
        return [self._cast(e, _HIGH_TYPE) for e in rebuild(heads, self._change)]

    def _kind(self, node: Node) -> str | None:
        return HIGH if node.name in self._excluded else self._rules.kind(node.op, node.params)

    def _change(self, node: Node, inputs: list[Entry]) -> Node:
        if node.op is None:
            return self._variable(node)
        kind = self._kind(node)
        if kind is LOW:
            inputs = [self._cast(e, self._rules.dtype) for e in inputs]
        elif kind is HIGH or (kind is WIDEST and not self._all_low(inputs)):
            inputs = [self._cast(e, _HIGH_TYPE) for e in inputs]
        try:
            return self._typed(node, inputs)
        except MXNetError:  # types that do not go together
            return self._typed(node, [self._cast(e, _HIGH_TYPE) for e in inputs])

    def _variable(self, node: Node) -> Node:
        dtype = _HIGH_TYPE
        if node in self._low:
            dtype = self._rules.dtype
            node = Node(None, node.name, attrs={**node.attrs, "__dtype__": str(dtype_code(dtype))})
        self._dtypes[(node, 0)] = dtype
        return node

    def _typed(self, node: Node, inputs: list[Entry]) -> Node:
        made = Node(node.op, node.name, inputs, node.params, node.attrs)
        found = [self._dtypes[e.key] for e in inputs]
        _, outs = node.op.infer_dtypes(node.params, found, [None] * made.count)
        self._dtypes |= {e.key: dtype for e, dtype in zip(made.entries, outs, strict=True)}
        known = {None if e.key in self._unsure else self._dtypes[e.key] for e in inputs}
        if self._kind(node) is None and (None in known or len(known) > 1):
            self._unsure |= {e.key for e in made.entries}
        return made

    def _all_low(self, inputs: Sequence[Entry]) -> bool:
        low = {e.key for e in inputs if self._dtypes[e.key] == self._rules.dtype} - self._unsure
        return all(e.key in low for e in inputs)

    def _cast(self, entry: Entry, dtype: np.dtype) -> Entry:
        """An entry in `dtype` where it is in the other of the two types."""
        now = self._dtypes[entry.key]
        if now == dtype and entry.key not in self._unsure:
            return entry
        if now not in (self._rules.dtype, _HIGH_TYPE):
            return entry
        key = (entry.key, dtype)
        if key not in self._casts:
            op, kind = get("amp_cast"), dtype_name(dtype)
            name = f"{Symbol([entry]).list_outputs()[0]}_amp_cast_{kind}"
            node = Node(op, name, [entry], op.attributes({"dtype": kind}), {"dtype": kind})
            self._casts[key] = node.entries[0]
            self._dtypes[node.entries[0].key] = dtype
        return self._casts[key]


def convert_symbol(
    sym: Symbol,
    target_dtype: Any = "float16",
    target_dtype_ops: Sequence[str] | None = None,
    fp32_ops: Sequence[str] | None = None,
    conditional_fp32_ops: Conditions | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    data_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> Symbol:
    """The graph with casts, so that products are computed in `target_dtype`.

    target_dtype_ops, fp32_ops, conditional_fp32_ops : operators in place of MXNet's lists.
    excluded_sym_names : nodes that stay in float32.
    cast_optional_params : whether variables other than `data_names` that only such products read
    are of `target_dtype` themselves; without data_names, none is.

    >>> y = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, name="fc")
    >>> mx.contrib.amp.convert_symbol(y).get_internals().list_outputs()[:2]
    ['x', 'x_amp_cast_float16_output']
    """
    if not isinstance(sym, Symbol):
        raise TypeError(f"sym must be a Symbol, got {type(sym).__name__}")
    inputs = set(sym.list_inputs())
    for name in data_names or ():
        if name not in inputs:
            raise MXNetError(f"data_names: {name!r} is no input of the symbol")
    rules = Rules(low_type(target_dtype), target_dtype_ops, fp32_ops, conditional_fp32_ops)
    optional = inputs - set(data_names) if cast_optional_params and data_names else set()
    return type(sym)(_Reduction(rules, excluded_sym_names or (), optional).run(sym._entries))


def convert_model(
    sym: Symbol,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    target_dtype: Any = "float16",
    target_dtype_ops: Sequence[str] | None = None,
    fp32_ops: Sequence[str] | None = None,
    conditional_fp32_ops: Conditions | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """A graph and its parameters for mixed precision; see `convert_symbol`.

    cast_optional_params : whether parameters that are cast anyway are stored so.
    """
    for name, params in (("arg_params", arg_params), ("aux_params", aux_params)):
        if not isinstance(params, Mapping):
            raise TypeError(f"{name} must be a dict of names and arrays")
    data_names = [n for n in sym.list_inputs() if n not in arg_params and n not in aux_params]
    made = convert_symbol(
        sym, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names,
        data_names, cast_optional_params,
    )  # fmt: skip
    low = {
        n.name for n in walk(made._entries) if n.op is None and n.attrs != _attrs_of(sym, n.name)
    }
    dtype = dtype_name(low_type(target_dtype))
    arg_params = {k: v.astype(dtype) if k in low else v for k, v in arg_params.items()}
    return made, arg_params, dict(aux_params)


def _attrs_of(sym: Symbol, name: str) -> Mapping[str, str]:
    return next(n.attrs for n in walk(sym._entries) if n.op is None and n.name == name)


def convert_hybrid_block(
    block: Any,
    target_dtype: Any = "float16",
    target_dtype_ops: Sequence[str] | None = None,
    fp32_ops: Sequence[str] | None = None,
    conditional_fp32_ops: Conditions | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    ctx: Context | Sequence[Context] = gpu(0),  # noqa: B008 - MXNet's default
    cast_optional_params: bool = False,
) -> SymbolBlock:
    """A hybridized HybridBlock that has been called once, as a SymbolBlock in mixed precision.

    ctx : where the parameters are to be.
    """
    trace = getattr(block, "_trace", None)
    if trace is None:
        raise MXNetError(
            "convert_hybrid_block: call block.hybridize() first, and the block once after that"
        )
    params = block.collect_params()
    states = set(trace.symbol.list_auxiliary_states())
    arrays = {n: p._reduce() for n, p in params.items() if n in trace.symbol.list_inputs()}
    sym, args, aux = convert_model(
        trace.symbol,
        {n: x for n, x in arrays.items() if n not in states},
        {n: x for n, x in arrays.items() if n in states},
        target_dtype,
        target_dtype_ops,
        fp32_ops,
        conditional_fp32_ops,
        excluded_sym_names,
        cast_optional_params,
    )
    made = SymbolBlock(list(sym), [symbol.var(n) for n in trace.names if n is not None])
    for name, param in made.collect_params().items():
        param._load_init(args[name] if name in args else aux[name], ctx, cast_dtype=True)
    return made


def convert_bucketing_module(
    bucketing_mod: BucketingModule,
    target_dtype: Any = "float16",
    target_dtype_ops: Sequence[str] | None = None,
    fp32_ops: Sequence[str] | None = None,
    conditional_fp32_ops: Conditions | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> BucketingModule:
    """A bound BucketingModule with parameters, in mixed precision: not bound yet."""
    if not isinstance(bucketing_mod, BucketingModule):
        raise TypeError(f"expected a BucketingModule, got {type(bucketing_mod).__name__}")
    if not (bucketing_mod.binded and bucketing_mod.params_initialized):
        raise AssertionError("bind the module and initialize its parameters first")
    args, aux = bucketing_mod.get_params()

    def convert(sym: Symbol) -> tuple[Symbol, dict, dict]:
        return convert_model(
            sym, args, aux, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops,
            excluded_sym_names, cast_optional_params,
        )  # fmt: skip

    def sym_gen(key: Any) -> tuple[Symbol, Sequence[str], Sequence[str]]:
        sym, *names = bucketing_mod._sym_gen(key)
        return (convert(sym)[0], *names)

    made = BucketingModule(
        sym_gen,
        bucketing_mod._default_bucket_key,
        logger=bucketing_mod.logger,
        **bucketing_mod._options,
    )
    _, args, aux = convert(bucketing_mod._sym_gen(bucketing_mod._default_bucket_key)[0])
    made._params = (args, aux)
    made.params_initialized = True
    return made
