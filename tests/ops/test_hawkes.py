"""The likelihood of Hawkes processes against its definition, event by event."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

LDA, ALPHA, BETA = [0.7, 1.2], [0.4, 0.6], [1.5, 0.8]
LAGS, MARKS, END = [0.5, 0.3, 0.9, 0.2], [0, 1, 0, 1], 2.5


def likelihood(lda, alpha, beta, events=4):
    """The sum of log intensities at events less the integral of intensities."""
    times = np.cumsum(LAGS)[:events]
    total = 0.0
    for k in range(2):
        past = [t for t, m in zip(times, MARKS, strict=False) if m == k]
        for t in past:
            earlier = sum(np.exp(-beta[k] * (t - s)) for s in past if s < t)
            total += np.log(lda[k] + alpha[k] * beta[k] * earlier)
        total -= lda[k] * END + alpha[k] * sum(1 - np.exp(-beta[k] * (END - t)) for t in past)
    return total


def call(lda=LDA, alpha=ALPHA, beta=BETA, events=4, marks=MARKS):
    arrays = [mx.nd.array(x, dtype="float64") for x in ([lda], alpha, beta, [[0, 0]], [LAGS])]
    arrays.append(mx.nd.array([marks], dtype="int32"))
    arrays += [mx.nd.array([x], dtype="float64") for x in (events, END)]
    return arrays


@pytest.mark.parametrize("events", [0, 1, 3, 4])
def test_value(events):
    got = mx.nd.contrib.hawkesll(*call(events=events))[0].asnumpy()
    np.testing.assert_allclose(got, likelihood(LDA, ALPHA, BETA, events), rtol=1e-6)


def test_gradients():
    arrays = call()
    for x in arrays[:3]:
        x.attach_grad()
    with mx.autograd.record():
        value = mx.nd.contrib.hawkesll(*arrays)[0]
    value.backward()
    for i, x in enumerate(arrays[:3]):
        for k in range(2):
            shifted = [[*map(list, (LDA, ALPHA, BETA))] for _ in range(2)]
            shifted[0][i][k] += 1e-6
            shifted[1][i][k] -= 1e-6
            slope = (likelihood(*shifted[0]) - likelihood(*shifted[1])) / 2e-6
            np.testing.assert_allclose(x.grad.asnumpy().ravel()[k], slope, rtol=1e-5)


@pytest.mark.parametrize("mark", [-1, 2, 10**6])
def test_a_wild_mark_is_refused(mark):
    with pytest.raises(mx.MXNetError, match="hawkesll: a mark is outside"):
        mx.nd.contrib.hawkesll(*call(marks=[0, mark, 0, 0]))
