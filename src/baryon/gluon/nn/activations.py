"""Activation layers."""

from __future__ import annotations

from typing import Any

from ... import initializer
from ..block import HybridBlock
from ..utils import ArgumentError

_QUARTER = initializer.Constant(0.25)

__all__ = ["ELU", "GELU", "SELU", "Activation", "LeakyReLU", "PReLU", "Swish"]


class Activation(HybridBlock):
    """An activation by name: relu, sigmoid, tanh, softrelu or softsign.

    >>> mx.gluon.nn.Activation("relu")(mx.nd.array([-1.0, 2.0])).asnumpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, activation: str, **kwargs: Any) -> None:
        self._act_type = activation
        super().__init__(**kwargs)

    def _alias(self) -> str:
        return self._act_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._act_type})"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``Activation``."""
        return F.Activation(x, act_type=self._act_type, name="fwd")


class LeakyReLU(HybridBlock):
    """``x`` where it is positive, ``alpha * x`` elsewhere.

    >>> mx.gluon.nn.LeakyReLU(0.5)(mx.nd.array([-1.0, 2.0])).asnumpy()
    array([-0.5,  2. ], dtype=float32)
    """

    def __init__(self, alpha: float, **kwargs: Any) -> None:
        if alpha < 0:
            raise ArgumentError("Slope coefficient for LeakyReLU must be no less than 0.")
        super().__init__(**kwargs)
        self._alpha = alpha

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._alpha})"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``LeakyReLU`` of kind leaky."""
        return F.LeakyReLU(x, act_type="leaky", slope=self._alpha, name="fwd")


class PReLU(HybridBlock):
    """Leaky rectifier whose slope is learnt (He et al., 2015).

    in_channels : number of slopes: 1 for all, or one a channel (axis 1).

    >>> net = mx.gluon.nn.PReLU()
    >>> net.initialize()
    >>> net(mx.nd.array([[-1.0, 2.0]])).asnumpy()
    array([[-0.25,  2.  ]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer: Any = _QUARTER,
        in_channels: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.alpha = self.params.get("alpha", shape=(in_channels,), init=alpha_initializer)

    def hybrid_forward(self, F: Any, x: Any, alpha: Any) -> Any:
        """The operator ``LeakyReLU`` of kind prelu."""
        return F.LeakyReLU(x, gamma=alpha, act_type="prelu", name="fwd")


class ELU(HybridBlock):
    """Exponential linear unit ``alpha * (exp(x) - 1)`` for negative x (Clevert et al., 2016).

    >>> mx.gluon.nn.ELU()(mx.nd.array([0.0, 2.0])).asnumpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``LeakyReLU`` of kind elu."""
        return F.LeakyReLU(x, act_type="elu", slope=self._alpha)


class SELU(HybridBlock):
    """Scaled exponential linear unit (Klambauer et al., 2017).

    >>> mx.gluon.nn.SELU()(mx.nd.array([0.0, 1.0])).asnumpy().round(4)
    array([0.    , 1.0507], dtype=float32)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``LeakyReLU`` of kind selu."""
        return F.LeakyReLU(x, act_type="selu", name="fwd")


class GELU(HybridBlock):
    """Gaussian error linear unit ``x * Phi(x)`` (Hendrycks and Gimpel, 2016).

    >>> mx.gluon.nn.GELU()(mx.nd.array([0.0, 1.0])).asnumpy().round(4)
    array([0.    , 0.8413], dtype=float32)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``LeakyReLU`` of kind gelu."""
        return F.LeakyReLU(x, act_type="gelu", name="fwd")


class Swish(HybridBlock):
    """``x * sigmoid(beta * x)`` (Ramachandran et al., 2017).

    >>> mx.gluon.nn.Swish()(mx.nd.array([0.0, 1.0])).asnumpy().round(4)
    array([0.    , 0.7311], dtype=float32)
    """

    def __init__(self, beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._beta = beta

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """From the operator ``sigmoid``."""
        return x * F.sigmoid(self._beta * x, name="fwd")
