"""State files that are broken or hostile."""

import os
import pickle

import numpy as np
import pytest

import baryon as mx


class Evil:
    """A pickle that would run a command."""

    def __reduce__(self):
        return (os.system, ("touch pwned",))


class UserSchedule(mx.lr_scheduler.LRScheduler):
    """A scheduler of the program that loads the states."""

    def __call__(self, num_update):
        return 0.25


def _updater():
    return mx.optimizer.get_updater(mx.optimizer.SGD(momentum=0.9))


def _sample():
    updater = _updater()
    weight = mx.nd.ones((3, 2))
    updater(0, weight, weight)
    return updater.get_states(dump_optimizer=True)


@pytest.mark.parametrize(
    "payload",
    [
        pickle.dumps({0: Evil()}),
        pickle.dumps({0: np.zeros(3)}),
        pickle.dumps({0: eval}),
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbaryon.optimizer.states\nloads\n.",
        b"cbaryon.optimizer.optimizer\nos\n.",
        b"\x80\x04}K\x00cbaryon.ndarray.ndarray\nNDArray\n)\x81s.",
        b"",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps(({}, "no optimizer")),
    ],
)
def test_refused(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    updater = _updater()
    with pytest.raises(mx.MXNetError, match="optimizer states"):
        updater.set_states(payload)
    assert list(tmp_path.iterdir()) == []
    assert updater.states == {}


def test_every_truncation_is_refused():
    data = _sample()
    for length in range(0, len(data), 7):
        with pytest.raises(mx.MXNetError):
            _updater().set_states(data[:length])


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_protocols_and_scalars(protocol):
    updater = _updater()
    sgd = mx.optimizer.SGD(learning_rate=np.float32(0.5), lr_scheduler=UserSchedule(), wd=1)
    updater.set_states(pickle.dumps(({0: mx.nd.ones(2)}, sgd), protocol))
    assert updater.optimizer.lr == 0.5
    assert updater.optimizer.learning_rate == 0.25
    assert updater.states[0].asnumpy().tolist() == [1, 1]
