"""`Symbol`: a declared graph, named, composed, asked and bound, as in MXNet."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import attribute, state
from .. import name as naming
from ..base import MXNetError, NotImplementedForSymbol
from ..dtypes import dtype_name
from ..files import write_atomically
from ..graph.graph import Entry, Node, rebuild, walk, with_inputs
from ..graph.json import from_json, to_json
from ..graph.upgrade import own_variable, set_initializer
from ..ops.op import Op, get
from ..ops.operators import Arithmetic
from . import binding, inference, transform
from .spelling import is_users, listed, operator_hint, output_name, stored, text


class Symbol(Arithmetic):
    """One or several outputs of a graph of operators on variables.

    >>> x = mx.sym.var("x")
    >>> y = mx.sym.FullyConnected(x, num_hidden=4, name="fc")
    >>> y.list_arguments()
    ['x', 'fc_weight', 'fc_bias']
    """

    __slots__ = ("_entries",)

    def __init__(self, handle: Sequence[Entry]) -> None:
        """`handle` is what MXNet keeps beyond its C interface: here the outputs' graph entries."""
        self._entries = list(handle)

    @property
    def handle(self) -> list[Entry]:
        """The outputs' graph entries; see `__init__`."""
        return self._entries

    @staticmethod
    def _apply(op: Op, inputs: Sequence[Any], raw: Mapping[str, Any]) -> Symbol:
        return compose(op, inputs, raw, hint=operator_hint(op))

    def _broadcasts(self, other: Any) -> bool:
        return False  # MXNet's symbols meet under the plain operators, which broadcast if need be

    def _method(self, op: str, name: str | None = None, attr: Any = None, **attrs: Any) -> Symbol:
        return compose(get(op), (self,), attrs, name, attr, hint=op.lower())

    def astype(self, dtype: Any) -> Symbol:
        """The same values in another element type."""
        return self._method("Cast", dtype=dtype_name(dtype))

    def expand_dims(self, axis: int, inplace: bool = False, **kwargs: Any) -> Symbol:
        """A new axis of size 1. (`inplace` changes nothing: a graph's reshapes copy no data.)"""
        return self._method("expand_dims", axis=axis, **kwargs)

    def flatten(self, inplace: bool = False, **kwargs: Any) -> Symbol:
        """All axes after the first as one; see `expand_dims` for `inplace`."""
        return self._method("Flatten", **kwargs)

    def squeeze(self, axis: Any = None, inplace: bool = False, **kwargs: Any) -> Symbol:
        """Without axes of size 1; see `expand_dims` for `inplace`."""
        return self._method("squeeze", **({} if axis is None else {"axis": axis}), **kwargs)

    def split_v2(
        self, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False
    ) -> Symbol:
        """Parts along an axis: equal sections (int), or cut before the given indices."""
        sections, indices = 0, []
        if isinstance(indices_or_sections, int):
            sections = indices_or_sections
        elif isinstance(indices_or_sections, (tuple, list, set)):
            indices = [0, *indices_or_sections]
        else:
            raise ValueError("indices_or_sections must be an int or a tuple, list or set of ints")
        return self._method(
            "_split_v2", indices=indices, axis=axis, squeeze_axis=squeeze_axis, sections=sections
        )

    # ---- structure -------------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """The name of a symbol of one node, None for a group."""
        names = {e.node.name for e in self._entries}
        return names.pop() if len({e.node for e in self._entries}) == 1 else None

    def __repr__(self) -> str:
        if self.name is not None:
            return f"<{type(self).__name__} {self.name}>"
        return f"<{type(self).__name__} group [{', '.join(e.node.name for e in self._entries)}]>"

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Symbol]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | str | slice) -> Symbol:
        if isinstance(index, slice):
            return type(self)(self._entries[index])
        if isinstance(index, str):
            found = [i for i, n in enumerate(self.list_outputs()) if n == index]
            if len(found) != 1:
                problem = "Cannot find output" if not found else "There are several outputs"
                raise ValueError(f'{problem} that matches name "{index}"')
            index = found[0]
        if not isinstance(index, int):
            raise TypeError(f"a Symbol is indexed by integer, name or slice, not {index!r}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"output {index} of a symbol that has {len(self)}")
        return type(self)([self._entries[index]])

    def as_np_ndarray(self) -> Any:
        """The same symbol with NumPy's operators and methods, for ``mx.sym.np``."""
        from .np_symbol import _Symbol

        return _Symbol(self._entries)

    def as_nd_ndarray(self) -> Symbol:
        """The symbol with the legacy operators' methods: itself."""
        return self

    def __bool__(self) -> bool:
        raise NotImplementedForSymbol("__bool__ (the truth value)", None)

    def _walk(self) -> list[Node]:
        return walk(self._entries)

    def _variables(self, aux: bool) -> list[str]:
        nodes = self._walk()
        states = inference.auxiliary_nodes(nodes)
        return [n.name for n in nodes if n.op is None and (n in states) == aux]

    def list_arguments(self) -> list[str]:
        """Names of the variables, auxiliary states left out, in walking order."""
        return self._variables(aux=False)

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states, such as BatchNorm's running mean."""
        return self._variables(aux=True)

    def list_inputs(self) -> list[str]:
        """Names of all variables, auxiliary states included."""
        return [n.name for n in self._walk() if n.op is None]

    def list_outputs(self) -> list[str]:
        """Names of the outputs, such as ``fc_output``."""
        return [output_name(e) for e in self._entries]

    def get_internals(self) -> Symbol:
        """Every visible output of every node, as a group: ``net.get_internals()["fc_output"]``."""
        found = []
        for node in self._walk():
            found += node.entries[: 1 if node.op is None else node.op.visible(node.params)]
        return type(self)(found)

    def get_children(self) -> Symbol | None:
        """The inputs of this symbol's nodes, or None for variables."""
        nodes = dict.fromkeys(e.node for e in self._entries)
        inputs = [e for n in nodes for e in n.inputs]
        return type(self)(inputs) if inputs else None

    # ---- attributes ------------------------------------------------------------------------------

    def attr(self, key: str) -> str | None:
        """One attribute as a string, or None."""
        attrs = self.list_attr()
        return attrs.get(key, attrs.get(f"__{key}__"))

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """Attributes of this symbol's node."""
        if recursive:
            raise DeprecationWarning("list_attr(recursive=True) is deprecated; use attr_dict()")
        if self.name is None:
            return {}
        return listed(self._entries[0].node.attrs)

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """Attributes of every node that has some, by name."""
        return {n.name: listed(n.attrs) for n in self._walk() if n.attrs}

    def _set_attr(self, **kwargs: str) -> None:
        """Set attributes of this symbol's node, the operator's own among them."""
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {key} must be a string, got {value!r}")
        node = self._entries[0].node
        attrs = {**node.attrs, **stored(kwargs)}
        if node.op is not None:
            node.params = node.op.attributes({k: v for k, v in attrs.items() if not is_users(k)})
        node.attrs = attrs

    # ---- composition -----------------------------------------------------------------------------

    def __call__(self, *args: Symbol, **kwargs: Symbol) -> Symbol:
        """A copy whose variables are replaced: by position among the arguments, or by name.

        `name` is the new name of the last node.
        """
        name = kwargs.pop("name", None)
        names = self.list_arguments()
        if args and kwargs:
            raise TypeError("compose only accepts positional or keyword arguments, not both")
        given = dict(zip(names, args, strict=False)) if args else kwargs
        if len(args) > len(names):
            raise MXNetError(f"symbol takes {len(names)} arguments, got {len(args)}")
        for key, value in given.items():
            if not isinstance(value, Symbol):
                raise TypeError(f"argument {key} must be a Symbol, got {type(value).__name__}")
            if key not in names:
                raise MXNetError(f"symbol has no argument {key!r}; it has {names}")

        def change(node: Node, inputs: list[Entry]) -> Any:
            if node.op is None and node.name in given:
                return [_single(given[node.name], node.name)]
            if name is not None and node is self._entries[0].node:
                return Node(node.op, name, inputs, node.params, node.attrs)
            return with_inputs(node, inputs)

        return type(self)(rebuild(self._entries, change))

    def __copy__(self) -> Symbol:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: Any = None) -> Symbol:
        def change(node: Node, inputs: list[Entry]) -> Node:
            return Node(node.op, node.name, inputs, node.params, node.attrs)

        return type(self)(rebuild(self._entries, change))

    # ---- files -----------------------------------------------------------------------------------

    def tojson(self, remove_amp_cast: bool = True) -> str:
        """The graph as MXNet's symbol JSON.

        remove_amp_cast : leave out the casts that mixed precision put in.
        """
        return to_json(self._stored(remove_amp_cast))

    def _stored(self, remove_amp_cast: bool) -> list[Entry]:
        if not remove_amp_cast:
            return self._entries

        def change(node: Node, inputs: list[Entry]) -> Any:
            is_cast = node.op is not None and node.op.name in ("amp_cast", "amp_multicast")
            return inputs if is_cast else with_inputs(node, inputs)

        return rebuild(self._entries, change)

    def save(self, fname: str, remove_amp_cast: bool = True) -> None:
        """Write the symbol JSON to a file, whole or not at all."""
        write_atomically(fname, [self.tojson(remove_amp_cast).encode()])

    def __getstate__(self) -> dict[str, str]:
        return {"handle": self.tojson(remove_amp_cast=False)}

    def __setstate__(self, state: Mapping[str, str]) -> None:
        self._entries = from_json(state["handle"])

    def debug_str(self) -> str:
        """The nodes in walking order, for reading."""
        lines = ["Symbol Outputs:"]
        lines += [f"\toutput[{i}]={e.node.name}({e.index})" for i, e in enumerate(self._entries)]
        for node in self._walk():
            if node.op is None:
                lines.append(f"Variable:{node.name}")
                continue
            lines += ["-" * 20, f"Op:{node.op.name}, Name={node.name}", "Inputs:"]
            lines += [f"\targ[{i}]={e.node.name}({e.index})" for i, e in enumerate(node.inputs)]
            lines += ["Attrs:"] if node.attrs else []
            lines += [f"\t{k}={v}" for k, v in sorted(node.attrs.items())]
        return "\n".join(lines) + "\n"

    # ---- inference and binding -------------------------------------------------------------------

    infer_shape = inference.infer_shape
    infer_shape_partial = inference.infer_shape_partial
    infer_type = inference.infer_type
    infer_type_partial = inference.infer_type_partial
    infer_storage_type = inference.infer_storage_type
    bind = binding.bind
    simple_bind = binding.simple_bind
    eval = binding.evaluate
    gradient = transform.gradient
    optimize_for = transform.optimize_for
    get_backend_symbol = transform.get_backend_symbol


def _for_arrays_only(name: str) -> Any:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedForSymbol(name, None, *args)

    method.__name__ = name
    method.__doc__ = "Raises NotImplementedForSymbol: a symbol has no value yet."
    return method


Symbol.__module__ = "baryon.symbol.symbol"  # by which MXNet's programs and pickles know it
_ARRAYS_ONLY = (
    "asnumpy", "asscalar", "as_in_context", "backward", "copy", "detach", "wait_to_read",
    "__iadd__", "__isub__", "__imul__", "__itruediv__", "__imod__",
)  # fmt: skip
for _name in _ARRAYS_ONLY:
    setattr(Symbol, _name, _for_arrays_only(_name))


def _single(symbol: Any, where: str) -> Entry:
    """The one entry of a symbol used as an input."""
    if not isinstance(symbol, Symbol):
        raise TypeError(f"{where} must be a Symbol, got {type(symbol).__name__}")
    if len(symbol._entries) != 1:
        raise MXNetError(
            f"{where}: a symbol with {len(symbol)} outputs cannot be one input; index it"
        )
    return symbol._entries[0]


def _by_name(op: Op, inputs: Sequence[Any], raw: Mapping[str, Any]) -> tuple[dict, dict]:
    """Attributes, and symbols among them: inputs of an operator with any number of them."""
    named = {k: v for k, v in raw.items() if isinstance(v, Symbol)} if op.many else {}
    if named and inputs:
        raise TypeError(
            f"operator {op.name}: inputs come either all by position or all by name, not both"
        )
    return {k: v for k, v in raw.items() if k not in named}, named


def compose(
    op: Op,
    inputs: Sequence[Any],
    raw: Mapping[str, Any],
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
    hint: str | None = None,
) -> Symbol:
    """Apply an operator to symbols; inputs that are missing become variables of their own.

    name : of the new node; made from `hint` when None.    attr : user attributes.
    """
    raw, named = _by_name(op, inputs, raw)
    if op.variadic:
        raw.setdefault(op.variadic, len(inputs) + len(named))
    user = {k: str(v) for k, v in raw.items() if is_users(k)}
    raw = {k: v for k, v in raw.items() if k not in user}
    user = attribute.current().get({**user, **(attr or {})})
    raw = {**{k: v for k, v in user.items() if not is_users(k)}, **raw}
    params = op.attributes(raw)
    name = naming.current().get(name, hint or op.name.lower())
    shown = {k: text(op, k, v, params[k]) for k, v in raw.items()}
    attrs = {**stored(user), **shown}
    count = max(len(inputs), params[op.variadic] or 0) if op.variadic else len(inputs) or None
    names = op.input_names(params, count)
    if op.many and not names:
        raise MXNetError(f"operator {op.name}: needs at least one input")
    if len(inputs) > len(names):
        raise MXNetError(
            f"operator {op.name}: takes {len(names)} inputs ({', '.join(names)}), got {len(inputs)}"
        )
    if unknown := [n for n in named if n not in names]:
        raise MXNetError(
            f"operator {op.name}: no input is called {unknown[0]}; they are {', '.join(names)}"
        )
    given = [*inputs, *map(named.get, names[len(inputs) :])]
    entries = [
        own_variable(op, name, n, attrs) if x is None else _single(x, f"{op.name}: input {n}")
        for n, x in zip(names, given, strict=True)
    ]
    for n, e in zip(names, entries, strict=True) if op.init else ():
        set_initializer(op, n, e.node)
    if state.precision is not None:
        cast = state.precision(op, [Symbol([e]) for e in entries], params)
        entries = [x._entries[0] for x in cast]
    node = Node(op, name, entries, params, attrs)
    return _symbol_type(inputs)(node.entries[: op.visible(params)])


def _symbol_type(inputs: Sequence[Any]) -> type[Symbol]:
    return next((type(x) for x in inputs if isinstance(x, Symbol)), Symbol)
