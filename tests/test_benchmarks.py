"""The benchmarks' own logic, and that baryon's adapters run and agree."""

from __future__ import annotations

import ast
import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from baryon.ops import REGISTRY
from benchmarks import growth, ops, report
from benchmarks.__main__ import main, options
from benchmarks.machine import facts
from benchmarks.operators import CASES
from benchmarks.operators.summary import bandwidth, geometric, speed, summary
from benchmarks.operators.yardstick import Yardstick
from benchmarks.peers import growth as memory
from benchmarks.process import Peer, PeerError, environment, interpreter
from benchmarks.runner import Result, disagreement, measure, measured, rival, spread, steps_for
from benchmarks.workloads import ALL, Bar, Workload, convnets, growing, select, without
from benchmarks.workloads.base import best

ROOT = Path(__file__).parent.parent
PORTABLE = sorted(
    p
    for folder in ("workloads", "peers", "operators")
    for p in (ROOT / "benchmarks" / folder).glob("*.py")
)


def only_baryon(peer: str) -> str | None:
    return sys.executable if peer == "baryon" else None


def quick(name: str, find=only_baryon) -> Result:
    return measure(ALL[name], rounds=2, seconds=0.001, find=find)


@pytest.mark.parametrize("path", PORTABLE, ids=lambda p: p.stem)
def test_what_peers_import_is_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_three_ways_of_lenet_agree():
    result = quick("lenet")
    assert result.void is None
    assert set(result.times) == {"baryon/symbol", "baryon/block", "baryon/hybrid"}
    assert all(len(t) == 2 and min(t) > 0 for t in result.times.values())
    assert "torch/eager skipped: its package is not installed" in result.notes


@pytest.mark.parametrize("net", ["lstm_lm", "transformer_lm"])
def test_gluon_networks_agree_recorded_and_hybridized(net):
    result = quick(f"gluon.{net}")
    assert result.void is None
    assert set(result.times) == {"baryon/block", "baryon/hybrid"}


def test_numpy_by_hand_trains_as_baryon_does():
    python = {"baryon": sys.executable, "numpy": sys.executable}
    result = quick("gluon.mlp", find=python.get)
    assert result.void is None and "numpy/hand" in result.times


def test_ways_of_attention_agree():
    workload = dataclasses.replace(
        growing.ALL["attention.t32"], contestants=("baryon/hybrid", "baryon/interleaved")
    )
    result = measure(workload, rounds=1, seconds=0.001, find=only_baryon)
    assert result.void is None and len(result.times) == 2


@pytest.mark.parametrize("depth", convnets.DEPTHS)
def test_residual_networks_have_as_many_layers_as_they_say(depth):
    net = convnets.resnet(depth)
    sides = sum(block.side is not None for block in net.blocks)
    assert sum(1 for block in net.blocks for _ in block.all()) - sides + 1 == depth


@pytest.mark.skipif(memory.mark() is None, reason="the system does not tell the peak of memory")
def test_growth_is_the_peak_since_the_mark():
    before = memory.mark()
    held = bytearray(b"x" * 2**25)
    del held
    assert 2**25 <= memory.since(before)["growth"] < 2**27


def test_memory_is_planned_close_to_the_bound():
    result = quick("memory.resnet18")
    assert not result.times
    assert [measured(result, bar) <= bar.at_most for bar in result.workload.bars] == [True, True]


def test_records_are_read():
    pytest.importorskip("cv2")
    result = quick("records")
    assert result.void is None and len(result.times["baryon/records"]) == 2


def test_contestant_that_cannot_is_noted_and_the_others_run():
    workload = dataclasses.replace(
        ALL["add16.eager"], contestants=("baryon/eager", "baryon/symbol")
    )
    result = measure(workload, rounds=1, seconds=0.001, find=only_baryon)
    assert [*result.times] == ["baryon/eager"]
    assert "no adapter for add16.eager, symbol" in result.notes[0]


def test_dead_peer_is_an_error_with_its_last_words():
    with Peer("nothing/eager", sys.executable) as peer, pytest.raises(PeerError, match="nothing"):
        peer.prepare("add16.eager")


def test_missing_interpreter_is_noted():
    result = quick("memory.lenet", find=lambda peer: "/no/such/python")
    assert len(result.notes) == 2 and "No such file" in result.notes[0]


def test_values_that_differ_void_the_run():
    agreed = {"a": [1.0, 0.0], "b": [1.0005, 1e-7]}
    assert disagreement(agreed) is None
    assert "b" in disagreement({**agreed, "b": [1.002, 0.0]})
    assert "nan" in disagreement({**agreed, "b": [float("nan"), 0.0]})
    assert "1 check values" in disagreement({**agreed, "b": [1.0]})
    assert disagreement({"a": [1.0]}) is None


def example(void: str | None = None) -> Result:
    bars = (Bar("x/a", 1.0, "y/a"), Bar("x/a", 2.5), Bar("x/a#bytes", 1.0, "x/a#bound"))
    workload = Workload("example", "nothing", dict, ("x/a", "y/a"), bars)
    times = {"x/a": [1.0, 2.0, 9.0], "y/a": [2.0, 4.0, 6.0]}
    return Result(workload, times, {"x/a": {"bytes": 3.0, "bound": 2.0}}, {"x": "1"}, [], void)


def test_ratios_are_medians_of_rounds():
    result = example()
    assert [measured(result, bar) for bar in result.workload.bars] == [0.5, 2.0, 1.5]
    verdicts = [report.verdict(result, bar) for bar in result.workload.bars]
    assert verdicts == ["pass", "pass", "**fail**"]
    assert report.verdict(example("differ"), Bar("x/a", 2.5)) == "void"
    assert report.verdict(result, Bar("z/a", 2.5)) == "not measured"


def test_best_peer_is_the_one_with_the_highest_ratio():
    names = ("baryon/a", "baryon/b", "x/a", "y/a", "z/a")
    times = {"baryon/a": [2.0], "baryon/b": [0.1], "x/a": [4.0], "y/a": [2.5]}
    figures = {"baryon/a": {"growth": 3.0}, "x/a": {"growth": 2.0}, "y/a": {"growth": 6.0}}
    bars = (best(0.7, "baryon/a"), best(0.7, "baryon/a", "growth"), Bar("baryon/a", 1.0, "z/a"))
    result = Result(Workload("example", "nothing", dict, names, bars), times, figures)
    assert [rival(result, bar) for bar in bars] == ["y/a", "x/a#growth", "z/a"]
    assert [measured(result, bar) for bar in bars] == [0.8, 1.5, None]
    assert "<= 0.7 x best (y/a)" in report.bars_table([result])
    alone = without(result.workload, ["x", "y/a", "z"])
    assert alone.contestants == ("baryon/a", "baryon/b")
    assert measured(Result(alone, times), bars[0]) is None


def test_traffic_of_a_case():
    a, half = np.zeros(8, "float32"), np.zeros(4, "float32")
    assert CASES["sum"].moved({"a": a}, half) == (32, 16)
    assert CASES["softmax+grad"].moved({"a": a}, a) == (96, 64)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
def test_yardsticks_are_rates_of_this_machine():
    with Yardstick(threads=1) as yardstick:
        rates = yardstick.measure(megabytes=4, rounds=3)
        assert set(rates) == {"read", "copy", "fill"} and min(rates.values()) > 1e8
        assert all(yardstick.measure(4, 3)[name] >= rate for name, rate in rates.items())


def test_spread_is_half_the_interquartile_range():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1 / 3)
    assert spread([1.0]) == 0


def test_steps_fill_the_time():
    assert steps_for(lambda n: n * 1e-6, 0.1) == pytest.approx(1e5, rel=0.01)
    assert steps_for(lambda n: n * 3.0, 0.1) == 1


def test_report_has_every_bar_and_replaces_only_its_section():
    text = report.markdown([example("values differ")], facts(2))
    assert "example is void: values differ" in text
    once = report.replace_section("before\n", "old")
    assert report.replace_section(once + "after", "new").startswith("before\n")
    assert report.replace_section(once + "after", "new").count(report.BEGIN) == 1
    assert "old" not in report.replace_section(once, "new")
    raw = json.loads(report.raw([example()], facts(2)))
    assert raw["results"][0]["bars"][0][3] == 0.5


@pytest.mark.parametrize(
    "number, unit, text",
    [(2.5e-7, "s", "250 ns"), (3.2e-5, "s", "32 us"), (1.5, "s", "1.5 s"), (None, "s", "-"),
     (2**20, "B", "1.0 MiB")],
)  # fmt: skip
def test_quantities_have_units(number, unit, text):
    assert report.quantity(number, unit) == text


def test_workloads_are_chosen_by_name_or_first_part():
    assert [w.name for w in select("add16,lenet")] == ["add16.eager", "add16.recorded", "lenet"]
    assert [w.name for w in select("add16.eager")] == ["add16.eager"]
    assert [w.name for w in select("vgg16,inference")][:2] == ["vgg16.b1", "resnet50.b1"]
    assert len(select(None)) == len(ALL)
    with pytest.raises(SystemExit):
        options(["--only", "unknown"])


def test_one_command_prints_and_writes(tmp_path, monkeypatch, capsys):
    for peer in ("MXNET", "TORCH"):
        monkeypatch.setenv(f"BARYON_BENCH_{peer}_PYTHON", str(tmp_path / "missing"))
    monkeypatch.setattr("benchmarks.runner.interpreter", only_baryon)
    page, file = tmp_path / "page.md", tmp_path / "all.json"
    page.write_text("# Title\n")
    arguments = ["--only", "memory.lenet", "--markdown", str(page), "--json", str(file)]
    assert main(arguments) == 0
    assert "| memory.lenet" in capsys.readouterr().out
    assert page.read_text().startswith("# Title\n") and report.END in page.read_text()
    assert json.loads(file.read_text())["results"][0]["workload"] == "memory.lenet"


def test_interpreters_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BARYON_BENCH_TORCH_PYTHON", "elsewhere")
    assert interpreter("torch") == "elsewhere"
    assert interpreter("baryon") == sys.executable
    assert interpreter("no_such_peer") is None
    assert "PYTHONPATH" not in environment("elsewhere", 2)
    assert environment(sys.executable, 3)["OMP_NUM_THREADS"] == "3"


def test_cases_are_of_operators_with_kernels():
    assert all(REGISTRY[case.op].kernel for case in CASES.values())


def test_operators_are_measured_in_one_process(capsys, monkeypatch, tmp_path):
    for peer in ("MXNET", "TORCH"):
        monkeypatch.setenv(f"BARYON_BENCH_{peer}_PYTHON", str(tmp_path / "missing"))
    monkeypatch.setattr(
        "benchmarks.ops.interpreter",
        lambda peer: sys.executable if peer in ("baryon", "numpy") else None,
    )
    wanted = "exp,sum,softmax,Convolution:3x3+grad,RNN:lstm,adam_update"
    assert ops.main(["--only", wanted, "--size", "L1", "--rounds", "1", "--seconds", "1e-4"]) == 0
    out = capsys.readouterr().out
    assert "| exp " in out and "| numpy " in out and "| Convolution:3x3+grad " in out
    with pytest.raises(SystemExit):
        ops.options(["--only", "unknown"])


def test_growth_tells_a_row_a_size(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.runner.interpreter", only_baryon)
    page = tmp_path / "page.md"
    wanted = ["--only", "lstm,graph", "--largest", "32", "--rounds", "1", "--seconds", "1e-3"]
    assert growth.main([*wanted, "--markdown", str(page)]) == 0
    out = capsys.readouterr().out
    assert "| steps | baryon/hybrid" in out and "| 32    |" in out and "| 64 " not in out
    assert "| dag   | 10    | baryon/symbol" in out and out.strip() in page.read_text()
    with pytest.raises(SystemExit):
        growth.options(["--only", "unknown"])


def test_summary_tells_what_is_slower_than_mxnet():
    workload = CASES["exp"].workload("L1")
    fast = Result(workload, {"baryon/call": [1.0], "mxnet/call": [4.0]})
    slow = Result(workload, {"baryon/call": [2.0], "mxnet/call": [1.0]})
    assert speed(fast, "mxnet") == 4 and speed(fast, "torch") is None
    text = summary({("exp", "L1"): fast, ("log", "L1"): slow}, {})
    assert "- log (L1): 0.50 of MXNet's speed" in text and "1 of 2" in text
    assert geometric([1.0, 4.0]) == pytest.approx(2)
    sizes = {"baryon/call": {"read": 6e9, "written": 4e9}}
    bound = Result(CASES["sum"].workload("large"), {"baryon/call": [10.0]}, sizes)
    rates = {"read": 1e9, "copy": 4e9, "fill": 2e9}  # 2 s of copying and 2 s of reading
    text = bandwidth({("sum", "large"): bound}, rates)
    assert "0 of 1 reach 70% of what bare loops give (GB/s: read 1, copy 4, fill 2)" in text
    assert "- sum: 40%" in text
    assert bandwidth({("sum", "large"): bound}, {}) == ""
    assert speed(Result(workload, fast.times, void="differs"), "mxnet") is None
