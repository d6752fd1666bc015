"""Inference in ONNX Runtime and OpenVINO, from one file that a process of its own writes."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..workloads import convnets, encoders
from .base import Prepared, digest, prepares, repeat

INPUTS = ("data", "segment")
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))


def _write(symbol: Callable, arrays: dict, path: Path) -> None:
    import onnx

    from .onnx_graph import Graph

    graph = Graph(arrays, tuple(n for n in INPUTS if n in arrays))
    onnx.save(graph.model(symbol(graph)), path)


def _written(symbol: Callable, arrays: dict, folder: str) -> Path:
    """The model's file. The package that makes it takes no memory of this process."""
    path = Path(folder) / "net.onnx"
    writer = multiprocessing.get_context("fork").Process(target=_write, args=(symbol, arrays, path))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise RuntimeError("no ONNX model was written")
    return path


def _session(onnxruntime: object, path: Path) -> Callable:
    """ONNX Runtime, with every optimization that it has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def _compiled(openvino: object, path: Path) -> Callable:
    """OpenVINO for the shortest time of one call, in single precision."""
    settings = {
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()

    def call(inputs: dict) -> np.ndarray:
        request.infer(inputs, share_inputs=True)
        return request.get_output_tensor(0).data

    return call


def _infer(package: object, arrays: dict, symbol: Callable, start: Callable) -> Prepared:
    inputs = {n: arrays[n] for n in INPUTS if n in arrays}
    with tempfile.TemporaryDirectory() as folder:
        call = start(package, _written(symbol, arrays, folder))
    return Prepared(digest(call(inputs)), repeat(partial(call, inputs)))


SYMBOLS = {name: net.symbol for name, net in encoders.NETS.items()}
SYMBOLS.update(
    (name, partial(convnets.symbol, net=net)) for name, (net, _) in convnets.RUNS.items()
)
for _name, _symbol in SYMBOLS.items():
    prepares(_name, "session")(partial(_infer, symbol=_symbol, start=_session))
    prepares(_name, "model")(partial(_infer, symbol=_symbol, start=_compiled))
