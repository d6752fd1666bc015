"""What a run consists of, the most important first, and the bars that its figures are held to."""

from __future__ import annotations

from typing import NamedTuple


class Bar(NamedTuple):
    """``left / right`` of the seconds of two contestants is to be at least, or at most, `limit`.

    Without `right` it is the left one's seconds, times `factor`.
    """

    text: str
    left: str
    right: str | None
    limit: float
    at_most: bool = False
    factor: float = 1.0


class Section(NamedTuple):
    """Tests (files under ``tests/device``), or contestants of workloads; and seconds it may take.

    contestants : "peer/workload/way/half".
    """

    name: str
    seconds: int
    tests: tuple[str, ...] = ()
    contestants: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()


def _faster(workload: str, half: str, *limits: tuple[str, float]) -> tuple[Bar, ...]:
    own = f"baryon/{workload}/eager/{half}"
    return tuple(
        Bar(
            f"{workload}: at least {limit} x torch {way}",
            f"torch/{workload}/{way}/{half}",
            own,
            limit,
        )  # fmt: skip
        for way, limit in limits
    )


def _all(workload: str, half: str = "", ways: tuple[str, ...] = ("eager", "compile")) -> tuple:
    return (
        f"baryon/{workload}/eager/{half}",
        *(f"torch/{workload}/{way}/{half}" for way in ways),
    )


SECTIONS = (
    Section("kernels", 100, ("test_kernels.py", "test_kernel_shapes.py")),
    Section("cudnn", 40, ("test_cudnn.py",)),
    Section(
        "resnet50", 130, contestants=_all("resnet50", "float16"),
        bars=_faster("resnet50", "float16", ("compile", 1.0), ("eager", 1.3)),
    ),
    Section(
        "bert", 110, contestants=_all("bert", "float16"),
        bars=_faster("bert", "float16", ("compile", 1.0)),
    ),
    Section(
        "programs", 60,
        ("test_device_programs.py", "test_device_arrays.py", "test_mixed_precision.py",
         "test_multi_gpu.py"),
    ),
    Section(
        "launches", 60, contestants=_all("mlp") + _all("lenet") + ("torch/mlp/graphs/",),
        bars=_faster("mlp", "", ("eager", 5.0)) + _faster("lenet", "", ("eager", 5.0)),
    ),
    Section(
        "lstm", 50, contestants=_all("lstm", ways=("eager",)),
        bars=_faster("lstm", "", ("eager", 1.0)),
    ),
    Section(
        "pointwise", 40,
        contestants=("baryon/copy/eager/", *_all("pointwise", ways=("compile",))),
        bars=(
            Bar("pointwise: 85 % of the bandwidth of a copy (3 against 2 accesses)",
                "baryon/copy/eager/", "baryon/pointwise/eager/", 0.85, factor=1.5),
        ),
    ),
    Section(
        "eager", 20, contestants=_all("eager", ways=("eager",)),
        bars=(Bar("eager: at most 6 us a call", "baryon/eager/eager/", None, 6.0, True, 1e4),),
    ),
    Section("contract", 150, ("test_device_contract.py",)),
)  # fmt: skip
