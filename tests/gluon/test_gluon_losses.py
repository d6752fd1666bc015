"""Losses against NumPy, on arrays and on symbols."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import gluon

L = gluon.loss
RNG = np.random.RandomState(3)
PRED, LABEL = RNG.randn(3, 4), RNG.rand(3, 4)
SIGNS, COUNTS = np.sign(RNG.randn(3, 4)), RNG.randint(1, 6, (3, 4)).astype(float)
CLASSES, WEIGHT = np.array([0, 3, 1]), RNG.rand(3, 1)
POSITIVE = RNG.rand(1, 4) * 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x, axis=-1):
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def cross_entropy(p, y, positive=1):
    return -(np.log(p) * y * positive + np.log(1 - p) * (1 - y))


def huber(d, rho):
    d = np.abs(d)
    return np.where(d > rho, d - rho / 2, d**2 / (2 * rho))


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def poisson(rate, y, full):
    loss = rate - y * np.log(rate)
    stirling = y * np.log(y) - y + 0.5 * np.log(2 * np.pi * y)
    return loss + np.where(y > 1, stirling, 0) if full else loss


PICKED = log_softmax(PRED)[np.arange(3), CLASSES]
DIVERGENCE = LABEL * (np.log(LABEL) - log_softmax(PRED))
DISTANCES = ((PRED[:, None] - LABEL[None]) ** 2).sum(-1)
SMOOTH = np.where(np.eye(3) == 1, 0.7, 0.15)
PAIRS = cosine(PRED, LABEL)

# name: the loss, its inputs, one expected value a sample
CASES = {
    "l2": (L.L2Loss(), (PRED, LABEL), ((PRED - LABEL) ** 2 / 2).mean(1)),
    "l2 weighted": (
        L.L2Loss(weight=3),
        (PRED, LABEL, WEIGHT),
        (1.5 * (PRED - LABEL) ** 2 * WEIGHT).mean(1),
    ),
    "l2 other axis": (
        L.L2Loss(batch_axis=1),
        (PRED, LABEL.reshape(6, 2)),
        ((PRED - LABEL) ** 2 / 2).mean(0),
    ),
    "l1": (L.L1Loss(), (PRED, LABEL), np.abs(PRED - LABEL).mean(1)),
    "huber": (L.HuberLoss(rho=0.5), (PRED, LABEL), huber(PRED - LABEL, 0.5).mean(1)),
    "sigmoid": (
        L.SigmoidBCELoss(),
        (PRED, LABEL, WEIGHT),
        (cross_entropy(sigmoid(PRED), LABEL) * WEIGHT).mean(1),
    ),
    "sigmoid from probabilities": (
        L.SigmoidBCELoss(from_sigmoid=True),
        (sigmoid(PRED), LABEL),
        cross_entropy(sigmoid(PRED), LABEL).mean(1),
    ),
    "softmax": (L.SoftmaxCELoss(), (PRED, CLASSES), -PICKED),
    "softmax weighted": (
        L.SoftmaxCELoss(weight=2.0),
        (PRED, CLASSES, WEIGHT),
        -2 * PICKED * WEIGHT[:, 0],
    ),
    "softmax of distributions": (
        L.SoftmaxCELoss(sparse_label=False),
        (PRED, LABEL),
        -(log_softmax(PRED) * LABEL).sum(1),
    ),
    "softmax from logits": (
        L.SoftmaxCELoss(from_logits=True),
        (log_softmax(PRED), CLASSES),
        -PICKED,
    ),
    "softmax other axis": (
        L.SoftmaxCELoss(axis=0, batch_axis=1),
        (PRED, np.array([0, 1, 2, 0])),
        -log_softmax(PRED, 0)[[0, 1, 2, 0], np.arange(4)],
    ),
    "kl": (L.KLDivLoss(), (log_softmax(PRED), LABEL), DIVERGENCE.sum(1)),
    "kl from scores": (L.KLDivLoss(from_logits=False), (PRED, LABEL), DIVERGENCE.sum(1)),
    "hinge": (L.HingeLoss(), (PRED, SIGNS), np.maximum(0, 1 - PRED * SIGNS).mean(1)),
    "squared hinge": (
        L.SquaredHingeLoss(margin=2),
        (PRED, SIGNS),
        (np.maximum(0, 2 - PRED * SIGNS) ** 2).mean(1),
    ),
    "logistic": (L.LogisticLoss(), (PRED, SIGNS), np.log1p(np.exp(-PRED * SIGNS)).mean(1)),
    "logistic binary": (
        L.LogisticLoss(label_format="binary"),
        (PRED, (SIGNS + 1) / 2),
        np.log1p(np.exp(-PRED * SIGNS)).mean(1),
    ),
    "triplet": (
        L.TripletLoss(margin=3),
        (PRED, LABEL, SIGNS),
        np.maximum(0, ((LABEL - PRED) ** 2 - (SIGNS - PRED) ** 2).sum(1) + 3),
    ),
    "poisson": (
        L.PoissonNLLLoss(),
        (PRED, COUNTS),
        poisson(np.exp(PRED), COUNTS, False).mean().reshape(1),
    ),
    "poisson full": (
        L.PoissonNLLLoss(from_logits=False, compute_full=True),
        (np.exp(PRED), COUNTS),
        poisson(np.exp(PRED), COUNTS, True).mean().reshape(1),
    ),
    "cosine": (
        L.CosineEmbeddingLoss(margin=0.1),
        (PRED, LABEL, np.array([1, -1, 1])),
        np.where([1, 0, 1], 1 - PAIRS, np.maximum(0, PAIRS - 0.1))[:, None],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_eager_and_compiled(name):
    loss, inputs, expected = CASES[name]
    arrays = [mx.nd.array(x) for x in inputs]
    for hybrid in (False, True):
        loss.hybridize(hybrid)
        out = loss(*arrays)
        assert out.shape == expected.shape
        np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-4, atol=1e-5)


def test_positive_weight():
    arrays = [mx.nd.array(x) for x in (PRED, LABEL, POSITIVE)]
    expected = cross_entropy(sigmoid(PRED), LABEL, POSITIVE).mean(1)
    out = L.SigmoidBCELoss()(arrays[0], arrays[1], None, arrays[2])
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-4)
    out = L.SigmoidBCELoss(from_sigmoid=True)(mx.nd.sigmoid(arrays[0]), arrays[1], None, arrays[2])
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-4)


def test_smoothed_deep_metric():
    arrays = [mx.nd.array(x) for x in (PRED, LABEL)]
    expected = SMOOTH * (np.log(SMOOTH) - log_softmax(-DISTANCES))
    out = L.SDMLLoss()(*arrays)
    np.testing.assert_allclose(out.asnumpy(), expected.sum(1), rtol=1e-4)


def test_functions_draw_symbols():
    pred, label = mx.sym.var("pred"), mx.sym.var("label")
    out = mx.loss.softmax_cross_entropy(pred, label)
    assert out.list_arguments() == ["pred", "label"]
    bound = out.bind(mx.cpu(), {"pred": mx.nd.array(PRED), "label": mx.nd.array(CLASSES)})
    np.testing.assert_allclose(bound.forward()[0].asnumpy(), -PICKED, rtol=1e-4)


def test_extreme_scores_stay_finite():
    pred = mx.nd.array([[-200.0, 200.0]])
    pred.attach_grad()
    with mx.autograd.record():
        out = L.SigmoidBCELoss()(pred, mx.nd.array([[1.0, 0.0]]))
    out.backward()
    np.testing.assert_allclose(out.asnumpy(), [200])
    np.testing.assert_allclose(pred.grad.asnumpy(), [[-0.5, 0.5]])


def test_subclasses_and_helpers():
    class Mine(L.Loss):
        def hybrid_forward(self, F, pred, label):
            label = L._reshape_like(F, label, pred)
            return L._apply_weighting(F, F.abs(pred - label), self._weight, None)

    mine = Mine(weight=0.5, batch_axis=0)
    assert repr(mine) == "Mine(batch_axis=0, w=0.5)"
    out = mine(mx.nd.array([[1, 2]]), mx.nd.array([3, 2]))
    np.testing.assert_allclose(out.asnumpy(), [[1, 0]])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="signed or binary"):
        L.LogisticLoss(label_format="foo")
    with pytest.raises(AssertionError, match="NTC and TNC"):
        L.CTCLoss(layout="foo")
    with pytest.raises(mx.MXNetError, match="weight must be a number"):
        L.L1Loss(weight="2")(mx.nd.ones(1), mx.nd.ones(1))
