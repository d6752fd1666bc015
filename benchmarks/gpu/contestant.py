"""One contestant in a process of its own; prints its times as a line of JSON.

``python -m benchmarks.gpu.contestant baryon resnet50 --half float16``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .sizes import FULL, TINY
from .timing import measure


def use_stand_in() -> None:
    """The tests' stand-ins for CuPy, cuBLAS and cuDNN, to try the code where there is no GPU."""
    tests = Path(__file__).parents[2] / "tests"
    sys.path[:0] = [str(tests), str(tests / "device")]
    import stand_in
    from stand_in import cublas, cudnn

    stand_in.install()
    sys.modules["cudnn"] = cudnn.module()
    from baryon.cuda import blas

    blas.library = lambda major: cublas.library


def _prepared(chosen: argparse.Namespace) -> Any:
    sizes = TINY if chosen.device == "cpu" else FULL
    if chosen.peer == "torch":
        from . import torch_nets

        device = "cpu" if chosen.device == "cpu" else "cuda"
        return torch_nets.WORKLOADS[chosen.workload](sizes, device, chosen.half, chosen.way)
    if chosen.device == "cpu":
        use_stand_in()
    import baryon as mx

    from . import baryon_nets

    return baryon_nets.WORKLOADS[chosen.workload](sizes, mx.gpu(0), chosen.half)


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=("baryon", "torch"))
    parser.add_argument("workload")
    parser.add_argument("--way", default="eager", choices=("eager", "compile", "graphs"))
    parser.add_argument("--half", choices=("float16", "bfloat16"))
    parser.add_argument("--device", default="gpu", choices=("gpu", "cpu"))
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    print(json.dumps(measure(*_prepared(chosen), chosen.seconds)), flush=True)


if __name__ == "__main__":
    main()
