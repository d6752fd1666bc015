"""Pages of the public modules, from their docstrings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ..namespaces import METHODS, names
from ..ops.op import REGISTRY, get
from ..stubs import signature_text
from .text import fence, markdown

# fmt: off
MODULES = [
    "attribute", "autograd", "callback", "context", "contrib.amp", "contrib.quantization",
    "contrib.text.embedding", "contrib.text.vocab", "engine", "executor", "gluon",
    "gluon.contrib.cnn", "gluon.contrib.estimator", "gluon.contrib.nn", "gluon.contrib.rnn",
    "gluon.data", "gluon.data.vision", "gluon.data.vision.transforms", "gluon.loss",
    "gluon.model_zoo.vision", "gluon.nn", "gluon.rnn", "gluon.utils", "image", "initializer", "io",
    "kvstore", "lr_scheduler", "metric", "model", "module", "monitor", "name", "ndarray",
    "ndarray.contrib", "ndarray.random", "ndarray.sparse", "numpy", "numpy.linalg", "numpy.random",
    "numpy_extension", "operator", "optimizer", "profiler", "random", "recordio", "registry", "rnn",
    "runtime", "symbol", "symbol.contrib", "symbol.random", "test_utils", "util", "visualization",
]
# fmt: on


def page(name: str) -> str:
    """The page of a public module: its docstring, its classes and its functions."""
    module = importlib.import_module(f"baryon.{name}")
    parts = [f"# baryon.{name}", markdown(module.__doc__ or "")]
    for public, member in members(module):
        parts += _class(public, member) if inspect.isclass(member) else _function(public, member)
    return "\n\n".join(filter(None, parts)) + "\n"


def members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public classes and functions of a module that are not made from the catalogue."""
    home = module.__name__
    sub = home.split(".", 2)[2] if home.count(".") > 1 else ""
    made = names(sub) if home.startswith(("baryon.ndarray", "baryon.symbol")) else {}
    whole = vars(module).get("__all__")
    owners = {home} if whole is None else {home, ""}
    owners |= {"", "baryon.ndarray"} if "numpy" in home else set()
    for public in sorted(set(whole or dir(module))):
        member = getattr(module, public)
        if public.startswith("_") or not callable(member) or _owner(member) not in owners:
            continue
        if public not in made or member.__doc__ != get(made[public]).__doc__:
            yield public, member


def _owner(member: Any) -> str | None:
    """The public module that a class or function belongs to; "": a private one, None: not ours."""
    place = f"{getattr(member, '__module__', None)}."
    if place.startswith("numpy."):  # NumPy computes it, and ours wraps it
        place = f"{getattr(member, '__globals__', {}).get('__name__')}."
    owners = [f"baryon.{m}" for m in MODULES if place.startswith(f"baryon.{m}.")]
    return max(owners, key=len, default="" if place.startswith("baryon.") else None)


def _class(name: str, cls: type) -> Iterator[str]:
    yield f"## class {name}"
    yield fence(name + _signature(cls), "python")
    yield markdown(cls.__doc__ or "")
    for base in [cls, *(b for b in cls.__mro__[1:] if b.__name__.startswith("_"))]:
        for public, member in vars(base).items():
            if not public.startswith("_") and not (public in METHODS and public in REGISTRY):
                yield from _member(name, public, member)


def _member(cls: str, name: str, member: Any) -> Iterator[str]:
    """A method, property or class method."""
    if isinstance(member, property):
        yield f"### {cls}.{name}"
        yield markdown(member.__doc__ or "")
        return
    function = getattr(member, "__func__", member)
    if inspect.isfunction(function):
        yield f"### {cls}.{name}"
        yield fence(f"{name}{_signature(function)}", "python")
        yield markdown(function.__doc__ or "")


def _function(name: str, function: Any) -> Iterator[str]:
    yield f"## {name}"
    yield fence(name + _signature(function), "python")
    yield markdown(function.__doc__ or "")


def _signature(member: Any) -> str:
    try:
        return signature_text(member)
    except (TypeError, ValueError):  # written in C, or a metaclass's
        return "(...)"
