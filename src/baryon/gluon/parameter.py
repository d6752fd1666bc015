"""Parameters of Blocks: `Parameter`, `Constant` and the dictionary that holds them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import initializer, ndarray
from ..base import MXNetError
from ..context import Context
from ..dtypes import as_dtype
from ._copies import DeferredInitializationError
from ._parameter import DEFAULT_INIT, Constant, Parameter, tensor_types
from .utils import ArgumentError, brief, indent, shape_is_known  # noqa: F401

__all__ = [
    "Constant",
    "DeferredInitializationError",
    "Parameter",
    "ParameterDict",
    "tensor_types",
]


class ParameterDict:
    """Parameters by name, with a prefix for the names of new ones.

    prefix : put before the name of each Parameter that `get` makes.
    shared : another ParameterDict whose Parameters `get` finds first.

    >>> params = mx.gluon.ParameterDict("net_")
    >>> params.get("weight", shape=(2, 3))
    Parameter net_weight (shape=(2, 3), dtype=<class 'numpy.float32'>)
    """

    def __init__(self, prefix: str = "", shared: ParameterDict | None = None) -> None:
        self._prefix = prefix
        self._params: OrderedDict[str, Parameter] = OrderedDict()
        self._shared = shared

    def __repr__(self) -> str:
        name = self._prefix + " " if self._prefix else ""
        body = "\n".join("  " + indent(str(param), 2) for param in self.values())
        return f"{name}(\n{body}\n)"

    def __getitem__(self, key: str) -> Parameter:
        return self._params[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __contains__(self, key: object) -> bool:
        return key in self._params

    def items(self) -> Any:
        """(name, Parameter) pairs in order of creation."""
        return self._params.items()

    def keys(self) -> Any:
        """Names in order of creation."""
        return self._params.keys()

    def values(self) -> Any:
        """Parameters in order of creation."""
        return self._params.values()

    @property
    def prefix(self) -> str:
        """What the names of new Parameters start with."""
        return self._prefix

    # ---- making and finding ----------------------------------------------------------------------

    def _find(self, name: str) -> Parameter | None:
        """A Parameter held here or shared with us."""
        if name in self._params:
            return self._params[name]
        if self._shared is not None and name in self._shared:
            self._params[name] = self._shared[name]
            return self._params[name]
        return None

    def get(self, name: str, **kwargs: Any) -> Parameter:
        """The Parameter ``prefix + name``, made with `kwargs` if there is none yet.

        For one that exists, given attributes must agree; unknown dimensions of its shape are
        filled in.
        """
        name = self.prefix + name
        param = self._find(name)
        if param is None:
            param = self._params[name] = Parameter(name, **kwargs)
            return param
        for key, value in kwargs.items():
            _agree(param, key, value)
        return param

    def get_constant(self, name: str, value: Any = None) -> Constant:
        """The Constant ``prefix + name``, made from `value` if there is none yet."""
        name = self.prefix + name
        param = self._find(name)
        if param is None:
            if value is None:
                raise KeyError(
                    f"No constant named '{name}'. Please specify value if you want to create a "
                    f"new constant."
                )
            param = self._params[name] = Constant(name, value)
        elif not isinstance(param, Constant):
            raise ArgumentError(f"Parameter '{name}' already exists but it is not a constant.")
        elif value is not None:
            if not isinstance(value, ndarray.NDArray):
                value = ndarray.array(value)
            same = param.shape == value.shape and (param.value.asnumpy() == value.asnumpy()).all()
            if not same:
                raise ArgumentError(f"Constant '{name}' already exists but its value differs.")
        return param

    def update(self, other: ParameterDict) -> None:
        """Take in all Parameters of another dictionary."""
        for name, param in other.items():
            if self._params.get(name, param) is not param:
                raise ArgumentError(
                    f"Cannot update self with other because they have different Parameters with "
                    f"the same name '{name}'"
                )
        self._params.update(other.items())

    # ---- all Parameters at once ------------------------------------------------------------------

    def initialize(
        self,
        init: Any = DEFAULT_INIT,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize all Parameters; see `Parameter.initialize`."""
        if verbose:
            init.set_verbosity(verbose=verbose)
        for param in self.values():
            param.initialize(None, ctx, init, force_reinit=force_reinit)

    def zero_grad(self) -> None:
        """Fill all gradients with zero."""
        for param in self.values():
            param.zero_grad()

    def reset_ctx(self, ctx: Context | Sequence[Context]) -> None:
        """Move all Parameters to other contexts."""
        for param in self.values():
            param.reset_ctx(ctx)

    def list_ctx(self) -> list[Context]:
        """Every context that some Parameter is on."""
        return list({ctx: None for param in self.values() for ctx in param.list_ctx()})

    def setattr(self, name: str, value: Any) -> None:
        """Set one attribute of all Parameters, e.g. ``setattr("grad_req", "null")``."""
        for param in self.values():
            setattr(param, name, value)

    # ---- files -----------------------------------------------------------------------------------

    def save(self, filename: str, strip_prefix: str = "") -> None:
        """Write all Parameters to a file under their names less `strip_prefix`."""
        arrays = {}
        for param in self.values():
            if not param.name.startswith(strip_prefix):
                raise ValueError(
                    f"Prefix '{strip_prefix}' is to be striped before saving, but Parameter's name "
                    f"'{param.name}' does not start with '{strip_prefix}'. this may be due to your "
                    f"Block shares parameters from other Blocks or you forgot to use 'with "
                    f"name_scope()' when creating child blocks."
                )
            arrays[param.name[len(strip_prefix) :]] = param._reduce()
        ndarray.save(filename, arrays)

    def load(
        self,
        filename: str,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read Parameters from a file.

        ctx            : where to put those not initialized yet.
        allow_missing  : whether Parameters may be absent from the file.
        ignore_extra   : whether the file may hold others.
        restore_prefix : put before each name in the file.
        cast_dtype     : whether another dtype than the Parameter's is accepted; then
        dtype_source   : which of the two is kept, "current" or "saved".
        """
        self.load_dict(
            ndarray.load(filename) or {},  # a file without arrays gives a list
            ctx,
            allow_missing,
            ignore_extra,
            restore_prefix,
            filename,
            cast_dtype,
            dtype_source,
        )

    def load_dict(
        self,
        param_dict: Mapping[str, Any],
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        filename: str | None = None,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Take Parameters from a dictionary of arrays; see `load`."""
        source = f"file '{filename}'" if filename else "param_dict"
        if not isinstance(param_dict, Mapping):
            raise MXNetError(f"{source} holds no names, so no Parameters can be read from it")
        if restore_prefix:
            for name in self:
                if not name.startswith(restore_prefix):
                    raise ArgumentError(
                        f"restore_prefix is '{restore_prefix}' but Parameter name '{name}' does "
                        f"not start with it"
                    )
        arrays = {restore_prefix + _bare(name): array for name, array in param_dict.items()}
        if not allow_missing:
            require_present(self, arrays, source, strip=restore_prefix)
        if not ignore_extra:
            require_known(arrays, self, source, strip=restore_prefix)
        for name, array in arrays.items():
            if name in self:
                self[name]._load_init(array, ctx, cast_dtype, dtype_source)


def _agree(param: Parameter, key: str, value: Any) -> None:
    """Check an attribute asked for against a Parameter that exists, or fill it in."""
    existing = getattr(param, key, None)
    if existing is None:
        setattr(param, key, value)
        return
    if value is None:
        return
    if key == "shape":
        value = (value,) if isinstance(value, int) else tuple(value)
        value, existing = (tuple(0 if d == -1 else d for d in s) for s in (value, existing))
        if len(value) == len(existing) and all(
            0 in (a, b) or a == b for a, b in zip(existing, value, strict=True)
        ):
            param._shape = tuple(a or b for a, b in zip(existing, value, strict=True))
            return
    elif _same(key, value, existing):
        return
    raise ArgumentError(
        f"Cannot retrieve Parameter '{param.name}' because desired attribute does not match with "
        f"stored for attribute '{key}': desired '{value}' vs stored '{existing}'."
    )


def _same(key: str, value: Any, existing: Any) -> bool:
    """Whether two values of a Parameter's attribute mean the same."""
    if key == "dtype":
        return as_dtype(value) == as_dtype(existing)
    if isinstance(value, initializer.Initializer) and isinstance(existing, initializer.Initializer):
        return value.dumps() == existing.dumps()
    return value == existing


def _bare(name: str) -> str:
    """A name without the ``arg:`` or ``aux:`` that exported files put before it."""
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def require_present(params: Mapping | Any, arrays: Mapping, source: str, strip: str = "") -> None:
    """Raise if a Parameter has no array."""
    for name in params:
        if name not in arrays:
            raise ArgumentError(
                f"Parameter '{name[len(strip) :]}' is missing in {source}, which contains "
                f"parameters: {brief(arrays)}. Set allow_missing=True to ignore missing parameters."
            )


def require_known(arrays: Mapping, params: Mapping | Any, source: str, strip: str = "") -> None:
    """Raise if an array belongs to no Parameter."""
    for name in arrays:
        if name not in params:
            raise ArgumentError(
                f"Parameter '{name[len(strip) :]}' loaded from {source} is not present in this "
                f"ParameterDict, whose Parameters are: {brief(params.keys())}. "
                f"Set ignore_extra=True to ignore."
            )
