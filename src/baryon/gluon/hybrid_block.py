"""`HybridBlock`: a Block that runs eagerly, draws a Symbol, or runs compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .. import autograd, ndarray, symbol
from ..base import MXNetError
from ..ndarray import NDArray
from ..symbol import Symbol
from ._block import Block
from ._cache import CompiledCall, Trace, trace
from ._copies import DeferredInitializationError
from ._location import ShapeInferenceError
from ._parameter import Parameter
from ._structure import first_tensor, tensors
from .parameter import ParameterDict
from .utils import brief, shape_is_known

_NO_TENSOR = (
    "In HybridBlock, there must be one NDArray or one Symbol in the input. "
    "Please check the type of the args."
)


class HybridBlock(Block):
    """A Block whose `hybrid_forward` serves NDArrays and Symbols alike.

    Subclasses define ``hybrid_forward(self, F, x, *args, **params)``, where ``F`` is
    ``baryon.ndarray`` or ``baryon.symbol`` and `params` the Block's own Parameters by attribute
    name. After `hybridize` the first call draws it as a graph, which is compiled and run.

    >>> class Scaled(mx.gluon.HybridBlock):
    ...     def hybrid_forward(self, F, x):
    ...         return F.relu(x) * 2
    >>> net = Scaled()
    >>> net.hybridize()
    >>> net(mx.nd.array([-1.0, 3.0])).asnumpy()
    array([0., 6.], dtype=float32)
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        self._cached: CompiledCall | None = None
        self._trace: Trace | None = None
        self._active = False
        self._flags: dict[str, Any] = {}
        self._backend: tuple[str, dict[str, Any]] | None = None
        self._op_hook: tuple[Callable, bool] | None = None
        super().__init__(prefix=prefix, params=params)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, (HybridBlock, Parameter)):
            self._clear_cached_op()

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make `block`, a HybridBlock, a child."""
        if not isinstance(block, HybridBlock):
            raise ValueError(
                f"Children of HybridBlock must also be HybridBlock, but {block} has type "
                f"{type(block)}. If you are using Sequential, please try HybridSequential instead."
            )
        super().register_child(block, name)
        self._clear_cached_op()

    # ---- compiling -------------------------------------------------------------------------------

    def _clear_cached_op(self) -> None:
        self._cached = self._trace = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cached": None, "_trace": None}

    @property
    def _cached_graph(self) -> tuple:
        """Input variables and output Symbol of the traced graph; empty before it is traced."""
        return () if self._trace is None else (self._trace.variables, self._trace.symbol)

    def _trace_for(self, args: tuple) -> Trace:
        """The Block as a graph, traced anew for arguments of another structure."""
        if self._trace is None or not self._trace.fits(args):
            traced = trace(self, args)
            if self._backend is not None:
                name, options = self._backend
                better = traced.symbol.optimize_for(name, skip_infer=True, **options)
                traced = traced._replace(symbol=better)
            self._trace = traced
        return self._trace

    def hybridize(
        self,
        active: bool = True,
        backend: str | None = None,
        clear: bool = True,
        static_alloc: bool = False,
        static_shape: bool = False,
        inline_limit: int = 2,
        forward_bulk_size: int | None = None,
        backward_bulk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Compile the Block at its next call (or stop doing so) and its descendants.

        active  : whether to compile.
        backend : a graph optimizer, see `Symbol.optimize_for`, which warns of unknown ones.
        clear   : whether to drop what is compiled already.

        The others steer MXNet's executor and have no effect: memory is always planned, and a
        program is kept for every input shape.
        """
        flags = {
            "static_alloc": static_alloc,
            "static_shape": static_shape,
            "inline_limit": inline_limit,
            "forward_bulk_size": forward_bulk_size,
            "backward_bulk_size": backward_bulk_size,
        }
        self._active = active
        self._backend = None if backend is None else (backend, kwargs)
        kwargs = {} if backend is not None else kwargs
        self._flags = {k: v for k, v in (flags | kwargs).items() if v is not None}
        if clear or not active:
            self._clear_cached_op()
        if active and (self._forward_hooks or self._forward_pre_hooks):
            warnings.warn(
                f'"{self.name}" is being hybridized while still having forward hook/pre-hook. '
                f'If "{self.name}" is a child of HybridBlock, the hooks will not take effect.',
                stacklevel=2,
            )
        super().hybridize(active, **flags, **kwargs)

    def optimize_for(
        self,
        x: Any,
        *args: Any,
        backend: str | None = None,
        clear: bool = False,
        static_alloc: bool = False,
        static_shape: bool = False,
        inline_limit: int = 2,
        forward_bulk_size: int | None = None,
        backward_bulk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Hybridize for a graph optimizer `backend`, and draw the graph for these inputs.

        clear : whether to drop what is compiled already; see `hybridize` for the others. Further
        keywords are the optimizer's options.

        >>> net = mx.gluon.nn.Dense(2, in_units=3)
        >>> net.initialize()
        >>> net.optimize_for(mx.nd.ones((1, 3)), backend="baryon")
        >>> net(mx.nd.ones((1, 3))).shape
        (1, 2)
        """
        if backend is None:
            raise ValueError('Must specify "backend" to optimize_for')
        self.hybridize(
            True,
            backend,
            clear,
            static_alloc,
            static_shape,
            inline_limit,
            forward_bulk_size,
            backward_bulk_size,
            **kwargs,
        )
        self._clear_cached_op()  # the graph of another optimizer may be there
        self._trace_for((x, *args))
        if any(p._deferred_init for p in self.collect_params().values()):
            self._finish_params(x, *args)

    def cast(self, dtype: Any) -> None:
        """Convert all Parameters to another dtype."""
        self._clear_cached_op()
        super().cast(dtype)

    def register_op_hook(self, callback: Callable, monitor_all: bool = False) -> None:
        """Call ``callback(node_name, op_name, array)`` for the operators of the compiled graph.

        monitor_all : pass operators' inputs too, not only their outputs.
        """
        self._op_hook = (callback, monitor_all)
        self._clear_cached_op()
        super().register_op_hook(callback, monitor_all)

    # ---- shapes and types ------------------------------------------------------------------------

    def infer_shape(self, *args: Any) -> None:
        """Find the shapes of Parameters from inputs; MXNetError if some do not follow from them."""
        traced = self._trace_for(args)
        shapes = traced.facts(traced.symbol.infer_shape_partial, args, "shape")
        params = [p for p in self.collect_params().values() if p.name in shapes]
        unknown = [p.name for p in params if not shape_is_known(shapes[p.name])]
        if unknown:
            raise MXNetError(f"the shapes of {brief(unknown)} do not follow from the inputs")
        for param in params:
            param.shape = shapes[param.name]

    def infer_type(self, *args: Any) -> None:
        """Find the dtypes of Parameters from inputs."""
        traced = self._trace_for(args)
        dtypes = traced.facts(traced.symbol.infer_type_partial, args, "dtype")
        for param in self.collect_params().values():
            if dtypes.get(param.name) is not None:
                param.dtype = dtypes[param.name]

    def _finish_params(self, *args: Any) -> None:
        """Initialize Parameters that waited for their shapes."""
        try:
            self.infer_shape(*args)
        except (MXNetError, ValueError) as error:
            if not self._children:
                shapes = ", ".join(str(x.shape) for x in tensors(args))
                raise ShapeInferenceError(
                    f"Deferred initialization failed because shape cannot be inferred from inputs "
                    f"of shapes {shapes}. {error}"
                ) from error
            self._infer_by_running(*args)
        for param in self.collect_params().values():
            param._finish_deferred_init()

    def _infer_by_running(self, *args: Any) -> None:
        """Let each child find its shapes in one eager run: some follow from no other child's."""
        ctx = first_tensor(args).context
        params = {name: param.data(ctx) for name, param in self._reg_params.items()}
        with autograd.pause():
            self.hybrid_forward(ndarray, *args, **params)

    # ---- running ---------------------------------------------------------------------------------

    def forward(self, x: Any, *args: Any) -> Any:
        """Run eagerly or compiled on NDArrays, or draw on Symbols."""
        first = x if isinstance(x, (NDArray, Symbol)) else first_tensor((x, *args))
        if isinstance(first, NDArray):
            return self._run(first, x, *args)
        if first is None:
            raise ValueError(_NO_TENSOR)
        return self._draw(x, *args)

    def _draw(self, *args: Any) -> Any:
        """`hybrid_forward` on Symbols."""
        params = {name: param.var() for name, param in self._reg_params.items()}
        with self.name_scope():
            return self.hybrid_forward(symbol, *args, **params)

    def _run(self, first: NDArray, *args: Any) -> Any:
        """`hybrid_forward` on NDArrays, or the compiled graph."""
        ctx = first.context
        if self._active:
            return self._call_cached_op(ctx, *args)
        if not self._reg_params:
            return self.hybrid_forward(ndarray, *args)
        try:
            params = {name: param.data(ctx) for name, param in self._reg_params.items()}
        except DeferredInitializationError:
            self._finish_params(*args)
            params = {name: param.data(ctx) for name, param in self._reg_params.items()}
        return self.hybrid_forward(ndarray, *args, **params)

    def _call_cached_op(self, ctx: Any, *args: Any) -> Any:
        cached = self._cached
        if cached is None:
            cached = self._cached = CompiledCall(self, self._trace_for(args), self._op_hook)
        try:
            return cached(ctx, args)
        except DeferredInitializationError:
            self._finish_params(*args)
            return cached(ctx, args)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute outputs with the operators of `F`; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no hybrid_forward")

    # ---- files -----------------------------------------------------------------------------------

    def export(
        self, path: str, epoch: int = 0, remove_amp_cast: bool = True
    ) -> tuple[str, str | None]:
        """Write the compiled graph and the Parameters for `SymbolBlock.imports` or Module.

        Writes ``path-symbol.json`` and ``path-EPOCH.params`` (4 digits) and returns both names.
        The Block must have been hybridized and called once.

        remove_amp_cast : whether casts that mixed precision put in are left out.
        """
        if self._trace is None or not self._active:
            raise MXNetError(
                "Please first call block.hybridize() and then run forward with this block at "
                "least once before calling export."
            )
        out = self._trace.symbol
        symbol_file = f"{path}-symbol.json"
        out.save(symbol_file, remove_amp_cast=remove_amp_cast)
        arguments, states = set(out.list_arguments()), set(out.list_auxiliary_states())
        arrays = {}
        for name, param in self.collect_params().items():
            if name in arguments:
                arrays[f"arg:{name}"] = param._reduce()
            elif name in states:
                arrays[f"aux:{name}"] = param._reduce()
        params_file = f"{path}-{epoch:04d}.params"
        ndarray.save(params_file, arrays)
        return symbol_file, params_file
