"""Type stubs of what the catalogue makes at run time, for editors and type checkers.

``python -m baryon.stubs [folder]`` writes them beside the packages (or into a folder): the
functions of `nd` and `sym`, their sub-namespaces, the methods of their tensor classes, and the
functions of `np` and `npx`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pathlib
import re
import sys
from collections.abc import Container, Iterator
from typing import Any

from .namespaces import METHODS, SUBS, Front, names, signature
from .ops.op import REGISTRY, Op, get

_HEAD = """# Made by `python -m baryon.stubs`; do not edit.
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

"""
_TYPES = {
    "int": "int",
    "float": "float",
    "boolean": "bool",
    "string": "str",
    "Shape(tuple)": "int | Sequence[int | None]",
    "tuple of <float>": "float | Sequence[float]",
}


def _annotation(kind: str) -> str:
    """The Python type of an attribute type's name."""
    plain = kind.removesuffix(" or None")
    choices = f"Literal[{plain[1:-1]}]" if plain.startswith("{") else None
    found = choices or _TYPES.get(plain, "Any")
    return found if plain == kind else f"{found} | None"


def _parameter(p: inspect.Parameter, op: Op, front: Front) -> str:
    attr = op.attrs.get(p.name)
    kind = front.tensor if p.name in op.inputs else "Any"
    kind = _annotation(attr.type.name) if attr else kind
    if p.kind is p.VAR_POSITIONAL:
        return f"*{p.name}: {kind}"
    if p.default is p.empty:
        return f"{p.name}: {kind}"
    if p.default is None and kind != "Any" and not kind.endswith("None"):
        kind += " | None"
    plain = isinstance(p.default, (int, float, str, tuple, type(None)))
    return f"{p.name}: {kind} = {repr(p.default) if plain else '...'}"


def function_stub(op: Op, name: str, front: Front, method: bool = False) -> str:
    """The line of a ``.pyi`` file that declares an operator's function or method."""
    parameters = list(signature(op, front).parameters.values())
    parts = ["self"] if method else []
    if method and not op.many:
        parameters = parameters[1:]
    star = op.many
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(_parameter(p, op, front))
    return f"def {name}({', '.join(parts)}) -> Any: ..."


def namespace_stub(front: Front, sub: str, but: Container[str] = ()) -> Iterator[str]:
    """The lines that declare all functions of a sub-namespace, `but` some."""
    for public, name in names(sub).items():
        if public.isidentifier() and public not in but:
            yield function_stub(get(name), public, front)


def _source_imports(module: Any) -> list[str]:
    """The import statements of a package, names re-exported as stubs ask for it."""
    lines = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            dots = "." * node.level
            for alias in node.names:
                end = "" if alias.name == "*" else f" as {alias.asname or alias.name}"
                lines.append(f"from {dots}{node.module or ''} import {alias.name}{end}")
    return lines


def class_stub(cls: type, front: Front) -> Iterator[str]:
    """The lines that declare a tensor class: what it defines itself, and the generated methods."""
    yield f"class {cls.__name__}({', '.join(b.__name__ for b in cls.__bases__)}):"
    for name, member in vars(cls).items():
        by_hand = inspect.isfunction(member) and not hasattr(member, "__signature__")
        if name in METHODS and name in REGISTRY and not by_hand:
            yield "    " + function_stub(get(name), name, front, method=True)
        elif isinstance(member, property):
            yield f"    @property\n    def {name}(self) -> {_returns(member.fget)}: ..."
        elif isinstance(member, (staticmethod, classmethod)):
            kind = type(member).__name__
            yield f"    @{kind}\n    def {name}{signature_text(member.__func__)}: ..."
        elif inspect.isfunction(member):
            yield f"    def {name}{signature_text(member)}: ..."


def _returns(function: Any) -> str:
    return str(function.__annotations__.get("return", "Any"))


class _Source(str):
    """An annotation or default that prints as it stands in the source."""

    def __repr__(self) -> str:
        return str(self)


def signature_text(function: Any) -> str:
    """A signature as a stub spells it: annotations as in the source, odd defaults as ``...``."""
    found = function if isinstance(function, inspect.Signature) else inspect.signature(function)
    parameters = []
    for p in found.parameters.values():
        note = _Source(p.annotation) if isinstance(p.annotation, str) else p.annotation
        plain = p.default is p.empty or isinstance(p.default, (int, float, str, tuple, type(None)))
        default = p.default if plain else _Source("...")
        parameters.append(p.replace(annotation=note, default=default))
    returns = found.return_annotation
    returns = _Source(returns) if isinstance(returns, str) else returns
    return str(found.replace(parameters=parameters, return_annotation=returns))


def _written_by_hand(module: Any, sub: str) -> dict[str, Any]:
    """The public functions of a sub-namespace that are not made from the catalogue."""
    if not getattr(module, "__file__", None):
        return {}
    known = names(sub)
    return {
        n: f
        for n, f in vars(module).items()
        if inspect.isfunction(f)
        and not n.startswith("_")
        and f.__module__ == module.__name__
        and not (n in known and f.__doc__ is get(known[n]).__doc__)
    }


# ---- the NumPy interface -------------------------------------------------------------------------

_PAGES = ("numpy", "numpy.linalg", "numpy.random", "numpy_extension", "numpy_extension.random")
_KNOWN = set(
    [
        "Any",
        "Callable",
        "Mapping",
        "None",
        "Sequence",
        "bool",
        "dict",
        "float",
        "int",
        "list",
        "str",
        "tuple",
    ]
)


def interface_stub(module: Any) -> Iterator[str]:
    """The lines that declare a module of the NumPy interface: its imports and its functions."""
    imports = _source_imports(module)
    yield from imports
    taken = {line.rsplit(" ", 1)[1] for line in imports}
    for name in dir(module):
        found = getattr(module, name)
        ours = callable(found) and not isinstance(found, type)
        if ours and not name.startswith("_") and name not in taken:
            yield f"def {name}{_known_text(found)}: ..."


def _known_text(function: Any) -> str:
    """A signature whose annotations use no names but those that every stub imports."""
    try:
        found = inspect.signature(function)
    except ValueError:  # a function of NumPy's, written in C, that does not tell
        return "(*args: Any, **kwargs: Any) -> Any"

    def note(annotation: Any) -> Any:
        text = annotation if isinstance(annotation, str) else "Any"
        return text if set(re.findall(r"\w+", text)) <= _KNOWN else "Any"

    parameters = [p.replace(annotation=note(p.annotation)) for p in found.parameters.values()]
    made = found.replace(parameters=parameters, return_annotation=note(found.return_annotation))
    return signature_text(made)


def _interface(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, list[str]]]:
    for page in _PAGES:
        module = importlib.import_module(f"baryon.{page}")
        inside = page.split(".") if "." in page else [page, "__init__"]
        yield folder.joinpath(*inside).with_suffix(".pyi"), list(interface_stub(module))


def write(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write all stubs under a folder that stands for the package; the files written."""
    written = []
    for package in ("ndarray", "symbol"):
        module = importlib.import_module(f"baryon.{package}")
        front, cls = module.FRONT, getattr(module, module.FRONT.tensor)
        target = folder / package
        target.mkdir(parents=True, exist_ok=True)
        home = sys.modules[cls.__module__]
        stem = home.__name__.rpartition(".")[2]
        texts = {"__init__": [*_source_imports(module), *namespace_stub(front, "")]}
        tensor = f"from .{stem} import {front.tensor} as {front.tensor}\n"
        for sub in SUBS:
            made = sys.modules[f"baryon.{package}.{sub}"]
            own = _source_imports(made) if getattr(made, "__file__", None) else []
            hand = _written_by_hand(made, sub)
            lines = [f"def {n}{signature_text(f)}: ..." for n, f in hand.items()]
            texts[sub] = [*own, tensor, *lines, *namespace_stub(front, sub, hand)]
        texts[stem] = [*_source_imports(home), "", *class_stub(cls, front)]
        for name, lines in texts.items():
            path = target / f"{name}.pyi"
            path.write_text(_HEAD + "\n".join(lines) + "\n")
            written.append(path)
    for path, lines in _interface(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_HEAD + "\n".join(lines) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    here = pathlib.Path(__file__).parent
    for path in write(pathlib.Path(sys.argv[1]) if sys.argv[1:] else here):
        print(path)
