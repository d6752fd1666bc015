"""Optimizers against the trajectories and state files of the real MXNet."""

import json

import numpy as np
import pytest
from reference import reference

import baryon as mx

RUNS = ["sgd", "sgd_mp", "nag", "adam", "adagrad", "adadelta", "adamax", "nadam", "rmsprop"]
RUNS += ["ftrl", "ftml", "signum", "dcasgd", "lamb", "lars", "lbsgd"]
FOLDER = ("golden", "models", "optimizer_states")
# MXNet's in-place NAG takes the weight decay of the momentum from the weight already updated.
DECAY_OF_NEW_WEIGHT = {"nag"}


class Run:
    """One golden run: its optimizer, and its arrays by name."""

    def __init__(self, name):
        index = json.loads(reference("golden", "models", "index.json").read_text())
        self.name = name
        self.facts = index["models"]["optimizer_states"]["runs"][name]
        self.file = np.load(reference(*FOLDER, "trajectories.npz"))

    def updater(self):
        names = dict(enumerate(self.facts["names"]))
        return mx.optimizer.get_updater(
            mx.optimizer.create(
                self.facts["optimizer"],
                rescale_grad=self.facts["rescale_grad"],
                param_idx2name=names,
                **self.facts["params"],
            )
        )

    def array(self, key):
        return mx.nd.array(self.file[f"{self.name}/{key}"], dtype=self.facts["dtype"])

    def check(self, weight, key, i):
        loose = self.name in DECAY_OF_NEW_WEIGHT and i == 0
        half = self.facts["dtype"] == "float16"
        atol = 2e-3 if loose else 1e-3 if half else 2e-6
        expected = self.file[f"{self.name}/{key}"].astype("float64")
        np.testing.assert_allclose(weight.astype("float64").asnumpy(), expected, 1e-5, atol)


@pytest.mark.parametrize("name", RUNS)
def test_trajectory(name):
    run = Run(name)
    updater = run.updater()
    weights = [run.array(f"weight{i}/start") for i in range(2)]
    for step in range(4):
        for i, weight in enumerate(weights):
            updater(i, run.array(f"grad{i}/{step}"), weight)
            run.check(weight, f"weight{i}/{step}", i)


@pytest.mark.parametrize("kind", ["plain", "full"])
@pytest.mark.parametrize("name", RUNS)
def test_states_of_mxnet_resume(name, kind):
    run = Run(name)
    suffix = ".full.states" if kind == "full" else ".states"
    updater = run.updater()
    updater.set_states(reference(*FOLDER, name + suffix).read_bytes())
    for i in range(2):
        weight = run.array(f"weight{i}/2")
        updater(i, run.array(f"grad{i}/3"), weight)
        run.check(weight, f"reloaded_{kind}/weight{i}", i)


@pytest.mark.parametrize("name", RUNS)
def test_own_states_resume(name):
    run = Run(name)
    straight, weights = run.updater(), [run.array(f"weight{i}/start") for i in range(2)]
    for step in range(3):
        straight([0, 1], [run.array(f"grad{i}/{step}") for i in range(2)], weights)
    copies = [weight.copy() for weight in weights]
    resumed = run.updater()
    resumed.set_states(straight.get_states(dump_optimizer=True))
    grads = [run.array(f"grad{i}/3") for i in range(2)]
    straight([0, 1], grads, weights)
    resumed([0, 1], grads, copies)
    for weight, copy in zip(weights, copies, strict=True):
        assert (weight.asnumpy() == copy.asnumpy()).all()


@pytest.mark.parametrize("model", ["gluon_conv", "gluon_autoencoder", "gluon_lstm"])
def test_trainer_states_of_mxnet_load(model):
    updater = mx.optimizer.get_updater(mx.optimizer.SGD())
    file = reference("golden", "models", model, f"{model}.trainer.states")
    updater.set_states(file.read_bytes())
    assert updater.optimizer.num_update == 2
    arrays = [s for state in updater.states.values() for s in np.atleast_1d(state).tolist()]
    assert all(np.isfinite(np.asarray(a)).all() for a in arrays)
