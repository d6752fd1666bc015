"""A process that is killed while it saves leaves the old file whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import baryon as mx

# Saves arrays full of 0, 1, 2, … over and over; every file must hold one number throughout.
PROGRAM = """
import sys
import baryon as mx
path, kind = sys.argv[1:]
for i in range(100000):
    if kind == "params":
        mx.nd.save(path, {n: mx.nd.full((300_000,), i) for n in "abc"})
    else:
        net = mx.sym.var("x")
        for k in range(500):
            net = mx.sym.relu(net, name=f"save{i}_{k}")
        net.save(path)
    print(i, flush=True)
"""


def saved_number(path: str, kind: str) -> int:
    """Which save the file is from; fails unless it is whole."""
    if kind == "params":
        arrays = mx.nd.load(path)
        numbers = {float(v) for x in arrays.values() for v in np.unique(x.asnumpy())}
        assert [*arrays] == ["a", "b", "c"] and len(numbers) == 1
        return int(numbers.pop())
    names = mx.sym.load(path).get_internals().list_outputs()
    assert len(names) == 501
    return int(names[-1].removeprefix("save").partition("_")[0])


@pytest.mark.parametrize("kind", ["params", "json"])
def test_killed_save_leaves_a_whole_file(tmp_path, kind):
    path = str(tmp_path / "file")
    rng = np.random.RandomState(5)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, path, kind], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "BARYON_NUM_THREADS": "1"},
        )  # fmt: skip
        seen = int(process.stdout.readline())  # one save is done, others are on their way
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        seen = max([seen, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        assert saved_number(path, kind) in (seen, seen + 1)
