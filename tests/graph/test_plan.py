"""The memory planner against its own checker and the lower bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baryon as mx
import baryon.graph.plan as plan_module
from baryon.graph.plan import ALIGNMENT, Buffer, MemoryPlan, check_plan, plan_memory

buffers = st.builds(
    lambda size, first, span: Buffer(size, first, first + span),
    st.integers(0, 5000), st.integers(0, 30), st.integers(0, 15),
)  # fmt: skip


@given(st.lists(buffers, max_size=40))
@settings(max_examples=150, deadline=None)
def test_nothing_overlaps_in_time_and_space(given_buffers):
    plan = plan_memory(given_buffers)
    check_plan(plan)
    assert plan.lower_bound <= plan.planned <= plan.naive
    assert all(o % ALIGNMENT == 0 for o in plan.offsets)
    for a_offset, a in zip(plan.offsets, plan.buffers, strict=True):  # the checker, the slow way
        for b_offset, b in zip(plan.offsets, plan.buffers, strict=True):
            if a is not b and a.size and b.size and a.first <= b.last and b.first <= a.last:
                assert a_offset + a.size <= b_offset or b_offset + b.size <= a_offset


def test_lower_bound_is_the_largest_sum_of_live_bytes():
    plan = plan_memory([Buffer(64, 0, 1), Buffer(128, 1, 2), Buffer(64, 2, 3)])
    assert plan.live_bytes().tolist() == [64, 192, 192, 64]
    assert plan.lower_bound == 192


def test_a_chain_needs_two_buffers():
    plan = plan_memory([Buffer(1024, i, i + 1) for i in range(50)])
    assert plan.planned == plan.lower_bound == 2048
    assert plan.naive == 50 * 1024


def test_checker_finds_an_overlap():
    bad = MemoryPlan((Buffer(64, 0, 2), Buffer(64, 1, 3)), (0, 32), 128, 128, 128)
    with pytest.raises(mx.MXNetError, match="overlap"):
        check_plan(bad)


def test_checker_finds_a_buffer_outside_the_arena():
    with pytest.raises(mx.MXNetError, match="after the arena"):
        check_plan(MemoryPlan((Buffer(64, 0, 2),), (64,), 64, 64, 64))


def training_chain(depth: int, seed: int) -> list[Buffer]:
    """Lives as in training: each activation lasts until its own backward step."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 200, depth) * 4096
    forward = [Buffer(int(s), i, 2 * depth - i) for i, s in enumerate(sizes)]
    return forward + [Buffer(int(s), 2 * depth - i, 2 * depth - i + 1) for i, s in enumerate(sizes)]


@pytest.mark.parametrize("seed", range(5))
def test_within_two_percent_of_the_bound_on_training_chains(seed):
    plan = plan_memory(training_chain(60, seed))
    check_plan(plan)
    assert plan.planned <= 1.02 * plan.lower_bound


@pytest.mark.parametrize("seed", range(3))
def test_many_buffers_are_placed_as_they_come(seed, monkeypatch):
    monkeypatch.setattr(plan_module, "MANY", 0)
    plan = plan_memory(training_chain(400, seed))
    check_plan(plan)
    assert plan.planned <= 1.02 * plan.lower_bound


@given(st.lists(buffers, max_size=40))
@settings(max_examples=150, deadline=None)
def test_nothing_overlaps_where_buffers_are_placed_as_they_come(given_buffers):
    offsets, peak = plan_module._as_they_come(given_buffers)
    check_plan(MemoryPlan(tuple(given_buffers), tuple(offsets), 0, 0, peak))
