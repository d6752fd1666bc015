"""What ``import baryon`` brings and what it leaves for later."""

import importlib
import subprocess
import sys

import pytest

import baryon as mx


def test_import_is_light():
    heavy = ["cupy", "graphviz", "tqdm", "PIL", "cv2", "requests", "scipy", "baryon.gluon"]
    script = f"import sys, baryon; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_public_names():
    assert mx.nd is mx.ndarray
    assert mx.sym is mx.symbol is importlib.import_module("baryon.symbol")
    assert mx.init is mx.initializer
    assert {"nd", "sym", "gluon", "autograd", "cpu", "gpu"} <= set(dir(mx))
    assert issubclass(mx.MXNetError, RuntimeError)
    with pytest.raises(AttributeError, match="no_such_thing"):
        mx.no_such_thing  # noqa: B018


def test_threads():
    before = mx.num_threads()
    assert before >= 1
    with pytest.raises(mx.MXNetError, match="at least 1"):
        mx.set_num_threads(0)
    mx.set_num_threads(before)
