"""First values of parameters (``mxnet.initializer``, also ``baryon.init``).

An initializer is called with a description (`InitDesc`, a name with attributes) and the array to
fill. The name decides: ``..._weight`` is filled by the initializer's rule, ``..._bias`` and
``..._beta`` with zeros, ``..._gamma`` with ones, running statistics with 0 and 1. An ``__init__``
attribute of the description overrides all that. Draws come from baryon's random stream, so
``mx.random.seed`` makes them repeat.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from . import ndarray as nd
from . import registry
from .ndarray import NDArray

__all__ = [
    "Bilinear",
    "Constant",
    "FusedRNN",
    "InitDesc",
    "Initializer",
    "LSTMBias",
    "Load",
    "MSRAPrelu",
    "Mixed",
    "Normal",
    "One",
    "Orthogonal",
    "Uniform",
    "Xavier",
    "Zero",
    "alias",
    "create",
    "register",
]


class InitDesc(str):
    """The name of a parameter with its attributes and the initializer of the whole model."""

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
    """Make an initializer creatable by its lower-cased class name; usable as a decorator."""
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


class Load:
    """Fill arrays from saved ones, by name; ``default_init`` fills those that are missing.

    ``param`` is a dict of arrays or the name of a ``.params`` file; ``arg:`` and ``aux:`` in front
    of its names are dropped.
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


@alias("zeros")
@register
class Zero(Initializer):
    """All zeros."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_zero


@alias("ones")
@register
class One(Initializer):
    """All ones."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_one


@register
class Constant(Initializer):
    """One value, or an array of the parameter's shape."""

    def __init__(self, value: Any) -> None:
        super().__init__(value=value)
        self.value = value

    def _init_weight(self, _: str, arr: NDArray) -> None:
        arr[:] = self.value

    def dumps(self) -> str:
        """The initializer as JSON."""
        value = self.value
        if isinstance(value, NDArray):
            value = value.asnumpy()
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        return json.dumps([type(self).__name__.lower(), {"value": value}])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.dumps() == other.dumps()

    __hash__ = None


def _draw(sampler: Callable[..., NDArray], first: float, second: float, arr: NDArray) -> None:
    """Fill an array with draws, made in float32 for dtypes that the samplers lack."""
    if arr.dtype in (np.float16, np.float32, np.float64):
        sampler(first, second, shape=arr.shape, dtype=arr.dtype, ctx=arr.context, out=arr)
    else:
        arr[:] = sampler(first, second, shape=arr.shape, ctx=arr.context).astype(arr.dtype)


def _uniform(scale: float, arr: NDArray) -> None:
    _draw(nd.random.uniform, -scale, scale, arr)


def _normal(sigma: float, arr: NDArray) -> None:
    _draw(nd.random.normal, 0, sigma, arr)


@register
class Uniform(Initializer):
    """Uniform in ``[-scale, scale)``."""

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, _: str, arr: NDArray) -> None:
        _uniform(self.scale, arr)


@register
class Normal(Initializer):
    """Normal with mean 0 and standard deviation ``sigma``."""

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, _: str, arr: NDArray) -> None:
        _normal(self.sigma, arr)


@register
class Orthogonal(Initializer):
    """``scale`` times a matrix with orthonormal rows or columns (Saxe et al. 2014).

    The array counts as a matrix of shape ``(shape[0], rest)``.
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, _: str, arr: NDArray) -> None:
        matrix = (arr.shape[0], int(np.prod(arr.shape[1:])))
        if self.rand_type == "uniform":
            draws = nd.random.uniform(-1.0, 1.0, shape=matrix)
        elif self.rand_type == "normal":
            draws = nd.random.normal(0.0, 1.0, shape=matrix)
        else:
            raise ValueError(f"rand_type must be 'uniform' or 'normal', got {self.rand_type!r}")
        left, _s, right = np.linalg.svd(draws.asnumpy().astype("float64"), full_matrices=False)
        basis = left if left.shape == matrix else right
        arr[:] = (self.scale * basis).reshape(arr.shape)


@register
class Xavier(Initializer):
    """Draws scaled by the numbers of inputs and outputs (Glorot and Bengio 2010).

    The scale is ``sqrt(magnitude / factor)``; the factor is the average (``"avg"``) of the fan-in
    and fan-out, or one of them (``"in"``, ``"out"``). ``rnd_type`` is ``"uniform"`` (the scale is
    the bound) or ``"gaussian"`` (it is the standard deviation).
    """

    def __init__(
        self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3
    ) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ValueError(
                f"Xavier initializer cannot be applied to vector {name}. It requires at least 2D."
            )
        window = int(np.prod(shape[2:]))
        fan_in, fan_out = shape[1] * window, shape[0] * window
        factors = {"avg": (fan_in + fan_out) / 2.0, "in": fan_in, "out": fan_out}
        if self.factor_type not in factors:
            raise ValueError(f"Incorrect factor type {self.factor_type!r}: avg, in or out")
        scale = sqrt(self.magnitude / factors[self.factor_type])
        if self.rnd_type == "uniform":
            _uniform(scale, arr)
        elif self.rnd_type == "gaussian":
            _normal(scale, arr)
        else:
            raise ValueError(f"Unknown random type {self.rnd_type!r}: uniform or gaussian")


@register
class MSRAPrelu(Xavier):
    """`Xavier` for PReLU networks: Gaussian, magnitude ``2 / (1 + slope**2)`` (He et al. 2015)."""

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """Weights of bilinear up-sampling."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_bilinear


@register
class LSTMBias(Initializer):
    """Zeros, with ``forget_bias`` in the second quarter: the forget gate (order i, f, c, o)."""

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0
        hidden = arr.shape[0] // 4
        arr[hidden : 2 * hidden] = self.forget_bias


_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}


@register
class FusedRNN(Initializer):
    """The packed parameter vector of the RNN operator, filled matrix by matrix.

    ``init`` (an initializer, its JSON, or None for the model's own) fills the weight matrices,
    biases become 0; for LSTM the forget gate's biases become ``forget_bias``.
    """

    def __init__(
        self,
        init: Initializer | str | None,
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        init = create(init) if isinstance(init, str) else init
        super().__init__(
            init=None if init is None else init.dumps(),
            num_hidden=num_hidden,
            num_layers=num_layers,
            mode=mode,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
        )
        if mode not in _GATES:
            raise ValueError(f"RNN mode must be one of {', '.join(_GATES)}, got {mode!r}")
        self._init = init
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._directions = ["l", "r"] if bidirectional else ["l"]
        self._forget_bias = forget_bias

    def _input_size(self, total: int) -> int:
        """The number of inputs of the first layer, from the length of the packed vector."""
        rows = len(self._directions) * _GATES[self._mode] * self._num_hidden
        deep = len(self._directions) * self._num_hidden + self._num_hidden + 2
        inputs, rest = divmod(total - (self._num_layers - 1) * rows * deep, rows)
        inputs -= self._num_hidden + 2
        if rest or inputs <= 0:
            raise ValueError(
                f"an RNN parameter vector of {total} elements fits no input size with "
                f"{self._num_layers} layers of {self._num_hidden} {self._mode} units"
            )
        return inputs

    def _init_weight(self, name: str, arr: NDArray) -> None:
        gates, hidden = _GATES[self._mode], self._num_hidden
        model_init = getattr(name, "global_init", None)
        init = self._init or model_init
        if init is None or isinstance(init, FusedRNN):
            raise ValueError(f"FusedRNN needs an initializer for the matrices of {name}")
        shapes = []
        for layer in range(self._num_layers):
            below = len(self._directions) * hidden if layer else self._input_size(arr.size)
            for direction in self._directions:
                stem = f"{direction}{layer}_"
                shapes += [(f"{stem}i2h_weight", below), (f"{stem}h2h_weight", hidden)]
        packed, start = nd.zeros(arr.shape, dtype="float32"), 0
        for part, columns in shapes:
            stop = start + gates * hidden * columns
            matrix = nd.zeros((gates * hidden, columns))
            init(InitDesc(part, global_init=model_init), matrix)
            packed[start:stop] = matrix.reshape((-1,))
            start = stop
        if self._mode == "lstm":
            biases = np.zeros((2 * self._num_layers * len(self._directions), 4, hidden), "float32")
            biases[:, 1] = self._forget_bias
            packed[start:] = biases.reshape(-1)
        arr[:] = packed
