"""What callbacks log and save."""

from collections import namedtuple

import pytest

import baryon as mx
from baryon import callback

Param = namedtuple("BatchEndParam", "epoch nbatch eval_metric locals")


def _metric():
    metric = mx.metric.Accuracy()
    metric.update([mx.nd.array([1, 0])], [mx.nd.array([[0.1, 0.9], [0.2, 0.8]])])
    return metric


@pytest.fixture
def log(caplog):
    caplog.set_level("INFO")
    return caplog


@pytest.mark.parametrize("auto_reset", [True, False])
def test_speedometer(log, auto_reset):
    metric, speed = _metric(), callback.Speedometer(4, 2, auto_reset)
    for batch in range(4):
        speed(Param(0, batch, metric, None))
    (line,) = log.messages
    first, rate, value = line.split("\t")
    assert first == "Epoch[0] Batch [0-2]" and value == "accuracy=0.500000"
    assert rate.startswith("Speed: ") and rate.endswith(" samples/sec")
    assert metric.num_inst == (0 if auto_reset else 2)


def test_speedometer_without_metric_and_new_epoch(log):
    speed = callback.Speedometer(4, 2)
    for epoch in range(2):
        for batch in range(3):
            speed(Param(epoch, batch, None, None))
    assert [m.split("\t")[0] for m in log.messages] == [
        "Iter[0] Batch [2]",
        "Iter[1] Batch [2]",
    ]


def test_log_metrics(log):
    metric = _metric()
    callback.log_train_metric(2, auto_reset=True)(Param(0, 2, metric, None))
    callback.log_train_metric(2)(Param(0, 3, metric, None))
    callback.LogValidationMetricsCallback()(Param(1, 0, _metric(), None))
    assert log.messages == [
        "Iter[0] Batch[2] Train-accuracy=0.500000",
        "Epoch[1] Validation-accuracy=0.500000",
    ]
    assert metric.num_inst == 0


@pytest.mark.parametrize("tqdm", [True, False])
def test_progress_bar(capsys, monkeypatch, tqdm):
    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    bar = callback.ProgressBar(4, length=8)
    for batch in range(1, 5):
        bar(Param(0, batch, None, None))
    shown = capsys.readouterr().err
    assert "100%" in shown and ("4/4" in shown) == tqdm
    assert ("[====----] 50%" in shown) == (not tqdm)


def test_module_checkpoint():
    saved = []

    class Module:
        def save_checkpoint(self, prefix, epoch, states):
            saved.append((prefix, epoch, states))

    save = callback.module_checkpoint(Module(), "net", period=2, save_optimizer_states=True)
    for epoch in range(4):
        save(epoch)
    assert saved == [("net", 2, True), ("net", 4, True)]
