"""Run programs that import `mxnet` on baryon, unmodified.

``python -m baryon.as_mxnet script.py arguments...`` (or ``-m package.module arguments...``) runs a
program so; `install` does the same within a running process. Afterwards ``mxnet`` and ``baryon``
are one package: ``mxnet.gluon.nn`` is the very module ``baryon.gluon.nn``, so classes, settings
and pickles written under either name are the same.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["API_VERSION", "install", "main"]

API_VERSION = "1.9.1"
"""What ``mxnet.__version__`` says: programs choose by it how they call MXNet."""

_OURS, _THEIRS = "baryon", "mxnet"
_USAGE = "usage: python -m baryon.as_mxnet (script.py | -m module) [arguments...]"


class _Existing(importlib.abc.Loader):
    """Loads a module by handing out the one that exists."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run; the module keeps its own name in its spec."""
        module.__spec__ = self._spec


class _Finder(importlib.abc.MetaPathFinder):
    """Finds ``mxnet.a.b`` as ``baryon.a.b``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the module under its other name; None for modules that do not exist."""
        package, _, rest = fullname.partition(".")
        if package != _THEIRS:
            return None
        name = f"{_OURS}.{rest}"
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                return None
            raise
        return importlib.util.spec_from_loader(
            fullname, _Existing(module), is_package=hasattr(module, "__path__")
        )


def install() -> None:
    """Make ``import mxnet`` give baryon, submodules included, in this process from now on.

    ``__version__`` becomes that of the API, `API_VERSION`. ImportError if another mxnet has been
    imported already.

    >>> import baryon.as_mxnet
    >>> baryon.as_mxnet.install()
    >>> import mxnet
    >>> mxnet is baryon
    True
    """
    ours = importlib.import_module(_OURS)
    found = sys.modules.get(_THEIRS, ours)
    if found is not ours:
        where = getattr(found, "__file__", None)
        raise ImportError(f"another {_THEIRS} has been imported already, from {where}")
    if _THEIRS not in sys.modules:
        sys.meta_path.insert(0, _Finder())
        sys.modules[_THEIRS] = ours
    ours.__version__ = API_VERSION


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a script or module, named by the first of the command-line arguments."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments in ([], ["-m"]) or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    script = arguments[0]
    if not os.path.exists(script):
        raise SystemExit(f"there is no file '{script}'\n{_USAGE}")
    sys.argv = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    _run_script(script)


def _run_script(path: str) -> None:
    """Run a file as the module ``__main__``, which stays, so that its classes can be pickled."""
    if os.path.isdir(path) or path.endswith(".pyz"):
        runpy.run_path(path, run_name="__main__")
        return
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    module = ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


if __name__ == "__main__":
    importlib.import_module("baryon.as_mxnet").main()  # the module that `import` finds
