"""A word language model: LSTM layers trained by truncated backpropagation through time.

The text is the language reference that Python ships with (`pydoc_data.topics`, 70,000 words). The
batch runs through it in parallel columns; the state goes on from one stretch to the next, its
gradient does not (Zaremba et al., 2014).

    python examples/gluon/word_lm.py [--epochs 8] [--hybridize] [--tiny]
"""

from __future__ import annotations

import argparse
import math
import pydoc_data.topics
import re
import time
from collections import Counter

import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn, rnn


def words() -> list[str]:
    """The text as words and punctuation, lower case."""
    text = "\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
    return re.findall(r"[a-z]+|[0-9]+|[^\sa-z0-9]", text.lower())


def numbered(text: list[str], size: int) -> tuple[np.ndarray, list[str]]:
    """The words as numbers, rarer ones than the `size` most frequent all 0, and the vocabulary."""
    vocabulary = ["<unk>", *(word for word, _ in Counter(text).most_common(size - 1))]
    index = {word: i for i, word in enumerate(vocabulary)}
    return np.array([index.get(word, 0) for word in text], np.float32), vocabulary


def columns(numbers: np.ndarray, batch: int) -> np.ndarray:
    """The text cut into `batch` stretches, side by side: (time, batch)."""
    length = len(numbers) // batch
    return numbers[: length * batch].reshape(batch, length).T


class Model(gluon.HybridBlock):
    """Embedding, LSTM, and scores of the next word; the embedding's matrix gives the scores too."""

    def __init__(self, vocabulary: int, width: int, layers: int, drop: float) -> None:
        super().__init__()
        with self.name_scope():
            self.drop = nn.Dropout(drop)
            self.embedding = nn.Embedding(
                vocabulary, width, weight_initializer=mx.init.Uniform(0.1)
            )
            self.lstm = rnn.LSTM(width, layers, dropout=drop, input_size=width)
            self.scores = nn.Dense(
                vocabulary, in_units=width, flatten=False, params=self.embedding.params
            )

    def hybrid_forward(self, F, tokens, state):
        """Tokens (time, batch) and a state to scores of the next words and the next state."""
        seen, state = self.lstm(self.drop(self.embedding(tokens)), state)
        return self.scores(self.drop(seen)), state

    def begin(self, batch: int) -> list:
        """The state before the first word."""
        return self.lstm.begin_state(batch_size=batch)


def stretches(text: np.ndarray, steps: int):
    """Words and the words that follow them, `steps` at a time."""
    for start in range(0, len(text) - 1, steps):
        stop = min(start + steps, len(text) - 1)
        yield mx.nd.array(text[start:stop]), mx.nd.array(text[start + 1 : stop + 1])


def perplexity(net: Model, text: np.ndarray, steps: int, loss_of: gluon.loss.Loss) -> float:
    """How many words the model is torn between, on average."""
    state, total, count = net.begin(text.shape[1]), 0.0, 0
    for data, label in stretches(text, steps):
        scores, state = net(data, state)
        total += float(loss_of(scores, label).mean().asscalar()) * data.size
        count += data.size
    return math.exp(total / count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--steps", type=int, default=35, help="words before the gradient is cut")
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--clip", type=float, default=0.25, help="largest norm of the gradients")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--hybridize", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="a little text, for a quick check")
    options = parser.parse_args()
    text = words()
    if options.tiny:
        text, options.epochs, options.width, options.vocabulary = text[:6000], 2, 32, 300
    mx.random.seed(1)
    numbers, vocabulary = numbered(text, options.vocabulary)
    split = len(numbers) * 9 // 10
    train, test = (columns(part, options.batch_size) for part in np.split(numbers, [split]))
    net = Model(len(vocabulary), options.width, options.layers, options.dropout)
    net.initialize(mx.init.Xavier())
    if options.hybridize:
        net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": options.lr})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    params = [p for p in net.collect_params().values() if p.grad_req != "null"]
    for epoch in range(options.epochs):
        state, began, total, count = net.begin(options.batch_size), time.perf_counter(), 0.0, 0
        for data, label in stretches(train, options.steps):
            state = [s.detach() for s in state]
            with autograd.record():
                scores, state = net(data, state)
                loss = loss_of(scores, label).mean()
            loss.backward()
            gluon.utils.clip_global_norm([p.grad() for p in params], options.clip)
            trainer.step(1)
            total += float(loss.asscalar()) * data.size
            count += data.size
        seconds = time.perf_counter() - began
        print(
            f"epoch {epoch + 1:2}: perplexity {math.exp(total / count):7.1f}, on other text "
            f"{perplexity(net, test, options.steps, loss_of):7.1f}, {count / seconds:6.0f} words/s"
        )
    print("it writes:", " ".join(sample(net, vocabulary, 30)))


def sample(net: Model, vocabulary: list[str], count: int) -> list[str]:
    """Words drawn one after another from the model."""
    state, word, found = net.begin(1), vocabulary.index("the"), []
    for _ in range(count):
        scores, state = net(mx.nd.array([[word]]), state)
        word = int(mx.nd.random.multinomial(scores[0].softmax()).asscalar())
        found.append(vocabulary[word])
    return found


if __name__ == "__main__":
    main()
