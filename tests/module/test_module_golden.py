"""Modules that MXNet 1.9.1 trained and saved: the same training, files and outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from reference import reference

import baryon as mx

NAMES = ("mlp", "resnet_small", "two_heads", "rnn_unrolled")


def golden(name):
    folder = reference("golden", "models")
    info = json.loads((folder / "index.json").read_text())["models"][name]
    return info, folder / name, np.load(folder / name / "io.npz")


def part(arrays, prefix):
    return {k.removeprefix(prefix): arrays[k] for k in arrays.files if k.startswith(prefix)}


def bound(info, module):
    module.bind(list(info["data"].items()), list(info["label"].items()))
    return module


def fresh(info, folder, name):
    symbol = mx.sym.load(str(folder / f"{name}-symbol.json"))
    return mx.mod.Module(symbol, list(info["data"]), list(info["label"]))


def split(symbol, values):
    """Values by name as arguments and auxiliary states."""
    aux = set(symbol.list_auxiliary_states())
    arrays = {k.split(":")[-1]: mx.nd.array(v) for k, v in values.items()}
    return ({k: v for k, v in arrays.items() if k not in aux},
            {k: v for k, v in arrays.items() if k in aux})  # fmt: skip


def batch(info, arrays, k):
    values = {n.split("/")[-1]: v for n, v in part(arrays, f"batch{k}/").items()}
    pick = lambda names: [mx.nd.array(values[n]) for n in names]  # noqa: E731
    return mx.io.DataBatch(pick(info["data"]), pick(info["label"]))


def start_optimizer(info, module):
    module.init_optimizer(optimizer=info["optimizer"], optimizer_params=info["optimizer_params"])
    assert module._optimizer.rescale_grad == pytest.approx(info["rescale_grad_used"])


def step(module, data):
    module.forward_backward(data)
    module.update()


def close(found, want, what):
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=2e-6, err_msg=what)


def check_params(module, want):
    found = {k: v for values in module.get_params() for k, v in values.items()}
    for name, value in want.items():
        name = name.split(":")[-1]
        close(found[name].asnumpy(), value, name)


def check_outputs(module, want):
    for i, found in enumerate(module.get_outputs()):
        close(found.asnumpy(), want[str(i)], f"output {i}")


@pytest.mark.parametrize("name", NAMES)
def test_training_reproduces_the_checkpoint(name, tmp_path):
    info, folder, arrays = golden(name)
    module = bound(info, fresh(info, folder, name))
    module.set_params(*split(module.symbol, part(arrays, "init/")))
    start_optimizer(info, module)
    for k in range(info["steps"]):
        step(module, batch(info, arrays, k))
        check_outputs(module, part(arrays, f"train_out{k}/"))
    check_params(module, part(arrays, "param/"))
    module.save_checkpoint(str(tmp_path / "again"), 1, save_optimizer_states=True)
    step(module, batch(info, arrays, info["steps"]))
    check_params(module, part(arrays, "continued/"))


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_predicts_and_resumes(name):
    info, folder, arrays = golden(name)
    module = mx.mod.Module.load(
        str(folder / name), 1, load_optimizer_states=True,
        data_names=list(info["data"]), label_names=list(info["label"]),
    )  # fmt: skip
    bound(info, module)
    check_params(module, part(arrays, "param/"))
    module.forward(batch(info, arrays, 0), is_train=False)
    check_outputs(module, part(arrays, "predict_batch0/"))
    start_optimizer(info, module)
    step(module, batch(info, arrays, info["steps"]))
    check_params(module, part(arrays, "reloaded/"))
