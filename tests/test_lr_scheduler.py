"""Schedules against their formulas; the expected numbers of warm-up were read off MXNet 1.9.1."""

import math

import pytest

from baryon import lr_scheduler as lr


def _rates(schedule, count=14):
    return [schedule(n) for n in range(count)]


def test_factor_steps_and_floor():
    expected = [1.0] * 4 + [0.5] * 3 + [0.25] * 3 + [0.2] * 4
    assert _rates(lr.FactorScheduler(3, 0.5, base_lr=1, stop_factor_lr=0.2)) == expected


def test_factor_after_warmup():
    schedule = lr.FactorScheduler(3, 0.5, base_lr=1, warmup_steps=4, warmup_begin_lr=0.1)
    expected = [0.1, 0.325, 0.55, 0.775] + [0.5] * 3 + [0.25] * 3 + [0.125] * 3 + [0.0625]
    assert _rates(schedule) == pytest.approx(expected)


def test_multi_factor():
    expected = [1.0] * 4 + [0.1] * 4 + [0.01] * 6
    assert _rates(lr.MultiFactorScheduler([3, 7], 0.1, base_lr=1)) == pytest.approx(expected)


def test_poly():
    schedule = lr.PolyScheduler(10, 1, 2, 0.1)
    expected = [0.1 + 0.9 * (1 - min(n, 10) / 10) ** 2 for n in range(14)]
    assert _rates(schedule) == pytest.approx(expected)


def test_poly_constant_warmup():
    schedule = lr.PolyScheduler(
        10, 1, 2, 0.1, warmup_steps=3, warmup_begin_lr=0.2, warmup_mode="constant"
    )
    expected = [0.2] * 3 + [0.1 + 0.9 * (1 - min(n - 3, 7) / 7) ** 2 for n in range(3, 14)]
    assert _rates(schedule) == pytest.approx(expected)


def test_cosine():
    schedule = lr.CosineScheduler(10, 1, 0.1, warmup_steps=2)
    tail = [0.1 + 0.9 * (1 + math.cos(math.pi * min(n - 2, 8) / 8)) / 2 for n in range(2, 14)]
    assert _rates(schedule) == pytest.approx([0.0, 0.5, *tail])


@pytest.mark.parametrize(
    "make",
    [
        lambda: lr.LRScheduler(warmup_mode="x"),
        lambda: lr.LRScheduler(0.1, warmup_steps=-1),
        lambda: lr.LRScheduler(0.1, warmup_begin_lr=0.5),
        lambda: lr.FactorScheduler(0),
        lambda: lr.FactorScheduler(3, 1.5),
        lambda: lr.MultiFactorScheduler([3, 2]),
        lambda: lr.MultiFactorScheduler([0, 2]),
        lambda: lr.PolyScheduler(0),
        lambda: lr.CosineScheduler(0),
    ],
)
def test_refuses(make):
    with pytest.raises(ValueError):
        make()


def test_refuses_wrong_types():
    for make in (
        lambda: lr.LRScheduler(warmup_steps=2.5),
        lambda: lr.MultiFactorScheduler(5),
        lambda: lr.PolyScheduler(2.5),
    ):
        with pytest.raises(AssertionError):
            make()


def test_base_is_abstract():
    with pytest.raises(NotImplementedError):
        lr.LRScheduler()(3)
