"""`ImageRecordIter` and fine-tuning: a network of the digits 0-4, and then of 5-9.

The digits are packed into record files. A network trained on 0-4 is cut below its last layer, and
gets another one for 5-9, of which few images are enough.

    python examples/symbolic/image_records.py [--epochs 4] [--count 100] [--tiny]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import baryon as mx
from baryon import recordio, sym


def pack(path: Path, train: bool, high: bool, count: int | None) -> None:
    """A record file of the digits 0-4, or 5-9 with labels from 0; at most `count` images."""
    images, labels = mx.io.embedded_mnist(train=train)
    chosen = [i for i, label in enumerate(labels) if (label >= 5) == high][:count]
    record = recordio.MXIndexedRecordIO(path.with_suffix(".idx"), path, "w")
    for i in chosen:
        header = recordio.IRHeader(0, float(labels[i] - 5 * high), i, 0)
        record.write_idx(i, recordio.pack_img(header, images[i], quality=9, img_fmt=".png"))
    record.close()


def batches(folder: Path, train: bool, high: bool, count: int | None) -> mx.io.ImageRecordIter:
    """Batches of a part of the digits; those to train on shuffled, and cropped at random."""
    path = folder / f"{'train' if train else 'test'}_{'high' if high else 'low'}.rec"
    pack(path, train, high, count)
    more = {"shuffle": True, "rand_crop": True, "seed": 1} if train else {}
    return mx.io.ImageRecordIter(
        path_imgrec=path,
        path_imgidx=path.with_suffix(".idx"),
        data_shape=(1, 28, 28),
        batch_size=20,
        pad=1,
        fill_value=0,
        scale=1 / 255,
        **more,
    )


def features() -> sym.Symbol:
    """Two convolutions and a dense layer."""
    x = sym.Variable("data")
    for i, filters in enumerate((16, 32)):
        x = sym.Convolution(x, kernel=(5, 5), stride=(2, 2), num_filter=filters, name=f"conv{i}")
        x = sym.Activation(x, act_type="relu", name=f"relu{i}")
    x = sym.FullyConnected(sym.Flatten(x), num_hidden=64, name="fc")
    return sym.Activation(x, act_type="relu", name="features")


def with_head(x: sym.Symbol, name: str) -> sym.Symbol:
    """Five classes from features."""
    return sym.SoftmaxOutput(sym.FullyConnected(x, num_hidden=5, name=name), name="softmax")


def fit(net: sym.Symbol, train: mx.io.DataIter, epochs: int, **more: object) -> mx.mod.Module:
    """A trained module."""
    module = mx.mod.Module(net)
    module.fit(
        train,
        num_epoch=epochs,
        initializer=mx.init.Xavier(),
        optimizer="adam",
        optimizer_params={"learning_rate": 2e-3},
        **more,
    )
    return module


def accuracy(module: mx.mod.Module, test: mx.io.DataIter) -> float:
    """Share of the images that are recognised."""
    return dict(module.score(test, "acc"))["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--count", type=int, default=100, help="how many digits 5-9 to learn from")
    parser.add_argument("--tiny", action="store_true", help="a few images, for a quick check")
    options = parser.parse_args()
    many = 200 if options.tiny else None
    epochs = 2 if options.tiny else options.epochs
    mx.random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        low = fit(with_head(features(), "low"), batches(folder, True, False, many), epochs)
        test = batches(folder, False, False, many)
        print(f"digits 0-4: test accuracy {accuracy(low, test):.3f}")

        few = batches(folder, True, True, options.count)
        test = batches(folder, False, True, many)
        scratch = fit(with_head(features(), "high"), few, 3 * epochs)
        print(
            f"digits 5-9 from {options.count} images, from scratch: {accuracy(scratch, test):.3f}"
        )

        # The graph up to the features, with the parameters that belong to it.
        below = low.symbol.get_internals()["features_output"]
        arguments, states = low.get_params()
        known = {k: v for k, v in arguments.items() if k in below.list_arguments()}
        few.reset()
        test.reset()
        tuned = fit(
            with_head(below, "high"),
            few,
            3 * epochs,
            arg_params=known,
            aux_params=states,
            allow_missing=True,
        )
        print(f"digits 5-9 from {options.count} images, fine-tuned: {accuracy(tuned, test):.3f}")


if __name__ == "__main__":
    main()
