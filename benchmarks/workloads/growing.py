"""Workloads of growing size, by what grows: ``python -m benchmarks.growth``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import convnets, encoders, gluon, graphs, lenet
from .base import Workload


@dataclass(frozen=True)
class Series:
    """Workloads by size.

    what : what the size counts.    step : what is measured.    unit : what a time is divided by,
    where it should grow with the size.
    """

    what: str
    step: str
    workloads: dict[int, Workload]
    unit: str = ""


CONVNETS = ("torch/channels_last", "mxnet/symbol", "ort/session", "openvino/model")
ENCODERS = ("torch/eager", "mxnet/hybrid", "ort/session", "openvino/model")


def _plain(workload: Workload, keep: tuple[str, ...]) -> Workload:
    """Without bars, among these peers alone."""
    found = tuple(c for c in workload.contestants if c.startswith("baryon/") or c in keep)
    return replace(workload, contestants=found, bars=())


SERIES = {
    "batch": Series(
        "batch",
        "ResNet-50, inference on 224 x 224",
        {n: convnets.workload(f"resnet50.b{n}", peers=CONVNETS) for n in convnets.BATCHES},
        "an image",
    ),
    "depth": Series(
        "layers",
        "ResNet of 18 to 152 layers, inference on one image",
        {n: convnets.workload(f"resnet{n}.b1", peers=CONVNETS) for n in convnets.DEPTHS},
    ),
    "attention": Series(
        "words",
        "two layers of BERT's encoder (768 wide, 12 heads), one sentence",
        {n: encoders.workload(f"attention.t{n}", "", ENCODERS) for n in encoders.LENGTHS},
        "a word",
    ),
    "lstm": Series(
        "steps",
        "2 x LSTM 256, batch 20, inference",
        {n: encoders.workload(f"lstm256.t{n}", "", ENCODERS) for n in encoders.LENGTHS},
        "a step",
    ),
}
THREADS = tuple(
    _plain(workload, (*CONVNETS, "torch/eager", "mxnet/hybrid"))
    for workload in (
        *(w for w in convnets.WORKLOADS if w.name in ("resnet50.b1", "mobilenetv2.b1")),
        *(w for w in encoders.WORKLOADS if w.name == "bert.b1"),
        *lenet.WORKLOADS,
        *(w for w in gluon.WORKLOADS if w.name in ("gluon.mlp", "gluon.transformer_lm")),
    )
)
GRAPHS = graphs.WORKLOADS
ALL = {w.name: w for series in SERIES.values() for w in series.workloads.values()}
ALL.update((w.name, w) for w in GRAPHS)
