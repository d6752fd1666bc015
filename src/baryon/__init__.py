"""baryon: deep learning with MXNet's API, declared, recorded or traced, on one engine."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from .collector import waiting

with waiting():  # the catalogue is many objects that stay
    from . import attribute, autograd, base, context, name, ndarray, random, settings, util
    from . import ndarray as nd
    from .attribute import AttrScope
    from .base import MXNetError
    from .context import Context, cpu, cpu_pinned, cpu_shared, current_context, gpu, num_gpus
    from .ndarray import waitall
    from .threads import num_threads, set_num_threads
    from .util import is_np_array, is_np_shape, np_shape, set_np_shape, use_np_shape

__version__ = "0.1.0"

# Modules imported when first used: public name -> module.
_LAZY = {
    "callback": "callback",
    "contrib": "contrib",
    "engine": "engine",
    "executor": "executor",
    "gluon": "gluon",
    "image": "image",
    "img": "image",
    "init": "initializer",
    "initializer": "initializer",
    "io": "io",
    "kv": "kvstore",
    "kvstore": "kvstore",
    "log": "log",
    "loss": "loss",
    "lr_scheduler": "lr_scheduler",
    "metric": "metric",
    "mod": "module",
    "model": "model",
    "module": "module",
    "mon": "monitor",
    "monitor": "monitor",
    "native": "native",
    "np": "numpy",
    "npx": "numpy_extension",
    "numpy": "numpy",
    "numpy_extension": "numpy_extension",
    "operator": "operator",
    "optimizer": "optimizer",
    "profiler": "profiler",
    "recordio": "recordio",
    "registry": "registry",
    "rnd": "random",
    "rnn": "rnn",
    "runtime": "runtime",
    "sym": "symbol",
    "symbol": "symbol",
    "test_utils": "test_utils",
    "visualization": "visualization",
    "viz": "visualization",
}


def __getattr__(wanted: str) -> Any:
    module = _LAZY.get(wanted)
    if module is None or importlib.util.find_spec(f"{__name__}.{module}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {wanted!r}")
    found = globals()[wanted] = importlib.import_module(f"{__name__}.{module}")
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
