"""A Block of mixed inputs whose Python decides how long it computes (Graves, 2016, in spirit).

It reads a digit through small windows: an image, the list of places to look at, an optional state,
and a threshold that is a plain number. Between windows Python looks at the arrays and stops once
the network is sure of every image. Layers inside are compiled; what happens between them is not.

    python examples/gluon/control_flow.py [--epochs 6] [--tiny]
"""

from __future__ import annotations

import argparse
import time

import digits_data
import numpy as np

import baryon as mx
from baryon import autograd, gluon
from baryon.gluon import nn, rnn

SIZE = 12  # side of a window
PLACES = [(8, 8), (2, 8), (14, 8), (8, 2), (8, 14), (2, 2), (14, 14), (2, 14), (14, 2)]


class Reader(gluon.Block):
    """Looks at one window after another until it is sure."""

    def __init__(self, width: int) -> None:
        super().__init__()
        with self.name_scope():
            self.glimpse = nn.HybridSequential()
            self.glimpse.add(nn.Dense(width, activation="relu"))
            self.cell = rnn.GRUCell(width)
            self.scores = nn.Dense(10)

    def forward(self, images, places, state=None, threshold=None):
        """Scores after each window, and the state: ``([scores, ...], state)``.

        places    : corners of windows, in order; a Python list.
        state     : of an earlier call, to go on from; None to begin.
        threshold : stop when every image's best class is that likely; None to see all.
        """
        if state is None:
            state = self.cell.begin_state(batch_size=images.shape[0])
        found = []
        for number, (y, x) in enumerate(places):
            window = images[:, :, y : y + SIZE, x : x + SIZE]
            out, state = self.cell(self.glimpse(window) * (1 + 0.1 * number), state)
            found.append(self.scores(out))
            if threshold is not None:
                sure = found[-1].softmax().max(axis=1).min().asscalar()
                if sure > threshold:
                    break
        return found, state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 2
    mx.random.seed(1)
    rng = np.random.default_rng(1)
    net = Reader(16 if options.tiny else 96)
    net.initialize(mx.init.Xavier())
    net.hybridize()  # compiles what can be: the layers inside
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": options.lr})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(options.epochs):
        began, total, batches = time.perf_counter(), 0.0, 0
        for images, labels in digits_data.loader(True, options.batch_size, options.tiny):
            count = int(rng.integers(2, len(PLACES) + 1))  # each batch sees more or less
            with autograd.record():
                found, _ = net(images, PLACES[:count])
                loss = sum(loss_of(scores, labels) for scores in found) / count
            loss.backward()
            trainer.step(len(images))
            total, batches = total + float(loss.mean().asscalar()), batches + 1
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}: loss {total / batches:.4f}, {seconds:.1f} s")
    for threshold in (0.5, 0.9, None):
        looked, right, seen = 0, 0, 0
        for images, labels in digits_data.loader(False, 1, options.tiny):
            found, _ = net(images, PLACES, None, threshold)
            looked, seen = looked + len(found), seen + 1
            right += int(found[-1].argmax(axis=1).asscalar() == labels.asscalar())
            if seen == 300:
                break
        when = "all windows" if threshold is None else f"until {threshold:.0%} sure"
        print(f"{when}: {looked / seen:.1f} windows an image, {right / seen:.1%} right")
    first, state = net(images, PLACES[:3])
    rest, _ = net(images, PLACES[3:], state)
    print(f"in two parts: {len(first)} and {len(rest)} windows")


if __name__ == "__main__":
    main()
