"""The native engine as ``native``: the extension module, or None where there is none.

Everything works without it, slowly: ``BARYON_NO_NATIVE=1`` asks for that.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from types import ModuleType

from . import settings

__all__ = ["native"]


def _blas_path() -> str | None:
    """Where scipy-openblas32 keeps its library, without importing it."""
    spec = importlib.util.find_spec("scipy_openblas32")
    for folder in spec.submodule_search_locations or () if spec else ():
        lib = os.path.join(folder, "lib")
        names = os.listdir(lib) if os.path.isdir(lib) else ()
        for name in sorted(names):
            if name.startswith("libscipy_openblas") and ".so" in name or name.endswith(".dylib"):
                return os.path.join(lib, name)
    return None


def _load() -> ModuleType | None:
    if settings.get("BARYON_NO_NATIVE"):
        return None
    try:
        from . import _native
    except ImportError as error:
        if importlib.util.find_spec("baryon._native") is not None:
            warnings.warn(f"baryon's native engine does not load: {error}", stacklevel=2)
        return None
    path = _blas_path()
    if path:
        _native.set_blas_path(path)
    return _native


native: ModuleType | None = _load()
