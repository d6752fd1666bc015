"""The Estimator: what is called when, what it computes, and what its handlers do."""

import logging
import math
import os

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon.contrib import estimator as est
from baryon.gluon.contrib.estimator import Estimator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = (X.sum(1) > 0).astype(np.float32)
EVENTS = ("train_begin", "epoch_begin", "batch_begin", "batch_end", "epoch_end", "train_end")


def loader(size=10):
    return gluon.data.DataLoader(gluon.data.ArrayDataset(X, Y), batch_size=size)


def make(context=None, lr=0.1, **kwargs):
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Dense(2, in_units=5, weight_initializer="ones"))
    net.initialize(ctx=context)
    net.hybridize()
    options = {"learning_rate": lr, "momentum": 0.9}
    trainer = gluon.Trainer(net.collect_params(), "sgd", options)
    made = Estimator(
        net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer=trainer, context=context, **kwargs
    )
    made.logger.handlers = []
    made.lines = []
    made.logger.addHandler(_Lines(made.lines))
    return made


def assert_same_weights(one, other, context=None):
    a, b = one[0].weight.data(context), other[0].weight.data()
    np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5)


class _Lines(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append(record.getMessage())


class _Calls(
    est.TrainBegin, est.TrainEnd, est.EpochBegin, est.EpochEnd, est.BatchBegin, est.BatchEnd
):
    """Notes its calls as (name, event)."""

    def __init__(self, name, calls, priority=None):
        self.name, self.calls = name, calls
        if priority is not None:
            self.priority = priority

    def _note(event):
        def call(self, estimator, *args, **kwargs):
            self.calls.append((self.name, event, tuple(kwargs)))

        return call

    train_begin, epoch_begin, batch_begin, batch_end, epoch_end, train_end = map(_note, EVENTS)


class _Scripted(mx.metric.EvalMetric):
    """A metric whose values are given, one for each epoch."""

    def __init__(self, values):
        self._values = iter(values)
        super().__init__("scripted")
        self.num_inst = 1

    def reset(self):
        self.value = next(self._values, 0)

    def get(self):
        return self.name, self.value

    def update(self, labels, preds):
        pass


def test_fit_is_the_plain_loop():
    fitted, by_hand = make(), make()
    fitted.fit(loader(), epochs=3)
    for _ in range(3):
        for x, y in loader():
            with autograd.record():
                loss = by_hand.loss(by_hand.net(x), y)
            loss.backward()
            by_hand.trainer.step(10)
    assert_same_weights(fitted.net, by_hand.net)


def test_names_and_values_of_metrics():
    made = make()
    made.fit(loader(), loader(), epochs=1)
    names = ["accuracy", "softmaxcrossentropyloss"]
    assert [m.name for m in made.train_metrics] == [f"training {n}" for n in names]
    assert [m.name for m in made.val_metrics] == [f"validation {n}" for n in names]
    pred = made.net(mx.nd.array(X)).asnumpy()
    assert made.val_metrics[0].get()[1] == pytest.approx((pred.argmax(1) == Y).mean())
    own = make(train_metrics=[mx.metric.F1()], val_metrics=mx.metric.RMSE())
    assert [m.name for m in own.train_metrics][0] == "training f1"
    assert [m.name for m in own.val_metrics][0] == "validation rmse"


def test_handlers_are_called_by_priority():
    calls = []
    handlers = [_Calls("a", calls, 5), _Calls("b", calls, -5), _Calls("c", calls)]
    make().fit(loader(), batches=1, event_handlers=handlers)
    assert [(n, e) for n, e, _ in calls] == [(n, e) for e in EVENTS for n in "bca"]
    facts = {event: given for _, event, given in calls}
    assert facts["batch_begin"] == ("batch",)
    assert facts["batch_end"] == ("batch", "pred", "label", "loss")
    calls.clear()
    make().evaluate(loader(20), event_handlers=_Calls("v", calls))
    assert [e for _, e, _ in calls] == [
        "epoch_begin",
        *["batch_begin", "batch_end"] * 2,
        "epoch_end",
    ]


def test_handlers_may_end_the_training():
    class Enough(est.BatchEnd):
        def batch_end(self, estimator, *args, **kwargs):
            return True

    calls = []
    make().fit(loader(), epochs=5, event_handlers=[Enough(), _Calls("a", calls)])
    assert [e for _, e, _ in calls] == list(EVENTS)


def test_lines_of_the_log():
    made = make()
    handler = est.LoggingHandler(log_interval=2, metrics=made.train_metrics)
    made.fit(loader(), loader(), epochs=1, event_handlers=handler)
    starts = [
        "Training begin: using optimizer SGD with current learning rate 0.1000",
        "Train for 1 epochs.",
        "[Epoch 0] Begin, current learning rate: 0.1000",
        "[Epoch 0][Batch 0][Samples 10] time/interval: ",
        "[Epoch 0][Batch 2][Samples 30] time/interval: ",
        "Validation Begin",
        "[Epoch 0] Finished in ",
        "[Epoch 0] Finished in ",
        "Train finished using total 0s with 1 epochs. training accuracy: ",
    ]
    assert len(made.lines) == len(starts)
    for line, start in zip(made.lines, starts, strict=True):
        assert line.startswith(start)
    assert "validation accuracy: " in made.lines[6] and "training accuracy: " in made.lines[7]


def test_validation_by_batches():
    seen = []
    handler = est.ValidationHandler(
        loader(), lambda **kwargs: seen.append(kwargs), epoch_period=None, batch_period=2
    )
    make().fit(loader(), batches=5, event_handlers=handler)
    assert len(seen) == 2 and set(seen[0]) == {"val_data", "batch_axis", "event_handlers"}


def test_several_contexts():
    contexts = [mx.cpu(0), mx.cpu(1)]
    many, one = make(contexts), make()
    many.fit(loader(), epochs=2)
    one.fit(loader(), epochs=2)
    np.testing.assert_allclose(
        many.net[0].weight.data(contexts[1]).asnumpy(),
        one.net[0].weight.data().asnumpy(),
        rtol=1e-5,
    )
    assert many.train_metrics[0].get() == one.train_metrics[0].get()


def test_parameters_are_initialized_where_they_are_not():
    net = gluon.nn.Dense(2)
    with pytest.warns(UserWarning, match="No trainer"):
        made = Estimator(net, gluon.loss.L2Loss(), initializer=mx.init.One())
    assert made.trainer.learning_rate == 0.001
    assert net(mx.nd.ones((1, 3))).asnumpy().tolist() == [[3, 3]]
    with pytest.warns(UserWarning, match="force_reinit"):
        Estimator(net, gluon.loss.L2Loss(), initializer=mx.init.One(), trainer=made.trainer)


@pytest.mark.parametrize(
    ("options", "stops_after", "best"),
    [
        ({"mode": "max"}, 2, 9),
        ({"mode": "min", "patience": 2}, 4, 0.5),
        ({"mode": "max", "patience": 1, "min_delta": 0.2}, 2, 9),
        ({"mode": "min", "baseline": 0.45, "patience": 1}, 1, 0.45),
    ],
)
def test_early_stopping(options, stops_after, best):
    """Epochs and best values as MXNet 1.9.1 has them for the same metric."""
    made = make()
    metric = _Scripted([0, 9, 0.5, 0.6, 0.55, 0.5, 0.4])
    made._train_metrics.append(metric)
    handler = est.EarlyStoppingHandler(metric, **options)
    made.fit(loader(40), epochs=6, event_handlers=handler)
    assert (handler.current_epoch, handler.best) == (stops_after, best)
    assert "early stopping due to scripted not improving" in made.lines[-2]


def test_early_stopping_says_which_direction_and_that_values_lack():
    made = make()
    with pytest.warns(UserWarning, match="mode='min'"):
        handler = est.EarlyStoppingHandler(made.train_metrics[1])
    assert handler.monitor_op is np.greater
    metric = _Scripted([0, math.nan, 1])
    made._train_metrics.append(metric)
    with pytest.warns(UserWarning, match="no value"):
        made.fit(loader(40), epochs=1, event_handlers=est.EarlyStoppingHandler(metric, mode="max"))


def test_checkpoints_by_epoch_and_the_best(tmp_path):
    made = make()
    metric = _Scripted([0, 3, 5, 4])
    made._train_metrics.append(metric)
    handler = est.CheckpointHandler(str(tmp_path), "m", metric, 1, True, "max", max_checkpoints=2)
    weights = []

    class Weights(est.EpochEnd):
        def epoch_end(self, estimator, *args, **kwargs):
            weights.append(estimator.net[0].weight.data().asnumpy())

    made.fit(loader(), epochs=3, event_handlers=[handler, Weights()])
    names = ["m-best", "m-epoch1batch8", "m-epoch2batch12"]
    expected = [f"{n}.{ending}" for n in names for ending in ("params", "states")]
    assert sorted(os.listdir(tmp_path)) == sorted([*expected, "m-symbol.json"])
    best = mx.nd.load(str(tmp_path / "m-best.params"))["0.weight"].asnumpy()
    np.testing.assert_array_equal(best, weights[1])
    assert any("scripted improved from 3.00000 to 5.00000" in line for line in made.lines)


def test_a_best_without_a_value_is_not_saved(tmp_path):
    made = make()
    metric = _Scripted([0, math.nan])
    made._train_metrics.append(metric)
    handler = est.CheckpointHandler(str(tmp_path), "m", metric, save_best=True, mode="max")
    with pytest.warns(UserWarning, match="scripted has no value"):
        made.fit(loader(40), epochs=1, event_handlers=handler)
    assert not (tmp_path / "m-best.params").exists()
    assert (tmp_path / "m-epoch0batch1.params").exists()


@pytest.mark.parametrize(
    ("periods", "unit", "first", "total", "resumed"),
    [
        ({}, "epochs", 2, 4, ["epoch2batch12", "epoch3batch16"]),
        ({"epoch_period": None, "batch_period": 2}, "batches", 8, 11, ["epoch2batch9"]),
    ],
)
def test_resuming_continues_exactly(tmp_path, periods, unit, first, total, resumed):
    """File names as MXNet 1.9.1 writes them in the same situation."""
    start = make()
    start.fit(
        loader(), event_handlers=est.CheckpointHandler(str(tmp_path), **periods), **{unit: first}
    )
    again = make()
    handler = est.CheckpointHandler(str(tmp_path), resume_from_checkpoint=True, **periods)
    again.fit(loader(), event_handlers=handler, **{unit: total})
    assert handler.saved_checkpoints == [f"model-{name}" for name in resumed]
    whole = make()
    whole.fit(loader(), **{unit: total})
    assert_same_weights(again.net, whole.net)


def test_resuming_what_is_finished_or_absent(tmp_path):
    handler = est.CheckpointHandler(str(tmp_path), resume_from_checkpoint=True)
    made = make()
    made.fit(loader(), epochs=1, event_handlers=handler)
    assert any("training from scratch" in line for line in made.lines)
    with pytest.raises(ValueError, match="maximum number of epoch 1 reached"):
        make().fit(loader(), epochs=1, event_handlers=handler)


def test_a_batch_processor_of_your_own():
    class Scaled(est.BatchProcessor):
        def fit_batch(self, estimator, train_batch, batch_axis=0):
            x, y = train_batch
            with autograd.record():
                pred = estimator.net(x)
                loss = estimator.loss(pred, y)
            loss.backward()
            return x, [y], [pred], [loss]

    made = make(batch_processor=Scaled())
    made.fit(loader(), epochs=1)
    assert made.train_metrics[0].get()[1] > 0
    with pytest.raises(ValueError, match="fit_batch"):
        make(batch_processor=object())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.fit(loader()), "one of epochs and batches"),
        (lambda e: e.fit(loader(), epochs=1, batches=1), "one of epochs and batches"),
        (lambda e: e.fit([1], epochs=1), "DataLoader, got list"),
        (lambda e: e.fit(loader(), [1], epochs=1), "DataLoader, got list"),
        (lambda e: e.evaluate([1]), "DataLoader, got list"),
        (lambda e: e.fit(loader(), epochs=1, event_handlers=[3]), "list of EventHandler"),
        (
            lambda e: e.fit(
                loader(), epochs=1, event_handlers=est.LoggingHandler(metrics=mx.metric.F1())
            ),
            "does not update",
        ),
        (lambda e: est.LoggingHandler("often"), "log_interval"),
        (lambda e: est.EarlyStoppingHandler(3), "as monitor"),
        (lambda e: est.CheckpointHandler(".", save_best=True), "as monitor"),
        (lambda e: Estimator(e.net, 3), "loss must be a Loss"),
        (lambda e: Estimator(e.net, e.loss, train_metrics=[3]), "must be a Metric"),
        (lambda e: Estimator(e.net, e.loss, trainer=3), "Trainer"),
        (lambda e: Estimator(e.net, e.loss, context=[3]), "Context"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(make())
