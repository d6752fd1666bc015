"""Sentences as numbers, in batches of one length each."""

from __future__ import annotations

import bisect
import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..io import DataBatch, DataDesc, DataIter


def encode_sentences(
    sentences: Sequence[Sequence[Any]],
    vocab: dict[Any, int] | None = None,
    invalid_label: int = -1,
    invalid_key: str = "\n",
    start_label: int = 0,
    unknown_token: str | None = None,
) -> tuple[list[list[int]], dict[Any, int]]:
    """Sentences of words as lists of numbers, and the vocabulary.

    vocab         : number of each word; None makes one, from ``start_label`` on.
    invalid_label : number that no word gets: that of ``invalid_key``.
    unknown_token : the word for those that a given vocabulary lacks; with None they are an error.

    >>> mx.rnn.encode_sentences([["a", "b"], ["b"]], start_label=1, invalid_label=0)
    ([[1, 2], [2]], {'\\n': 0, 'a': 1, 'b': 2})
    """
    grows = vocab is None
    vocab = {invalid_key: invalid_label} if vocab is None else vocab
    following = start_label

    def number(word: Any) -> int:
        nonlocal following
        if word not in vocab and not grows and unknown_token is None:
            raise AssertionError(f"Unknown token {word}")
        if word not in vocab and unknown_token is not None:
            word = unknown_token
        if word not in vocab:
            following += following == invalid_label
            vocab[word] = following
            following += 1
        return vocab[word]

    return [[number(word) for word in sentence] for sentence in sentences], vocab


class BucketSentenceIter(DataIter):
    """Batches of sentences for language models: labels are the sentences moved by one word.

    Each batch comes from one bucket, whose length is its ``bucket_key``; shorter sentences are
    filled up with ``invalid_label``, longer ones than all buckets are left out.

    Parameters
    ----------
    sentences : lists of numbers.
    batch_size : sentences a batch; buckets drop the rest of their sentences each epoch.
    buckets : lengths; default: every length that fills a batch.
    layout : ``"NT"``, or ``"TN"`` with the time axis first.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        batch_size: int,
        buckets: Sequence[int] | None = None,
        invalid_label: int = -1,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        layout: str = "NT",
    ) -> None:
        super().__init__(batch_size)
        lengths = [len(s) for s in sentences]
        if not buckets:
            counts = np.bincount(lengths)
            buckets = [length for length, n in enumerate(counts) if n >= batch_size]
        if not buckets:
            raise ValueError(f"no length has {batch_size} sentences; give buckets")
        self.buckets = sorted(buckets)
        self.major_axis = layout.find("N")
        if layout not in ("NT", "TN"):
            raise ValueError(
                f"Invalid layout {layout}: Must by NT (batch major) or TN (time major)"
            )
        self.invalid_label = invalid_label
        self.data_name, self.label_name = data_name, label_name
        self.dtype, self.layout = dtype, layout
        self.default_bucket_key = max(self.buckets)
        self.data = self._in_buckets(sentences)
        self.idx = [
            (i, start)
            for i, rows in enumerate(self.data)
            for start in range(0, len(rows) - batch_size + 1, batch_size)
        ]
        self.curr_idx = 0
        self.provide_data = [self._desc(data_name, self.default_bucket_key)]
        self.provide_label = [self._desc(label_name, self.default_bucket_key)]
        self.reset()

    def _in_buckets(self, sentences: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """For each bucket its sentences, filled up."""
        rows: list[list[np.ndarray]] = [[] for _ in self.buckets]
        left_out = 0
        for sentence in sentences:
            i = bisect.bisect_left(self.buckets, len(sentence))
            if i == len(self.buckets):
                left_out += 1
                continue
            row = np.full(self.buckets[i], self.invalid_label, self.dtype)
            row[: len(sentence)] = sentence
            rows[i].append(row)
        if left_out:
            logging.warning("discarded %d sentences longer than the largest bucket.", left_out)
        shapes = [(len(r), length) for r, length in zip(rows, self.buckets, strict=True)]
        return [np.asarray(r, self.dtype).reshape(s) for r, s in zip(rows, shapes, strict=True)]

    def _desc(self, name: str, length: int) -> DataDesc:
        shape = (self.batch_size, length) if self.major_axis == 0 else (length, self.batch_size)
        return DataDesc(name, shape, layout=self.layout)

    def reset(self) -> None:
        """Shuffle batches (by `random`) and the sentences in each bucket (by `numpy.random`)."""
        self.curr_idx = 0
        random.shuffle(self.idx)
        for rows in self.data:
            np.random.shuffle(rows)

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end."""
        if self.curr_idx == len(self.idx):
            raise StopIteration
        bucket, start = self.idx[self.curr_idx]
        self.curr_idx += 1
        data = self.data[bucket][start : start + self.batch_size]
        label = np.full_like(data, self.invalid_label)
        label[:, :-1] = data[:, 1:]
        if self.major_axis == 1:
            data, label = data.T, label.T
        length = self.buckets[bucket]
        return DataBatch(
            [nd.array(data, dtype=self.dtype)],
            [nd.array(label, dtype=self.dtype)],
            pad=0,
            bucket_key=length,
            provide_data=[self._desc(self.data_name, length)],
            provide_label=[self._desc(self.label_name, length)],
        )
