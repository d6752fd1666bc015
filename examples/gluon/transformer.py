"""A Transformer that turns dates as people write them into one form (Vaswani et al., 2017).

The encoder reads "the 3rd of may 1987" or "may 3, 1987" letter by letter; the decoder writes
"1987-05-03", each letter from those before. Lengths differ, so padding is masked.

    python examples/gluon/transformer.py [--epochs 8] [--hybridize] [--tiny]
"""

from __future__ import annotations

import argparse
import datetime
import math
import time

import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn

START, STOP, PAD = "^", "$", "_"
LETTERS = PAD + START + STOP + "0123456789abcdefghijklmnopqrstuvwxyz ,.-/"
NUMBER = {letter: i for i, letter in enumerate(LETTERS)}
LONGEST, WRITTEN = 32, len("1987-05-03")


def as_written(day: datetime.date, rng: np.random.Generator) -> str:
    """A date in one of several ways to write it."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day // 10 != 1 else 0, "th")
    month = f"{day:%B}".lower()
    forms = (
        f"the {day.day}{ending} of {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
        f"{day:%A}, {month} {day.day}{ending} {day.year}".lower(),
        f"{day.day}.{day.month}.{day.year}",
    )
    return forms[rng.integers(len(forms))]


def numbers(text: str, length: int) -> list[int]:
    """The letters as numbers, padded."""
    return [NUMBER[letter] for letter in text.ljust(length, PAD)]


def pairs(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dates as written (count, LONGEST), and in one form between start and stop."""
    days = [
        datetime.date(1900, 1, 1) + datetime.timedelta(int(d))
        for d in rng.integers(0, 60000, count)
    ]
    sources = [numbers(as_written(day, rng), LONGEST) for day in days]
    targets = [numbers(f"{START}{day.isoformat()}{STOP}", WRITTEN + 2) for day in days]
    return np.array(sources, np.float32), np.array(targets, np.float32)


class Attention(nn.HybridBlock):
    """Several heads of scaled dot products.

    A mask of (batch, queries, keys), or 1 for any of these, is added to the products.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads, self._scale = heads, 1 / math.sqrt(width / heads)
        with self.name_scope():
            self.query, self.key, self.value, self.mix = (
                nn.Dense(width, flatten=False, in_units=width) for _ in range(4)
            )

    def _split(self, F, x):
        """(batch, time, width) to (batch * heads, time, width / heads)."""
        x = F.transpose(F.reshape(x, shape=(0, 0, self._heads, -1)), axes=(0, 2, 1, 3))
        return F.reshape(x, shape=(-3, 0, 0))

    def hybrid_forward(self, F, queries, keys, mask):
        """What the queries look for, found among the keys."""
        q = self._split(F, self.query(queries) * self._scale)
        k, v = self._split(F, self.key(keys)), self._split(F, self.value(keys))
        scores = F.reshape(F.batch_dot(q, k, transpose_b=True), shape=(-4, -1, self._heads, 0, 0))
        chosen = F.softmax(F.broadcast_add(scores, F.expand_dims(mask, axis=1)))
        found = F.batch_dot(F.reshape(chosen, shape=(-3, 0, 0)), v)
        found = F.reshape(found, shape=(-4, -1, self._heads, 0, 0))
        return self.mix(F.reshape(F.transpose(found, axes=(0, 2, 1, 3)), shape=(0, 0, -3)))


class Layer(nn.HybridBlock):
    """Attention to oneself, to the encoder's result if there is one, and a dense pair."""

    def __init__(self, width: int, heads: int, decodes: bool) -> None:
        super().__init__()
        with self.name_scope():
            self.itself, self.norm1 = Attention(width, heads), nn.LayerNorm(in_channels=width)
            self.norm2 = nn.LayerNorm(in_channels=width)
            if decodes:
                self.other, self.norm3 = Attention(width, heads), nn.LayerNorm(in_channels=width)
            self.dense = nn.HybridSequential()
            self.dense.add(nn.Dense(4 * width, "relu", flatten=False, in_units=width))
            self.dense.add(nn.Dense(width, flatten=False, in_units=4 * width))

    def hybrid_forward(self, F, x, mask, memory=None, memory_mask=None):
        """The sequence, revised."""
        y = self.norm1(x)
        x = x + self.itself(y, y, mask)
        if memory is not None:
            x = x + self.other(self.norm3(x), memory, memory_mask)
        return x + self.dense(self.norm2(x))


class Transformer(nn.HybridBlock):
    """Encoder and decoder over one alphabet."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        ahead = np.triu(np.full((1, WRITTEN + 1, WRITTEN + 1), -1e9, np.float32), 1)
        with self.name_scope():
            self.letters = nn.Embedding(len(LETTERS), width)
            self.places = self.params.get(
                "places", shape=(1, LONGEST, width), init=mx.init.Normal(0.1)
            )
            self.ahead = self.params.get_constant("ahead", ahead)
            self.encoder, self.decoder = nn.HybridSequential(), nn.HybridSequential()
            for stack, decodes in ((self.encoder, False), (self.decoder, True)):
                stack.add(*(Layer(width, heads, decodes) for _ in range(layers)))
            self.norm = nn.LayerNorm(in_channels=width)
            self.scores = nn.Dense(len(LETTERS), flatten=False, in_units=width)

    def hybrid_forward(self, F, source, target, places, ahead):
        """Scores of the letter that follows each letter of `target`."""
        padding = F.expand_dims((source == NUMBER[PAD]) * -1e9, axis=1)
        x = F.broadcast_add(self.letters(source), places)
        for layer in self.encoder:
            x = layer(x, padding)
        y = F.broadcast_add(
            self.letters(target), F.slice_axis(places, axis=1, begin=0, end=WRITTEN + 1)
        )
        for layer in self.decoder:
            y = layer(y, ahead, x, padding)
        return self.scores(self.norm(y))


def read(net: Transformer, sources: np.ndarray) -> list[str]:
    """What the network makes of dates, each letter the likeliest after those before."""
    target = np.full((len(sources), WRITTEN + 1), NUMBER[PAD], np.float32)
    target[:, 0] = NUMBER[START]
    for i in range(WRITTEN):
        scores = net(mx.nd.array(sources), mx.nd.array(target))
        target[:, i + 1] = scores[:, i].argmax(axis=1).asnumpy()
    return ["".join(LETTERS[int(k)] for k in row[1:]) for row in target]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--dates", type=int, default=8000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--hybridize", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="a few dates, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs, options.dates, options.width, options.layers = 2, 256, 16, 1
    mx.random.seed(1)
    rng = np.random.default_rng(1)
    net = Transformer(options.width, 4, options.layers)
    net.initialize(mx.init.Xavier())
    if options.hybridize:
        net.hybridize()
    dataset = gluon.data.ArrayDataset(*pairs(options.dates, rng))
    batches = gluon.data.DataLoader(dataset, options.batch_size, shuffle=True, last_batch="discard")
    tests = pairs(20 if options.tiny else 200, rng)
    steps = options.epochs * len(batches)
    schedule = mx.lr_scheduler.CosineScheduler(
        steps, base_lr=options.lr, final_lr=0, warmup_steps=steps // 10
    )
    trainer = gluon.Trainer(net.collect_params(), "adam", {"lr_scheduler": schedule})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(options.epochs):
        began, total = time.perf_counter(), 0.0
        for source, target in batches:
            with autograd.record():
                scores = net(source, target[:, :-1])
                loss = loss_of(scores, target[:, 1:]).mean()
            loss.backward()
            trainer.step(1)
            total += float(loss.asscalar())
        seconds = time.perf_counter() - began
        right = np.mean([
            text == "".join(LETTERS[int(k)] for k in row[1:-1])
            for text, row in zip(read(net, tests[0]), tests[1], strict=True)
        ])  # fmt: skip
        print(
            f"epoch {epoch + 1}: loss {total / len(batches):.4f}, {right:.0%} of new dates right, "
            f"{len(batches) * options.batch_size / seconds:.0f} dates/s"
        )
    for source, text in zip(tests[0][:4], read(net, tests[0][:4]), strict=True):
        written = "".join(LETTERS[int(k)] for k in source).rstrip(PAD)
        print(f"{written:<36} -> {text}")


if __name__ == "__main__":
    main()
