"""Losses as Blocks; the mathematics is in `baryon.loss`."""

from __future__ import annotations

from typing import Any

from .. import loss as losses
from .. import ndarray
from .block import HybridBlock
from .utils import ArgumentError

__all__ = [
    "CTCLoss",
    "CosineEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "L2Loss",
    "LogisticLoss",
    "Loss",
    "PoissonNLLLoss",
    "SDMLLoss",
    "SigmoidBCELoss",
    "SigmoidBinaryCrossEntropyLoss",
    "SoftmaxCELoss",
    "SoftmaxCrossEntropyLoss",
    "SquaredHingeLoss",
    "TripletLoss",
]


def _apply_weighting(
    F: Any, loss: Any, weight: float | None = None, sample_weight: Any = None
) -> Any:
    """A loss times a number and times a weight for each sample."""
    return losses.weighted(loss, weight, sample_weight)


def _reshape_like(F: Any, x: Any, y: Any) -> Any:
    """`x` in the shape of `y`."""
    return F.reshape_like(x, y)


class Loss(HybridBlock):
    """Base class of losses.

    weight     : number that the loss is multiplied by, or None.
    batch_axis : axis of the samples.

    >>> class Largest(mx.gluon.loss.Loss):
    ...     def hybrid_forward(self, F, pred, label):
    ...         return F.max(F.abs(pred - label), axis=self._batch_axis, exclude=True)
    >>> Largest(None, 0)(mx.nd.array([[1.0, 5.0]]), mx.nd.zeros((1, 2))).asnumpy()
    array([5.], dtype=float32)
    """

    def __init__(self, weight: float | None, batch_axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._weight = weight
        self._batch_axis = batch_axis

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axis={self._batch_axis}, w={self._weight})"

    @property
    def _options(self) -> dict[str, Any]:
        return {"weight": self._weight, "batch_axis": self._batch_axis}

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the loss; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no hybrid_forward")


class L2Loss(Loss):
    """Half the squared difference; see `baryon.loss.l2`.

    >>> mx.gluon.loss.L2Loss()(mx.nd.array([[1.0], [3.0]]), mx.nd.zeros((2, 1))).asnumpy()
    array([0.5, 4.5], dtype=float32)
    """

    def __init__(self, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.l2(pred, label, sample_weight, **self._options)


class L1Loss(Loss):
    """Absolute difference; see `baryon.loss.l1`.

    >>> mx.gluon.loss.L1Loss()(mx.nd.array([[1.0], [3.0]]), mx.nd.zeros((2, 1))).asnumpy()
    array([1., 3.], dtype=float32)
    """

    def __init__(self, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.l1(pred, label, sample_weight, **self._options)


class SigmoidBinaryCrossEntropyLoss(Loss):
    """Binary cross entropy; see `baryon.loss.sigmoid_cross_entropy`.

    from_sigmoid : whether predictions are probabilities rather than logits.

    >>> loss = mx.gluon.loss.SigmoidBinaryCrossEntropyLoss()
    >>> loss(mx.nd.zeros((2, 1)), mx.nd.array([[0.0], [1.0]])).asnumpy()  # log(2)
    array([0.6931472, 0.6931472], dtype=float32)
    """

    def __init__(
        self,
        from_sigmoid: bool = False,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_sigmoid = from_sigmoid

    def hybrid_forward(
        self, F: Any, pred: Any, label: Any, sample_weight: Any = None, pos_weight: Any = None
    ) -> Any:
        """One value a sample; `pos_weight` weights the positive term."""
        return losses.sigmoid_cross_entropy(
            pred,
            label,
            sample_weight,
            pos_weight,
            from_sigmoid=self._from_sigmoid,
            **self._options,
        )


SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss


class SoftmaxCrossEntropyLoss(Loss):
    """Softmax followed by cross entropy; see `baryon.loss.softmax_cross_entropy`.

    axis         : axis of the classes.
    sparse_label : whether labels are class indices rather than distributions.
    from_logits  : whether predictions are log-probabilities.

    >>> loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    >>> loss(mx.nd.array([[0.0, 0.0]]), mx.nd.array([1])).asnumpy()
    array([0.6931472], dtype=float32)
    """

    def __init__(
        self,
        axis: int = -1,
        sparse_label: bool = True,
        from_logits: bool = False,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._axis = axis
        self._sparse_label = sparse_label
        self._from_logits = from_logits

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.softmax_cross_entropy(
            pred,
            label,
            sample_weight,
            axis=self._axis,
            sparse_label=self._sparse_label,
            from_logits=self._from_logits,
            **self._options,
        )


SoftmaxCELoss = SoftmaxCrossEntropyLoss


class KLDivLoss(Loss):
    """Kullback-Leibler divergence; see `baryon.loss.kl_divergence`.

    >>> loss = mx.gluon.loss.KLDivLoss(from_logits=False)
    >>> loss(mx.nd.zeros((1, 2)), mx.nd.array([[0.5, 0.5]])).asnumpy().round(4) + 0.0
    array([0.], dtype=float32)
    """

    def __init__(
        self,
        from_logits: bool = True,
        axis: int = -1,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._axis = axis

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.kl_divergence(
            pred,
            label,
            sample_weight,
            from_logits=self._from_logits,
            axis=self._axis,
            **self._options,
        )


class CTCLoss(Loss):
    """Connectionist temporal classification; see `baryon.loss.ctc`.

    >>> mx.gluon.loss.CTCLoss()(mx.nd.zeros((1, 2, 2)), mx.nd.array([[0]])).asnumpy().round(4)
    array([0.2877], dtype=float32)
    """

    def __init__(
        self,
        layout: str = "NTC",
        label_layout: str = "NT",
        weight: float | None = None,
        **kwargs: Any,
    ) -> None:
        for what, value, allowed in (
            ("layout", layout, ("NTC", "TNC")),
            ("label_layout", label_layout, ("NT", "TN")),
        ):
            if value not in allowed:
                raise ArgumentError(
                    f"Only {' and '.join(allowed)} are supported as {what}, got {value!r}"
                )
        super().__init__(weight, label_layout.find("N"), **kwargs)
        self._layout = layout
        self._label_layout = label_layout

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        label: Any,
        pred_lengths: Any = None,
        label_lengths: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """One value a sample."""
        return losses.ctc(
            pred,
            label,
            pred_lengths,
            label_lengths,
            sample_weight,
            layout=self._layout,
            label_layout=self._label_layout,
            weight=self._weight,
        )


class HuberLoss(Loss):
    """Squared near zero, linear beyond `rho`; see `baryon.loss.huber`.

    >>> mx.gluon.loss.HuberLoss()(mx.nd.array([[1.0], [3.0]]), mx.nd.zeros((2, 1))).asnumpy()
    array([0.5, 2.5], dtype=float32)
    """

    def __init__(
        self, rho: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._rho = rho

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.huber(pred, label, sample_weight, rho=self._rho, **self._options)


class HingeLoss(Loss):
    """``max(0, margin - pred * label)``; see `baryon.loss.hinge`.

    >>> mx.gluon.loss.HingeLoss()(mx.nd.array([[0.5], [2.0]]), mx.nd.ones((2, 1))).asnumpy()
    array([0.5, 0. ], dtype=float32)
    """

    _power = 1

    def __init__(
        self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.hinge(
            pred, label, sample_weight, margin=self._margin, power=self._power, **self._options
        )


class SquaredHingeLoss(HingeLoss):
    """The square of the hinge; see `baryon.loss.hinge`.

    >>> loss = mx.gluon.loss.SquaredHingeLoss()
    >>> loss(mx.nd.array([[0.5], [2.0]]), mx.nd.ones((2, 1))).asnumpy()
    array([0.25, 0.  ], dtype=float32)
    """

    _power = 2


class LogisticLoss(Loss):
    """Logistic loss; see `baryon.loss.logistic`.

    label_format : "signed" for labels -1 and 1, "binary" for 0 and 1.

    >>> mx.gluon.loss.LogisticLoss()(mx.nd.zeros((1, 1)), mx.nd.ones((1, 1))).asnumpy().round(4)
    array([0.6931], dtype=float32)
    """

    def __init__(
        self,
        weight: float | None = None,
        batch_axis: int = 0,
        label_format: str = "signed",
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        if label_format not in ("signed", "binary"):
            raise ValueError(
                f"label_format can only be signed or binary, received {label_format!r}."
            )
        self._label_format = label_format

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """One value a sample."""
        return losses.logistic(
            pred, label, sample_weight, label_format=self._label_format, **self._options
        )


class TripletLoss(Loss):
    """Distance to a positive against that to a negative example; see `baryon.loss.triplet`.

    >>> x, near, far = (mx.nd.array([[v]]) for v in (0.0, 1.0, 1.5))
    >>> mx.gluon.loss.TripletLoss()(x, near, far).asnumpy()  # 1 ** 2 - 1.5 ** 2 + 1 < 0
    array([0.], dtype=float32)
    """

    def __init__(
        self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(
        self, F: Any, pred: Any, positive: Any, negative: Any, sample_weight: Any = None
    ) -> Any:
        """One value a sample."""
        return losses.triplet(
            pred, positive, negative, sample_weight, margin=self._margin, **self._options
        )


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts; see `baryon.loss.poisson_nll`.

    >>> mx.gluon.loss.PoissonNLLLoss()(mx.nd.zeros((2, 1)), mx.nd.ones((2, 1))).asnumpy()
    array([1.], dtype=float32)
    """

    def __init__(
        self,
        weight: float | None = None,
        from_logits: bool = True,
        batch_axis: int = 0,
        compute_full: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._compute_full = compute_full

    def hybrid_forward(
        self, F: Any, pred: Any, target: Any, sample_weight: Any = None, epsilon: float = 1e-8
    ) -> Any:
        """The mean over everything."""
        return losses.poisson_nll(
            pred,
            target,
            sample_weight,
            epsilon,
            from_logits=self._from_logits,
            compute_full=self._compute_full,
            weight=self._weight,
        )


class CosineEmbeddingLoss(Loss):
    """Cosine distance of pairs; see `baryon.loss.cosine_embedding`.

    >>> x, y = mx.nd.array([[1.0, 0.0]]), mx.nd.array([[0.0, 1.0]])
    >>> mx.gluon.loss.CosineEmbeddingLoss()(x, y, mx.nd.ones((1,))).asnumpy()
    array([[1.]], dtype=float32)
    """

    def __init__(
        self, weight: float | None = None, batch_axis: int = 0, margin: float = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(
        self, F: Any, input1: Any, input2: Any, label: Any, sample_weight: Any = None
    ) -> Any:
        """One value a pair, shape (N, 1)."""
        return losses.cosine_embedding(
            input1, input2, label, sample_weight, margin=self._margin, weight=self._weight
        )


class SDMLLoss(Loss):
    """Smoothed deep metric learning; see `baryon.loss.smoothed_deep_metric`.

    smoothing_parameter : probability mass spread over the rows that do not match.

    >>> mx.gluon.loss.SDMLLoss()(mx.nd.ones((2, 3)), mx.nd.zeros((2, 3))).shape
    (2,)
    """

    def __init__(
        self,
        smoothing_parameter: float = 0.3,
        weight: float | None = 1.0,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self.smoothing_parameter = smoothing_parameter

    def hybrid_forward(self, F: Any, x1: Any, x2: Any) -> Any:
        """One value a row."""
        if not isinstance(x1, ndarray.NDArray):
            raise ArgumentError("SDMLLoss needs the batch size, so it cannot be hybridized")
        identity = ndarray.eye(x1.shape[0], ctx=x1.context, dtype=x1.dtype)
        return losses.smoothed_deep_metric(
            x1, x2, identity, smoothing=self.smoothing_parameter, weight=self._weight
        )
