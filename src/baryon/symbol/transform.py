"""New symbols from a symbol: its gradients, and itself simplified; `Symbol` takes these over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..base import MXNetError
from ..context import Context
from ..graph.graph import Entry, Node, rebuild, with_inputs
from ..ops.op import get

if TYPE_CHECKING:
    from ..ndarray import NDArray
    from .symbol import Symbol

BACKENDS = ("baryon", "MKLDNN", "ONEDNN")  # ours, and the names by which programs ask for MXNet's


def gradient(self: Symbol, wrt: Sequence[str]) -> Symbol:
    """The gradients of the sum of this symbol's outputs in the arguments that `wrt` names.

    A symbol of as many outputs, to be bound like any other; MXNet declares the method and raises.
    It cannot be differentiated again.

    >>> x = mx.sym.var("x")
    >>> (x * x * x).gradient(["x"]).eval(x=mx.nd.array([2.0]))[0].asnumpy()
    array([12.], dtype=float32)
    """
    variables = [n for n in self._walk() if n.op is None]
    names = [n.name for n in variables]
    for name in wrt:
        if name not in names:
            raise MXNetError(f"gradient: {name!r} is not an input; there are {names}")
    locations = tuple(map(names.index, wrt))
    raw = {"num_args": len(names) + 1, "num_outputs": len(locations), "wrt_locs": locations}
    op = get("_gradient").instantiate(raw, [self._entries])
    return self._apply(op, [type(self)([Entry(n)]) for n in variables], raw)


def optimize_for(
    self: Symbol,
    backend: str,
    args: Mapping[str, NDArray] | None = None,
    aux: Mapping[str, NDArray] | None = None,
    ctx: Context | None = None,
    shape_dict: Mapping[str, Sequence[int]] | None = None,
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Mapping[str, str] | None = None,
    skip_infer: bool = False,
    **kwargs: Any,
) -> Symbol:
    """A symbol that computes the same from fewer nodes: equal ones are merged.

    Fusing is left to binding, which knows shapes; so all `backend`s are one here, ``"baryon"``.
    An unknown one is warned of, and the symbol comes back as it is.

    args, aux : arrays by name, whose shapes and types are checked against the symbol, as are those
                in `shape_dict`, `type_dict` and `stype_dict`; not if `skip_infer`.
    ctx       : a device, of which nothing depends.    kwargs : options; our backend has none.

    >>> x = mx.sym.var("x")
    >>> twice = mx.sym.sin(x, name="a") + mx.sym.sin(x, name="b")
    >>> len(twice.get_internals()), len(twice.optimize_for("baryon").get_internals())
    (4, 3)
    """
    if not isinstance(backend, str):
        raise TypeError(f"backend must be a string, got {type(backend).__name__}")
    if ctx is not None and not isinstance(ctx, Context):
        raise TypeError(f"ctx must be a Context, got {type(ctx).__name__}")
    if backend not in BACKENDS:
        warnings.warn(f"optimize_for: there is no backend {backend!r}", stacklevel=2)
        return self
    if kwargs:
        raise ValueError(f"optimize_for: backend {backend} has no option {next(iter(kwargs))!r}")
    if not skip_infer:
        arrays = {**_arrays("args", args), **_arrays("aux", aux)}
        shapes = {**(shape_dict or {}), **{k: x.shape for k, x in arrays.items()}}
        types = {**(type_dict or {}), **{k: x.dtype for k, x in arrays.items()}}
        self.infer_shape_partial(**shapes)
        self.infer_type_partial(**types)
        self.infer_storage_type(**(stype_dict or {}))
    return type(self)(_merged(self._entries))


def get_backend_symbol(self: Symbol, backend: str) -> Symbol:
    """`optimize_for` without any facts; MXNetError if there is no such backend."""
    if backend not in BACKENDS:
        raise MXNetError(f"there is no backend {backend!r}; there are {', '.join(BACKENDS)}")
    return self.optimize_for(backend)


def _arrays(what: str, given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a dict of arrays by name, got {type(given).__name__}")
    return given or {}


def _merged(heads: Sequence[Entry]) -> list[Entry]:
    """The graph with nodes that differ in nothing but their names as one."""
    seen: dict[Any, Node] = {}

    def change(node: Node, inputs: list[Entry]) -> Node:
        node = with_inputs(node, inputs)
        if node.op is None or node.op.is_random or node.op.mutates or node.op.graphs:
            return node
        key = (node.op, node.params, *sorted(node.attrs.items()), *(e.key for e in node.inputs))
        return seen.setdefault(key, node)

    return rebuild(heads, change)
