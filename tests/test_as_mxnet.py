"""`mxnet` as another name of baryon, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from reference import reference

import baryon

SOURCE = str(Path(baryon.__file__).parent.parent)


def python(*arguments, cwd, ok=True):
    """Run Python with baryon on its path; what it printed, errors included."""
    env = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout + done.stderr


def run(code, tmp_path, *arguments, ok=True):
    """Run a program under its alias."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(code))
    return python("-m", "baryon.as_mxnet", script, *arguments, cwd=tmp_path, ok=ok)


def test_one_module_under_both_names(tmp_path):
    run(
        """
        import mxnet as mx
        import mxnet.ndarray as nd
        import mxnet.gluon.model_zoo.vision.resnet
        from mxnet import autograd, gluon, sym
        from mxnet.gluon import nn
        from mxnet.ndarray import NDArray
        from mxnet.ndarray.linalg import gemm2
        from mxnet.gluon.model_zoo.vision import ResNetV1
        import baryon, baryon.gluon.nn, sys

        assert mx is baryon and sys.modules["mxnet"] is baryon
        assert nd is baryon.ndarray is mx.nd
        import mxnet.gluon.nn as same
        assert nn is baryon.gluon.nn is same and sym is baryon.symbol
        assert ResNetV1 is mx.gluon.model_zoo.vision.resnet.ResNetV1
        assert nn.__name__ == nn.__spec__.name == "baryon.gluon.nn"
        assert isinstance(mx.nd.ones(2), NDArray) and NDArray is baryon.nd.NDArray
        assert mx.__version__ == "1.9.1"

        import importlib
        from baryon.gluon import loss
        assert importlib.import_module("mxnet.gluon.loss") is loss
        """,
        tmp_path,
    )


def test_missing_modules_are_missing(tmp_path):
    out = run("import mxnet.nonesuch.deeper", tmp_path, ok=False)
    assert "ModuleNotFoundError: No module named 'mxnet.nonesuch'" in out
    out = run("from mxnet.gluon import nonesuch", tmp_path, ok=False)
    assert "ImportError: cannot import name 'nonesuch'" in out


def test_scripts_see_themselves_as_main(tmp_path):
    (tmp_path / "beside.py").write_text("VALUE = 7\n")
    out = run(
        """
        import pickle, sys, mxnet as mx, beside
        class Own(mx.gluon.nn.Dense):
            pass
        assert type(pickle.loads(pickle.dumps(Own(2)))) is Own
        total = mx.nd.ones(2).sum().asscalar()
        print(sys.argv[1:], __file__.endswith("program.py"), beside.VALUE, total)
        """,
        tmp_path,
        "--lr",
        "0.1",
    )
    assert out.strip() == "['--lr', '0.1'] True 7 2.0"


def test_modules_run_too(tmp_path):
    (tmp_path / "tool.py").write_text("import sys, mxnet\nprint(sys.argv[1:], mxnet.__name__)\n")
    assert (
        python("-m", "baryon.as_mxnet", "-m", "tool", "x", cwd=tmp_path).strip() == "['x'] baryon"
    )


def test_usage_and_missing_scripts(tmp_path):
    assert "usage" in python("-m", "baryon.as_mxnet", "--help", cwd=tmp_path)
    assert "usage" in python("-m", "baryon.as_mxnet", cwd=tmp_path, ok=False)
    out = python("-m", "baryon.as_mxnet", "nonesuch.py", cwd=tmp_path, ok=False)
    assert "there is no file 'nonesuch.py'" in out


def test_errors_and_exit_codes_are_the_scripts(tmp_path):
    out = run("import mxnet as mx\nmx.nd.ones(2).reshape((3,))\n", tmp_path, ok=False)
    assert "MXNetError" in out and 'program.py", line 2' in out
    run("raise SystemExit(0)", tmp_path)


def test_install_in_a_running_process(tmp_path):
    code = """
    import baryon, baryon.as_mxnet
    before = baryon.nd
    baryon.as_mxnet.install()
    baryon.as_mxnet.install()  # once more changes nothing
    import mxnet.nd as nothing
    """
    out = python("-c", textwrap.dedent(code), cwd=tmp_path, ok=False)
    assert "No module named 'mxnet.nd'" in out
    code = """
    import sys, types
    sys.modules["mxnet"] = types.ModuleType("mxnet")
    import baryon.as_mxnet
    baryon.as_mxnet.install()
    """
    out = python("-c", textwrap.dedent(code), cwd=tmp_path, ok=False)
    assert "another mxnet has been imported already" in out


def test_pickles_name_either_package(tmp_path):
    run(
        """
        import pickle, mxnet as mx
        from mxnet import nd, gluon
        kept = pickle.dumps([nd.array([1, 2]), gluon.nn.Dense(2), mx.init.Xavier()])
        array, dense, init = pickle.loads(kept)
        assert type(dense) is gluon.nn.Dense and array.asnumpy().tolist() == [1, 2]
        text = pickle.dumps(gluon.nn.Dense, protocol=0).replace(b"baryon", b"mxnet")
        assert pickle.loads(text) is gluon.nn.Dense
        """,
        tmp_path,
    )


def test_states_that_mxnet_pickled(tmp_path):
    folder = reference("golden", "models", "optimizer_states")
    full = sorted(folder.glob("*adam*.full.states")) or sorted(folder.glob("*.full.states"))
    run(
        f"""
        import pickle, mxnet as mx
        with open({str(full[0])!r}, "rb") as file:
            states, optimizer = pickle.load(file)
        assert isinstance(optimizer, mx.optimizer.Optimizer)
        arrays = [a for s in states.values() for a in (s if isinstance(s, tuple) else (s,))]
        assert any(isinstance(a, mx.nd.NDArray) and a.size for a in arrays), states
        """,
        tmp_path,
    )


PROGRAM = """
import logging
import mxnet as mx
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

mx.random.seed(1)
net = nn.HybridSequential()
with net.name_scope():
    net.add(nn.Dense(16, activation="relu"), nn.Dropout(0.1), nn.Dense(2))
net.initialize(mx.init.Xavier(magnitude=2.24), ctx=mx.cpu())
net.hybridize()
x = nd.random.normal(shape=(64, 4))
y = (x[:, 0] > 0).astype("float32")
data = gluon.data.DataLoader(gluon.data.ArrayDataset(x, y), batch_size=16, shuffle=True)
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05})
metric, loss_fn = mx.metric.Accuracy(), gluon.loss.SoftmaxCrossEntropyLoss()
for epoch in range(10):
    metric.reset()
    for batch, label in data:
        with autograd.record():
            out = net(batch)
            loss = loss_fn(out, label)
        loss.backward()
        trainer.step(batch.shape[0])
        metric.update(label, out)
assert metric.get()[1] > 0.9, metric.get()
net.save_parameters("net.params")
net.load_parameters("net.params", ctx=mx.cpu())
"""


def test_a_gluon_program_runs_unmodified(tmp_path):
    run(PROGRAM, tmp_path)


def test_importing_the_module_installs_nothing(tmp_path):
    code = "import baryon.as_mxnet, sys; print('mxnet' in sys.modules)"
    out = python("-c", code, cwd=tmp_path)
    assert out.strip() == "False"
