"""Sentences as numbers and their batches."""

from __future__ import annotations

import random

import numpy as np
import pytest

import baryon as mx


def test_vocabularies():
    encode = mx.rnn.encode_sentences
    coded, vocab = encode([["a", "b"], ["b", "c"]], start_label=1, invalid_label=0)
    assert (coded, vocab) == ([[1, 2], [2, 3]], {"\n": 0, "a": 1, "b": 2, "c": 3})
    assert encode([["b", "z"]], {"b": 4, "u": 9}, unknown_token="u")[0] == [[4, 9]]
    with pytest.raises(AssertionError, match="z"):
        encode([["z"]], {"a": 1})
    assert encode([["a", "b"]], start_label=0, invalid_label=1)[0] == [[0, 2]]


@pytest.mark.parametrize("layout", ["NT", "TN"])
def test_batches(layout, caplog):
    sentences = [[1, 2, 3], [2, 3], [4, 5, 6, 7], [1, 2, 3], [3, 2, 1], [2, 3], [5] * 9]
    data = mx.rnn.BucketSentenceIter(sentences, 2, [3, 4], invalid_label=0, layout=layout)
    assert "discarded 1 sentences" in caplog.text and data.default_bucket_key == 4
    shape = (2, 4) if layout == "NT" else (4, 2)
    assert data.provide_data[0] == ("data", shape) and data.provide_data[0].layout == layout
    seen = []
    for batch in data:
        x, y = (
            a.asnumpy() if layout == "NT" else a.asnumpy().T
            for a in (batch.data[0], batch.label[0])
        )
        assert batch.bucket_key == x.shape[1] == 3
        np.testing.assert_array_equal(y[:, :-1], x[:, 1:])
        assert (y[:, -1] == 0).all()
        seen += x.tolist()
    assert len(seen) == 4  # two batches of five sentences
    assert all([int(v) for v in row if v] in sentences for row in seen)


def test_epochs_are_shuffled_by_both_generators():
    def epoch(seed):
        random.seed(seed)
        np.random.seed(seed)
        data = mx.rnn.BucketSentenceIter([[i, i] for i in range(1, 41)], 4, [2])
        return [b.data[0].asnumpy().tolist() for b in data]

    assert epoch(1) == epoch(1) != epoch(2)


def test_no_length_fills_a_batch():
    with pytest.raises(ValueError, match="buckets"):
        mx.rnn.BucketSentenceIter([[1], [1, 2]], 4)
