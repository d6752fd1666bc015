"""Shape and dtype inference of symbols, as methods that `Symbol` takes over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype
from ..graph import infer
from ..graph.graph import Node
from ..graph.storage import infer_storage
from ..ops.rules import known
from ..ops.stored import STYPES
from ..util import is_np_shape

if TYPE_CHECKING:
    from ._symbol import Symbol

Results = tuple[list | None, list | None, list | None]


def auxiliary_nodes(nodes: Sequence[Node]) -> set[Node]:
    """Variables that some operator takes as an auxiliary state."""
    found = set()
    for node in nodes:
        if node.op is not None and node.op.aux:
            names = node.op.input_names(node.params, len(node.inputs))
            found |= {e.node for n, e in zip(names, node.inputs, strict=True) if n in node.op.aux}
    return {n for n in found if n.op is None}


def infer_shape(self: Symbol, *args: Any, **kwargs: Any) -> Results:
    """Shapes of all arguments, outputs and auxiliary states from some of the arguments'.

    Shapes are given by position among the arguments or by name, unknown dimensions as 0. When they
    do not determine everything, a warning names what is unknown and three None are returned.

    >>> mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=4, name="fc").infer_shape(x=(2, 3))
    ([(2, 3), (4, 3), (4,)], [(2, 4)], [])
    """
    arguments, outputs, aux = _shapes(self, args, kwargs)
    unknown = [
        f"{name}: {_public(shape)}"
        for name, shape in zip(self.list_arguments(), arguments, strict=True)
        if not known(shape)
    ]
    if unknown or not all(map(known, (*outputs, *aux))):
        warnings.warn(
            "Cannot decide shape for the following arguments (0s in shape means unknown "
            "dimensions). Consider providing them as input:\n\t" + "\n\t".join(unknown),
            stacklevel=2,
        )
        return None, None, None
    return arguments, outputs, aux


def infer_shape_partial(self: Symbol, *args: Any, **kwargs: Any) -> Results:
    """Like `infer_shape`, but unknown shapes come back as ``()`` and unknown dimensions as 0."""
    return tuple([_public(s) for s in found] for found in _shapes(self, args, kwargs))


def _public(shape: tuple | None) -> tuple | None:
    """A partial shape as users see it: unknown is 0 in legacy mode, -1 (None) under np_shape."""
    if is_np_shape():
        return shape
    return () if shape is None else tuple(0 if d == -1 else d for d in shape)


def _given(self: Symbol, args: Sequence[Any], kwargs: dict[str, Any], what: str) -> dict:
    """Facts by variable name from positional or keyword arguments."""
    if args and kwargs:
        raise ValueError(f"give {what} either by position or by name, not both")
    if not args:
        inputs = set(self.list_inputs())
        for name in kwargs:
            if name not in inputs:
                raise MXNetError(
                    f"{what} given for {name!r}, which is not an input; there are "
                    f"{self.list_inputs()}"
                )
        return {k: v for k, v in kwargs.items() if v is not None}
    names = self.list_arguments()
    if len(args) > len(names):
        raise ValueError(f"{len(args)} {what} given, but the symbol has {len(names)} arguments")
    return {n: v for n, v in zip(names, args, strict=False) if v is not None}


def _internal(name: str, shape: Any) -> tuple:
    """A user's shape with unknown dimensions as -1."""
    try:
        dims = tuple(int(d) for d in (shape if np.iterable(shape) else (shape,)))
    except (TypeError, ValueError):
        raise TypeError(f"the shape of {name} must be a tuple of integers, got {shape!r}") from None
    unknown = (-1,) if is_np_shape() else (-1, 0)
    return tuple(-1 if d in unknown else d for d in dims)


def _shapes(self: Symbol, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list, list, list]:
    given = {k: _internal(k, v) for k, v in _given(self, args, kwargs, "shapes").items()}
    if not is_np_shape():
        given = {k: v or None for k, v in given.items()}
    nodes = self._walk()
    facts = infer.declared_shapes(nodes)
    facts.update(
        (n, given[n.name]) for n in nodes if n.op is None and given.get(n.name) is not None
    )
    return _collect(self, nodes, infer.infer_shapes(nodes, facts))


def _collect(self: Symbol, nodes: Sequence[Node], facts: dict) -> tuple[list, list, list]:
    """Facts of arguments, outputs and auxiliary states."""
    states = auxiliary_nodes(nodes)
    variables = [n for n in nodes if n.op is None]
    arguments = [facts[n][0] for n in variables if n not in states]
    outputs = [facts[e.node][e.index] for e in self._entries]
    return arguments, outputs, [facts[n][0] for n in variables if n in states]


def infer_type(self: Symbol, *args: Any, **kwargs: Any) -> Results:
    """Element types of all arguments, outputs and auxiliary states from some of the arguments'.

    >>> mx.sym.relu(mx.sym.var("x")).infer_type(x="float16")[1] == [np.float16]
    True
    """
    found = infer_type_partial(self, *args, **kwargs)
    if any(t is None for types in found for t in types):
        return None, None, None
    return found


def infer_type_partial(self: Symbol, *args: Any, **kwargs: Any) -> Results:
    """Like `infer_type`, with None for what nothing decides."""
    given = {k: as_dtype(v) for k, v in _given(self, args, kwargs, "types").items()}
    nodes = self._walk()
    facts = infer.declared_dtypes(nodes)
    facts.update((n, given[n.name]) for n in nodes if n.op is None and n.name in given)
    found = _collect(self, nodes, infer.infer_dtypes(nodes, facts))
    return tuple([None if d is None else d.type for d in group] for group in found)


def infer_storage_type(self: Symbol, *args: Any, **kwargs: Any) -> Results:
    """Storage types of all arguments, outputs and auxiliary states from some of the arguments'.

    Others are what their variables declare (``mx.sym.var(..., stype="csr")``), or ``"default"``.

    >>> mx.sym.dot(mx.sym.var("a"), mx.sym.var("b"), transpose_a=True).infer_storage_type(a="csr")
    (['csr', 'default'], ['row_sparse'], [])
    """
    given = _given(self, args, kwargs, "storage types")
    for name, stype in given.items():
        if stype not in STYPES:
            raise MXNetError(f"storage type of {name}: {stype!r} is none of {', '.join(STYPES)}")
    nodes = self._walk()
    found = infer_storage(nodes, given)
    return _collect(self, nodes, {n: [found[n, i] for i in range(n.count)] for n in nodes})
