"""`Block`: the base of everything with Parameters and a forward pass."""

from __future__ import annotations

import json
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from .. import ndarray
from ..base import MXNetError
from ..context import Context
from ._location import locate
from ._parameter import DEFAULT_INIT, Parameter
from ._scope import BlockScope
from ._summary import summarize
from .parameter import ParameterDict, require_present
from .utils import ArgumentError, HookHandle, brief, indent, replace_file


class Block:
    """The base class of layers and models that run as plain Python.

    Subclasses make Parameters (``self.params.get``) and child Blocks in ``__init__``, within
    ``with self.name_scope():``, and define ``forward``.

    prefix : put before the names of Parameters and children; default: class name and a counter.
    params : a ParameterDict to share Parameters with.

    >>> class Twice(mx.gluon.Block):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         with self.name_scope():
    ...             self.dense = mx.gluon.nn.Dense(2, in_units=2)
    ...     def forward(self, x):
    ...         return self.dense(self.dense(x))
    >>> net = Twice(prefix="twice_")
    >>> list(net.collect_params())
    ['twice_dense0_weight', 'twice_dense0_bias']
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        self._empty_prefix = prefix == ""
        self._prefix, self._params = BlockScope.create(prefix, params, self._alias())
        self._name = self._prefix[:-1] if self._prefix.endswith("_") else self._prefix
        self._scope = BlockScope(self)
        self._children: OrderedDict[str, Block] = OrderedDict()
        self._reg_params: dict[str, Parameter] = {}
        self._forward_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._forward_pre_hooks: OrderedDict[int, Callable] = OrderedDict()

    def __repr__(self) -> str:
        body = "\n".join(
            f"  ({name}): {indent(repr(value), 2)}"
            for name, value in self.__dict__.items()
            if isinstance(value, Block)
        )
        return f"{type(self).__name__}(\n{body}\n)"

    def __setattr__(self, name: str, value: Any) -> None:
        existing = self.__dict__.get(name)
        if isinstance(existing, (Parameter, Block)) and not isinstance(value, type(existing)):
            raise TypeError(
                f"Changing attribute type for {name} from {type(existing)} to {type(value)}"
                f"is not allowed."
            )
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if self._reg_params.get(name, value) is not value:
                raise ArgumentError(
                    f"Overriding Parameter attribute {name} is not allowed. If you want to share "
                    f"parameters between blocks, please set 'params' at Block construction instead."
                )
            self._reg_params[name] = value
        super().__setattr__(name, value)

    def _alias(self) -> str:
        return type(self).__name__.lower()

    # ---- names -----------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """What the names of this Block's Parameters start with."""
        return self._prefix

    @property
    def name(self) -> str:
        """The prefix without its last underscore."""
        return self._name

    def name_scope(self) -> BlockScope:
        """The scope in which children and operators take this Block's prefix."""
        return self._scope

    # ---- Parameters ------------------------------------------------------------------------------

    @property
    def params(self) -> ParameterDict:
        """The Parameters of this Block alone, without its children's."""
        return self._params

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """The Parameters of this Block and all its descendants.

        select : regular expression that names must match from their start.

        >>> net = mx.gluon.nn.Dense(2, in_units=3, prefix="out_")
        >>> list(net.collect_params(".*bias"))
        ['out_bias']
        """
        self._warn_of_hidden_blocks()
        found = ParameterDict(self._params.prefix)
        if select is None:
            found.update(self.params)
        else:
            pattern = re.compile(select)
            found._params.update((k, v) for k, v in self.params.items() if pattern.match(k))
        for child in self._children.values():
            found.update(child.collect_params(select))
        return found

    def _warn_of_hidden_blocks(self) -> None:
        """Warn of Blocks in plain lists and dictionaries: they are not children."""
        children = set(map(id, self._children.values()))
        for name, value in self.__dict__.items():
            if not isinstance(value, (list, tuple, dict)) or name.startswith("_"):
                continue
            if any(isinstance(v, Block) and id(v) not in children for v in _leaves(value)):
                kind = type(self).__name__
                warnings.warn(
                    f'"{kind}.{name}" is an unregistered container with Blocks. Note that Blocks '
                    f"inside the list, tuple or dict will not be registered automatically. Make "
                    f"sure to register them using register_child() or switching to "
                    f"nn.Sequential/nn.HybridSequential instead. ",
                    stacklevel=3,
                )

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """Parameters by structural name: attribute names joined by dots."""
        stem = prefix + "." if prefix else ""
        found = {stem + key: param for key, param in self._reg_params.items()}
        for name, child in self._children.items():
            found.update(child._collect_params_with_prefix(stem + name))
        return found

    def initialize(
        self,
        init: Any = DEFAULT_INIT,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize the Parameters of this Block and its descendants."""
        self.collect_params().initialize(init, ctx, verbose, force_reinit)

    def cast(self, dtype: Any) -> None:
        """Convert all Parameters to another dtype."""
        for child in self._children.values():
            child.cast(dtype)
        for param in self.params.values():
            param.cast(dtype)

    # ---- files -----------------------------------------------------------------------------------

    def save_parameters(self, filename: str, deduplicate: bool = False) -> None:
        """Write all Parameters under structural names ("0.weight", "body.1.bias").

        deduplicate : write a Parameter that several Blocks share only once.
        """
        params = self._collect_params_with_prefix()
        if deduplicate:
            params = {name: param for param, name in {p: n for n, p in params.items()}.items()}
        ndarray.save(filename, {name: param._reduce() for name, param in params.items()})

    def save_params(self, filename: str) -> None:
        """Write all Parameters under full names (deprecated; use `save_parameters`)."""
        warnings.warn(
            "save_params is deprecated. Please use save_parameters. Note that if you want load "
            "from SymbolBlock later, please use export instead.",
            stacklevel=2,
        )
        try:
            self.collect_params().save(filename, strip_prefix=self.prefix)
        except ValueError as error:
            raise ValueError(f"{error} save_params is deprecated; use save_parameters.") from error

    def load_parameters(
        self,
        filename: str,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read Parameters that `save_parameters` (or ``collect_params().save``) wrote.

        ctx           : where to put those not initialized yet.
        allow_missing : whether Parameters may be absent from the file.
        ignore_extra  : whether the file may hold others.
        cast_dtype    : whether another dtype is accepted; then `dtype_source`, "current" or
                        "saved", says which is kept.
        """
        loaded = ndarray.load(filename)
        params = self._collect_params_with_prefix()
        if not loaded and not params:
            return
        source = f"file '{filename}'"
        if not isinstance(loaded, dict) or not any("." in name for name in loaded):
            own = isinstance(loaded, dict) and set(loaded) & set(params)
            if not own:  # full names, less our prefix
                self.collect_params().load_dict(
                    loaded,
                    ctx,
                    allow_missing,
                    ignore_extra,
                    self.prefix,
                    filename,
                    cast_dtype,
                    dtype_source,
                )
                return
        if not allow_missing:
            require_present(*_sharing(params, loaded), source)
        for name, array in loaded.items():
            if name in params:
                params[name]._load_init(array, ctx, cast_dtype, dtype_source)
            elif not ignore_extra:
                raise ValueError(
                    f"Parameter '{name}' loaded from {source} is not present in ParameterDict, "
                    f"which contains parameters {brief(params)}. Set ignore_extra=True to ignore. "
                )

    def load_params(
        self,
        filename: str,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> None:
        """Read Parameters (deprecated; use `load_parameters`)."""
        warnings.warn("load_params is deprecated. Please use load_parameters.", stacklevel=2)
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def _describe(self) -> dict[str, Any]:
        """Names of this Block and its descendants, as `save` writes them."""
        return {
            "orig_name": self.name,
            "children": {name: child._describe() for name, child in self._children.items()},
        }

    def save(self, prefix: str) -> None:
        """Write names of children to ``prefix-model.json`` and Parameters to ``….params``."""
        temporary = f"{prefix}-model.json.part"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({type(self).__name__: self._describe()}, file)
        replace_file(temporary, f"{prefix}-model.json")
        self.save_parameters(f"{prefix}-model.params")

    def load(self, prefix: str) -> None:
        """Read what `save` wrote into a Block of the same structure."""
        with open(f"{prefix}-model.json", encoding="utf-8") as file:
            described = next(iter(json.load(file).values()))
        if _shape_of(described) != _shape_of(self._describe()):
            raise ArgumentError(
                f"Block {self.name}: its children differ from those in '{prefix}-model.json'"
            )
        self.load_parameters(f"{prefix}-model.params")

    # ---- children and hooks ----------------------------------------------------------------------

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make `block` a child; attributes that are Blocks become children by themselves."""
        self._children[str(len(self._children)) if name is None else name] = block

    def register_forward_pre_hook(self, hook: Callable) -> HookHandle:
        """Call ``hook(block, inputs)`` before each forward pass."""
        handle = HookHandle()
        handle.attach(self._forward_pre_hooks, hook)
        return handle

    def register_forward_hook(self, hook: Callable) -> HookHandle:
        """Call ``hook(block, inputs, outputs)`` after each forward pass."""
        handle = HookHandle()
        handle.attach(self._forward_hooks, hook)
        return handle

    def register_op_hook(self, callback: Callable, monitor_all: bool = False) -> None:
        """Call ``callback(node_name, op_name, array)`` for operators of hybridized descendants.

        monitor_all : pass operators' inputs too, not only their outputs.
        """
        for child in self._children.values():
            child.register_op_hook(callback, monitor_all)

    def apply(self, fn: Callable[[Block], Any]) -> Block:
        """Call `fn` on every descendant, then on this Block; returns this Block."""
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Compile the HybridBlocks among the descendants; see `HybridBlock.hybridize`."""
        for child in self._children.values():
            child.hybridize(active, **kwargs)

    # ---- running ---------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        if self._forward_pre_hooks:
            for hook in tuple(self._forward_pre_hooks.values()):
                hook(self, args)
        try:
            out = self.forward(*args)
        except MXNetError as error:
            locate(error, self)
            raise
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks.values()):
                hook(self, args, out)
        return out

    def forward(self, *args: Any) -> Any:
        """Compute outputs from NDArrays; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def summary(self, *inputs: Any) -> None:
        """Print a table of layers with output shapes and parameter counts for these inputs."""
        print(summarize(self, inputs))


def _leaves(value: Any) -> list:
    """The values in nested lists, tuples and dictionaries."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _sharing(params: dict[str, Parameter], loaded: dict) -> tuple[dict, dict]:
    """`params` without those that another name in the file stands for."""
    covered = {params[name] for name in loaded if name in params}
    return {n: p for n, p in params.items() if n in loaded or p not in covered}, loaded


def _shape_of(described: dict) -> Any:
    """A description's tree of attribute names."""
    children = described.get("children", {})
    return {name: _shape_of(child) for name, child in children.items()}
