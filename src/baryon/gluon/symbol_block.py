"""`SymbolBlock`: a Block made of a Symbol, such as an exported model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .. import symbol
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from ..symbol import Symbol
from ._cache import Trace
from ._structure import _flatten, _regroup, first_tensor
from .hybrid_block import HybridBlock
from .parameter import ParameterDict
from .utils import ArgumentError


class SymbolBlock(HybridBlock):
    """A Block that computes `outputs` from `inputs`; other variables become its Parameters.

    outputs : a Symbol or (nested) list of Symbols.
    inputs  : the variables that are passed when it is called.
    params  : Parameters to share, by the names of the Symbol's variables.

    >>> x = mx.sym.var("x")
    >>> net = mx.gluon.SymbolBlock(mx.sym.relu(x) + 1, x)
    >>> net(mx.nd.array([-1.0, 2.0])).asnumpy()
    array([1., 3.], dtype=float32)
    """

    @staticmethod
    def imports(
        symbol_file: str,
        input_names: str | Sequence[str],
        param_file: str | None = None,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> SymbolBlock:
        """Read what `HybridBlock.export` or ``Module.save_checkpoint`` wrote.

        input_names : names of the variables that are passed when the Block is called.
        param_file  : Parameters; without one, initialize or load them afterwards.
        ctx         : where to put the Parameters.
        """
        sym = symbol.load(symbol_file)
        names = [input_names] if isinstance(input_names, str) else list(input_names)
        made = SymbolBlock(sym, [symbol.var(name) for name in names])
        if param_file is not None:
            made.collect_params().load(
                os.fspath(param_file),
                ctx,
                allow_missing,
                ignore_extra,
                made.prefix,
                cast_dtype=True,
                dtype_source="saved",
            )
        return made

    def __init__(self, outputs: Any, inputs: Any, params: ParameterDict | None = None) -> None:
        super().__init__(prefix=None, params=params)
        self._prefix = ""
        self._params = ParameterDict("", params)
        if isinstance(inputs, Symbol) and len(inputs.list_outputs()) == 1:
            inputs = [inputs]
        if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
            outputs = outputs[0]
        variables, in_format = _flatten(inputs, "input")
        outs, out_format = _flatten(outputs, "output")
        names = [_variable_name(v) for v in variables]
        out = outs[0] if len(outs) == 1 else symbol.Group(outs)
        self._own = Trace(names, inputs, out, in_format, out_format)
        self._make_params(out, set(names))
        self._trace = self._own

    def _make_params(self, out: Symbol, inputs: set[str]) -> None:
        """A Parameter for each variable of the graph that is no input."""
        arguments = [n for n in out.list_arguments() if n not in inputs]
        states = [n for n in out.list_auxiliary_states() if n not in inputs]
        dtypes = _param_dtypes(out, arguments, states)
        for name in arguments:
            self.params.get(name, allow_deferred_init=True, **dtypes.get(name, {}))
        for name in states:
            self.params.get(name, grad_req="null", allow_deferred_init=True, **dtypes.get(name, {}))
        cut = len(os.path.commonprefix(list(self._params.keys())))
        self._reg_params = {name[cut:]: param for name, param in self._params.items()}

    def __repr__(self) -> str:
        count = len(self._own.names), len(self._own.symbol.list_outputs())
        return f"{type(self).__name__}(\n{self._own.symbol!r} : {count[0]} -> {count[1]}\n)"

    def _clear_cached_op(self) -> None:
        super()._clear_cached_op()
        self._trace = self.__dict__.get("_own")

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_trace": self._own}

    def _trace_for(self, args: tuple) -> Trace:
        self._own.require(_flatten(args, "input")[1])
        return self._own

    def forward(self, x: Any, *args: Any) -> Any:
        """Run compiled on NDArrays, or substitute Symbols for the inputs."""
        first = first_tensor((x, *args))
        if isinstance(first, NDArray):
            return self._call_cached_op(first.context, x, *args)
        if first is None:
            raise ValueError("SymbolBlock needs NDArrays or Symbols as its inputs")
        return self._draw(x, *args)

    def _draw(self, *args: Any) -> Any:
        flat, fmt = _flatten(args, "input")
        self._own.require(fmt)
        named = dict(zip(self._own.names, flat, strict=False))
        out = self._own.symbol(**{n: v for n, v in named.items() if n in self._inputs()})
        form = self._own.out_format
        if isinstance(form, int):
            return out
        return _regroup([out[i] for i in range(len(out.list_outputs()))], form)[0]

    def _inputs(self) -> set[str]:
        return set(self._own.symbol.list_inputs())

    def reset_ctx(self, ctx: Context | Sequence[Context]) -> None:
        """Move all Parameters to other contexts."""
        self.collect_params().reset_ctx(ctx)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Not used: a SymbolBlock already is a graph."""
        raise NotImplementedError("SymbolBlock is a graph and has no hybrid_forward")


def _variable_name(variable: Any) -> str:
    """The name of an input, which must be a plain variable."""
    if not isinstance(variable, Symbol) or variable.list_inputs() != [variable.name]:
        raise ArgumentError(
            f"Input symbols must be variable, but {variable} is an output of operators"
        )
    return variable.name


def _param_dtypes(out: Symbol, arguments: list, states: list) -> dict[str, dict]:
    """Keyword arguments with the dtypes that the graph itself fixes."""
    try:
        found, _, aux = out.infer_type_partial()
    except MXNetError:
        return {}
    every = dict(zip(out.list_arguments(), found or (), strict=False))
    every |= dict(zip(out.list_auxiliary_states(), aux or (), strict=False))
    return {n: {"dtype": every[n]} for n in (*arguments, *states) if every.get(n) is not None}
