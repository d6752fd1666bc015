"""The profiler: what it records, and how it tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

import baryon as mx
from baryon import profiler
from baryon.graph import program


@pytest.fixture(autouse=True)
def fresh(tmp_path):
    profiler.dumps(reset=True)
    profiler.set_config(aggregate_stats=True, filename=str(tmp_path / "trace.json"))
    yield tmp_path / "trace.json"
    profiler.set_state("stop")
    profiler.dumps(reset=True)
    profiler.set_config()


def told():
    return json.loads(profiler.dumps(format="json"))["Time"]


def counts_of(category="operator"):
    """How often each operator was called, whether by its kernel or its body."""
    return {n.removesuffix(" (body)"): row["Count"] for n, row in told()[category].items()}


def watch(path, **what):
    profiler.set_config(aggregate_stats=True, filename=str(path), **what)
    profiler.set_state("run")


def executor():
    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="fc")
    return mx.sym.tanh(symbol).simple_bind(mx.cpu(), data=(2, 3), grad_req="null")


def test_compiled_networks(fresh):
    exe = executor()
    watch(fresh, profile_symbolic=True)
    for _ in range(3):
        exe.forward()
    (mx.nd.ones(3) + 1).asnumpy()  # eager, not watched
    profiler.set_state("stop")
    exe.forward()
    assert counts_of() == {"FullyConnected": 3, "tanh": 3}
    assert not program.listeners
    assert [" 3 " in x for x in profiler.table().splitlines()] == [False, True, True]
    profiler.dump()
    spans = [e for e in json.loads(fresh.read_text())["traceEvents"] if e["ph"] == "X"]
    costs = {e["name"].removesuffix(" (body)"): e["args"] for e in spans}
    assert costs["FullyConnected"] == {"flops": 2 * 2 * 3 * 4, "bytes": 4 * (6 + 12 + 4 + 8)}
    assert costs["tanh"]["flops"] == 0


def test_the_share_of_the_machine_s_peak(fresh):
    peaks = profiler.peaks()
    assert peaks is profiler.peaks() and min(peaks) > 0
    assert told() == {}  # measuring is not recorded
    assert peaks.share(100 * peaks.flops, 0, 400) == pytest.approx(0.25)
    assert peaks.share(peaks.flops, 100 * peaks.bytes, 200) == pytest.approx(0.5)
    exe = executor()
    exe.forward()  # (the first call fetches what it needs: its share may round to 0)
    watch(fresh, profile_symbolic=True)
    exe.forward()
    head, *lines = profiler.table().splitlines()
    assert head.endswith("of peak") and len(lines) == 2
    assert all(float(line.split()[-1].rstrip("%")) > 0 for line in lines)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_eager_calls_and_a_pause(fresh):
    watch(fresh, profile_all=True)
    x = mx.nd.ones((2, 2))
    y = x * 2 + x
    profiler.pause()
    y.exp()
    profiler.resume()
    np.testing.assert_array_equal(y.tanh().asnumpy(), np.full((2, 2), np.tanh(3, dtype="f4")))
    profiler.profiler_set_state("stop")
    y.sqrt()
    counts = counts_of()
    assert counts["_mul_scalar"] == counts["broadcast_add"] == counts["tanh"] == 1
    assert "exp" not in counts and "sqrt" not in counts


def test_spans_and_their_trace(fresh):
    watch(fresh)
    domain = profiler.Domain("loading")
    for span in (domain.new_task("decode"), domain.new_frame("step"), profiler.Event("alone")):
        span.start()
        span.stop()
        span.stop()  # nothing is running
    counter = domain.new_counter("images", 5)
    counter += 3
    counter -= 1
    counter.increment(2)
    counter.decrement()
    domain.new_marker("best").mark("thread")
    assert [str(x) for x in (domain, counter, span)] == ["loading", "images", "alone"]
    found = told()
    assert found["loading"]["decode"]["Count"] == found["loading,frame"]["step"]["Count"] == 1
    assert found["event"]["alone"]["Count"] == 1
    profiler.dump()
    events = json.loads(fresh.read_text())["traceEvents"]
    assert [e["args"]["images"] for e in events if e["ph"] == "C"] == [5, 8, 7, 9, 8]
    assert [e["s"] for e in events if e["ph"] == "i"] == ["t"]
    spans = [e for e in events if e["ph"] == "X"]
    assert len(spans) == 3 and all(e["dur"] >= 0 for e in spans)


def test_tables_are_sorted_and_reset(fresh):
    watch(fresh, profile_imperative=True)
    for _ in range(3):
        mx.nd.ones(2).exp()
    mx.nd.ones(2).log()
    text = profiler.dumps(sort_by="count")
    assert text.index("exp") < text.index("log")
    text = profiler.dumps(reset=True, sort_by="count", ascending=True)
    assert text.index("log") < text.index("exp")
    assert told() == {}
    profiler.set_config(profile_imperative=True)
    mx.nd.ones(2).exp()
    assert profiler.dumps() == ""  # without aggregate_stats


def test_errors_are_those_of_mxnet():
    with pytest.raises(mx.MXNetError, match="Cannot find argument 'bogus'"):
        profiler.set_config(bogus=1)
    for call in (profiler.set_state, lambda x: profiler.pause(x), lambda x: profiler.dump(True, x)):
        with pytest.raises(KeyError, match="bogus"):
            call("bogus")
    for bad in ({"format": "bogus"}, {"sort_by": "bogus"}):
        with pytest.raises(AssertionError, match="Invalid value provided"):
            profiler.dumps(**bad)
    with pytest.raises(mx.MXNetError, match="Invalid Input"):
        profiler.Marker(profiler.Domain("d"), "m").mark("bogus")


def test_old_names(fresh):
    with pytest.warns(match="deprecated"):
        profiler.profiler_set_config("all", str(fresh))
    with pytest.warns(match="deprecated"):
        profiler.dump_profile()
    assert fresh.exists()
