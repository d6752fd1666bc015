"""The functions of `nd` and `sym`, and their methods and stubs, made from the catalogue.

A front end (arrays or symbols) states how it calls an operator, as a `Front`; `install` then
gives its package one function for each operator name and the sub-namespaces ``linalg``,
``contrib``, ``image``, ``random``, ``sparse``, ``op`` and ``_internal``. Functions are made when
first asked for, each with the operator's documentation and signature; `stubs` writes what editors
read.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .ops.op import REGISTRY, Op, get

_PREFIXES = ("contrib", "linalg", "sparse", "image")
SUBS = ("op", "_internal", "random", *_PREFIXES)

# Operators that arrays and symbols also have as methods of the same name.
# fmt: off
METHODS = [
    "abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "argmax",
    "argmax_channel", "argmin", "argsort", "broadcast_axes", "broadcast_like", "broadcast_to",
    "cbrt", "ceil", "clip", "cos", "cosh", "degrees", "depth_to_space", "diag", "exp",
    "expand_dims", "expm1", "fix", "flatten", "flip", "floor", "log", "log10", "log1p", "log2",
    "log_softmax", "max", "mean", "min", "nanprod", "nansum", "norm", "one_hot", "ones_like", "pad",
    "pick", "prod", "radians", "rcbrt", "reciprocal", "relu", "repeat", "reshape", "reshape_like",
    "rint", "round", "rsqrt", "shape_array", "sigmoid", "sign", "sin", "sinh", "size_array",
    "slice", "slice_axis", "slice_like", "softmax", "softmin", "sort", "space_to_depth", "split",
    "split_v2", "sqrt", "square", "squeeze", "sum", "swapaxes", "take", "tan", "tanh", "tile",
    "topk", "transpose", "trunc", "zeros_like",
]
# fmt: on


class _NullType:
    """The value ``_Null`` of an argument that is not passed."""

    def __repr__(self) -> str:
        return "_Null"

    def __bool__(self) -> bool:
        return False


_Null = _NullType()


@dataclass(frozen=True)
class Front:
    """How one front end turns operators into functions.

    package : the package that holds the functions.    make : Op -> callable.
    tensor  : name of its tensor class.                options : its own keyword arguments.
    completes : inputs may be left out, since it makes variables for them.
    finish  : what becomes of a function once it has its name and documentation.
    """

    package: str
    make: Callable[[Op], Callable[..., Any]]
    tensor: str
    options: tuple[str, ...]
    finish: Callable[[Op, Callable[..., Any]], Callable[..., Any]] = lambda op, made: made
    completes: bool = False


def locate(name: str) -> tuple[str, str] | None:
    """Sub-namespace (``""``: the package) and public name of an operator name; None: hidden."""
    known = REGISTRY.get(name)
    if name.startswith(("_np_", "_npi_", "_npx_", "_backward_")) or (known and known.derived):
        return None
    for sub in _PREFIXES:
        if name.startswith(f"_{sub}_"):
            return sub, name[len(sub) + 2 :]
    if name.startswith("_random_") and name.endswith("_like"):
        return "random", name[len("_random_") :]
    return ("_internal" if name.startswith("_") else "", name)


def names(sub: str) -> dict[str, str]:
    """Public names in a sub-namespace and the operator name behind each."""
    wanted = "" if sub == "op" else sub
    found = ((locate(n), n) for n in sorted(REGISTRY))
    return {place[1]: n for place, n in found if place is not None and place[0] == wanted}


def operator_name(sub: str, public: str) -> str | None:
    """The operator behind a public name, or None."""
    if sub in _PREFIXES:
        name = f"_{sub}_{public}"
    else:
        name = f"_random_{public}" if sub == "random" else public
    place = locate(name) if name in REGISTRY else None
    return name if place == ("" if sub == "op" else sub, public) else None


# ---- functions -----------------------------------------------------------------------------------


def signature(op: Op, front: Front) -> inspect.Signature:
    """The call signature: inputs, then attributes, then the front end's own options."""
    parameters, kind = [], inspect.Parameter.POSITIONAL_OR_KEYWORD
    if op.many:
        parameters = [inspect.Parameter(op.inputs[-1], inspect.Parameter.VAR_POSITIONAL)]
        kind = inspect.Parameter.KEYWORD_ONLY
    else:
        for name in op.inputs:
            optional_input = front.completes or name in op.optional
            default = None if optional_input else inspect.Parameter.empty
            parameters.append(inspect.Parameter(name, kind, default=default))
    optional = not op.many and bool(op.inputs if front.completes else op.optional)
    for attr in op.attrs.values():
        if attr.required and optional:  # Python wants no required argument after a default
            kind = inspect.Parameter.KEYWORD_ONLY
        optional = optional or not attr.required
        default = inspect.Parameter.empty if attr.required else attr.default
        if attr.name == op.variadic:
            default = None
        parameters.append(inspect.Parameter(attr.name, kind, default=default))
    only = inspect.Parameter.KEYWORD_ONLY
    parameters += [inspect.Parameter(o, only, default=None) for o in front.options]
    return inspect.Signature(parameters)


def function(front: Front, op: Op, name: str, module: str) -> Callable[..., Any]:
    """The function `name` of a front end for an operator."""
    made = front.make(op)
    made.__name__ = made.__qualname__ = name
    made.__module__ = module
    made.__doc__ = op.__doc__
    made.__signature__ = signature(op, front)  # type: ignore[attr-defined]
    return front.finish(op, made)


def meant(op: Op, kwargs: dict[str, Any], graphs: tuple | None) -> Op:
    """The operator that a call means: `op`, or what it stands for with these attributes."""
    if op.instantiate is None:
        return op
    attrs = {k: v for k, v in kwargs.items() if not (hasattr(v, "_apply") or k.startswith("__"))}
    return op.instantiate({k: plain(k, v) for k, v in attrs.items() if v is not _Null}, graphs)


def split(op: Op, args: tuple, kwargs: dict[str, Any]) -> tuple[list, dict[str, Any]]:
    """Inputs (None where absent) and attributes of a call, spelt as the catalogue reads them."""
    inputs, raw = op.bind(args, kwargs)
    if raw:
        raw = {k: plain(k, v) for k, v in raw.items() if v is not _Null}
    return [None if x is _Null else x for x in inputs], raw


def plain(name: str, value: Any) -> Any:
    """An attribute without the front end's own types: devices and dtypes by name."""
    if name == "ctx":
        return "" if value is None else str(value)
    if name == "dtype" and value is not None and not isinstance(value, str):
        from .dtypes import dtype_name

        return dtype_name(value)
    return value


def install(front: Front) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the sub-namespaces of a front end; ``__getattr__`` and ``__dir__`` of its package.

    A sub-namespace that exists as a module already keeps its content and gains the functions.
    """
    package = sys.modules[front.package]
    for sub in SUBS:
        name = f"{front.package}.{sub}"
        module = sys.modules.get(name)
        if module is None:
            module = sys.modules[name] = ModuleType(name, f"Operators of the group {sub}.")
        module.__getattr__, module.__dir__ = _lazy(front, sub, module)  # type: ignore
        setattr(package, sub, module)
    return _lazy(front, "", package)


def _lazy(front: Front, sub: str, module: ModuleType) -> tuple[Callable, Callable]:
    def lookup(name: str) -> Any:
        if name == "__all__":
            return [n for n in listing() if not n.startswith("__")]
        found = operator_name(sub, name)
        if found is None:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        made = function(front, get(found), name, module.__name__)
        setattr(module, name, made)
        return made

    def listing() -> list[str]:
        return sorted({*vars(module), *names(sub)})

    return lookup, listing


def add_methods(cls: type, front: Front) -> None:
    """Give a tensor class the method form of every operator in `METHODS` that exists."""
    for name in METHODS:
        if name in REGISTRY and name not in vars(cls):
            setattr(cls, name, function(front, get(name), name, cls.__module__))
