"""The base of the initializers, and their registry."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import registry
from ..ndarray import NDArray


class InitDesc(str):
    """The name of a parameter with its attributes and the initializer of the whole model.

    >>> desc = mx.init.InitDesc("fc_weight", {"lr_mult": "2"})
    >>> str(desc), desc.attrs["lr_mult"]
    ('fc_weight', '2')
    """

    attrs: dict[str, str]
    global_init: Initializer | None

    def __new__(
        cls,
        name: str,
        attrs: Mapping[str, str] | None = None,
        global_init: Initializer | None = None,
    ) -> InitDesc:
        """A name with attributes (none by default)."""
        desc = super().__new__(cls, name)
        desc.attrs = dict(attrs or {})
        desc.global_init = global_init
        return desc


# Which method fills an array whose name ends so; the first match counts.
_BY_SUFFIX = (
    ("weight", "_init_weight"),
    ("bias", "_init_bias"),
    ("gamma", "_init_gamma"),
    ("beta", "_init_beta"),
    ("min", "_init_zero"),
    ("max", "_init_one"),
    ("weight_quantize", "_init_quantized_weight"),
    ("bias_quantize", "_init_quantized_bias"),
    ("running_mean", "_init_zero"),
    ("moving_mean", "_init_zero"),
    ("running_var", "_init_one"),
    ("moving_var", "_init_one"),
    ("moving_inv_var", "_init_zero"),
    ("moving_avg", "_init_zero"),
)


class Initializer:
    """Base of the initializers: subclasses define ``_init_weight(name, arr)``.

    Keyword arguments are what `dumps` writes, so that the initializer can travel in an attribute.

    >>> class Ramp(mx.init.Initializer):
    ...     def _init_weight(self, name, arr):
    ...         arr[:] = mx.nd.arange(arr.size).reshape(arr.shape)
    >>> x = mx.nd.empty((3,))
    >>> Ramp()(mx.init.InitDesc("fc_weight"), x)
    >>> x.asnumpy()
    array([0., 1., 2.], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs
        self._verbose = False
        self._print_func: Callable[[NDArray], str] | None = None

    def set_verbosity(
        self, verbose: bool = False, print_func: Callable[[NDArray], str] | None = None
    ) -> Initializer:
        """Log what was filled; ``print_func`` gives the text (default: |x| / sqrt(size))."""
        self._verbose = verbose
        self._print_func = print_func or (lambda x: str((x.norm() / sqrt(x.size)).asscalar()))
        return self

    def _verbose_print(self, desc: InitDesc, init: str, arr: NDArray) -> None:
        if self._verbose and self._print_func:
            logging.info("Initialized %s as %s: %s", desc, init, self._print_func(arr))

    def dumps(self) -> str:
        """The initializer as JSON, ``'["name", {arguments}]'``, which `create` reads.

        >>> mx.init.Xavier().dumps()
        '["xavier", {"rnd_type": "uniform", "factor_type": "avg", "magnitude": 3}]'
        """
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, desc: InitDesc | str, arr: NDArray) -> None:
        """Fill ``arr``, in place, as the description says."""
        if not isinstance(desc, str):
            raise TypeError(f"name must be string, got {type(desc).__name__}")
        if not isinstance(desc, InitDesc):
            warnings.warn(
                "Calling initializer with init(str, NDArray) has been deprecated. "
                "Please use init(mx.init.InitDesc(...), NDArray) instead.",
                DeprecationWarning,
                stacklevel=2,
            )
            desc = InitDesc(desc)
            if desc.startswith("upsampling"):
                self._init_bilinear(desc, arr)
                return
        if desc.global_init is None:
            desc.global_init = self
        init = desc.attrs.get("__init__", "")
        if init:
            create(init)._init_weight(desc, arr)
            self._verbose_print(desc, str(init), arr)
            return
        method = next((m for suffix, m in _BY_SUFFIX if desc.endswith(suffix)), "_init_default")
        getattr(self, method)(desc, arr)
        self._verbose_print(desc, method.removeprefix("_init_"), arr)

    def _init_zero(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_one(self, _: str, arr: NDArray) -> None:
        arr[:] = 1.0

    _init_bias = _init_beta = _init_quantized_bias = _init_zero
    _init_gamma = _init_one

    def _init_bilinear(self, _: str, arr: NDArray) -> None:
        arr[:] = bilinear_weight(arr.shape)

    def _init_quantized_weight(self, _: str, arr: NDArray) -> None:
        draws = nd.random.uniform(-127, 128, shape=arr.shape, ctx=arr.context)
        arr[:] = nd.floor(draws).astype("int8")

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError("Must override it")

    def _init_default(self, name: str, _: NDArray) -> None:
        raise ValueError(
            f"Unknown initialization pattern for {name}. Default initialization is now limited to "
            '"weight", "bias", "gamma" (1.0), and "beta" (0.0). '
            "Please use mx.sym.Variable(init=mx.init.*) to set initialization pattern"
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._kwargs == other._kwargs

    __hash__ = None


_register = registry.get_register_func(Initializer, "initializer")
alias = registry.get_alias_func(Initializer, "initializer")
create = registry.get_create_func(Initializer, "initializer")


def register(klass: type[Initializer]) -> type[Initializer]:
    """Make an initializer creatable by its lower-cased class name; usable as a decorator.

    >>> @mx.init.register
    ... class Halves(mx.init.Constant):
    ...     def __init__(self):
    ...         super().__init__(0.5)
    >>> type(mx.init.create("halves")).__name__
    'Halves'
    """
    return _register(klass)


def bilinear_weight(shape: Sequence[int]) -> np.ndarray:
    """Weights with which a Deconvolution of this weight shape up-samples bilinearly."""
    if len(shape) < 2:
        raise ValueError(f"a bilinear kernel needs at least 2 dimensions, got shape {shape}")
    height, width = shape[-2:]
    factor = ceil(width / 2.0)
    centre = (2 * factor - 1 - factor % 2) / (2.0 * factor)
    rows = 1 - np.abs(np.arange(height) / factor - centre)
    columns = 1 - np.abs(np.arange(width) / factor - centre)
    return np.broadcast_to(np.outer(rows, columns), shape).astype("float32")
