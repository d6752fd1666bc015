"""Metrics against NumPy; the shape of results against MXNet 1.9.1."""

import json
import math

import numpy as np
import pytest

import baryon as mx
from baryon import metric as M

nan = float("nan")


def _scores(count, classes):
    raw = np.random.rand(count, classes).astype("float32")
    return raw / raw.sum(axis=1, keepdims=True)


def _batches(count=6, classes=3, batches=2):
    return [(np.random.randint(0, classes, count), _scores(count, classes)) for _ in range(batches)]


def _feed(metric, batches):
    for label, pred in batches:
        metric.update([mx.nd.array(label)], [mx.nd.array(pred)])


def _binary(label, pred):
    guess = pred.argmax(1)
    return [((label == t) & (guess == g)).sum() for t, g in ((1, 1), (0, 1), (1, 0), (0, 0))]


def _f1(label, pred):
    tp, fp, fn, _ = _binary(label, pred)
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


def _mcc(label, pred):
    return np.corrcoef(label, pred.argmax(1))[0, 1]


def _chosen(label, pred):
    return pred[np.arange(len(label)), label]


def _concat(batches):
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


PER_SAMPLE = [
    (M.Accuracy, lambda label, pred: (pred.argmax(1) == label).mean()),
    (
        lambda: M.TopKAccuracy(2),
        lambda label, pred: (np.argsort(pred, 1)[:, -2:] == label[:, None]).any(1).mean(),
    ),
    (M.CrossEntropy, lambda label, pred: -np.log(_chosen(label, pred)).mean()),
    (M.NegativeLogLikelihood, lambda label, pred: -np.log(_chosen(label, pred)).mean()),
    (
        lambda: M.Perplexity(None),
        lambda label, pred: math.exp(-np.log(_chosen(label, pred)).mean()),
    ),
    (
        lambda: M.Perplexity(1),
        lambda label, pred: math.exp(-np.log(_chosen(label, pred)[label != 1]).mean()),
    ),
    (M.Loss, lambda label, pred: pred.mean()),
]


@pytest.mark.parametrize(("make", "reference"), PER_SAMPLE)
def test_means_over_samples(make, reference):
    batches, metric = _batches(), make()
    assert math.isnan(metric.get()[1])
    _feed(metric, batches)
    assert metric.get()[1] == pytest.approx(reference(*_concat(batches)), rel=1e-5)
    metric.reset_local()
    assert math.isnan(metric.get()[1])
    assert metric.get_global()[1] == pytest.approx(reference(*_concat(batches)), rel=1e-5)
    _feed(metric, batches[:1])
    assert metric.get()[1] == pytest.approx(reference(*batches[0]), rel=1e-5)
    more = _concat([*batches, batches[0]])
    assert metric.get_global()[1] == pytest.approx(reference(*more), rel=1e-5)
    metric.reset()
    assert math.isnan(metric.get_global()[1])


@pytest.mark.parametrize(("kind", "score"), [(M.F1, _f1), (M.MCC, _mcc)])
def test_binary_scores(kind, score):
    batches = _batches(20, 2)
    macro, micro = kind(), kind(average="micro")
    _feed(macro, batches)
    _feed(micro, batches)
    assert macro.get()[1] == pytest.approx(np.mean([score(*b) for b in batches]))
    assert micro.get()[1] == pytest.approx(score(*_concat(batches)))
    micro.reset_local()
    _feed(micro, batches[:1])
    assert micro.get()[1] == pytest.approx(score(*batches[0]))
    assert micro.get_global()[1] == pytest.approx(score(*_concat([*batches, batches[0]])))


def test_binary_scores_refuse():
    pred = mx.nd.array(_scores(3, 2))
    with pytest.raises(ValueError):
        M.F1().update([mx.nd.array([0, 1, 2])], [pred])
    with pytest.raises(ValueError):
        M.F1().update([mx.nd.array([0, 1])], [mx.nd.array([0.5, 0.6])])
    degenerate = M.F1()
    degenerate.update([mx.nd.array([0, 0])], [mx.nd.array([[0.9, 0.1]] * 2)])
    assert degenerate.get() == ("f1", 0.0)


def test_pcc_is_mcc_for_two_classes_and_grows():
    batches, pcc = _batches(20, 2), M.PCC()
    _feed(pcc, batches)
    assert pcc.get()[1] == pytest.approx(_mcc(*_concat(batches)))
    label, pred = _batches(40, 5, 1)[0]
    pcc = M.PCC()
    _feed(pcc, [(np.array([0, 1]), _scores(2, 2)), (label, pred)])
    assert -1 <= pcc.get()[1] <= 1


ERRORS = [
    (M.MAE, lambda d: np.abs(d).mean()),
    (M.MSE, lambda d: (d**2).mean()),
    (M.RMSE, lambda d: np.sqrt((d**2).mean())),
]


@pytest.mark.parametrize(("kind", "error"), ERRORS)
def test_regression_means_over_batches(kind, error):
    batches = [(np.random.rand(n), np.random.rand(n, 1)) for n in (5, 3)]
    metric = kind()
    _feed(metric, batches)
    expected = np.mean([error(label[:, None] - pred) for label, pred in batches])
    assert metric.get()[1] == pytest.approx(expected, rel=1e-5)


def test_pearson():
    batches = [(np.random.rand(n), np.random.rand(n)) for n in (5, 7)]
    macro, micro = M.PearsonCorrelation(), M.PearsonCorrelation(average="micro")
    _feed(macro, batches)
    _feed(micro, batches)
    expected = np.mean([np.corrcoef(*b)[0, 1] for b in batches])
    assert macro.get()[1] == pytest.approx(expected, rel=1e-5)
    assert micro.get()[1] == pytest.approx(np.corrcoef(*_concat(batches))[0, 1], rel=1e-5)
    with pytest.raises(ValueError):
        _feed(M.PearsonCorrelation(), [(np.zeros(3), np.zeros((3, 1)))])


def test_values_are_python_floats():
    label, pred = _batches(8, 2, 1)[0]
    for name in ("acc", "ce", "f1", "mcc", "mse", "loss", "pcc"):
        metric = M.create(name)
        labels = pred if name == "mse" else label
        metric.update([mx.nd.array(labels)], [mx.nd.array(pred)])
        assert type(metric.get()[1]) is float
        json.dumps(metric.get())


def test_accuracy_shapes():
    axis2 = M.Accuracy(axis=2)
    pred, label = np.random.rand(2, 5, 3), np.random.randint(0, 3, (2, 5))
    _feed(axis2, [(label, pred)])
    assert axis2.get()[1] == (pred.argmax(2) == label).mean()
    indices = M.Accuracy()
    indices.update(mx.nd.array([1, 2]), mx.nd.array([1, 0]))
    assert indices.get() == ("accuracy", 0.5)
    with pytest.raises(ValueError):
        _feed(M.Accuracy(), [(np.zeros(6), np.zeros((5, 3)))])
    with pytest.raises(ValueError):
        M.Accuracy().update([mx.nd.zeros(2)] * 2, [mx.nd.zeros(2)])


def test_top_k_names_and_limits():
    assert M.TopKAccuracy(3).name == "top_k_accuracy_3"
    with pytest.raises(AssertionError):
        M.TopKAccuracy(1)
    everything = M.TopKAccuracy(9)
    _feed(everything, _batches(5, 3, 1))
    assert everything.get()[1] == 1.0


def test_composite():
    metric = M.create(["acc", M.CrossEntropy()])
    batches = _batches()
    _feed(metric, batches)
    names, values = metric.get()
    assert names == ["accuracy", "cross-entropy"]
    assert values[0] == (_concat(batches)[1].argmax(1) == _concat(batches)[0]).mean()
    assert metric.get_name_value() == list(zip(names, values, strict=True))
    metric.reset_local()
    assert all(map(math.isnan, metric.get()[1]))
    assert metric.get_global()[1] == values
    config = metric.get_config()
    assert [m["metric"] for m in config["metrics"]] == ["Accuracy", "CrossEntropy"]
    with pytest.raises(ValueError):
        metric.get_metric(5)


def test_custom():
    def worst(label, pred):
        return float(np.abs(label - pred).max())

    metric = M.create(worst)
    assert metric.name == "worst"
    assert M.CustomMetric(lambda label, pred: 1.0).name == "custom(<lambda>)"
    _feed(metric, [(np.array([1, 2]), np.array([1, 4])), (np.array([1]), np.array([2]))])
    assert metric.get() == ("worst", 1.5)
    counted = M.np(lambda label, pred: (2.0, 4), name="counted")
    _feed(counted, [(np.zeros(1), np.zeros(1))])
    assert counted.get() == ("counted", 0.5)
    with pytest.raises(NotImplementedError):
        metric.get_config()


def test_update_dict_selects():
    metric = M.Accuracy(output_names=["o"], label_names=["l"])
    label, pred = mx.nd.array([1, 0]), mx.nd.array([[0.1, 0.9], [0.2, 0.8]])
    metric.update_dict({"l": label, "x": pred}, {"o": pred, "z": label})
    assert metric.get() == ("accuracy", 0.5)
    with pytest.raises(KeyError):
        metric.update_dict({"a": label}, {"o": pred})


def test_users_metric():
    @M.register
    @M.alias("count")
    class Counter(M.EvalMetric):
        def __init__(self):
            super().__init__("counter")

        def update(self, labels, preds):
            self.sum_metric += 2
            self.num_inst += 1

    metric = M.create("count")
    metric.update(None, None)
    assert metric.get() == metric.get_global() == ("counter", 2.0)
    assert str(metric) == "EvalMetric: {'counter': 2.0}"


def test_create_refuses():
    with pytest.raises(ValueError, match="nosuch is not registered"):
        M.create("nosuch")
    with pytest.raises(TypeError):
        M.create("mse", foo=1)
    with pytest.raises(AssertionError):
        M.create(3)
    config = M.create(M.Accuracy(axis=2).get_config())
    assert config.axis == 2
