"""What fills arrays by other initializers, chosen by name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import Initializer


class Load:
    """Fill arrays from saved ones, by name; ``default_init`` fills those that are missing.

    ``param`` is a dict of arrays or the name of a ``.params`` file; ``arg:`` and ``aux:`` in front
    of its names are dropped.

    >>> init = mx.init.Load({"arg:fc_weight": mx.nd.ones((2,))}, default_init=mx.init.Zero())
    >>> x = mx.nd.zeros((2,))
    >>> init("fc_weight", x)
    >>> x.asnumpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(
        self,
        param: str | Mapping[str, NDArray],
        default_init: Initializer | None = None,
        verbose: bool = False,
    ) -> None:
        arrays = nd.load(param) if isinstance(param, str) else param
        if not isinstance(arrays, Mapping):
            raise AssertionError("Load needs named arrays: a dict or a file that holds one")
        self.param = {n.removeprefix("arg:").removeprefix("aux:"): a for n, a in arrays.items()}
        self.default_init = default_init
        self.verbose = verbose

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill an array from the saved one of its name."""
        if name in self.param:
            found = self.param[name]
            if tuple(arr.shape) != tuple(found.shape):
                raise AssertionError(
                    f"Parameter {name} cannot be initialized from loading. "
                    f"Shape mismatch, target {arr.shape} vs loaded {found.shape}"
                )
            arr[:] = found
            source = "loading"
        else:
            if self.default_init is None:
                raise AssertionError(
                    f"Cannot Initialize {name}. Not found in loaded param and no default "
                    "Initializer is provided."
                )
            self.default_init(name, arr)
            source = "default"
        if self.verbose:
            logging.info("Initialized %s by %s", name, source)


class Mixed:
    """The first initializer whose pattern (a regular expression) the name matches.

    >>> init = mx.init.Mixed(["bias", ".*"], [mx.init.Zero(), mx.init.One()])
    >>> weight = mx.nd.zeros((2,))
    >>> init(mx.init.InitDesc("fc_weight"), weight)
    >>> weight.asnumpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(self, patterns: Sequence[str], initializers: Sequence[Initializer]) -> None:
        if len(patterns) != len(initializers):
            raise AssertionError(
                f"{len(patterns)} patterns for {len(initializers)} initializers: give one for each"
            )
        compiled = [re.compile(p) for p in patterns]
        self.map = list(zip(compiled, initializers, strict=True))

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill an array by the first initializer that fits its name."""
        for pattern, init in self.map:
            if pattern.match(name):
                init(name, arr)
                return
        raise ValueError(
            f"Parameter name {name} did not match any pattern. Consider adding a "
            '".*" pattern at the end with default Initializer.'
        )
