"""The functions of `nd` and `sym`, and their methods and stubs, made from the catalogue.

A front end (arrays or symbols) states how it calls an operator, as a `Front`; `install` then
gives its package one function for each operator name and the sub-namespaces ``linalg``,
``contrib``, ``image``, ``random``, ``sparse``, ``op`` and ``_internal``. Functions are made when
first asked for, each with the operator's documentation and signature.

``python -m baryon.namespaces [folder]`` writes the stubs that editors and type checkers read.
"""

from __future__ import annotations

import inspect
import math
import operator
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .ops.op import REGISTRY, Op, get
from .ops.operators import TABLE, Names, is_number

_PREFIXES = ("contrib", "linalg", "sparse", "image")
SUBS = ("op", "_internal", "random", *_PREFIXES)

# Operators that arrays and symbols also have as methods of the same name.
METHODS = """abs arccos arccosh arcsin arcsinh arctan arctanh argmax argmax_channel argmin argsort
broadcast_axes cbrt ceil clip cos cosh degrees depth_to_space diag exp expm1 fix flip floor log
log10 log1p log2 log_softmax max mean min nanprod nansum norm one_hot ones_like pad pick prod
radians rcbrt reciprocal relu repeat reshape_like rint round rsqrt shape_array sigmoid sign sin
sinh size_array slice slice_axis slice_like softmax softmin sort space_to_depth split split_v2
sqrt square sum swapaxes take tan tanh tile topk transpose trunc zeros_like""".split()


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
    """

    package: str
    make: Callable[[Op], Callable[..., Any]]
    tensor: str
    options: tuple[str, ...]


def locate(name: str) -> tuple[str, str] | None:
    """Sub-namespace (``""``: the package) and public name of an operator name; None: hidden."""
    if name.startswith(("_backward_", "_np_", "_npi_", "_npx_", "_npx__")):
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
            default = None if name in op.optional else inspect.Parameter.empty
            parameters.append(inspect.Parameter(name, kind, default=default))
    optional = not op.many and bool(op.optional)
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
    return made


def split(op: Op, args: tuple, kwargs: dict[str, Any]) -> tuple[list, dict[str, Any]]:
    """Inputs (None where absent) and attributes of a call, spelt as the catalogue reads them."""
    inputs, raw = op.bind(args, kwargs)
    if raw:
        raw = {k: _plain(k, v) for k, v in raw.items() if v is not _Null}
    return [None if x is _Null else x for x in inputs], raw


def _plain(name: str, value: Any) -> Any:
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
            setattr(cls, name, _method(function(front, get(name), name, cls.__module__)))


def _method(plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return plain(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = plain.__name__
    method.__doc__ = plain.__doc__
    method.__signature__ = plain.__signature__  # type: ignore[attr-defined]
    return method


# ---- two operands, either of which may be a number -----------------------------------------------


def _named(stem: str, plain: Callable) -> tuple[Names, Callable]:
    scalar = f"_{stem}_scalar"
    return Names(f"_{stem}", f"broadcast_{stem}", scalar, scalar), plain


_TWO_OPERANDS: dict[str, tuple[Names, Callable]] = {
    "add": (TABLE["add"], operator.add),
    "subtract": (TABLE["sub"], operator.sub),
    "multiply": (TABLE["mul"], operator.mul),
    "divide": (TABLE["truediv"], operator.truediv),
    "modulo": (TABLE["mod"], operator.mod),
    "power": (TABLE["pow"], operator.pow),
    "maximum": _named("maximum", max),
    "minimum": _named("minimum", min),
    "equal": (TABLE["eq"], lambda a, b: float(a == b)),
    "not_equal": (TABLE["ne"], lambda a, b: float(a != b)),
    "greater": (TABLE["gt"], lambda a, b: float(a > b)),
    "greater_equal": (TABLE["ge"], lambda a, b: float(a >= b)),
    "lesser": (TABLE["lt"], lambda a, b: float(a < b)),
    "lesser_equal": (TABLE["le"], lambda a, b: float(a <= b)),
    "logical_and": _named("logical_and", lambda a, b: float(bool(a) and bool(b))),
    "logical_or": _named("logical_or", lambda a, b: float(bool(a) or bool(b))),
    "logical_xor": _named("logical_xor", lambda a, b: float(bool(a) != bool(b))),
    "hypot": _named("hypot", math.hypot),
}


def binary_functions(apply: Callable[..., Any], tensor: type) -> dict[str, Callable]:
    """`add`, `maximum`, `equal` and so on for tensors and numbers in any combination.

    apply : ``(op, inputs, attrs)`` -> result.
    """
    return {name: _binary(name, *row, apply, tensor) for name, row in _TWO_OPERANDS.items()}


def _binary(name: str, ops: Names, plain: Callable, apply: Callable, tensor: type) -> Callable:
    def function(lhs: Any, rhs: Any) -> Any:
        for value in (lhs, rhs):
            if not isinstance(value, tensor) and not is_number(value):
                raise TypeError(f"{name}: type {type(value)} not supported")
        if isinstance(lhs, tensor):
            if isinstance(rhs, tensor):
                return apply(get(ops.broadcast), (lhs, rhs), {})
            return apply(get(ops.scalar), (lhs,), {"scalar": rhs})
        if isinstance(rhs, tensor):
            return apply(get(ops.reverse), (rhs,), {"scalar": lhs})
        return plain(lhs, rhs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Element-wise {name} with broadcasting; either operand may be a number."
    return function


# ---- samplers ------------------------------------------------------------------------------------

# Parameters of each distribution: (the function's name, the operators' name, default).
_Parameters = tuple[tuple[str, str, Any], ...]
SAMPLERS: dict[str, _Parameters] = {
    "uniform": (("low", "low", 0), ("high", "high", 1)),
    "normal": (("loc", "loc", 0), ("scale", "scale", 1)),
    "poisson": (("lam", "lam", 1),),
    "exponential": (("scale", "lam", 1),),
    "gamma": (("alpha", "alpha", 1), ("beta", "beta", 1)),
    "negative_binomial": (("k", "k", 1), ("p", "p", 1)),
    "generalized_negative_binomial": (("mu", "mu", 1), ("alpha", "alpha", 1)),
    "randint": (("low", "low", inspect.Parameter.empty), ("high", "high", inspect.Parameter.empty)),
}


def sampler(name: str, draw: Callable[..., Any], tensor: type) -> Callable[..., Any]:
    """The function of a distribution for numbers or tensors.

    draw : ``(operator name, inputs, attributes, out)`` -> result.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(p, kind, default=d) for p, _, d in SAMPLERS[name]]
    parameters += [
        inspect.Parameter(p, kind, default=d)
        for p, d in (("shape", _Null), ("dtype", _Null), ("ctx", None), ("out", None))
    ]
    parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    wanted = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = wanted.bind(*args, **kwargs)
        bound.apply_defaults()
        return _sample(name, draw, tensor, bound.arguments)

    function.__name__ = function.__qualname__ = name
    function.__signature__ = wanted  # type: ignore[attr-defined]
    function.__doc__ = (
        f"Random values of the distribution {name}.\n\n"
        f"{', '.join(p for p, _, _ in SAMPLERS[name])} : numbers, or tensors of one shape with a "
        "distribution an element.\n"
        "shape : of the result (numbers), or of the draws for each distribution (tensors).\n"
        "dtype : element type, float32 by default (randint: int32).    ctx : device."
    )
    return function


def _sample(name: str, draw: Callable[..., Any], tensor: type, given: dict[str, Any]) -> Any:
    values = {new: given[old] for old, new, _ in SAMPLERS[name]}
    if name == "exponential" and not isinstance(values["lam"], tensor):
        values["lam"] = 1.0 / values["lam"]  # the operators take the rate, users the scale
    raw = {k: v for k, v in given["kwargs"].items() if k != "name"}
    if given["shape"] is not _Null and given["shape"] is not None:
        raw["shape"] = given["shape"]
    if given["dtype"] is not _Null and given["dtype"] is not None:
        raw["dtype"] = _plain("dtype", given["dtype"])
    tensors = [isinstance(v, tensor) for v in values.values()]
    if all(tensors) and name != "randint":
        inputs = list(values.values())
        if name == "exponential":
            inputs = [1.0 / inputs[0]]
        return draw(f"_sample_{name}", inputs, raw, given["out"])
    if any(tensors) or not all(map(is_number, values.values())):
        raise ValueError(
            f"random.{name}: the parameters {', '.join(values)} must all be numbers or all be "
            f"tensors, got {', '.join(type(v).__name__ for v in values.values())}"
        )
    if given["ctx"] is not None:
        raw["ctx"] = str(given["ctx"])
    return draw(f"_random_{name}", [], {**values, **raw}, given["out"])


# ---- stubs ---------------------------------------------------------------------------------------

_STUB_TYPES = {
    "int": "int",
    "float": "float",
    "boolean": "bool",
    "string": "str",
    "Shape(tuple)": "int | Sequence[int | None]",
    "tuple of <float>": "float | Sequence[float]",
}
_STUB_HEAD = "# Made by `python -m baryon.namespaces`; do not edit.\n"


def _stub_type(name: str) -> str:
    plain = re.sub(r" or None$", "", name)
    if plain.startswith("{"):
        found = f"Literal[{plain[1:-1]}]"
    else:
        found = _STUB_TYPES.get(plain, "Any")
    return found if plain == name else f"{found} | None"


def _stub_default(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float, str, bool, tuple, type(None))) else "..."


def stub(op: Op, name: str, front: Front, method: bool = False) -> str:
    """One line of a ``.pyi`` file."""
    parts, star = [], op.many
    for i, p in enumerate(signature(op, front).parameters.values()):
        attr = op.attrs.get(p.name)
        kind = _stub_type(attr.type.name) if attr else front.tensor if p.name in op.inputs else "Any"
        if p.kind is p.VAR_POSITIONAL:
            parts.append("self" if method else f"*{p.name}: {front.tensor}")
            parts += [f"*{p.name}: {front.tensor}"] if method else []
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts, star = [*parts, "*"], True
        if method and i == 0:
            parts.append("self")
        elif p.default is p.empty:
            parts.append(f"{p.name}: {kind}")
        else:
            optional = f"{kind} | None" if p.default is None and "None" not in kind else kind
            parts.append(f"{p.name}: {optional} = {_stub_default(p.default)}")
    return f"def {name}({', '.join(parts)}) -> Any: ..."


def stubs(front: Front, sub: str) -> Iterator[str]:
    """The lines of a sub-namespace's generated stub."""
    yield _STUB_HEAD + "from collections.abc import Sequence"
    yield "from typing import Any, Literal\n"
    root = front.package.rpartition(".")[2]
    yield f"from baryon.{root} import {front.tensor}\n"
    for public, name in names(sub).items():
        if public.isidentifier():
            yield stub(get(name), public, front)


def main(folder: str | None = None) -> list[str]:
    """Write the stubs of all front ends into the package (or a folder); the files written."""
    import importlib
    import pathlib

    root = pathlib.Path(folder or pathlib.Path(__file__).parent)
    written = []
    for package in ("ndarray", "symbol"):
        front = getattr(importlib.import_module(f"baryon.{package}"), "FRONT", None)
        for sub in SUBS if front else ():
            path = root / package / ("gen_" + sub.strip("_") + ".pyi")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(stubs(front, sub)) + "\n")
            written.append(str(path))
    return written


if __name__ == "__main__":
    print("\n".join(main(*sys.argv[1:2])))
