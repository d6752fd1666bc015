"""A peer's process: ``python -m benchmarks.peers NAME`` answers JSON lines.

    {"prepare": "lenet", "way": "symbol"}  ->  {"check": [...], "figures": {...}, "version": "..."}
    {"run": 10}                            ->  {"seconds": 0.12}

What fails is answered with {"error": "..."}.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time

from ..operators import WORKLOADS
from ..workloads import ALL, growing
from . import growth
from .base import ADAPTERS, PACKAGES, Prepared

_MXNET_API = (
    "mx_eager",
    "mx_nets",
    "mx_resnet",
    "mx_convnets",
    "mx_encoders",
    "mx_gluon",
    "mx_graphs",
    "mx_memory",
    "mx_records",
)
ADAPTER_FILES = {
    "baryon": (*_MXNET_API, "operators"),
    "mxnet": (*_MXNET_API, "operators"),
    "torch": (
        "torch_eager",
        "torch_nets",
        "torch_resnet",
        "torch_convnets",
        "torch_encoders",
        "torch_gluon",
        "operators",
    ),
    "numpy": ("operators", "numpy_mlp"),
    "ort": ("onnx_nets",),
    "openvino": ("onnx_nets",),
    "jax": ("jax_nets",),
}


def load(peer: str) -> object:
    """The peer's package, set to the threads that the environment names, and its adapters."""
    package = importlib.import_module(PACKAGES.get(peer, peer))
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    if peer == "torch":
        package.set_num_threads(threads)
    for file in ("install", *ADAPTER_FILES[peer]):
        importlib.import_module(f"{__package__}.{file}")
    return package


def prepare(package: object, workload: str, way: str) -> Prepared:
    """The workload, checked and warm."""
    if (workload, way) not in ADAPTERS:
        raise ValueError(f"{package.__name__} has no adapter for {workload}, {way}")
    arrays = {**ALL, **WORKLOADS, **growing.ALL}[workload].arrays()
    before = growth.mark()
    prepared = ADAPTERS[workload, way](package, arrays)
    if prepared.loop is not None:
        prepared.loop(3)
        prepared.finish()
        prepared.figures.update(growth.since(before))
    return prepared


def timed(prepared: Prepared, steps: int) -> float:
    """Seconds that `steps` steps take, results included."""
    began = time.perf_counter()
    prepared.loop(steps)
    prepared.finish()
    return time.perf_counter() - began


def serve(package: object, requests: object, answers: object) -> None:
    """Answer requests until there are no more."""
    prepared = None
    version = f"{package.__version__}, Python {platform.python_version()}"
    for line in requests:
        request = json.loads(line)
        try:
            if "prepare" in request:
                prepared = prepare(package, request["prepare"], request["way"])
                answer = {"check": prepared.check, "figures": prepared.figures, "version": version}
            else:
                answer = {"seconds": timed(prepared, request["run"])}
        except Exception as error:  # reported to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Keep the real standard output for answers; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(load(sys.argv[1]), sys.stdin, answers)


if __name__ == "__main__":
    main()
