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
    """Probes, tests (files under ``tests/device``), contestants; and seconds that it may take.

    contestants : "peer/workload/way/half".
    """

    name: str
    seconds: int
    probes: tuple[str, ...] = ()
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
    Section(
        "risks", 80,
        ("copies", "by_value", "bfloat16", "cublas", "cudnn", "graphs", "steps", "calls",
         "compiling"),
    ),
    Section(
        "cudnn", 50,
        tests=("test_cudnn.py", "test_attention.py", "test_linear.py", "test_channels_last.py"),
    ),
    Section(
        "resnet50", 120, contestants=_all("resnet50", "float16"),
        bars=_faster("resnet50", "float16", ("compile", 1.0), ("eager", 1.3)),
    ),
    Section(
        "bert", 100, contestants=_all("bert", "float16"),
        bars=_faster("bert", "float16", ("compile", 1.0)),
    ),
    Section(
        "programs", 70,
        tests=("test_device_steps.py", "test_device_programs.py", "test_device_arrays.py",
               "test_mixed_precision.py", "test_multi_gpu.py"),
    ),
    Section(
        "launches", 70,
        contestants=("baryon/mlp_fit/eager/", "baryon/lenet_fit/eager/", *_all("mlp"),
                     *_all("lenet"), "torch/mlp/graphs/"),
        bars=(
            *_faster("mlp", "", ("eager", 5.0)), *_faster("lenet", "", ("eager", 5.0)),
            *(Bar(f"{net} by Module.fit: at least 5 x torch eager", f"torch/{net}/eager/",
                  f"baryon/{net}_fit/eager/", 5.0) for net in ("mlp", "lenet")),
        ),
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
    Section("kernels", 80, tests=("test_kernels.py", "test_kernel_shapes.py")),
    Section("contract", 100, tests=("test_device_contract.py",)),
)  # fmt: skip
