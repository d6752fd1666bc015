"""An LSTM language model over sentences of many lengths, one bucket of the network for each.

The text is Python's own reference, as the interpreter carries it for `help()`.

    python examples/symbolic/bucketing_lm.py [--epochs 5] [--fused] [--tiny]
"""

from __future__ import annotations

import argparse
import logging
import random
import re
from pydoc_data.topics import topics

import numpy as np

import baryon as mx
from baryon import sym

BUCKETS = [10, 20, 30, 40]
PAD, UNKNOWN = 0, "<unk>"


def sentences(count: int, words: int) -> tuple[list[list[int]], int]:
    """Sentences as numbers, and the size of the vocabulary: the commonest words and "unknown"."""
    text = " ".join(topics[name] for name in sorted(topics))
    split = [re.findall(r"[a-z]+", s.lower()) for s in re.split(r"[.!?]\s", text)]
    split = [s for s in split if 3 <= len(s) <= BUCKETS[-1]][:count]
    counts: dict[str, int] = {}
    for word in (w for s in split for w in s):
        counts[word] = counts.get(word, 0) + 1
    common = sorted(counts, key=lambda w: (-counts[w], w))[:words]
    vocab = {word: i for i, word in enumerate(["\n", UNKNOWN, *common])}
    coded, _ = mx.rnn.encode_sentences(split, vocab, unknown_token=UNKNOWN, invalid_label=PAD)
    return coded, len(vocab)


def cells(options: argparse.Namespace) -> mx.rnn.BaseRNNCell:
    """The recurrent layers, as one operator or as single cells."""
    fused = mx.rnn.FusedRNNCell(
        options.hidden, options.layers, mode="lstm", dropout=0.2, prefix="lstm_"
    )
    return fused if options.fused else fused.unfuse()


def network(stack: mx.rnn.BaseRNNCell, vocab: int, options: argparse.Namespace):
    """The function that makes the network of a bucket."""

    def sym_gen(length: int) -> tuple[sym.Symbol, tuple[str], tuple[str]]:
        x = sym.Embedding(
            sym.Variable("data"), input_dim=vocab, output_dim=options.hidden, name="embed"
        )
        outputs, _ = stack.unroll(length, x, merge_outputs=True)
        scores = sym.FullyConnected(
            sym.Reshape(outputs, shape=(-1, options.hidden)), num_hidden=vocab, name="pred"
        )
        label = sym.Reshape(sym.Variable("softmax_label"), shape=(-1,))
        loss = sym.SoftmaxOutput(
            scores, label, use_ignore=True, ignore_label=PAD, normalization="valid", name="softmax"
        )
        return loss, ("data",), ("softmax_label",)

    return sym_gen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--fused", action="store_true", help="layers as one operator")
    parser.add_argument("--tiny", action="store_true", help="few sentences, small layers")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    size = 32
    if options.tiny:
        options.epochs, options.hidden, options.words, size = 2, 16, 100, 8
    for generator in (random, np.random, mx.random):
        generator.seed(1)
    coded, vocab = sentences(200 if options.tiny else 100_000, options.words)
    held = len(coded) // 10
    train, test = (
        mx.rnn.BucketSentenceIter(part, size, BUCKETS, invalid_label=PAD)
        for part in (coded[held:], coded[:held])
    )
    print(f"{len(coded)} sentences, {vocab} words, buckets {BUCKETS}")
    module = mx.mod.BucketingModule(
        network(cells(options), vocab, options), default_bucket_key=train.default_bucket_key
    )
    module.fit(
        train,
        eval_data=test,
        eval_metric=mx.metric.Perplexity(PAD),
        initializer=mx.init.Xavier(factor_type="in", magnitude=2.34),
        optimizer="adam",
        # The loss is a mean already; the clipping keeps long sentences in bounds.
        optimizer_params={"learning_rate": 0.005, "rescale_grad": 1.0, "clip_gradient": 1.0},
        batch_end_callback=mx.callback.Speedometer(size, 50),
        num_epoch=options.epochs,
    )
    (_, perplexity), *_ = module.score(test, mx.metric.Perplexity(PAD))
    print(f"test perplexity {perplexity:.1f} (a guess among all words: {vocab})")
    if not perplexity < vocab:
        raise SystemExit("the model has learned nothing")


if __name__ == "__main__":
    main()
