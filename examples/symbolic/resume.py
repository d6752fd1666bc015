"""A residual network whose training is cut off and resumed: bit for bit the uninterrupted one.

python examples/symbolic/resume.py [--epochs 4] [--stop 2] [--tiny]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import digits_data
import numpy as np

import baryon as mx
from baryon import sym


def unit(x: sym.Symbol, filters: int, stride: int, name: str) -> sym.Symbol:
    """A pre-activated residual unit (He et al. 2016)."""
    ready = sym.Activation(sym.BatchNorm(x, fix_gamma=False, name=f"{name}_bn1"), act_type="relu")
    y = sym.Convolution(ready, kernel=(3, 3), stride=(stride, stride), pad=(1, 1),
                        num_filter=filters, no_bias=True, name=f"{name}_conv1")  # fmt: skip
    y = sym.Activation(sym.BatchNorm(y, fix_gamma=False, name=f"{name}_bn2"), act_type="relu")
    y = sym.Convolution(y, kernel=(3, 3), pad=(1, 1), num_filter=filters, no_bias=True,
                        name=f"{name}_conv2")  # fmt: skip
    if stride > 1:
        x = sym.Convolution(ready, kernel=(1, 1), stride=(stride, stride), num_filter=filters,
                            no_bias=True, name=f"{name}_short")  # fmt: skip
    return x + y


def resnet(units: int) -> sym.Symbol:
    """Three stages of 16, 32 and 64 filters."""
    x = sym.Convolution(sym.Variable("data"), kernel=(3, 3), pad=(1, 1), num_filter=16,
                        no_bias=True, name="stem")  # fmt: skip
    for stage, filters in enumerate((16, 32, 64)):
        for i in range(units):
            x = unit(x, filters, 2 if stage and not i else 1, f"stage{stage}_unit{i}")
    x = sym.Activation(sym.BatchNorm(x, fix_gamma=False, name="bn"), act_type="relu")
    x = sym.Pooling(x, global_pool=True, pool_type="avg", kernel=(1, 1))
    return sym.SoftmaxOutput(sym.FullyConnected(x, num_hidden=10, name="fc"), name="softmax")


def train(
    module: mx.mod.Module, options: argparse.Namespace, first: int, last: int, **more
) -> None:
    """Epochs `first` up to `last`, in the same order of images each."""
    batches, test = digits_data.iterators(64, options.tiny)
    module.fit(
        batches,
        eval_data=test,
        initializer=mx.init.Xavier(magnitude=2.0),
        optimizer="nag",
        optimizer_params={"learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4},
        begin_epoch=first,
        num_epoch=last,
        **more,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--stop", type=int, default=2, help="the epoch after which training is cut")
    parser.add_argument("--units", type=int, default=1, help="residual units a stage")
    parser.add_argument("--tiny", action="store_true", help="few images, two epochs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.tiny:
        options.epochs, options.stop = 2, 1
    with tempfile.TemporaryDirectory() as folder:
        prefix = str(Path(folder) / "resnet")
        mx.random.seed(1)
        whole = mx.mod.Module(resnet(options.units))
        save = mx.callback.module_checkpoint(whole, prefix, save_optimizer_states=True)
        train(whole, options, 0, options.epochs, epoch_end_callback=save)
        print(f"resuming from {prefix}-{options.stop:04d}.params")
        again = mx.mod.Module.load(prefix, options.stop, load_optimizer_states=True)
        # Values come with the module; `fit` says so when it is asked to initialize them.
        train(again, options, options.stop, options.epochs)
    for want, found in zip(whole.get_params(), again.get_params(), strict=True):
        for name, value in want.items():
            if not np.array_equal(value.asnumpy(), found[name].asnumpy()):
                raise SystemExit(f"{name} differs after resuming")
    print("resumed training is the uninterrupted one, bit for bit")


if __name__ == "__main__":
    main()
