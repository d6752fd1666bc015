"""Matrix factorisation with sparse gradients: ratings as products of embeddings (Koren 2009).

python examples/gluon/matrix_factorisation.py [--epochs 10] [--dense] [--tiny]

A batch reads a few rows of the tables of users and items. With ``sparse_grad`` the gradients store
these rows, and the optimizer updates them alone: a step costs the same however long the tables are.
``--dense`` has whole gradients, which tables as short as these can afford.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import baryon as mx
from baryon import autograd, gluon


class Factorisation(gluon.HybridBlock):
    """The rating of an item by a user: the product of their vectors, plus a bias each."""

    def __init__(self, users: int, items: int, width: int, sparse: bool) -> None:
        super().__init__()
        options = {"sparse_grad": sparse, "weight_initializer": mx.init.Normal(0.1)}
        with self.name_scope():
            self.user = gluon.nn.Embedding(users, width, **options)
            self.item = gluon.nn.Embedding(items, width, **options)
            self.user_bias = gluon.nn.Embedding(users, 1, **options)
            self.item_bias = gluon.nn.Embedding(items, 1, **options)

    def hybrid_forward(self, F, user, item):
        product = (self.user(user) * self.item(item)).sum(axis=1)
        return product + (self.user_bias(user) + self.item_bias(item)).reshape((-1,))


def ratings(users: int, items: int, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Users, items and ratings drawn from hidden vectors of width 4, with noise."""
    hidden = np.random.RandomState(7)
    p, q = hidden.randn(users, 4) / 2, hidden.randn(items, 4)
    rng = np.random.RandomState(seed)
    user, item = rng.randint(users, size=count), rng.randint(items, size=count)
    score = (p[user] * q[item]).sum(1) + 0.1 * rng.randn(count)
    return user, item, score.astype("float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--dense", action="store_true", help="gradients of whole tables")
    parser.add_argument("--tiny", action="store_true", help="few ratings, one epoch")
    options = parser.parse_args()
    users, items, count = (50, 40, 1000) if options.tiny else (5000, 2000, 200000)
    batch, epochs = options.batch_size, 1 if options.tiny else options.epochs
    train, test = (ratings(users, items, n, s) for s, n in ((1, count), (2, count // 10)))
    data = gluon.data.ArrayDataset(*train)
    loader = gluon.data.DataLoader(data, batch, shuffle=True, last_batch="discard")
    mx.random.seed(1)
    net = Factorisation(users, items, 8, sparse=not options.dense)
    net.initialize()
    loss = gluon.loss.L2Loss()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.01})
    for epoch in range(epochs):
        start, total = time.perf_counter(), 0.0
        for user, item, score in loader:
            with autograd.record():
                error = loss(net(user, item), score)
            error.backward()
            trainer.step(batch)
            total += error.mean().asscalar()
        speed = count / (time.perf_counter() - start)
        print(f"epoch {epoch}: loss {total / len(loader):.4f}, {speed:.0f} ratings/s")
    user, item, score = (mx.nd.array(x) for x in test)
    rmse = ((net(user, item) - score) ** 2).mean().asscalar() ** 0.5
    gradient = net.user.weight.grad()
    print(f"test RMSE {rmse:.3f}; the last gradient of users is stored as {gradient.stype}")


if __name__ == "__main__":
    main()
