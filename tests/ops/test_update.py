"""Optimizer updates over several steps, against formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

SHAPE, LR, WD, RESCALE, LIMIT = (40_000,), 0.1, 0.01, 0.5, 0.6


def clip(g):
    return np.clip(g, -LIMIT, LIMIT)


def sgd_mom(w, g, m):
    m[:] = 0.9 * m - LR * (clip(RESCALE * g) + WD * w)
    return w + m


def nag_mom(w, g, m):
    g = clip(RESCALE * g) + WD * w
    m[:] = 0.9 * m - LR * g
    return w + 0.9 * m - LR * g


def signum(w, g, m):
    m[:] = 0.9 * m - 0.1 * (clip(RESCALE * g) + WD * w)
    return w + LR * np.sign(m)


def adam(w, g, m, v):
    g = clip(RESCALE * g + WD * w)
    m[:] = 0.9 * m + 0.1 * g
    v[:] = 0.999 * v + 0.001 * g * g
    return w - LR * m / (np.sqrt(v) + 1e-8)


def rmsprop(w, g, n):
    g = clip(RESCALE * g + WD * w)
    n[:] = 0.95 * n + 0.05 * g * g
    return w - LR * g / np.sqrt(n + 1e-8)


def ftrl(w, g, z, n):
    g = clip(RESCALE * g)
    z += g - (np.sqrt(n + g * g) - np.sqrt(n)) * w / LR
    n += g * g
    new = (np.sign(z) * 0.01 - z) / ((1 + np.sqrt(n)) / LR + WD)
    return np.where(np.abs(z) > 0.01, new, 0)


CASES = {
    "sgd_mom_update": (sgd_mom, 1, {"momentum": 0.9}),
    "nag_mom_update": (nag_mom, 1, {"momentum": 0.9}),
    "signum_update": (signum, 1, {"momentum": 0.9}),
    "adam_update": (adam, 2, {}),
    "rmsprop_update": (rmsprop, 1, {}),
    "ftrl_update": (ftrl, 2, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_three_steps(name):
    rule, count, attrs = CASES[name]
    want, states = np.random.normal(size=SHAPE), [np.zeros(SHAPE) for _ in range(count)]
    weight, arrays = mx.nd.array(want), [mx.nd.zeros(SHAPE) for _ in range(count)]
    attrs = dict(attrs, lr=LR, wd=WD, rescale_grad=RESCALE, clip_gradient=LIMIT)
    for _ in range(3):
        grad = np.random.normal(size=SHAPE)
        want = rule(want, grad, *states)
        getattr(mx.nd, name)(weight, mx.nd.array(grad), *arrays, out=weight, **attrs)
    np.testing.assert_allclose(weight.asnumpy(), want, rtol=1e-4, atol=1e-4)
    for got, state in zip(arrays, states, strict=True):
        np.testing.assert_allclose(got.asnumpy(), state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_many_weights_are_updated_as_one_by_one(dtype):
    mixed = dtype == "float16"
    prefix = "mp_" if mixed else ""
    shapes, lrs, wds = [(30_000,), (7, 11), (1,)], (0.1, 0.2, 0.3), (0.01, 0.0, 0.1)
    fused, single = [], []
    for shape in shapes:
        values = [np.random.normal(size=shape) for _ in range(3)]
        for into in (fused, single):
            into += [[mx.nd.array(v, dtype=dtype) for v in values[:2]]]
            into[-1] += [mx.nd.array(values[2])]
            into[-1] += [into[-1][0].astype("float32")] if mixed else []
    for arrays, lr, wd in zip(single, lrs, wds, strict=True):
        update = getattr(mx.nd, f"{prefix}sgd_mom_update")
        update(*arrays, out=arrays[0], lr=lr, wd=wd, momentum=0.9)
    getattr(mx.nd, f"multi_{prefix}sgd_mom_update")(
        *[a for arrays in fused for a in arrays],
        out=[arrays[0] for arrays in fused],
        **dict(lrs=lrs, wds=wds, momentum=0.9, num_weights=3),
    )
    for some, others in zip(fused, single, strict=True):
        for got, want in zip(some, others, strict=True):
            np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [0.0, np.inf, np.nan])
def test_adamw_skips_a_step_whose_scale_is_unusable(scale):
    weight, grad, mean, var = (mx.nd.array(np.random.uniform(1, 2, 5)) for _ in range(4))
    before = [a.asnumpy() for a in (weight, mean, var)]
    mx.nd._internal._adamw_update(
        weight, grad, mean, var, mx.nd.array([scale]), out=weight, lr=0.1, eta=1.0
    )
    for got, want in zip((weight, mean, var), before, strict=True):
        np.testing.assert_array_equal(got.asnumpy(), want)


# Observed in MXNet 1.9.1: the scaled and clipped gradient is kept, unless the step is skipped.
@pytest.mark.parametrize(
    ("scale", "clip", "kept"),
    [
        (1.0, -1.0, [0.5, -2.0]),
        (0.5, -1.0, [0.25, -1.0]),
        (0.5, 0.3, [0.25, -0.3]),
        (0.5, 0.0, [0.0, 0.0]),
        (0.0, 0.3, [0.5, -2.0]),
        (np.inf, 0.3, [0.5, -2.0]),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_adamw_keeps_the_gradient_it_used(dtype, scale, clip, kept):
    weight, grad, mean, var = (
        mx.nd.array(v, dtype=dtype) for v in ([1, 2], [0.5, -2], [0.1, 0.2], [0.3, 0.4])
    )
    mx.nd._internal._adamw_update(
        *(weight, grad, mean, var, mx.nd.array([scale])),
        **dict(out=weight, lr=0.1, eta=1.0, clip_gradient=clip),
    )
    np.testing.assert_allclose(grad.asnumpy(), kept, rtol=1e-3)


def test_counts_must_agree():
    w = mx.nd.ones((2,))
    with pytest.raises(mx.base.MXNetError, match="lrs"):
        mx.nd.multi_sgd_update(w, w, lrs=(0.1, 0.2), wds=(0.0,), num_weights=1, out=w)
