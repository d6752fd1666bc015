"""Containers, dense layers, embeddings and the like."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from ... import ndarray, symbol
from ..block import Block, HybridBlock
from ..utils import ArgumentError, indent
from .activations import Activation
from .norm_layers import BatchNorm, BatchNormReLU, GroupNorm, InstanceNorm, LayerNorm

__all__ = [
    "BatchNorm",
    "BatchNormReLU",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HybridLambda",
    "HybridSequential",
    "InstanceNorm",
    "Lambda",
    "LayerNorm",
    "Sequential",
]


class _Stack:
    """What `Sequential` and `HybridSequential` share: Blocks in a row."""

    _children: dict[str, Block]

    def add(self, *blocks: Block) -> None:
        """Put Blocks on top of the stack."""
        for block in blocks:
            self.register_child(block)

    def _chain(self, x: Any) -> Any:
        for block in self._children.values():
            x = block(x)
        return x

    def __repr__(self) -> str:
        body = "\n".join(f"  ({key}): {indent(repr(b), 2)}" for key, b in self._children.items())
        return f"{type(self).__name__}(\n{body}\n)"

    def __getitem__(self, key: int | slice) -> Any:
        layers = list(self._children.values())[key]
        if not isinstance(layers, list):
            return layers
        net = type(self)(prefix=self._prefix)
        with net.name_scope():
            net.add(*layers)
        return net

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self) -> Iterator[Block]:
        return iter(list(self._children.values()))


class Sequential(_Stack, Block):
    """Blocks that run one after another.

    >>> net = mx.gluon.nn.Sequential()
    >>> net.add(mx.gluon.nn.Dense(4, activation="relu"), mx.gluon.nn.Dense(2))
    >>> net.initialize()
    >>> net(mx.nd.ones((3, 5))).shape
    (3, 2)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def forward(self, x: Any) -> Any:
        """Pass `x` through all Blocks."""
        return self._chain(x)

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Compile each of the Blocks on its own; `HybridSequential` compiles them together."""
        if self._children and all(isinstance(b, HybridBlock) for b in self):
            warnings.warn(
                f"All children of this Sequential layer '{self.prefix}' are HybridBlocks. Consider "
                f"using HybridSequential for the best performance.",
                stacklevel=2,
            )
        super().hybridize(active, **kwargs)


class HybridSequential(_Stack, HybridBlock):
    """HybridBlocks that run one after another, compiled together once hybridized.

    >>> net = mx.gluon.nn.HybridSequential()
    >>> net.add(mx.gluon.nn.Dense(4, activation="relu"), mx.gluon.nn.Dense(2))
    >>> net.initialize()
    >>> net.hybridize()
    >>> net(mx.nd.ones((3, 5))).shape
    (3, 2)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Pass `x` through all Blocks."""
        return self._chain(x)


class Dense(HybridBlock):
    """Fully connected layer: ``activation(x . weight^T + bias)``.

    units      : number of outputs.
    activation : name of an activation; None for none.
    use_bias   : whether to add a bias.
    flatten    : whether x of shape (N, ...) is read as (N, in_units); otherwise only its last axis
                 is transformed.
    in_units   : number of inputs; 0 to find it in the first forward pass.

    >>> layer = mx.gluon.nn.Dense(2, in_units=3, weight_initializer="ones")
    >>> layer.initialize()
    >>> layer(mx.nd.array([[1, 2, 3]])).asnumpy()
    array([[6., 6.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        flatten: bool = True,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_units: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._flatten = flatten
        self._units = units
        self._in_units = in_units
        with self.name_scope():
            self.weight = self.params.get(
                "weight",
                shape=(units, in_units),
                init=weight_initializer,
                dtype=dtype,
                allow_deferred_init=True,
            )
            self.bias = (
                self.params.get(
                    "bias",
                    shape=(units,),
                    init=bias_initializer,
                    dtype=dtype,
                    allow_deferred_init=True,
                )
                if use_bias
                else None
            )
            self.act = (
                None if activation is None else Activation(activation, prefix=activation + "_")
            )

    def __repr__(self) -> str:
        units, in_units = self.weight.shape
        act = self.act if self.act is not None else "linear"
        return f"{type(self).__name__}({in_units or None} -> {units}, {act})"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """The operator ``FullyConnected``."""
        inputs = (x, weight) if bias is None else (x, weight, bias)
        out = F.FullyConnected(
            *inputs,
            no_bias=bias is None,
            num_hidden=self._units,
            flatten=self._flatten,
            name="fwd",
        )
        return out if self.act is None else self.act(out)


class Dropout(HybridBlock):
    """Sets a fraction of the elements to zero in training (Srivastava et al., 2014).

    rate : the fraction.
    axes : axes along which one decision counts for all elements.

    >>> mx.gluon.nn.Dropout(0.5)(mx.nd.ones(3)).asnumpy()
    array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, rate: float, axes: tuple[int, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._rate = rate
        self._axes = axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p = {self._rate}, axes={self._axes})"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``Dropout``; nothing to do at rate 0."""
        if self._rate > 0:
            return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=False)
        return F.identity(x)


class Embedding(HybridBlock):
    """Rows of a table, looked up by index.

    input_dim   : number of rows.      output_dim : length of a row.
    sparse_grad : whether the gradient holds only the rows that were used.

    >>> table = mx.gluon.nn.Embedding(10, 4)
    >>> table.initialize()
    >>> table(mx.nd.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        sparse_grad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {
            "input_dim": input_dim,
            "output_dim": output_dim,
            "dtype": dtype,
            "sparse_grad": sparse_grad,
        }
        with self.name_scope():
            self.weight = self.params.get(
                "weight",
                shape=(input_dim, output_dim),
                init=weight_initializer,
                dtype=dtype,
                allow_deferred_init=True,
                grad_stype="row_sparse" if sparse_grad else "default",
            )

    def __repr__(self) -> str:
        k = self._kwargs
        return f"{type(self).__name__}({k['input_dim']} -> {k['output_dim']}, {k['dtype']})"

    def hybrid_forward(self, F: Any, x: Any, weight: Any) -> Any:
        """The operator ``Embedding``."""
        return F.Embedding(x, weight, name="fwd", **self._kwargs)


class Flatten(HybridBlock):
    """All axes but the first joined into one.

    >>> mx.gluon.nn.Flatten()(mx.nd.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __repr__(self) -> str:
        return type(self).__name__

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``Flatten``."""
        return F.Flatten(x)


class Lambda(Block):
    """A function as a Block.

    function : a callable of NDArrays, or the name of a function of ``baryon.ndarray``.

    >>> mx.gluon.nn.Lambda("relu")(mx.nd.array([-1.0, 2.0])).asnumpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, function: str | Callable, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            if not hasattr(ndarray, function):
                raise ArgumentError(f"Function name {function} is not found in ndarray.")
            self._func_impl = getattr(ndarray, function)
        else:
            self._func_impl = _require_callable(function)
        self._func_name = self._func_impl.__name__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_name})"

    def forward(self, *args: Any) -> Any:
        """Call the function."""
        return self._func_impl(*args)


class HybridLambda(HybridBlock):
    """A function as a HybridBlock.

    function : a callable ``f(F, x, ...)``, or the name of an operator.

    >>> net = mx.gluon.nn.HybridLambda(lambda F, x: F.relu(x) + 1)
    >>> net(mx.nd.array([-1.0, 2.0])).asnumpy()
    array([1., 3.], dtype=float32)
    """

    def __init__(self, function: str | Callable, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            if not (hasattr(ndarray, function) and hasattr(symbol, function)):
                raise ArgumentError(f"Function name {function} is not found in symbol/ndarray.")
            self._func_name = function
            self._func = lambda F, *args: getattr(F, function)(*args)
        else:
            self._func = _require_callable(function)
            self._func_name = function.__name__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_name})"

    def hybrid_forward(self, F: Any, x: Any, *args: Any) -> Any:
        """Call the function."""
        return self._func(F, x, *args)


def _require_callable(function: Any) -> Callable:
    if not callable(function):
        raise ValueError(f"Unrecognized function in lambda: {function} of type {type(function)}")
    return function
